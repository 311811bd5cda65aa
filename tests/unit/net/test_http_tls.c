#include "scripted_server.h"

#include "net/http_client.h"

struct texts {
    struct identity ca;
    struct identity alice;
    struct identity bob;
};

static int set_up(void **state) {
    static struct texts texts;
    texts.ca = make_identity("CA", nullptr);
    texts.alice = make_identity("alice", &texts.ca);
    texts.bob = make_identity("bob", &texts.ca);
    *state = &texts;
    return 0;
}

static int tear_down(void **state) {
    struct texts *texts = *state;
    free_identity(&texts->alice);
    free_identity(&texts->bob);
    free_identity(&texts->ca);
    return 0;
}

static void accept_texts(const char *ca, const char *certificate, const char *key) {
    struct http_tls *tls;
    struct error e;
    if (!http_tls_create(ca, certificate, key, &tls, &e)) {
        fail_msg("%s", e.message);
    }
    http_tls_release(http_tls_retain(tls));
    http_tls_release(tls);
    assert_int_equal(ERR_peek_error(), 0);
}

static void refuse_texts(const char *ca, const char *certificate, const char *key, const char *says) {
    struct http_tls *tls = nullptr;
    struct error e;
    assert_false(http_tls_create(ca, certificate, key, &tls, &e));
    assert_int_equal(e.class, ERROR_INVALID_SPEC);
    assert_non_null(strstr(e.message, says));
    assert_null(tls);
    assert_int_equal(ERR_peek_error(), 0);
}

static char *join(const char *first, const char *second) {
    size_t size = strlen(first) + strlen(second) + 1;
    char *joined = malloc(size);
    snprintf(joined, size, "%s%s", first, second);
    return joined;
}

static void good_texts_are_accepted(void **state) {
    const struct texts *texts = *state;
    accept_texts(nullptr, nullptr, nullptr);
    accept_texts(texts->ca.certificate_pem, nullptr, nullptr);
    accept_texts(nullptr, texts->alice.certificate_pem, texts->alice.key_pem);
    accept_texts(texts->ca.certificate_pem, texts->alice.certificate_pem, texts->alice.key_pem);
    char *bundle = join("a comment\n", texts->ca.certificate_pem);
    char *chain = join(texts->alice.certificate_pem, bundle);
    accept_texts(bundle, chain, texts->alice.key_pem);
    free(chain);
    free(bundle);
    assert_null(http_tls_retain(nullptr));
    http_tls_release(nullptr);
}

static void bad_cas_are_refused(void **state) {
    const struct texts *texts = *state;
    refuse_texts("", nullptr, nullptr, "the CA");
    refuse_texts("nonsense", nullptr, nullptr, "the CA");
    refuse_texts(texts->alice.key_pem, nullptr, nullptr, "the CA");
    char *cut = strdup(texts->ca.certificate_pem);
    cut[strlen(cut) / 2] = '\0';
    refuse_texts(cut, nullptr, nullptr, "the CA");
    char *half = join(texts->ca.certificate_pem, cut);
    refuse_texts(half, nullptr, nullptr, "the CA");
    free(half);
    free(cut);
}

static void bad_identities_are_refused(void **state) {
    const struct texts *texts = *state;
    refuse_texts(nullptr, texts->alice.certificate_pem, nullptr, "together");
    refuse_texts(nullptr, nullptr, texts->alice.key_pem, "together");
    refuse_texts(nullptr, texts->alice.certificate_pem, texts->bob.key_pem, "does not belong");
    refuse_texts(nullptr, texts->alice.certificate_pem, "nonsense", "the client key");
    refuse_texts(nullptr, "nonsense", texts->alice.key_pem, "the client certificate");
}

// It must not ask for a password on the terminal either.
static void an_encrypted_key_is_refused(void **state) {
    const struct texts *texts = *state;
    BIO *bio = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, texts->alice.key, EVP_aes_128_cbc(), "secret", 6,
                                                   nullptr, nullptr),
                     1);
    char *encrypted = take_bio_text(bio);
    refuse_texts(nullptr, texts->alice.certificate_pem, encrypted, "unencrypted");
    free(encrypted);
}

int main(void) {
    use_own_heap();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(good_texts_are_accepted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bad_cas_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bad_identities_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_encrypted_key_is_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
