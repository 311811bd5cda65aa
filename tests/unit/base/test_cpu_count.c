#include "check.h"

#include "base/cpu_count.h"

static void a_quota_limits_them(void **) {
    assert_int_equal(cpu_count_within(8, "200000 100000\n"), 2);
    assert_int_equal(cpu_count_within(8, "150000 100000\n"), 2);
    assert_int_equal(cpu_count_within(8, "50000 100000"), 1);
    assert_int_equal(cpu_count_within(2, "400000 100000"), 2);
}

static void what_is_no_quota_does_not(void **) {
    static const char *const texts[] = {"max 100000\n", "max",      "",    "0 100000",
                                        "100000",       "100000 0", "x 1", "1 x"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(cpu_count_within(8, texts[i]), 8);
    }
}

static void there_is_at_least_one(void **) {
    assert_true(cpu_count() >= 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_quota_limits_them),
        cmocka_unit_test(what_is_no_quota_does_not),
        cmocka_unit_test(there_is_at_least_one),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
