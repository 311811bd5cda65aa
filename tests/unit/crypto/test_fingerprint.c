#include "support.h"

#include "crypto/fingerprint.h"

// FIPS 180-4 examples, and one with zeros in it that must not be lost.
static void test_known_answers(void **) {
    static const struct {
        const char *text;
        const char *fingerprint;
    } answers[] = {
        {"", "e3b0c44298"},
        {"abc", "ba7816bf8f"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "248d6a61d2"},
        {"636", "02c000a36d"},
    };
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        struct error e;
        char text[FINGERPRINT_SIZE];
        must(fingerprint_compute(answers[i].text, strlen(answers[i].text), text, &e), e);
        assert_string_equal(text, answers[i].fingerprint);
    }
}

int main(void) {
    start_or_fail();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answers),
    };
    return cmocka_run_group_tests_name("crypto/fingerprint", tests, nullptr, nullptr);
}
