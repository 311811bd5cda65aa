#include "../base/check.h"
#include "../base/short_memory.h"

#include "reconcile/failing.h"

static struct failing *failing;

static int set_up(void **) {
    memory_left = -1;
    failing = failing_create();
    return failing == nullptr ? -1 : 0;
}

static int tear_down(void **) {
    memory_left = -1;
    failing_free(failing);
    return 0;
}

// The clock is the test's.
static void fails(const char *key, int64_t now_ms, unsigned count, int64_t ms, bool is_told) {
    struct failing_row row = failing_count(failing, key, now_ms);
    assert_int_equal(row.count, count);
    assert_int_equal(row.ms, ms);
    assert_int_equal(row.is_told, is_told);
}

static void a_row_is_counted_from_its_first_failure(void **) {
    fails("a", 1000, 1, 0, false);
    fails("a", 1005, 2, 5, false);
    fails("b", 2000, 1, 0, false);
    fails("a", 61000, 3, 60000, false);
    fails("b", 2001, 2, 1, false);
}

static void it_is_told_once(void **) {
    failing_tell(failing, "a"); // who does not fail has nothing to tell
    fails("a", 0, 1, 0, false);
    failing_tell(failing, "a");
    fails("a", 1, 2, 1, true);
    fails("b", 1, 1, 0, false);
}

static void its_end_is_its_end(void **) {
    failing_end(failing, "a");
    fails("a", 0, 1, 0, false);
    failing_tell(failing, "a");
    failing_end(failing, "a");
    fails("a", 70000, 1, 0, false);
}

static void out_of_memory_each_is_the_first(void **) {
    for (long left = 0; left < 2; left++) {
        memory_left = left;
        fails("a", 0, 1, 0, false);
        memory_left = left;
        fails("a", 5, 1, 0, false);
    }
    memory_left = -1;
    fails("a", 5, 1, 0, false);
    memory_left = 0;
    fails("a", 6, 2, 1, false); // what is counted needs no memory
    for (long left = 0; left < 2; left++) {
        memory_left = left;
        assert_null(failing_create());
    }
    memory_left = -1;
    failing_free(nullptr);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_row_is_counted_from_its_first_failure, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_is_told_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(its_end_is_its_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(out_of_memory_each_is_the_first, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("operator/failing", tests, nullptr, nullptr);
}
