#include "../base/check.h"
#include "../base/short_memory.h"

#include "reconcile/remakes.h"

#include <stdio.h>

// The clock is the test's: each call says what time it is.
enum { SECOND = 1000, MINUTE = 60 * SECOND };

static struct remakes *remakes;

static int set_up(void **) {
    remakes = remakes_create();
    return remakes == nullptr ? -1 : 0;
}

static int tear_down(void **) {
    remakes_free(remakes);
    return 0;
}

static void allowed(const char *key, int64_t now_ms) {
    uint32_t wait_ms = 4711;
    assert_true(remakes_allow(remakes, key, now_ms, &wait_ms));
    assert_int_equal(wait_ms, 4711);
}

static void refused(const char *key, int64_t now_ms, uint32_t expected_wait_ms) {
    uint32_t wait_ms = 0;
    assert_false(remakes_allow(remakes, key, now_ms, &wait_ms));
    assert_int_equal(wait_ms, expected_wait_ms);
}

static void the_first_time_is_at_once(void **) {
    allowed("ns/a", 0);
    allowed("ns/b", 0);
    allowed("ns/c", 123456789012345);
}

static void test_trap_33_each_time_takes_twice_as_long_as_the_one_before(void **) {
    int64_t now = 1000000;
    allowed("ns/a", now);
    for (uint32_t wait = 2 * SECOND; wait < 10 * MINUTE; wait *= 2) {
        refused("ns/a", now, wait);
        refused("ns/a", now + 1, wait - 1);
        refused("ns/a", now + wait - 1, 1);
        now += wait;
        allowed("ns/a", now);
    }
}

static void it_takes_ten_minutes_at_most(void **) {
    int64_t now = 0;
    allowed("ns/a", now);
    for (uint32_t wait = 2 * SECOND; wait < 10 * MINUTE; wait *= 2) {
        now += wait;
        allowed("ns/a", now);
    }
    for (int i = 0; i < 20; i++) {
        refused("ns/a", now, 10 * MINUTE);
        refused("ns/a", now + 10 * MINUTE - 1, 1);
        now += 10 * MINUTE;
        allowed("ns/a", now);
    }
}

static void asking_too_early_costs_nothing(void **) {
    allowed("ns/a", 0);
    for (int64_t now = 0; now < 2 * SECOND; now++) {
        refused("ns/a", now, (uint32_t)(2 * SECOND - now));
    }
    allowed("ns/a", 2 * SECOND);
    refused("ns/a", 2 * SECOND, 4 * SECOND);
}

static void keys_do_not_know_of_each_other(void **) {
    allowed("ns/a", 0);
    allowed("ns/b", 1 * SECOND);
    refused("ns/a", 1 * SECOND, 1 * SECOND);
    allowed("ns/a", 2 * SECOND);
    refused("ns/a", 2 * SECOND, 4 * SECOND);
    refused("ns/b", 2 * SECOND, 1 * SECOND);
}

// Ten times what it took last.
static void after_some_peace_it_starts_again(void **) {
    allowed("ns/a", 0);
    allowed("ns/a", 20 * SECOND); // so long, and no more
    int64_t last = 20 * SECOND;
    refused("ns/a", last, 4 * SECOND);
    allowed("ns/a", last + 40 * SECOND);
    last += 40 * SECOND;
    refused("ns/a", last, 8 * SECOND);
    allowed("ns/a", last + 80 * SECOND + 1);
    refused("ns/a", last + 80 * SECOND + 1, 2 * SECOND);
}

// At its longest it is remembered for a hundred minutes.
static void a_long_fight_is_remembered_for_long(void **) {
    int64_t now = 0;
    allowed("ns/a", now);
    for (uint32_t wait = 2 * SECOND; wait < 10 * MINUTE; wait *= 2) {
        now += wait;
        allowed("ns/a", now);
    }
    now += 100 * MINUTE;
    allowed("ns/a", now);
    refused("ns/a", now, 10 * MINUTE);
    now += 100 * MINUTE + 1;
    allowed("ns/a", now);
    refused("ns/a", now, 2 * SECOND);
}

// More keys than are looked through; the peaceful ones make room, the others keep their count.
static void many_keys_are_kept_apart(void **) {
    enum { MANY = 3000 };
    char key[64];
    for (int i = 0; i < MANY; i++) {
        snprintf(key, sizeof(key), "ns/%d", i);
        allowed(key, 0);
    }
    for (int i = 0; i < MANY; i++) {
        snprintf(key, sizeof(key), "ns/%d", i);
        refused(key, 1 * SECOND, 1 * SECOND);
    }
    allowed("ns/7", 2 * SECOND);
    int64_t later = 20 * SECOND + 1;
    allowed("ns/new", later); // sweeps
    allowed("ns/7", later);
    refused("ns/7", later, 8 * SECOND);
    refused("ns/new", later, 2 * SECOND);
    for (int i = 8; i < MANY; i++) {
        snprintf(key, sizeof(key), "ns/%d", i);
        allowed(key, later);
        refused(key, later, 2 * SECOND);
    }
}

static void contested(const char *key, int64_t now_ms, uint32_t expected_peace_ms) {
    uint32_t peace_ms = 0;
    assert_int_equal(remakes_are_contested(remakes, key, now_ms, &peace_ms), expected_peace_ms > 0);
    assert_int_equal(peace_ms, expected_peace_ms);
}

// From the first refusal until there is peace.
static void a_fight_is_known_until_there_is_peace(void **) {
    contested("ns/a", 0, 0);
    allowed("ns/a", 0);
    contested("ns/a", 1 * SECOND, 0);
    refused("ns/a", 1 * SECOND, 1 * SECOND);
    contested("ns/a", 1 * SECOND, 19 * SECOND + 1);
    contested("ns/b", 1 * SECOND, 0);
    allowed("ns/a", 2 * SECOND);
    contested("ns/a", 2 * SECOND, 40 * SECOND + 1);
    contested("ns/a", 42 * SECOND, 1);
    contested("ns/a", 42 * SECOND + 1, 0);
    allowed("ns/a", 42 * SECOND + 1);
    contested("ns/a", 42 * SECOND + 1, 0);
}

static void out_of_memory_lets_it_through(void **) {
    memory_left = 0;
    allowed("ns/a", 0);
    allowed("ns/a", 1); // nobody counted
    memory_left = 1;
    allowed("ns/a", 2);
    memory_left = -1;
    allowed("ns/a", 3);
    memory_left = 0;
    refused("ns/a", 3, 2 * SECOND); // what is counted needs no memory
    allowed("ns/a", 3 + 2 * SECOND);
    for (long left = 0; left < 2; left++) {
        memory_left = left;
        assert_null(remakes_create());
    }
    memory_left = -1;
    remakes_free(nullptr);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_first_time_is_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_trap_33_each_time_takes_twice_as_long_as_the_one_before, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(it_takes_ten_minutes_at_most, set_up, tear_down),
        cmocka_unit_test_setup_teardown(asking_too_early_costs_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keys_do_not_know_of_each_other, set_up, tear_down),
        cmocka_unit_test_setup_teardown(after_some_peace_it_starts_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_long_fight_is_remembered_for_long, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_keys_are_kept_apart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_fight_is_known_until_there_is_peace, set_up, tear_down),
        cmocka_unit_test_setup_teardown(out_of_memory_lets_it_through, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("operator/remakes", tests, nullptr, nullptr);
}
