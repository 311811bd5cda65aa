#include "../base/short_memory.h"
#include "support.h"

#include "crypto/certificate.h"
#include "crypto/serving_certificate.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

enum { TEXT_MAX = 1 << 16 };

static const int64_t now = 1767323045; // 2026-01-02T03:04:05Z

static const struct certificate_subject ca_subject = {.organization = "Example", .common_name = "Example CA"};
static const struct certificate_subject leaf_subject = {.common_name = "example"};
static const char *const texts[] = {"qubesec-webhook.qubesec-system.svc", "127.0.0.1", "2001:db8::1"};
enum { NAME_COUNT = sizeof(texts) / sizeof(texts[0]) };

// A CA and a leaf of it, with their keys.
struct pair {
    struct san names[NAME_COUNT];
    struct pkey *ca_key;
    struct pkey *key;
    struct certificate *ca;
    struct certificate *leaf;
};

static struct pair make_pair(void) {
    struct error e;
    struct pair pair = {0};
    for (size_t i = 0; i < NAME_COUNT; i++) {
        must(san_parse(texts[i], &pair.names[i], &e), e);
    }
    must(serving_key_generate(&pair.ca_key, &e), e);
    must(serving_key_generate(&pair.key, &e), e);
    must(serving_certificate_issue_ca(&ca_subject, pair.ca_key, now, &pair.ca, &e), e);
    must(serving_certificate_issue(&leaf_subject, pair.names, NAME_COUNT, pair.key, pair.ca, pair.ca_key, now,
                                   &pair.leaf, &e),
         e);
    return pair;
}

static void free_pair(struct pair *pair) {
    for (size_t i = 0; i < NAME_COUNT; i++) {
        san_done(&pair->names[i]);
    }
    pkey_free(pair->ca_key);
    pkey_free(pair->key);
    certificate_free(pair->ca);
    certificate_free(pair->leaf);
}
#define cleanup_pair [[gnu::cleanup(free_pair)]]

static X509 *reread(const struct certificate *certificate) {
    struct error e;
    cleanup_buffer struct buffer der = buffer_create(TEXT_MAX);
    must(certificate_append_der(certificate, &der, &e), e);
    const unsigned char *bytes = (const unsigned char *)der.data;
    X509 *x509 = d2i_X509(nullptr, &bytes, (long)der.length);
    assert_non_null(x509);
    return x509;
}

static void a_leaf_verifies_with_its_ca(void **) {
    struct error e;
    cleanup_pair struct pair pair = make_pair();
    must(certificate_verify(pair.leaf, nullptr, 0, pair.ca, CERTIFICATE_SERVER_AUTH, now, &e), e);
    must(certificate_verify(pair.ca, nullptr, 0, pair.ca, 0, now, &e), e);
    must(certificate_check_key(pair.leaf, pair.key, &e), e);
    must(certificate_check_key(pair.ca, pair.ca_key, &e), e);
    must_fail(certificate_check_key(pair.leaf, pair.ca_key, &e), e, ERROR_CRYPTO, "another key");
    must_fail(certificate_verify(pair.leaf, nullptr, 0, pair.ca, CERTIFICATE_CLIENT_AUTH, now, &e), e,
              ERROR_CRYPTO, "purpose");
    cleanup_pair struct pair other = make_pair(); // of the same names
    must_fail(certificate_verify(pair.leaf, nullptr, 0, other.ca, CERTIFICATE_SERVER_AUTH, now, &e), e,
              ERROR_CRYPTO, "does not verify");
}

static void they_are_of_the_profile(void **) {
    cleanup_pair struct pair pair = make_pair();
    X509 *ca = reread(pair.ca);
    X509 *leaf = reread(pair.leaf);
    assert_int_equal(X509_get_signature_nid(ca), NID_ecdsa_with_SHA256);
    assert_int_equal(X509_get_signature_nid(leaf), NID_ecdsa_with_SHA256);
    char group[32];
    assert_int_equal(EVP_PKEY_get_group_name(X509_get0_pubkey(leaf), group, sizeof(group), nullptr), 1);
    assert_string_equal(group, "prime256v1");
    assert_int_equal(X509_get_key_usage(ca), KU_KEY_CERT_SIGN | KU_CRL_SIGN);
    assert_int_equal(X509_get_key_usage(leaf), KU_DIGITAL_SIGNATURE);
    assert_int_equal(X509_get_extended_key_usage(leaf), XKU_SSL_SERVER);
    assert_int_equal(X509_check_host(leaf, texts[0], 0, 0, nullptr), 1);
    assert_int_equal(X509_check_ip_asc(leaf, "127.0.0.1", 0), 1);
    assert_int_equal(X509_check_ip_asc(leaf, "2001:db8:0::1", 0), 1);
    assert_int_equal(X509_check_host(leaf, "elsewhere.svc", 0, 0, nullptr), 0);
    assert_int_equal(ASN1_OCTET_STRING_cmp(X509_get0_authority_key_id(leaf), X509_get0_subject_key_id(ca)),
                     0);
    X509_free(ca);
    X509_free(leaf);
    assert_true(certificate_is_ca(pair.ca));
    assert_int_equal(certificate_path_length(pair.ca), 0);
    assert_false(certificate_is_ca(pair.leaf));
}

static void they_live_as_long_as_they_should(void **) {
    struct error e;
    cleanup_pair struct pair pair = make_pair();
    assert_int_equal(certificate_not_before(pair.leaf), now - SERVING_BACKDATED_SECONDS);
    assert_int_equal(certificate_not_after(pair.leaf), now + SERVING_LEAF_SECONDS);
    assert_int_equal(certificate_not_after(pair.ca), now + SERVING_CA_SECONDS);
    int64_t renewal = serving_certificate_renewal(pair.leaf);
    assert_true(renewal > now + 59 * 24 * 3600 && renewal < now + 61 * 24 * 3600);
    cleanup_certificate struct certificate *last = nullptr;
    int64_t late = now + SERVING_CA_SECONDS - 3600; // an hour before the CA's end
    must(serving_certificate_issue(&leaf_subject, pair.names, NAME_COUNT, pair.key, pair.ca, pair.ca_key,
                                   late, &last, &e),
         e);
    assert_int_equal(certificate_not_after(last), certificate_not_after(pair.ca));
    must(certificate_verify(last, nullptr, 0, pair.ca, CERTIFICATE_SERVER_AUTH, late, &e), e);
}

static void names_are_compared_as_a_set(void **) {
    struct error e;
    cleanup_pair struct pair pair = make_pair();
    struct san turned[NAME_COUNT] = {pair.names[2], pair.names[0], pair.names[1]};
    assert_true(certificate_has_names(pair.leaf, pair.names, NAME_COUNT));
    assert_true(certificate_has_names(pair.leaf, turned, NAME_COUNT));
    assert_false(certificate_has_names(pair.leaf, pair.names, NAME_COUNT - 1));
    struct san other;
    must(san_parse("127.0.0.2", &other, &e), e);
    turned[1] = other;
    assert_false(certificate_has_names(pair.leaf, turned, NAME_COUNT));
    san_done(&other);
    must(san_parse("DNS:qubesec-webhook.qubesec-system.sv", &other, &e), e);
    turned[1] = other;
    assert_false(certificate_has_names(pair.leaf, turned, NAME_COUNT));
    san_done(&other);
    assert_true(certificate_has_names(pair.ca, nullptr, 0));
    assert_false(certificate_has_names(pair.ca, pair.names, 1));
}

static void a_key_goes_out_and_in(void **) {
    struct error e;
    cleanup_pair struct pair pair = make_pair();
    cleanup_secret struct secret *pem = nullptr;
    cleanup_pkey struct pkey *read = nullptr;
    must(pkey_private_pem(pair.key, &pem, &e), e);
    assert_memory_equal(secret_view(pem), "-----BEGIN PRIVATE KEY-----", 27);
    must(serving_key_read(secret_view(pem), secret_length(pem), &read, &e), e);
    must(certificate_check_key(pair.leaf, read, &e), e);
}

static void write_key(EVP_PKEY *key, const char *password, char *ret_text, size_t size) {
    BIO *bio = BIO_new(BIO_s_mem());
    const EVP_CIPHER *cipher = password == nullptr ? nullptr : EVP_aes_128_cbc();
    assert_int_equal(PEM_write_bio_PrivateKey(bio, key, cipher, nullptr, 0, nullptr, (void *)password), 1);
    int length = BIO_read(bio, ret_text, (int)size - 1);
    assert_true(length > 0);
    ret_text[length] = '\0';
    BIO_free(bio);
}

static void other_keys_are_refused(void **) {
    struct error e;
    struct pkey *read = nullptr;
    char text[8192];
    EVP_PKEY *other = EVP_EC_gen("P-384");
    write_key(other, nullptr, text, sizeof(text));
    must_fail(serving_key_read(text, strlen(text), &read, &e), e, ERROR_INVALID_SPEC, "P-256");
    EVP_PKEY_free(other);
    other = EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
    write_key(other, nullptr, text, sizeof(text));
    must_fail(serving_key_read(text, strlen(text), &read, &e), e, ERROR_INVALID_SPEC, "P-256");
    EVP_PKEY_free(other);
    other = EVP_EC_gen("P-256");
    write_key(other, "pass", text, sizeof(text)); // nobody is asked for the password
    must_fail(serving_key_read(text, strlen(text), &read, &e), e, ERROR_INVALID_SPEC, "unencrypted");
    EVP_PKEY_free(other);
    must_fail(serving_key_read("", 0, &read, &e), e, ERROR_INVALID_SPEC, "unencrypted");
    must_fail(serving_key_read("rubbish", 7, &read, &e), e, ERROR_INVALID_SPEC, "unencrypted");
}

static void memory_may_run_out(void **) {
    bool done = false;
    struct error error;
    struct pkey *first = nullptr;
    must(serving_key_generate(&first, &error), error); // what OpenSSL keeps for good is there now
    pkey_free(first);
    for (long allocations = 0; !done && allocations < 5000; allocations++) {
        struct error e = {0};
        struct pkey *key = nullptr;
        struct certificate *ca = nullptr;
        (void)memory_take_failure();
        memory_left = allocations;
        done = serving_key_generate(&key, &e) && serving_certificate_issue_ca(&ca_subject, key, now, &ca, &e);
        memory_left = -1;
        bool failed = memory_take_failure();
        assert_true(done || failed); // nothing else is wrong with it
        certificate_free(ca);
        pkey_free(key);
        ERR_clear_error();
    }
    assert_true(done);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_leaf_verifies_with_its_ca),
        cmocka_unit_test(they_are_of_the_profile),
        cmocka_unit_test(they_live_as_long_as_they_should),
        cmocka_unit_test(names_are_compared_as_a_set),
        cmocka_unit_test(a_key_goes_out_and_in),
        cmocka_unit_test(other_keys_are_refused),
        cmocka_unit_test(memory_may_run_out),
    };
    start_or_fail();
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
