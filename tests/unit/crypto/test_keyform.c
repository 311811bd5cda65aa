#include "../base/pem_shapes.h"
#include "support.h"

#include "crypto/kem.h"
#include "crypto/keyform.h"
#include "kem_answers.h"

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>

typedef bool reader(const struct algorithm *wanted, const void *bytes, size_t length, struct pkey **ret_pkey,
                    struct error *e);

enum { BIG = 100000 };

// The key pair of RFC 9935 in the forms that the tests start from.
struct forms {
    const struct algorithm *algorithm;
    struct pkey *pkey;
    struct buffer public_raw;
    struct buffer public_pem;
    struct buffer public_der;
    struct secret *private_raw;
    struct secret *private_pem;
};

static struct forms forms[KEM_ANSWER_COUNT];

// Undoes PEM by hand: the lines between the two marks are base64.
static void undo_pem(const char *pem, struct buffer *der) {
    struct error e;
    cleanup_secret struct secret *bytes = nullptr;
    const char *begin = strchr(pem, '\n') + 1;
    const char *end = strstr(begin, "-----END");
    must(base64_decode(begin, (size_t)(end - begin), ENCODING_SKIP_SPACES, &bytes, &e), e);
    must(buffer_append(der, secret_view(bytes), secret_length(bytes), &e), e);
}

static int set_up(void **) {
    cleanup_secret struct secret *seed = from_hex(rfc9935_seed);
    for (size_t i = 0; i < KEM_ANSWER_COUNT; i++) {
        struct error e;
        struct forms *form = &forms[i];
        form->algorithm = algorithm_find(ALGORITHM_KEM, kem_answers[i].algorithm);
        form->public_raw = buffer_create(BIG);
        form->public_pem = buffer_create(BIG);
        form->public_der = buffer_create(BIG);
        if (!pkey_from_seed(form->algorithm, seed, &form->pkey, &e) ||
            !pkey_public(form->pkey, &form->public_raw, &e) ||
            !pkey_public_pem(form->pkey, &form->public_pem, &e) ||
            !pkey_private(form->pkey, &form->private_raw, &e) ||
            !pkey_private_pem(form->pkey, &form->private_pem, &e)) {
            print_error("%s\n", e.message);
            return -1;
        }
        undo_pem(buffer_text(&form->public_pem), &form->public_der);
    }
    return 0;
}

static int tear_down(void **) {
    for (size_t i = 0; i < KEM_ANSWER_COUNT; i++) {
        pkey_free(forms[i].pkey);
        buffer_done(&forms[i].public_raw);
        buffer_done(&forms[i].public_pem);
        buffer_done(&forms[i].public_der);
        secret_free(forms[i].private_raw);
        secret_free(forms[i].private_pem);
    }
    return 0;
}

static void assert_reads(reader *read, const struct forms *form, const void *bytes, size_t length) {
    struct error e;
    cleanup_pkey struct pkey *pkey = nullptr;
    must(read(form->algorithm, bytes, length, &pkey, &e), e);
    assert_ptr_equal(pkey_algorithm(pkey), form->algorithm);
    assert_int_equal(pkey_has_private(pkey), read == keyform_read_private);
    must(pkey_check_same(pkey, form->pkey, &e), e);
}

static void assert_refuses(reader *read, const struct algorithm *wanted, const void *bytes, size_t length,
                           const char *part) {
    struct error e;
    struct pkey *none = nullptr;
    must_fail(read(wanted, bytes, length, &none, &e), e, ERROR_INVALID_SPEC, part);
    assert_null(none);
}

static void assert_reads_base64(reader *read, const struct forms *form, const void *bytes, size_t length) {
    struct error e;
    cleanup_buffer struct buffer text = buffer_create(BIG);
    must(base64_encode(bytes, length, &text, &e), e);
    assert_reads(read, form, text.data, text.length);
    // As base64(1) writes it, in lines of 76, and as people indent it.
    cleanup_buffer struct buffer lines = buffer_create(BIG);
    for (size_t i = 0; i < text.length; i += 76) {
        int width = text.length - i < 76 ? (int)(text.length - i) : 76;
        must(buffer_append_format(&lines, &e, "  %.*s\r\n", width, text.data + i), e);
    }
    assert_reads(read, form, lines.data, lines.length);
}

static void test_public_forms(void **) {
    for (size_t i = 0; i < KEM_ANSWER_COUNT; i++) {
        const struct forms *form = &forms[i];
        assert_reads(keyform_read_public, form, form->public_raw.data, form->public_raw.length);
        assert_reads(keyform_read_public, form, form->public_pem.data, form->public_pem.length);
        assert_reads(keyform_read_public, form, form->public_der.data, form->public_der.length);
        assert_reads_base64(keyform_read_public, form, form->public_raw.data, form->public_raw.length);
        assert_reads_base64(keyform_read_public, form, form->public_der.data, form->public_der.length);
        assert_reads_base64(keyform_read_public, form, form->public_pem.data, form->public_pem.length);
    }
}

// One raw key in 256 begins as DER does.
static void test_raw_keys_that_begin_as_der(void **) {
    struct error e;
    const struct algorithm *algorithm = forms[0].algorithm;
    bool seen_public = false;
    bool seen_private = false;
    for (int i = 0; i < 20000 && !(seen_public && seen_private); i++) {
        cleanup_pkey struct pkey *pkey = nullptr;
        cleanup_buffer struct buffer public_raw = buffer_create(BIG);
        cleanup_secret struct secret *private_raw = nullptr;
        must(pkey_generate(algorithm, &pkey, &e), e);
        must(pkey_public(pkey, &public_raw, &e), e);
        must(pkey_private(pkey, &private_raw, &e), e);
        struct forms form = {.algorithm = algorithm, .pkey = pkey};
        if (public_raw.data[0] == 0x30) {
            assert_reads(keyform_read_public, &form, public_raw.data, public_raw.length);
            seen_public = true;
        }
        if (secret_view(private_raw)[0] == 0x30) {
            assert_reads(keyform_read_private, &form, secret_view(private_raw), secret_length(private_raw));
            seen_private = true;
        }
    }
    assert_true(seen_public && seen_private);
}

static void test_pem_among_other_text(void **) {
    struct error e;
    cleanup_buffer struct buffer text = buffer_create(BIG);
    must(buffer_append_format(&text, &e, "Bob's key:\n\n%s\nand then %s", buffer_text(&forms[0].public_pem),
                              buffer_text(&forms[1].public_pem)),
         e);
    assert_reads(keyform_read_public, &forms[0], text.data, text.length);
    assert_refuses(keyform_read_public, forms[1].algorithm, text.data, text.length, "is of ML-KEM-512");
}

// OpenSSL reads a long line in pieces of 254 bytes, and looks for a boundary at the beginning of each.
static void what_is_behind_a_comment_sign_is_not_read(void **) {
    for (size_t count = 1; count <= 2 * 254 + 1; count++) {
        cleanup_buffer struct buffer text = buffer_create(BIG);
        struct error e;
        char signs[2 * 254 + 1];
        memset(signs, '#', sizeof(signs));
        must(buffer_append(&text, signs, count, &e) &&
                 buffer_append_text(&text, buffer_text(&forms[1].public_pem), &e),
             e);
        assert_refuses(keyform_read_public, forms[1].algorithm, text.data, text.length, "");
    }
}

static void assert_reads_shape(reader *read, const struct forms *form, const char *pem, size_t shape) {
    struct error e;
    cleanup_buffer struct buffer text = buffer_create(BIG);
    cleanup_pkey struct pkey *pkey = nullptr;
    pem_shape(shape, pem, &text);
    if (!read(form->algorithm, text.data, text.length, &pkey, &e)) {
        fail_msg("%s: %s", pem_shapes[shape], e.message);
    }
    must(pkey_check_same(pkey, form->pkey, &e), e);
}

static void test_pem_as_people_have_it(void **) {
    for (size_t i = 0; i < PEM_SHAPE_COUNT; i++) {
        assert_reads_shape(keyform_read_public, &forms[1], buffer_text(&forms[1].public_pem), i);
        assert_reads_shape(keyform_read_private, &forms[1], (const char *)secret_view(forms[1].private_pem),
                           i);
    }
}

// A certificate of a raw public key, signed by a key of another algorithm, as PEM.
static void make_certificate(const struct forms *form, struct buffer *pem) {
    struct error e;
    EVP_PKEY *issuer = EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256");
    EVP_PKEY *subject =
        EVP_PKEY_new_raw_public_key_ex(nullptr, form->algorithm->openssl_name, nullptr,
                                       (unsigned char *)form->public_raw.data, form->public_raw.length);
    X509 *certificate = X509_new();
    X509_NAME *name = X509_get_subject_name(certificate);
    assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (unsigned char *)"bob", -1, -1, 0),
                     1);
    assert_int_equal(X509_set_issuer_name(certificate, name), 1);
    assert_non_null(
        X509_gmtime_adj(X509_getm_notBefore(certificate), -200)); // long over: dates are not looked at
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(certificate), -100));
    assert_int_equal(X509_set_pubkey(certificate, subject), 1);
    assert_true(X509_sign(certificate, issuer, EVP_sha256()) > 0);
    BIO *bio = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_X509(bio, certificate), 1);
    char *text;
    long length = BIO_get_mem_data(bio, &text);
    must(buffer_append(pem, text, (size_t)length, &e), e);
    BIO_free(bio);
    X509_free(certificate);
    EVP_PKEY_free(subject);
    EVP_PKEY_free(issuer);
}

static void test_certificate(void **) {
    for (size_t i = 0; i < KEM_ANSWER_COUNT; i++) {
        cleanup_buffer struct buffer pem = buffer_create(BIG);
        make_certificate(&forms[i], &pem);
        assert_reads(keyform_read_public, &forms[i], pem.data, pem.length);
        assert_refuses(keyform_read_public, forms[(i + 1) % 3].algorithm, pem.data, pem.length,
                       forms[i].algorithm->name);
        assert_refuses(keyform_read_private, forms[i].algorithm, pem.data, pem.length,
                       "the PEM block is \"CERTIFICATE\", not \"PRIVATE KEY\"");
    }
}

static void wrap_pem(const char *label, const struct buffer *der, struct buffer *pem) {
    struct error e;
    must(buffer_append_format(pem, &e, "-----BEGIN %s-----\n", label), e);
    for (size_t i = 0; i < der->length; i += 48) {
        size_t width = der->length - i < 48 ? der->length - i : 48;
        must(base64_encode(der->data + i, width, pem, &e), e);
        must(buffer_append_text(pem, "\n", &e), e);
    }
    must(buffer_append_format(pem, &e, "-----END %s-----\n", label), e);
}

static void test_damaged_certificates(void **) {
    struct error e;
    cleanup_buffer struct buffer pem = buffer_create(BIG);
    cleanup_buffer struct buffer der = buffer_create(BIG);
    cleanup_buffer struct buffer longer = buffer_create(BIG);
    cleanup_buffer struct buffer shorter = buffer_create(BIG);
    make_certificate(&forms[0], &pem);
    undo_pem(buffer_text(&pem), &der);
    der.length--;
    wrap_pem("CERTIFICATE", &der, &shorter);
    der.length++;
    must(buffer_append(&der, "", 1, &e), e);
    wrap_pem("CERTIFICATE", &der, &longer);
    assert_refuses(keyform_read_public, forms[0].algorithm, shorter.data, shorter.length,
                   "not a certificate");
    assert_refuses(keyform_read_public, forms[0].algorithm, longer.data, longer.length,
                   "bytes follow the certificate");
}

static void test_trap_43_private_forms(void **) {
    struct error e;
    for (size_t i = 0; i < KEM_ANSWER_COUNT; i++) {
        const struct forms *form = &forms[i];
        assert_reads(keyform_read_private, form, secret_view(form->private_raw),
                     secret_length(form->private_raw));
        assert_reads_base64(keyform_read_private, form, secret_view(form->private_raw),
                            secret_length(form->private_raw));
        assert_reads(keyform_read_private, form, secret_view(form->private_pem),
                     secret_length(form->private_pem));
        cleanup_buffer struct buffer pem = buffer_create(BIG);
        cleanup_buffer struct buffer der = buffer_create(BIG);
        must(buffer_append(&pem, secret_view(form->private_pem), secret_length(form->private_pem), &e), e);
        undo_pem(buffer_text(&pem), &der);
        assert_int_equal(der.length, 86);
        assert_reads(keyform_read_private, form, der.data, der.length);
        assert_reads_base64(keyform_read_private, form, der.data, der.length);
    }
}

// A PKCS#8 key of ML-KEM-512 with contents of our own making.
static void append_pkcs8(struct buffer *der, const void *contents, size_t length) {
    struct error e;
    size_t inner = 3 + 13 + 4 + length;
    const unsigned char head[] = {
        0x30,
        0x82,
        (unsigned char)(inner >> 8),
        (unsigned char)inner, // SEQUENCE
        0x02,
        0x01,
        0x00, // version 0
        0x30,
        0x0b,
        0x06,
        0x09,
        0x60,
        0x86,
        0x48,
        0x01,
        0x65,
        3,
        4,
        4,
        1, // id-alg-ml-kem-512
        0x04,
        0x82,
        (unsigned char)(length >> 8),
        (unsigned char)length, // OCTET STRING
    };
    must(buffer_append(der, head, sizeof(head), &e), e);
    must(buffer_append(der, contents, length, &e), e);
}

// The seed (64 bytes), the expanded key (1632 bytes) or both, each NULL or given, as RFC 9935 section 6
// encodes them.
static void append_private_512(struct buffer *der, const uint8_t *seed, const uint8_t *expanded) {
    struct error e;
    cleanup_buffer struct buffer contents = buffer_create(BIG);
    if (seed != nullptr && expanded != nullptr) {
        must(buffer_append(&contents, "\x30\x82\x06\xa6\x04\x40", 6, &e), e);
    } else if (seed != nullptr) {
        must(buffer_append(&contents, "\x80\x40", 2, &e), e);
    }
    if (seed != nullptr) {
        must(buffer_append(&contents, seed, 64, &e), e);
    }
    if (expanded != nullptr) {
        must(buffer_append(&contents, "\x04\x82\x06\x60", 4, &e), e);
        must(buffer_append(&contents, expanded, 1632, &e), e);
    }
    append_pkcs8(der, contents.data, contents.length);
}

static void test_private_pkcs8_contents(void **) {
    struct error e;
    cleanup_secret struct secret *seed = from_hex(rfc9935_seed);
    const uint8_t *expanded = secret_view(forms[0].private_raw);
    cleanup_buffer struct buffer both = buffer_create(BIG);
    cleanup_buffer struct buffer expanded_only = buffer_create(BIG);
    append_private_512(&both, secret_view(seed), expanded);
    append_private_512(&expanded_only, nullptr, expanded);
    assert_int_equal(both.length, 1730); // as RFC 9935's examples
    assert_int_equal(expanded_only.length, 1660);
    assert_reads(keyform_read_private, &forms[0], both.data, both.length);
    assert_reads(keyform_read_private, &forms[0], expanded_only.data, expanded_only.length);

    // Whether it can be written again depends on the seed.
    cleanup_pkey struct pkey *with_seed = nullptr;
    cleanup_pkey struct pkey *without = nullptr;
    cleanup_secret struct secret *pem = nullptr;
    must(keyform_read_private(forms[0].algorithm, both.data, both.length, &with_seed, &e), e);
    must(keyform_read_private(forms[0].algorithm, expanded_only.data, expanded_only.length, &without, &e), e);
    must(pkey_private_pem(with_seed, &pem, &e), e);
    assert_true(
        secret_equals(pem, kem_answers[0].rfc9935_private_pem, strlen(kem_answers[0].rfc9935_private_pem)));
    must_fail(pkey_private_pem(without, &pem, &e), e, ERROR_CRYPTO, "writing a private key");
}

// A changed bit anywhere in either half of "both": s, t, rho, H(ek), z; d and z of the seed.
static void test_trap_43_private_both_must_agree(void **) {
    cleanup_secret struct secret *seed = from_hex(rfc9935_seed);
    cleanup_secret struct secret *expanded = nullptr;
    struct error e;
    must(secret_copy(secret_view(forms[0].private_raw), 1632, &expanded, &e), e);
    const size_t places[] = {0, 400, 767, 768, 1000, 1567, 1568, 1599, 1600, 1631};
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        cleanup_buffer struct buffer der = buffer_create(BIG);
        secret_bytes(expanded)[places[i]] ^= 1;
        append_private_512(&der, secret_view(seed), secret_view(expanded));
        secret_bytes(expanded)[places[i]] ^= 1;
        assert_refuses(keyform_read_private, forms[0].algorithm, der.data, der.length,
                       "private key of ML-KEM-512");
    }
    for (size_t i = 0; i < 64; i += 21) {
        cleanup_buffer struct buffer der = buffer_create(BIG);
        secret_bytes(seed)[i] ^= 1;
        append_private_512(&der, secret_view(seed), secret_view(expanded));
        secret_bytes(seed)[i] ^= 1;
        assert_refuses(keyform_read_private, forms[0].algorithm, der.data, der.length,
                       "private key of ML-KEM-512");
    }
}

// OpenSSL knows forms that are in no RFC: without ASN.1, and with the public key at the end.
static void test_private_forms_of_no_rfc(void **) {
    struct error e;
    const struct forms *form = &forms[0];
    cleanup_secret struct secret *seed = from_hex(rfc9935_seed);
    cleanup_buffer struct buffer bare_seed = buffer_create(BIG);
    cleanup_buffer struct buffer bare_key = buffer_create(BIG);
    cleanup_buffer struct buffer contents = buffer_create(BIG);
    cleanup_buffer struct buffer with_public = buffer_create(BIG);
    append_pkcs8(&bare_seed, secret_view(seed), 64);
    assert_refuses(keyform_read_private, form->algorithm, bare_seed.data, bare_seed.length,
                   "not a private key");
    append_pkcs8(&bare_key, secret_view(form->private_raw), secret_length(form->private_raw));
    assert_refuses(keyform_read_private, form->algorithm, bare_key.data, bare_key.length,
                   "not a private key");
    must(buffer_append(&contents, "\x04\x82\x09\x80", 4, &e), e);
    must(buffer_append(&contents, secret_view(form->private_raw), 1632, &e), e);
    must(buffer_append(&contents, form->public_raw.data, 800, &e), e);
    append_pkcs8(&with_public, contents.data, contents.length);
    assert_refuses(keyform_read_private, form->algorithm, with_public.data, with_public.length,
                   "not a private key");
}

static void test_another_algorithm_is_named(void **) {
    for (size_t i = 0; i < KEM_ANSWER_COUNT; i++) {
        const struct forms *given = &forms[i];
        const struct algorithm *wanted = forms[(i + 1) % 3].algorithm;
        char both[100];
        snprintf(both, sizeof(both), "the key is of %s, %s is wanted", given->algorithm->name, wanted->name);
        assert_refuses(keyform_read_public, wanted, given->public_pem.data, given->public_pem.length, both);
        assert_refuses(keyform_read_public, wanted, given->public_der.data, given->public_der.length, both);
        assert_refuses(keyform_read_private, wanted, secret_view(given->private_pem),
                       secret_length(given->private_pem), both);
        snprintf(both, sizeof(both), "a public key of %s has %zu bytes, this one has %zu (as one of %s)",
                 wanted->name, wanted->public_key_size, given->public_raw.length, given->algorithm->name);
        assert_refuses(keyform_read_public, wanted, given->public_raw.data, given->public_raw.length, both);
    }
    static const char ed25519[] = "-----BEGIN PUBLIC KEY-----\n" // RFC 8410 section 10.1
                                  "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n"
                                  "-----END PUBLIC KEY-----\n";
    assert_refuses(keyform_read_public, forms[0].algorithm, ed25519, strlen(ed25519),
                   "the key is of ED25519");
    static const char nobody[] = "-----BEGIN PUBLIC KEY-----\n" // the same with the OID 1.3.101.99
                                 "MCowBQYDK2VjAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n"
                                 "-----END PUBLIC KEY-----\n";
    assert_refuses(keyform_read_public, forms[0].algorithm, nobody, strlen(nobody),
                   "the key is of 1.3.101.99");
}

static void test_a_private_key_is_no_public_key(void **) {
    const struct forms *form = &forms[0];
    assert_refuses(keyform_read_public, form->algorithm, secret_view(form->private_pem),
                   secret_length(form->private_pem),
                   "the PEM block is \"PRIVATE KEY\", not \"PUBLIC KEY\" or \"CERTIFICATE\"");
    assert_refuses(keyform_read_private, form->algorithm, form->public_pem.data, form->public_pem.length,
                   "the PEM block is \"PUBLIC KEY\", not \"PRIVATE KEY\"");
    assert_refuses(keyform_read_private, form->algorithm, form->public_der.data, form->public_der.length,
                   "not a PKCS#8 private key");
    static const char encrypted[] =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n";
    assert_refuses(keyform_read_private, form->algorithm, encrypted, strlen(encrypted), "is encrypted");
}

static bool seems_private(const struct algorithm *algorithm, const void *bytes, size_t length) {
    cleanup_buffer struct buffer base64 = buffer_create(BIG);
    struct error e;
    bool seems = keyform_seems_private(ALGORITHM_KEM, algorithm, bytes, length);
    must(base64_encode(bytes, length, &base64, &e), e);
    assert_int_equal(keyform_seems_private(ALGORITHM_KEM, algorithm, base64.data, base64.length), seems);
    return seems;
}

static void test_what_seems_to_be_a_private_key(void **) {
    cleanup_secret struct secret *seed = from_hex(rfc9935_seed);
    static const char traditional[] = "-----BEGIN EC PRIVATE KEY-----\nMAA=\n-----END EC PRIVATE KEY-----\n";
    static const char text[] = "no key at all";
    for (size_t i = 0; i < KEM_ANSWER_COUNT; i++) {
        const struct forms *form = &forms[i];
        cleanup_buffer struct buffer der = buffer_create(BIG);
        undo_pem((const char *)secret_view(form->private_pem), &der);
        for (size_t named = 0; named < 2; named++) {
            const struct algorithm *algorithm = named ? form->algorithm : nullptr;
            assert_true(
                seems_private(algorithm, secret_view(form->private_pem), secret_length(form->private_pem)));
            assert_true(
                seems_private(algorithm, secret_view(form->private_raw), secret_length(form->private_raw)));
            assert_true(seems_private(algorithm, der.data, der.length));
            assert_true(seems_private(algorithm, secret_view(seed), secret_length(seed)));
            assert_true(seems_private(algorithm, traditional, strlen(traditional)));
            assert_false(seems_private(algorithm, form->public_pem.data, form->public_pem.length));
            assert_false(seems_private(algorithm, form->public_der.data, form->public_der.length));
            assert_false(seems_private(algorithm, text, strlen(text)));
            assert_false(seems_private(algorithm, "", 0));
        }
    }
    // 32 bytes may be a seed of ML-DSA or a public key of SLH-DSA, and 48 or 64 are as open.
    static const size_t open_lengths[] = {32, 48, 64};
    static const uint8_t bytes[4032] = {0};
    for (size_t i = 0; i < 3; i++) {
        assert_false(keyform_seems_private(ALGORITHM_SIGNATURE, nullptr, bytes, open_lengths[i]));
    }
    assert_true(keyform_seems_private(ALGORITHM_SIGNATURE, nullptr, bytes, sizeof(bytes))); // of ML-DSA-65
}

static void test_damaged_public_keys(void **) {
    struct error e;
    const struct forms *form = &forms[0];
    const struct algorithm *algorithm = form->algorithm;
    assert_refuses(keyform_read_public, algorithm, nullptr, 0, "this one has 0");
    assert_refuses(keyform_read_public, algorithm, "no key", 6, "neither PEM nor DER, so taken as raw bytes");
    assert_refuses(keyform_read_public, algorithm, "-----BEGIN PUBLIC KEY-----\n", 27,
                   "not a complete PEM block");
    assert_refuses(keyform_read_public, algorithm, form->public_pem.data, form->public_pem.length - 30,
                   "not a complete PEM block");
    assert_refuses(keyform_read_public, algorithm, form->public_der.data, form->public_der.length - 1,
                   "not a SubjectPublicKeyInfo");
    // One byte more than the algorithm's encoding has, inside and after the DER.
    cleanup_buffer struct buffer longer = buffer_create(BIG);
    must(buffer_append(&longer, form->public_der.data, form->public_der.length, &e), e);
    must(buffer_append(&longer, "", 1, &e), e);
    assert_refuses(keyform_read_public, algorithm, longer.data, longer.length,
                   "bytes follow the SubjectPublicKeyInfo");
    longer.data[3]++;  // outer length
    longer.data[20]++; // length of the BIT STRING
    assert_refuses(keyform_read_public, algorithm, longer.data, longer.length,
                   "not a public key of ML-KEM-512");
    // A coefficient over the modulus (FIPS 203 section 7.2).
    cleanup_buffer struct buffer over = buffer_create(BIG);
    must(buffer_append(&over, form->public_der.data, form->public_der.length, &e), e);
    memset(over.data + 22, 0xff, 3);
    assert_refuses(keyform_read_public, algorithm, over.data, over.length, "not a public key of ML-KEM-512");
    char *huge = calloc(1, KEYFORM_INPUT_MAX + 1);
    assert_refuses(keyform_read_public, algorithm, huge, KEYFORM_INPUT_MAX + 1, "too many for a key");
    assert_refuses(keyform_read_public, algorithm, huge, KEYFORM_INPUT_MAX, "this one has 1048576");
    free(huge);
}

static void test_damaged_private_keys(void **) {
    struct error e;
    const struct forms *form = &forms[0];
    const struct algorithm *algorithm = form->algorithm;
    cleanup_secret struct secret *seed = from_hex(rfc9935_seed);
    cleanup_buffer struct buffer der = buffer_create(BIG);
    append_private_512(&der, nullptr, secret_view(form->private_raw));
    assert_refuses(keyform_read_private, algorithm, der.data, der.length - 1, "not a PKCS#8 private key");
    must(buffer_append(&der, "", 1, &e), e);
    assert_refuses(keyform_read_private, algorithm, der.data, der.length,
                   "bytes follow the PKCS#8 private key");
    // An expanded key that is damaged in s, t, and H(ek).
    const size_t places[] = {28 + 5, 28 + 900, 28 + 1590};
    for (size_t i = 0; i < 3; i++) {
        der.data[places[i]] ^= 1;
        assert_refuses(keyform_read_private, algorithm, der.data, 1660, "not a private key of ML-KEM-512");
        der.data[places[i]] ^= 1;
    }
    assert_reads(keyform_read_private, form, der.data, 1660);
    // A seed of 63 bytes.
    cleanup_buffer struct buffer shorter = buffer_create(BIG);
    cleanup_buffer struct buffer contents = buffer_create(BIG);
    must(buffer_append(&contents, "\x80\x3f", 2, &e), e);
    must(buffer_append(&contents, secret_view(seed), 63, &e), e);
    append_pkcs8(&shorter, contents.data, contents.length);
    assert_refuses(keyform_read_private, algorithm, shorter.data, shorter.length,
                   "not a private key of ML-KEM-512");
    assert_refuses(keyform_read_private, algorithm, "", 0, "this one has 0");
}

// Whatever byte of a form is damaged, it is read or refused with a message, and OpenSSL's error queue stays
// empty.
static void try_every_damage(reader *read, const struct algorithm *wanted, const void *bytes, size_t length) {
    for (size_t i = 0; i < length; i++) {
        struct error e = {0};
        cleanup_pkey struct pkey *pkey = nullptr;
        cleanup_buffer struct buffer damaged = buffer_create(BIG);
        must(buffer_append(&damaged, bytes, length, &e), e);
        damaged.data[i] = (char)(damaged.data[i] ^ 1 << i % 8);
        bool done = read(wanted, damaged.data, damaged.length, &pkey, &e);
        assert_int_equal(ERR_peek_error(), 0);
        assert_int_equal(done, pkey != nullptr);
        assert_true(done || (e.class == ERROR_INVALID_SPEC && e.message[0] != '\0'));
    }
}

static void test_every_damage(void **) {
    cleanup_secret struct secret *seed = from_hex(rfc9935_seed);
    cleanup_buffer struct buffer certificate = buffer_create(BIG);
    cleanup_buffer struct buffer both = buffer_create(BIG);
    make_certificate(&forms[0], &certificate);
    append_private_512(&both, secret_view(seed), secret_view(forms[0].private_raw));
    for (size_t i = 0; i < 2; i++) { // as the algorithm that it is of, and as another
        const struct algorithm *wanted = forms[i].algorithm;
        try_every_damage(keyform_read_public, wanted, forms[0].public_der.data, forms[0].public_der.length);
        try_every_damage(keyform_read_public, wanted, forms[0].public_pem.data, forms[0].public_pem.length);
        try_every_damage(keyform_read_public, wanted, certificate.data, certificate.length);
        try_every_damage(keyform_read_private, wanted, both.data, both.length);
        try_every_damage(keyform_read_private, wanted, secret_view(forms[0].private_pem),
                         secret_length(forms[0].private_pem));
    }
}

static void assert_bytes(size_t wanted, const char *text, size_t length, const char *digits) {
    struct error e;
    cleanup_secret struct secret *bytes = nullptr;
    must(keyform_read_bytes("thing", wanted, text, length, &bytes, &e), e);
    assert_secret_hex(bytes, digits);
}

static void assert_no_bytes(size_t wanted, const char *text, const char *part) {
    struct error e;
    struct secret *none = nullptr;
    must_fail(keyform_read_bytes("thing", wanted, text, strlen(text), &none, &e), e, ERROR_INVALID_SPEC,
              part);
    assert_null(none);
}

static void test_bytes(void **) {
    assert_bytes(6, "\x00\xff\x10\x20\n\x00", 6, "00ff10200a00");
    assert_bytes(6, "00Ff10200a00", 12, "00ff10200a00");
    assert_bytes(6, " \n00ff10 200a00\r\n\t", 18, "00ff10200a00");
    assert_bytes(6, "AP8QIAoA", 8, "00ff10200a00");
    assert_bytes(6, " AP8Q\nIAoA\n", 11, "00ff10200a00");
    assert_bytes(4, "AAECAw==", 8, "00010203");
    assert_bytes(4, "00010203", 8, "00010203");
    assert_bytes(6, "000000", 6, "303030303030"); // of that length: as it is
    assert_bytes(3, "0000", 4, "d34d34");         // two bytes as hex, three as base64
}

static void test_wrong_bytes(void **) {
    assert_no_bytes(6, "", "a thing has 6 bytes, this one has 0");
    assert_no_bytes(6, "00ff10200a", "a thing has 6 bytes, this one has 5 as hex");
    assert_no_bytes(6, "00ff10200a0000", "this one has 7 as hex");
    assert_no_bytes(6, "AP8QIA==", "this one has 4 as base64");
    assert_no_bytes(6, "00ff10200a0", "a thing has 6 bytes, this one has 11 as raw bytes");
    assert_no_bytes(6, "00ff10200a0g", "this one has 9 as base64");
    assert_no_bytes(6, "AP8QIAo", "this one has 7 as raw bytes");
    struct error e;
    struct secret *none = nullptr;
    char *huge = calloc(1, KEYFORM_INPUT_MAX + 1);
    must_fail(keyform_read_bytes("thing", 6, huge, KEYFORM_INPUT_MAX + 1, &none, &e), e, ERROR_INVALID_SPEC,
              "too many for a thing");
    free(huge);
    assert_null(none);
}

int main(void) {
    start_or_fail();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_public_forms),
        cmocka_unit_test(test_raw_keys_that_begin_as_der),
        cmocka_unit_test(test_pem_among_other_text),
        cmocka_unit_test(what_is_behind_a_comment_sign_is_not_read),
        cmocka_unit_test(test_pem_as_people_have_it),
        cmocka_unit_test(test_certificate),
        cmocka_unit_test(test_damaged_certificates),
        cmocka_unit_test(test_trap_43_private_forms),
        cmocka_unit_test(test_private_pkcs8_contents),
        cmocka_unit_test(test_trap_43_private_both_must_agree),
        cmocka_unit_test(test_private_forms_of_no_rfc),
        cmocka_unit_test(test_another_algorithm_is_named),
        cmocka_unit_test(test_a_private_key_is_no_public_key),
        cmocka_unit_test(test_what_seems_to_be_a_private_key),
        cmocka_unit_test(test_damaged_public_keys),
        cmocka_unit_test(test_damaged_private_keys),
        cmocka_unit_test(test_every_damage),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_wrong_bytes),
    };
    return cmocka_run_group_tests_name("crypto/keyform", tests, set_up, tear_down);
}
