#include "support.h"

#include "crypto/ctr_drbg.h"

// The bytes 00 to 2f, with which PQCgenKAT_kem.c and PQCgenKAT_sign.c of NIST's post-quantum project begin.
static const char nist_entropy[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
                                   "202122232425262728292a2b2c2d2e2f";

// The first seed of every PQCkemKAT_*.rsp and PQCsignKAT_*.rsp.
static const char nist_seed[] = "061550234d158c5ec95595fe04ef7a25767f2e24cc2bc479d09d86dc9abcfde7"
                                "056a8c266f9ef97ed08541dbd2e1ffa1";

static struct secret *generate(const char *entropy_digits, const char *personalization_digits,
                               size_t length) {
    struct error e;
    struct secret *bytes = nullptr;
    cleanup_secret struct secret *entropy = from_hex(entropy_digits);
    cleanup_secret struct secret *personalization =
        personalization_digits == nullptr ? nullptr : from_hex(personalization_digits);
    must(ctr_drbg_generate(entropy, personalization, length, &bytes, &e), e);
    assert_int_equal(secret_length(bytes), length);
    return bytes;
}

static void test_first_seed_of_nist(void **) {
    cleanup_secret struct secret *bytes = generate(nist_entropy, nullptr, 48);
    assert_secret_hex(bytes, nist_seed);
}

// What key generation draws first under that seed: d of count 0 of PQCkemKAT_1632.rsp (Kyber512), which
// Wycheproof repeats as "official round 3 seeds 0".
static void test_first_draw_under_that_seed(void **) {
    cleanup_secret struct secret *bytes = generate(nist_seed, nullptr, 32);
    assert_secret_hex(bytes, "7c9935a0b07694aa0c6d10e4db6b1add2fd81a25ccb148032dcd739936737f2d");
}

// These and the next: computed from SP 800-90A section 10.2.1 over the openssl command's aes-256-ctr.
static void test_shortest_and_longest_request(void **) {
    cleanup_secret struct secret *one = generate(nist_entropy, nullptr, 1);
    assert_secret_hex(one, "06");
    cleanup_secret struct secret *all = generate(nist_entropy, nullptr, CTR_DRBG_REQUEST_MAX);
    assert_sha256(secret_view(all), secret_length(all),
                  "6439f797cd3ec83ae9311dd1c2d26c4c332431afa0b09efb9753b6d87b77339e");
}

static void test_personalization(void **) {
    cleanup_secret struct secret *full = generate(
        nist_entropy,
        "f0edeae7e4e1dedbd8d5d2cfccc9c6c3c0bdbab7b4b1aeaba8a5a29f9c999693908d8a8784817e7b7875726f6c696663",
        32);
    assert_secret_hex(full, "fe512332f37bc055ff51245cd7597cff78873e55601f7de05d350332f4b60d4a");
    cleanup_secret struct secret *shorter = generate(nist_entropy, "68656c6c6f", 32); // "hello"
    assert_secret_hex(shorter, "8e06bd9325fd72a902aad66e6eafee7ee4ac99987f25d2b857684f42711fac75");
    cleanup_secret struct secret *empty = generate(nist_entropy, "", 48);
    assert_secret_hex(empty, nist_seed);
}

static void test_lengths_are_checked(void **) {
    struct error e;
    cleanup_secret struct secret *entropy = from_hex(nist_entropy);
    cleanup_secret struct secret *shorter = nullptr;
    cleanup_secret struct secret *longer = nullptr;
    must(secret_create(47, &shorter, &e), e);
    must(secret_create(49, &longer, &e), e);
    struct secret *none = nullptr;
    must_fail(ctr_drbg_generate(shorter, nullptr, 32, &none, &e), e, ERROR_INVALID_SPEC,
              "the seed has 47 bytes");
    must_fail(ctr_drbg_generate(longer, nullptr, 32, &none, &e), e, ERROR_INVALID_SPEC,
              "the seed has 49 bytes");
    must_fail(ctr_drbg_generate(entropy, longer, 32, &none, &e), e, ERROR_INVALID_SPEC,
              "personalization has 49");
    must_fail(ctr_drbg_generate(entropy, nullptr, 0, &none, &e), e, ERROR_INVALID_SPEC,
              "0 bytes were asked for");
    must_fail(ctr_drbg_generate(entropy, nullptr, 65537, &none, &e), e, ERROR_INVALID_SPEC, "1 to 65536");
    assert_null(none);
}

int main(void) {
    start_or_fail();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_seed_of_nist),
        cmocka_unit_test(test_first_draw_under_that_seed),
        cmocka_unit_test(test_shortest_and_longest_request),
        cmocka_unit_test(test_personalization),
        cmocka_unit_test(test_lengths_are_checked),
    };
    return cmocka_run_group_tests_name("crypto/ctr_drbg", tests, nullptr, nullptr);
}
