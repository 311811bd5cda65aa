#include "support.h"

#include "crypto/kdf.h"

#include <stdlib.h>

// RFC 5869 appendix A.1 to A.3.
static const struct {
    const char *input;
    const char *salt;
    const char *info;
    const char *output;
} rfc5869[] = {
    {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "000102030405060708090a0b0c", "f0f1f2f3f4f5f6f7f8f9",
     "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"},
    {"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323"
     "33435"
     "363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f",
     "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f9091929"
     "39495"
     "969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
     "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e"
     "3e4e5"
     "e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
     "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da32756"
     "00c2f"
     "09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87"},
    {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "",
     "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"},
};

static void test_trap_44_rfc5869(void **) {
    for (size_t i = 0; i < sizeof(rfc5869) / sizeof(rfc5869[0]); i++) {
        struct error e;
        cleanup_secret struct secret *input = from_hex(rfc5869[i].input);
        cleanup_secret struct secret *salt = from_hex(rfc5869[i].salt);
        cleanup_secret struct secret *info = from_hex(rfc5869[i].info);
        // Every shorter output is the beginning of the longest.
        size_t longest = strlen(rfc5869[i].output) / 2;
        for (size_t length = 1; length <= longest; length++) {
            char wanted[200] = "";
            memcpy(wanted, rfc5869[i].output, 2 * length);
            cleanup_secret struct secret *key = nullptr;
            must(kdf_hkdf_sha256(input, secret_view(salt), secret_length(salt), secret_view(info),
                                 secret_length(info), length, &key, &e),
                 e);
            assert_secret_hex(key, wanted);
        }
    }
}

// A salt that was used must not be used again when the next call has none.
static void test_trap_44_no_salt_after_a_salt(void **) {
    struct error e;
    cleanup_secret struct secret *input = from_hex(rfc5869[2].input);
    for (int round = 0; round < 2; round++) {
        cleanup_secret struct secret *with = nullptr;
        cleanup_secret struct secret *without = nullptr;
        must(kdf_hkdf_sha256(input, "salt", 4, nullptr, 0, 42, &with, &e), e);
        must(kdf_hkdf_sha256(input, nullptr, 0, nullptr, 0, 42, &without, &e), e);
        assert_secret_hex(without, rfc5869[2].output);
        assert_false(secret_equals(with, secret_view(without), 42));
    }
}

static void test_info_and_salt_matter(void **) {
    struct error e;
    cleanup_secret struct secret *input = from_hex(rfc5869[0].input);
    cleanup_secret struct secret *one = nullptr;
    cleanup_secret struct secret *two = nullptr;
    cleanup_secret struct secret *three = nullptr;
    must(kdf_hkdf_sha256(input, "a", 1, "b", 1, 32, &one, &e), e);
    must(kdf_hkdf_sha256(input, "b", 1, "a", 1, 32, &two, &e), e);
    must(kdf_hkdf_sha256(input, "a", 1, "a", 1, 32, &three, &e), e);
    assert_false(secret_equals(one, secret_view(two), 32));
    assert_false(secret_equals(one, secret_view(three), 32));
    assert_false(secret_equals(two, secret_view(three), 32));
}

static void test_limits(void **) {
    struct error e;
    cleanup_secret struct secret *input = from_hex("00");
    cleanup_secret struct secret *empty = from_hex("");
    cleanup_secret struct secret *key = nullptr;
    struct secret *none = nullptr;
    char *info = calloc(1, KDF_HKDF_INFO_MAX + 1);
    must(kdf_hkdf_sha256(input, info, 100, info, KDF_HKDF_INFO_MAX, KDF_HKDF_SHA256_OUTPUT_MAX, &key, &e), e);
    assert_int_equal(secret_length(key), 8160);
    must_fail(kdf_hkdf_sha256(input, nullptr, 0, nullptr, 0, 0, &none, &e), e, ERROR_INVALID_SPEC,
              "0 bytes were asked");
    must_fail(kdf_hkdf_sha256(input, nullptr, 0, nullptr, 0, 8161, &none, &e), e, ERROR_INVALID_SPEC,
              "1 to 8160");
    must_fail(kdf_hkdf_sha256(empty, nullptr, 0, nullptr, 0, 32, &none, &e), e, ERROR_INVALID_SPEC,
              "is empty");
    must_fail(kdf_hkdf_sha256(input, nullptr, 0, info, KDF_HKDF_INFO_MAX + 1, 32, &none, &e), e,
              ERROR_INVALID_SPEC, "info has 32769 bytes");
    assert_null(none);
    free(info);
}

int main(void) {
    start_or_fail();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trap_44_rfc5869),
        cmocka_unit_test(test_trap_44_no_salt_after_a_salt),
        cmocka_unit_test(test_info_and_salt_matter),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests_name("crypto/kdf", tests, nullptr, nullptr);
}
