#include "../base/check.h"
#include "../base/short_memory.h"

#include "reconcile/regenerate_backoff.h"

#include <stdio.h>

// The clock is the test's: each call says what time it is.
enum { SECOND = 1000, MINUTE = 60 * SECOND };

static const struct kube_resource things = {"example.com", "v1", "Thing", "things"};

static struct regenerate_backoff *backoff;

static int set_up(void **) {
    backoff = regenerate_backoff_create();
    return backoff == nullptr ? -1 : 0;
}

static int tear_down(void **) {
    regenerate_backoff_free(backoff);
    return 0;
}

static void allowed(const char *name, int64_t now_ms) {
    uint32_t wait_ms = 4711;
    assert_true(regenerate_backoff_allow(backoff, &(struct object_key){&things, "ns", name},
                                         REGENERATED_CONTENT, now_ms, &wait_ms));
    assert_int_equal(wait_ms, 4711);
}

static void refused(const char *name, int64_t now_ms, uint32_t expected_wait_ms) {
    uint32_t wait_ms = 0;
    assert_false(regenerate_backoff_allow(backoff, &(struct object_key){&things, "ns", name},
                                          REGENERATED_CONTENT, now_ms, &wait_ms));
    assert_int_equal(wait_ms, expected_wait_ms);
}

static void the_first_time_is_at_once(void **) {
    allowed("a", 0);
    allowed("b", 0);
    allowed("c", 123456789012345);
}

static void test_trap_33_each_time_takes_twice_as_long_as_the_one_before(void **) {
    int64_t now = 1000000;
    allowed("a", now);
    for (uint32_t wait = 2 * SECOND; wait < 10 * MINUTE; wait *= 2) {
        refused("a", now, wait);
        refused("a", now + 1, wait - 1);
        refused("a", now + wait - 1, 1);
        now += wait;
        allowed("a", now);
    }
}

static void it_takes_ten_minutes_at_most(void **) {
    int64_t now = 0;
    allowed("a", now);
    for (uint32_t wait = 2 * SECOND; wait < 10 * MINUTE; wait *= 2) {
        now += wait;
        allowed("a", now);
    }
    for (int i = 0; i < 20; i++) {
        refused("a", now, 10 * MINUTE);
        refused("a", now + 10 * MINUTE - 1, 1);
        now += 10 * MINUTE;
        allowed("a", now);
    }
}

static void asking_too_early_costs_nothing(void **) {
    allowed("a", 0);
    for (int64_t now = 0; now < 2 * SECOND; now++) {
        refused("a", now, (uint32_t)(2 * SECOND - now));
    }
    allowed("a", 2 * SECOND);
    refused("a", 2 * SECOND, 4 * SECOND);
}

static void keys_do_not_know_of_each_other(void **) {
    allowed("a", 0);
    allowed("b", 1 * SECOND);
    refused("a", 1 * SECOND, 1 * SECOND);
    allowed("a", 2 * SECOND);
    refused("a", 2 * SECOND, 4 * SECOND);
    refused("b", 2 * SECOND, 1 * SECOND);
}

static void content_and_metadata_are_counted_apart(void **) {
    const struct object_key key = {&things, "ns", "a"};
    uint32_t wait_ms;
    allowed("a", 0);
    assert_true(regenerate_backoff_allow(backoff, &key, REGENERATED_METADATA, 0, &wait_ms));
    assert_false(regenerate_backoff_allow(backoff, &key, REGENERATED_METADATA, 1, &wait_ms));
    regenerate_backoff_take_back(backoff, &key, REGENERATED_METADATA);
    refused("a", 1, 2 * SECOND - 1);
    assert_true(regenerate_backoff_allow(backoff, &key, REGENERATED_METADATA, 1, &wait_ms));
}

// Ten times what it took last.
static void after_some_peace_it_starts_again(void **) {
    allowed("a", 0);
    allowed("a", 20 * SECOND); // so long, and no more
    int64_t last = 20 * SECOND;
    refused("a", last, 4 * SECOND);
    allowed("a", last + 40 * SECOND);
    last += 40 * SECOND;
    refused("a", last, 8 * SECOND);
    allowed("a", last + 80 * SECOND + 1);
    refused("a", last + 80 * SECOND + 1, 2 * SECOND);
}

// At its longest it is remembered for a hundred minutes.
static void a_long_fight_is_remembered_for_long(void **) {
    int64_t now = 0;
    allowed("a", now);
    for (uint32_t wait = 2 * SECOND; wait < 10 * MINUTE; wait *= 2) {
        now += wait;
        allowed("a", now);
    }
    now += 100 * MINUTE;
    allowed("a", now);
    refused("a", now, 10 * MINUTE);
    now += 100 * MINUTE + 1;
    allowed("a", now);
    refused("a", now, 2 * SECOND);
}

// More keys than are looked through; the peaceful ones make room, the others keep their count.
static void many_keys_are_kept_apart(void **) {
    enum { MANY = 3000 };
    char name[64];
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof(name), "%d", i);
        allowed(name, 0);
    }
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof(name), "%d", i);
        refused(name, 1 * SECOND, 1 * SECOND);
    }
    allowed("7", 2 * SECOND);
    int64_t later = 20 * SECOND + 1;
    allowed("new", later); // sweeps
    allowed("7", later);
    refused("7", later, 8 * SECOND);
    refused("new", later, 2 * SECOND);
    for (int i = 8; i < MANY; i++) {
        snprintf(name, sizeof(name), "%d", i);
        allowed(name, later);
        refused(name, later, 2 * SECOND);
    }
}

static void contested(const char *name, int64_t now_ms, uint32_t expected_peace_ms) {
    uint32_t peace_ms = 0;
    assert_int_equal(regenerate_backoff_is_contested(backoff, &(struct object_key){&things, "ns", name},
                                                     REGENERATED_CONTENT, now_ms, &peace_ms),
                     expected_peace_ms > 0);
    assert_int_equal(peace_ms, expected_peace_ms);
}

// From the first refusal until there is peace.
static void a_fight_is_known_until_there_is_peace(void **) {
    contested("a", 0, 0);
    allowed("a", 0);
    contested("a", 1 * SECOND, 0);
    refused("a", 1 * SECOND, 1 * SECOND);
    contested("a", 1 * SECOND, 19 * SECOND + 1);
    contested("b", 1 * SECOND, 0);
    allowed("a", 2 * SECOND);
    contested("a", 2 * SECOND, 40 * SECOND + 1);
    contested("a", 42 * SECOND, 1);
    contested("a", 42 * SECOND + 1, 0);
    allowed("a", 42 * SECOND + 1);
    contested("a", 42 * SECOND + 1, 0);
}

static void out_of_memory_lets_it_through(void **) {
    memory_left = 0;
    allowed("a", 0);
    allowed("a", 1); // nobody counted
    memory_left = 1;
    allowed("a", 2);
    memory_left = -1;
    allowed("a", 3);
    memory_left = 0;
    refused("a", 3, 2 * SECOND); // what is counted needs no memory
    allowed("a", 3 + 2 * SECOND);
    for (long left = 0; left < 2; left++) {
        memory_left = left;
        assert_null(regenerate_backoff_create());
    }
    memory_left = -1;
    regenerate_backoff_free(nullptr);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_first_time_is_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_trap_33_each_time_takes_twice_as_long_as_the_one_before, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(it_takes_ten_minutes_at_most, set_up, tear_down),
        cmocka_unit_test_setup_teardown(asking_too_early_costs_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keys_do_not_know_of_each_other, set_up, tear_down),
        cmocka_unit_test_setup_teardown(content_and_metadata_are_counted_apart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(after_some_peace_it_starts_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_long_fight_is_remembered_for_long, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_keys_are_kept_apart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_fight_is_known_until_there_is_peace, set_up, tear_down),
        cmocka_unit_test_setup_teardown(out_of_memory_lets_it_through, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("reconcile/regenerate_backoff", tests, nullptr, nullptr);
}
