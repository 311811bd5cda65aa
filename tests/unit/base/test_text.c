#include "base/text.h"

#include "check.h"

static void assert_splits(const char *text, const char *const *wanted) {
    struct error e;
    struct text_list list;
    must(text_split(text, &list, &e), e);
    size_t i = 0;
    for (; wanted[i] != nullptr; i++) {
        assert_non_null(list.items[i]);
        assert_string_equal(list.items[i], wanted[i]);
    }
    assert_null(list.items[i]);
    assert_int_equal(list.count, i);
    text_list_done(&list);
}

static void a_comma_list_is_split(void **) {
    assert_splits(nullptr, (const char *const[]){nullptr});
    assert_splits("", (const char *const[]){nullptr});
    assert_splits(" , ,", (const char *const[]){nullptr});
    assert_splits("a", (const char *const[]){"a", nullptr});
    assert_splits("a,b,c", (const char *const[]){"a", "b", "c", nullptr});
    assert_splits(" team-a, team-b ,,c", (const char *const[]){"team-a", "team-b", "c", nullptr});
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_comma_list_is_split),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
