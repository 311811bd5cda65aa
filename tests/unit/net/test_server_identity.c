#include "../base/check.h"
#include "scripted_server.h"

#include "net/server_identity_internal.h"

static struct {
    struct identity ca;
    struct identity alice;
    struct identity bob;
} texts;

static int set_up(void **) {
    texts.ca = make_identity("CA", nullptr);
    texts.alice = make_identity("alice", &texts.ca);
    texts.bob = make_identity("bob", &texts.ca);
    return 0;
}

static int tear_down(void **) {
    free_identity(&texts.alice);
    free_identity(&texts.bob);
    free_identity(&texts.ca);
    return 0;
}

static char *join(const char *first, const char *second) {
    size_t size = strlen(first) + strlen(second) + 1;
    char *joined = malloc(size);
    snprintf(joined, size, "%s%s", first, second);
    return joined;
}

static struct server_identity *create(void) {
    struct error e;
    struct server_identity *identity = nullptr;
    must(server_identity_create(&identity, &e), e);
    return identity;
}

// The certificate that a connection begins with is this one; NULL: none.
static void begins_with(struct server_identity *identity, const X509 *expected) {
    SSL *ssl = server_identity_begin(identity);
    X509 *certificate = SSL_get_certificate(ssl);
    assert_true(expected == nullptr ? certificate == nullptr
                                    : certificate != nullptr && X509_cmp(certificate, expected) == 0);
    SSL_free(ssl);
}

static void at_first_there_is_none(void **) {
    struct server_identity *identity = create();
    assert_false(server_identity_is_set(identity));
    begins_with(identity, nullptr);
    server_identity_free(identity);
    server_identity_free(nullptr);
}

static void the_newest_is_taken(void **) {
    struct error e;
    struct server_identity *identity = create();
    must(server_identity_set(identity, texts.alice.certificate_pem, texts.alice.key_pem, &e), e);
    assert_true(server_identity_is_set(identity));
    begins_with(identity, texts.alice.certificate);
    SSL *open = server_identity_begin(identity);
    must(server_identity_set(identity, texts.bob.certificate_pem, texts.bob.key_pem, &e), e);
    begins_with(identity, texts.bob.certificate);
    assert_int_equal(X509_cmp(SSL_get_certificate(open), texts.alice.certificate), 0);
    server_identity_free(identity);
    assert_int_equal(X509_cmp(SSL_get_certificate(open), texts.alice.certificate),
                     0); // which it does not need
    SSL_free(open);
}

static void the_chain_is_sent(void **) {
    struct error e;
    struct server_identity *identity = create();
    char *chain = join(texts.alice.certificate_pem, texts.ca.certificate_pem);
    must(server_identity_set(identity, chain, texts.alice.key_pem, &e), e);
    SSL *ssl = server_identity_begin(identity);
    STACK_OF(X509) *sent = nullptr;
    assert_int_equal(SSL_get0_chain_certs(ssl, &sent), 1);
    assert_int_equal(sk_X509_num(sent), 1);
    assert_int_equal(X509_cmp(sk_X509_value(sent, 0), texts.ca.certificate), 0);
    SSL_free(ssl);
    server_identity_free(identity);
    free(chain);
}

static void test_trap_23_a_bad_one_leaves_the_old(void **) {
    struct error e;
    struct server_identity *identity = create();
    char *cut = join(texts.bob.certificate_pem, "");
    char *half =
        join(texts.bob.certificate_pem, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    cut[strlen(cut) / 2] = '\0';
    const struct {
        const char *chain;
        const char *key;
        const char *says;
    } bad[] = {
        {"", texts.bob.key_pem, "the server certificate is not one or more PEM certificates"},
        {"nonsense", texts.bob.key_pem, "the server certificate is not one or more PEM certificates"},
        {cut, texts.bob.key_pem, "the server certificate is not one or more PEM certificates"},
        {half, texts.bob.key_pem, "the server certificate is not one or more PEM certificates"},
        {texts.bob.key_pem, texts.bob.key_pem, "the server certificate is not one or more PEM certificates"},
        {texts.bob.certificate_pem, "", "the server key is not an unencrypted PEM private key"},
        {texts.bob.certificate_pem, texts.bob.certificate_pem,
         "the server key is not an unencrypted PEM private key"},
        {texts.bob.certificate_pem, texts.alice.key_pem,
         "the server key does not belong to the server certificate"},
    };
    for (int set = 0; set <= 1; set++) {
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
            must_fail(server_identity_set(identity, bad[i].chain, bad[i].key, &e), e, ERROR_INVALID_SPEC,
                      bad[i].says);
            assert_int_equal(ERR_peek_error(), 0);
            assert_int_equal(server_identity_is_set(identity), set == 1);
            begins_with(identity, set == 1 ? texts.alice.certificate : nullptr);
        }
        must(server_identity_set(identity, texts.alice.certificate_pem, texts.alice.key_pem, &e), e);
    }
    server_identity_free(identity);
    free(cut);
    free(half);
}

static void the_rules_of_the_house_are_set(void **) {
    struct error e;
    struct server_identity *identity = create();
    must(server_identity_set(identity, texts.alice.certificate_pem, texts.alice.key_pem, &e), e);
    SSL *ssl = server_identity_begin(identity);
    uint64_t options = SSL_get_options(ssl);
    assert_int_equal(SSL_get_min_proto_version(ssl), TLS1_2_VERSION);
    assert_true((options & SSL_OP_CLEANSE_PLAINTEXT) != 0);
    assert_true((options & SSL_OP_NO_RENEGOTIATION) != 0);
    assert_true((options & SSL_OP_NO_TICKET) != 0);
    assert_true((SSL_get_mode(ssl) & SSL_MODE_RELEASE_BUFFERS) != 0);
    assert_int_equal(SSL_get_num_tickets(ssl), 0);
    SSL_free(ssl);
    server_identity_free(identity);
}

static atomic_bool stop;

static void *change(void *context) {
    struct error e;
    const struct identity *both[] = {&texts.alice, &texts.bob};
    for (int i = 0; !atomic_load(&stop); i++) {
        must(server_identity_set(context, both[i % 2]->certificate_pem, both[i % 2]->key_pem, &e), e);
    }
    return nullptr;
}

static void threads_may_change_it(void **) {
    struct error e;
    struct server_identity *identity = create();
    pthread_t threads[2];
    must(server_identity_set(identity, texts.alice.certificate_pem, texts.alice.key_pem, &e), e);
    atomic_store(&stop, false);
    for (int i = 0; i < 2; i++) {
        pthread_create(&threads[i], nullptr, change, identity);
    }
    for (int i = 0; i < 500; i++) {
        SSL *ssl = server_identity_begin(identity);
        assert_int_equal(SSL_check_private_key(ssl), 1); // never one's certificate with the other's key
        SSL_free(ssl);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], nullptr);
    }
    server_identity_free(identity);
}

int main(void) {
    use_own_heap();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_first_there_is_none),
        cmocka_unit_test(the_newest_is_taken),
        cmocka_unit_test(the_chain_is_sent),
        cmocka_unit_test(test_trap_23_a_bad_one_leaves_the_old),
        cmocka_unit_test(the_rules_of_the_house_are_set),
        cmocka_unit_test(threads_may_change_it),
    };
    return cmocka_run_group_tests_name("net/server_identity", tests, set_up, tear_down);
}
