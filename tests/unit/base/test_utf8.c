#include "base/utf8.h"

#include "check.h"

#include <stdio.h>

static void assert_becomes(const char *text, const char *wanted) {
    char buffer[64];
    snprintf(buffer, sizeof(buffer), "%s", text);
    utf8_make_valid(buffer);
    assert_string_equal(buffer, wanted);
}

static void valid_text_stays(void **) {
    assert_becomes("", "");
    assert_becomes("plain", "plain");
    assert_becomes("\xc3\xa4\xe2\x82\xac\xf0\x9f\x94\x91",
                   "\xc3\xa4\xe2\x82\xac\xf0\x9f\x94\x91"); // 2, 3, 4 bytes
    assert_becomes("\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"); // the last one
}

static void a_character_cut_in_the_middle_is_replaced(void **) {
    assert_becomes("a\xe2\x82", "a??");
    assert_becomes("\xf0\x9f\x94z", "???z");
    assert_becomes("\xa4 tail", "? tail");
}

static void what_only_looks_like_utf_8_is_replaced(void **) {
    assert_becomes("\xc0\xaf", "??");                 // overlong
    assert_becomes("\xe0\x80\xaf", "???");            // overlong
    assert_becomes("\xed\xa0\x80", "???");            // a surrogate
    assert_becomes("\xf4\x90\x80\x80", "????");       // past the last character
    assert_becomes("\xff\xfe\xc3\xa4", "??\xc3\xa4"); // never in UTF-8, and a character after it
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid_text_stays),
        cmocka_unit_test(a_character_cut_in_the_middle_is_replaced),
        cmocka_unit_test(what_only_looks_like_utf_8_is_replaced),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
