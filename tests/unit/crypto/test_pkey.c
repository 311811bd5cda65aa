#include "support.h"

#include "crypto/kem.h"
#include "crypto/keyform.h"
#include "crypto/pkey.h"
#include "kem_answers.h"

static const struct algorithm *algorithm_of(size_t i) {
    return algorithm_find(ALGORITHM_KEM, kem_answers[i].algorithm);
}

static struct pkey *pkey_of_seed(const struct algorithm *algorithm, const char *digits) {
    struct error e;
    struct pkey *pkey = nullptr;
    cleanup_secret struct secret *seed = from_hex(digits);
    must(pkey_from_seed(algorithm, seed, &pkey, &e), e);
    return pkey;
}

static void read_raw(const struct pkey *pkey, struct buffer *public_key, struct secret **ret_private) {
    struct error e;
    must(pkey_public(pkey, public_key, &e), e);
    must(pkey_private(pkey, ret_private, &e), e);
}

static void test_key_pair_of_a_seed(void **) {
    for (size_t i = 0; i < KEM_ANSWER_COUNT; i++) {
        const struct algorithm *algorithm = algorithm_of(i);
        cleanup_buffer struct buffer public_key = buffer_create(algorithm->public_key_size);
        cleanup_secret struct secret *private_key = nullptr;
        cleanup_pkey struct pkey *round3 = pkey_of_seed(algorithm, round3_seed);
        read_raw(round3, &public_key, &private_key);
        assert_ptr_equal(pkey_algorithm(round3), algorithm);
        assert_true(pkey_has_private(round3));
        assert_int_equal(public_key.length, algorithm->public_key_size);
        assert_int_equal(secret_length(private_key), algorithm->private_key_size);
        assert_sha256(public_key.data, public_key.length, kem_answers[i].public_key_sha256);
        // FIPS 203 algorithm 16: dk = dk_PKE || ek || H(ek) || z.
        const uint8_t *tail = secret_view(private_key) + secret_length(private_key) - 64 - public_key.length;
        assert_memory_equal(tail, public_key.data, public_key.length);
        assert_hex(tail + public_key.length + 32, 32, round3_seed + 64);
    }
}

static void test_key_pair_of_rfc9935(void **) {
    struct error e;
    for (size_t i = 0; i < KEM_ANSWER_COUNT; i++) {
        cleanup_buffer struct buffer public_key = buffer_create(10000);
        cleanup_secret struct secret *private_key = nullptr;
        cleanup_secret struct secret *pem = nullptr;
        cleanup_pkey struct pkey *pkey = pkey_of_seed(algorithm_of(i), rfc9935_seed);
        read_raw(pkey, &public_key, &private_key);
        assert_sha256(public_key.data, public_key.length, kem_answers[i].rfc9935_public_key_sha256);
        assert_sha256(secret_view(private_key), secret_length(private_key),
                      kem_answers[i].rfc9935_private_key_sha256);
        must(pkey_private_pem(pkey, &pem, &e), e);
        assert_true(secret_equals(pem, kem_answers[i].rfc9935_private_pem,
                                  strlen(kem_answers[i].rfc9935_private_pem)));
    }
}

static void test_generated_pairs_differ_and_work(void **) {
    struct error e;
    for (size_t i = 0; i < KEM_ANSWER_COUNT; i++) {
        cleanup_pkey struct pkey *one = nullptr;
        cleanup_pkey struct pkey *other = nullptr;
        must(pkey_generate(algorithm_of(i), &one, &e), e);
        must(pkey_generate(algorithm_of(i), &other, &e), e);
        must(kem_check_pair(one, &e), e);
        must(pkey_check_same(one, one, &e), e);
        must_fail(pkey_check_same(one, other, &e), e, ERROR_CRYPTO, "the public keys differ");
    }
}

static void test_raw_encodings_come_back(void **) {
    struct error e;
    for (size_t i = 0; i < KEM_ANSWER_COUNT; i++) {
        const struct algorithm *algorithm = algorithm_of(i);
        cleanup_buffer struct buffer public_key = buffer_create(10000);
        cleanup_secret struct secret *private_key = nullptr;
        cleanup_pkey struct pkey *made = nullptr;
        cleanup_pkey struct pkey *from_private = nullptr;
        cleanup_pkey struct pkey *from_public = nullptr;
        must(pkey_generate(algorithm, &made, &e), e);
        read_raw(made, &public_key, &private_key);
        must(pkey_from_private(algorithm, secret_view(private_key), secret_length(private_key), &from_private,
                               &e),
             e);
        must(pkey_from_public(algorithm, public_key.data, public_key.length, &from_public, &e), e);
        assert_true(pkey_has_private(from_private));
        assert_false(pkey_has_private(from_public));
        must(pkey_check_same(made, from_private, &e), e);
        must(pkey_check_same(from_private, from_public, &e), e);
        must(pkey_check_same(from_public, made, &e), e);
        must(kem_check_pair(from_private, &e), e);
    }
}

static void test_parts_that_are_not_there(void **) {
    struct error e;
    const struct algorithm *algorithm = algorithm_of(0);
    cleanup_buffer struct buffer public_key = buffer_create(10000);
    cleanup_secret struct secret *private_key = nullptr;
    cleanup_pkey struct pkey *made = pkey_of_seed(algorithm, round3_seed);
    read_raw(made, &public_key, &private_key);
    cleanup_pkey struct pkey *from_public = nullptr;
    cleanup_pkey struct pkey *from_private = nullptr;
    must(pkey_from_public(algorithm, public_key.data, public_key.length, &from_public, &e), e);
    must(
        pkey_from_private(algorithm, secret_view(private_key), secret_length(private_key), &from_private, &e),
        e);

    struct secret *none = nullptr;
    must_fail(pkey_private(from_public, &none, &e), e, ERROR_CRYPTO, "has no private key");
    must_fail(pkey_private_pem(from_public, &none, &e), e, ERROR_CRYPTO, "has no private key");
    must_fail(pkey_private_pem(from_private, &none, &e), e, ERROR_CRYPTO,
              "writing a private key of ML-KEM-512");
    must_fail(kem_check_pair(from_public, &e), e, ERROR_CRYPTO, "checking a key pair");
    assert_null(none);
}

static void test_caps_are_kept(void **) {
    struct error e;
    cleanup_pkey struct pkey *pkey = pkey_of_seed(algorithm_of(0), round3_seed);
    cleanup_buffer struct buffer small = buffer_create(799);
    must_fail(pkey_public(pkey, &small, &e), e, ERROR_INTERNAL, "over the limit of 799");
    must_fail(pkey_public_pem(pkey, &small, &e), e, ERROR_INTERNAL, "over the limit of 799");
    assert_int_equal(small.length, 0);
}

static void test_public_pem(void **) {
    struct error e;
    cleanup_pkey struct pkey *pkey = pkey_of_seed(algorithm_of(0), rfc9935_seed);
    cleanup_buffer struct buffer pem = buffer_create(10000);
    must(pkey_public_pem(pkey, &pem, &e), e);
    // RFC 9935 appendix, ML-KEM-512: the first and last line.
    assert_non_null(strstr(buffer_text(&pem),
                           "-----BEGIN PUBLIC KEY-----\n"
                           "MIIDMjALBglghkgBZQMEBAEDggMhADmVgV5ZfRBDVc8pqlMzyTJRhp1bzb5IcST2\n"));
    assert_non_null(strstr(buffer_text(&pem), "\n-----END PUBLIC KEY-----\n"));
}

static void test_wrong_lengths(void **) {
    struct error e;
    struct pkey *none = nullptr;
    static const uint8_t zeros[4000];
    for (size_t i = 0; i < KEM_ANSWER_COUNT; i++) {
        const struct algorithm *algorithm = algorithm_of(i);
        static const long offsets[] = {-1, 1, -100};
        for (size_t j = 0; j < 3; j++) {
            size_t public_size = algorithm->public_key_size + (size_t)offsets[j];
            size_t private_size = algorithm->private_key_size + (size_t)offsets[j];
            must_fail(pkey_from_public(algorithm, zeros, public_size, &none, &e), e, ERROR_INVALID_SPEC,
                      "this one has");
            must_fail(pkey_from_private(algorithm, zeros, private_size, &none, &e), e, ERROR_INVALID_SPEC,
                      "this one has");
        }
        must_fail(pkey_from_public(algorithm, nullptr, 0, &none, &e), e, ERROR_INVALID_SPEC,
                  "this one has 0");
        cleanup_secret struct secret *seed = nullptr;
        must(secret_create(63, &seed, &e), e);
        must_fail(pkey_from_seed(algorithm, seed, &none, &e), e, ERROR_INVALID_SPEC,
                  "has 64 bytes, this one has 63");
    }
    must_fail(pkey_from_public(algorithm_of(1), zeros, 800, &none, &e), e, ERROR_INVALID_SPEC,
              "a public key of ML-KEM-768 has 1184 bytes, this one has 800 (as one of ML-KEM-512)");
    must_fail(pkey_from_private(algorithm_of(1), zeros, 1632, &none, &e), e, ERROR_INVALID_SPEC,
              "a private key of ML-KEM-768 has 2400 bytes, this one has 1632");
    assert_null(none);
}

// FIPS 203 section 7.2: a coefficient of 3329 or more is no encoding of a public key.
static void test_modulus_check(void **) {
    struct error e;
    struct pkey *none = nullptr;
    for (size_t i = 0; i < KEM_ANSWER_COUNT; i++) {
        const struct algorithm *algorithm = algorithm_of(i);
        cleanup_buffer struct buffer public_key = buffer_create(10000);
        cleanup_pkey struct pkey *pkey = pkey_of_seed(algorithm, round3_seed);
        must(pkey_public(pkey, &public_key, &e), e);
        public_key.data[0] = 0x01;
        public_key.data[1] = (char)((public_key.data[1] & 0xf0) | 0x0d); // 0xd01 is 3329
        must_fail(pkey_from_public(algorithm, public_key.data, public_key.length, &none, &e), e,
                  ERROR_INVALID_SPEC, "not a public key of ML-KEM");
        public_key.data[0] = 0x00; // 3328
        cleanup_pkey struct pkey *largest = nullptr;
        must(pkey_from_public(algorithm, public_key.data, public_key.length, &largest, &e), e);
    }
    assert_null(none);
}

// FIPS 203 section 7.3: the hash of the public key inside must be right; and what it encapsulates must come
// out.
static void test_damaged_private_keys(void **) {
    struct error e;
    struct pkey *none = nullptr;
    for (size_t i = 0; i < KEM_ANSWER_COUNT; i++) {
        const struct algorithm *algorithm = algorithm_of(i);
        cleanup_pkey struct pkey *pkey = pkey_of_seed(algorithm, round3_seed);
        cleanup_secret struct secret *bytes = nullptr;
        must(pkey_private(pkey, &bytes, &e), e);
        size_t size = secret_length(bytes);
        size_t public_key = size - 64 - algorithm->public_key_size;
        const size_t places[] = {0, public_key / 2, public_key, size - 65, size - 64, size - 33};
        for (size_t j = 0; j < sizeof(places) / sizeof(places[0]); j++) {
            secret_bytes(bytes)[places[j]] ^= 1;
            must_fail(pkey_from_private(algorithm, secret_view(bytes), size, &none, &e), e,
                      ERROR_INVALID_SPEC, "not a private key of ML-KEM");
            secret_bytes(bytes)[places[j]] ^= 1;
        }
        // Any z is a good z, but another key.
        secret_bytes(bytes)[size - 1] ^= 1;
        cleanup_pkey struct pkey *other = nullptr;
        must(pkey_from_private(algorithm, secret_view(bytes), size, &other, &e), e);
        must_fail(pkey_check_same(pkey, other, &e), e, ERROR_CRYPTO, "the private keys differ");
    }
    assert_null(none);
}

// ---- keys whose seed is not known

// All families; of the last one a private key is little more than its seed.
static const struct {
    enum algorithm_family family;
    const char *name;
    bool is_seed;
} all[] = {
    {ALGORITHM_KEM, "ML-KEM-512", false},
    {ALGORITHM_KEM, "ML-KEM-768", false},
    {ALGORITHM_KEM, "ML-KEM-1024", false},
    {ALGORITHM_SIGNATURE, "ML-DSA-44", false},
    {ALGORITHM_SIGNATURE, "ML-DSA-65", false},
    {ALGORITHM_SIGNATURE, "ML-DSA-87", false},
    {ALGORITHM_SIGNATURE, "SLH-DSA-SHA2-128f", true},
    {ALGORITHM_SIGNATURE, "SLH-DSA-SHAKE-256s", true},
};
enum { ALL_COUNT = sizeof(all) / sizeof(all[0]) };

// A key, and the same without its seed.
static void make_two(size_t i, struct pkey **ret_whole, struct pkey **ret_raw) {
    struct error e;
    const struct algorithm *algorithm = algorithm_find(all[i].family, all[i].name);
    cleanup_secret struct secret *raw = nullptr;
    must(pkey_generate(algorithm, ret_whole, &e), e);
    must(pkey_private(*ret_whole, &raw, &e), e);
    must(pkey_from_private(algorithm, secret_view(raw), secret_length(raw), ret_raw, &e), e);
}

static struct pkey *read_back(const struct pkey *pkey, const struct secret *pem) {
    struct error e;
    struct pkey *read = nullptr;
    must(keyform_read_private(pkey_algorithm(pkey), secret_view(pem), secret_length(pem), &read, &e), e);
    must(pkey_check_same(pkey, read, &e), e);
    return read;
}

static void test_who_has_a_seed(void **) {
    struct error e;
    for (size_t i = 0; i < ALL_COUNT; i++) {
        cleanup_pkey struct pkey *whole = nullptr;
        cleanup_pkey struct pkey *raw = nullptr;
        cleanup_pkey struct pkey *public_key = nullptr;
        cleanup_buffer struct buffer bytes = buffer_create(10000);
        cleanup_secret struct secret *pem = nullptr;
        make_two(i, &whole, &raw);
        must(pkey_public(whole, &bytes, &e), e);
        must(pkey_from_public(pkey_algorithm(whole), bytes.data, bytes.length, &public_key, &e), e);
        assert_true(pkey_has_seed(whole));
        assert_int_equal(pkey_has_seed(raw), all[i].is_seed);
        assert_false(pkey_has_seed(public_key));
        assert_int_equal(ERR_peek_error(), 0);
        must(pkey_private_pem(whole, &pem, &e), e);
        cleanup_pkey struct pkey *read = read_back(whole, pem);
        assert_true(pkey_has_seed(read));
    }
}

// RFC 9935 section 6 and RFC 9881 section 6: expandedKey is the raw private key in an OCTET STRING of its
// own.
static void test_expanded_pem(void **) {
    struct error e;
    for (size_t i = 0; i < ALL_COUNT && !all[i].is_seed; i++) {
        cleanup_pkey struct pkey *whole = nullptr;
        cleanup_pkey struct pkey *raw = nullptr;
        cleanup_secret struct secret *pem = nullptr;
        cleanup_secret struct secret *same = nullptr;
        make_two(i, &whole, &raw);
        must(pkey_expanded_pem(raw, &pem, &e), e);
        must(pkey_expanded_pem(whole, &same, &e), e);
        assert_true(secret_equals(pem, secret_view(same), secret_length(same)));
        cleanup_pkey struct pkey *read = read_back(whole, pem);
        assert_false(pkey_has_seed(read));

        static const char begin[] = "-----BEGIN PRIVATE KEY-----\n";
        static const char end[] = "-----END PRIVATE KEY-----\n";
        const char *text = (const char *)secret_view(pem);
        size_t body = secret_length(pem) - strlen(begin) - strlen(end);
        cleanup_secret struct secret *der = nullptr;
        cleanup_secret struct secret *private_key = nullptr;
        assert_memory_equal(text, begin, strlen(begin));
        assert_memory_equal(text + strlen(begin) + body, end, strlen(end));
        must(base64_decode(text + strlen(begin), body, ENCODING_SKIP_SPACES, &der, &e), e);
        must(pkey_private(whole, &private_key, &e), e);
        // SEQUENCE, version 0, the algorithm's identifier, and the two lengths: 28 bytes before the key.
        assert_int_equal(secret_length(der), secret_length(private_key) + 28);
        assert_memory_equal(secret_view(der) + 28, secret_view(private_key), secret_length(private_key));
    }
}

static void test_best_pem(void **) {
    struct error e;
    for (size_t i = 0; i < ALL_COUNT; i++) {
        cleanup_pkey struct pkey *whole = nullptr;
        cleanup_pkey struct pkey *raw = nullptr;
        cleanup_secret struct secret *seed_pem = nullptr;
        cleanup_secret struct secret *of_whole = nullptr;
        cleanup_secret struct secret *of_raw = nullptr;
        make_two(i, &whole, &raw);
        must(pkey_private_pem(whole, &seed_pem, &e), e);
        must(pkey_best_pem(whole, &of_whole, &e), e);
        must(pkey_best_pem(raw, &of_raw, &e), e);
        assert_true(secret_equals(of_whole, secret_view(seed_pem), secret_length(seed_pem)));
        assert_int_equal(secret_equals(of_raw, secret_view(seed_pem), secret_length(seed_pem)),
                         all[i].is_seed);
        cleanup_pkey struct pkey *read = read_back(whole, of_raw);
        assert_int_equal(pkey_has_seed(read), all[i].is_seed);
    }
}

static void test_a_public_key_has_no_private_pem(void **) {
    struct error e;
    struct secret *none = nullptr;
    cleanup_buffer struct buffer bytes = buffer_create(10000);
    cleanup_pkey struct pkey *pkey = pkey_of_seed(algorithm_of(0), round3_seed);
    cleanup_pkey struct pkey *public_key = nullptr;
    must(pkey_public(pkey, &bytes, &e), e);
    must(pkey_from_public(algorithm_of(0), bytes.data, bytes.length, &public_key, &e), e);
    must_fail(pkey_expanded_pem(public_key, &none, &e), e, ERROR_CRYPTO, "has no private key");
    must_fail(pkey_best_pem(public_key, &none, &e), e, ERROR_CRYPTO, "has no private key");
    assert_null(none);
}

static void test_algorithms_differ(void **) {
    struct error e;
    cleanup_pkey struct pkey *one = pkey_of_seed(algorithm_of(0), round3_seed);
    cleanup_pkey struct pkey *other = pkey_of_seed(algorithm_of(1), round3_seed);
    must_fail(pkey_check_same(one, other, &e), e, ERROR_CRYPTO,
              "one key is of ML-KEM-512, the other of ML-KEM-768");
}

int main(void) {
    start_or_fail();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_key_pair_of_a_seed),
        cmocka_unit_test(test_key_pair_of_rfc9935),
        cmocka_unit_test(test_generated_pairs_differ_and_work),
        cmocka_unit_test(test_raw_encodings_come_back),
        cmocka_unit_test(test_parts_that_are_not_there),
        cmocka_unit_test(test_caps_are_kept),
        cmocka_unit_test(test_public_pem),
        cmocka_unit_test(test_wrong_lengths),
        cmocka_unit_test(test_modulus_check),
        cmocka_unit_test(test_damaged_private_keys),
        cmocka_unit_test(test_who_has_a_seed),
        cmocka_unit_test(test_expanded_pem),
        cmocka_unit_test(test_best_pem),
        cmocka_unit_test(test_a_public_key_has_no_private_pem),
        cmocka_unit_test(test_algorithms_differ),
    };
    return cmocka_run_group_tests_name("crypto/pkey", tests, nullptr, nullptr);
}
