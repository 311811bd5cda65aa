#include "support.h"

#include "crypto/fingerprint.h"

// FIPS 180-4 examples, one with zeros in it that must not be lost, and two of the same ten digits.
static const struct {
    const char *text;
    const char *digest;
    const char *fingerprint;
} answers[] = {
    {"", "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "e3b0c44298"},
    {"abc", "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "ba7816bf8f"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "sha256:248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1", "248d6a61d2"},
    {"636", "sha256:02c000a36dcd047f5738f5abfda07dc3b6d56fc44ea752c8f45b965f6fc04c1e", "02c000a36d"},
    {"release 1.0 approved, build 675582",
     "sha256:bb5ce2363843de434611a2d8b81efcbe0cb2f56eef4fd8d115ce91a91d59942c", "bb5ce23638"},
    {"release 6.6 by mallory, build 1732000",
     "sha256:bb5ce236381a4d74ae676680123b03bc3dbdad5507266878a5268b83b2c1624d", "bb5ce23638"},
};

static void test_known_answers(void **) {
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        struct error e;
        char text[FINGERPRINT_SIZE];
        must(fingerprint_compute(answers[i].text, strlen(answers[i].text), text, &e), e);
        assert_string_equal(text, answers[i].fingerprint);
    }
}

static void test_all_digits(void **) {
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        struct error e;
        char text[DIGEST_TEXT_SIZE];
        char fingerprint[FINGERPRINT_SIZE];
        must(digest_format(answers[i].text, strlen(answers[i].text), text, &e), e);
        assert_string_equal(text, answers[i].digest);
        fingerprint_of_digest(text, fingerprint);
        assert_string_equal(fingerprint, answers[i].fingerprint);
    }
}

int main(void) {
    start_or_fail();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answers),
        cmocka_unit_test(test_all_digits),
    };
    return cmocka_run_group_tests_name("crypto/fingerprint", tests, nullptr, nullptr);
}
