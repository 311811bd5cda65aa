#include "../base/check.h"

#include "reconcile/renewal.h"

#include <stdio.h>

enum { MINUTE = 60, HOUR = 3600, DAY = 24 * HOUR };

static const int64_t start = 1767323045;

static uint32_t wait_ms(int64_t renew_at, int64_t expires_at, int64_t now) {
    struct renewal renewal = {.renew_at = renew_at, .expires_at = expires_at};
    return renewal_wait_ms(&renewal, start, start - DAY, "0d9a7f0e-1111-4222-8333-123456789abc", now);
}

static void it_is_due_at_its_second_and_not_before(void **) {
    int64_t at = start + 10 * MINUTE;
    assert_int_equal(wait_ms(at, at + HOUR, start), 10 * MINUTE * 1000);
    assert_int_equal(wait_ms(at, at + HOUR, at - 1), 1000);
    assert_int_equal(wait_ms(at, at + HOUR, at), 0);
    assert_int_equal(wait_ms(at, at + HOUR, at + DAY), 0);
    assert_int_equal(wait_ms(at, at + HOUR, at + 100 * DAY), 0); // long past its end
}

static void a_long_wait_is_cut_so_that_a_changed_clock_shows(void **) {
    assert_int_equal(wait_ms(start + HOUR - 1, start + DAY, start), (HOUR - 1) * 1000);
    assert_int_equal(wait_ms(start + HOUR, start + DAY, start), RENEWAL_LOOK_MS);
    assert_int_equal(wait_ms(start + 36500 * (int64_t)DAY, start + 40000 * (int64_t)DAY, start),
                     RENEWAL_LOOK_MS);
}

static void a_clock_that_went_back_makes_nothing_due(void **) {
    assert_int_equal(wait_ms(start + DAY, start + 2 * DAY, start - 1000 * (int64_t)DAY), RENEWAL_LOOK_MS);
}

static void what_does_not_expire_is_never_due(void **) {
    assert_int_equal(wait_ms(0, 0, start), RENEWAL_LOOK_MS);
    assert_int_equal(wait_ms(0, 0, start + 36500 * (int64_t)DAY), RENEWAL_LOOK_MS);
}

// One that ends with its issuer's, for example. It is looked at all the same, and when it has expired.
static void what_gains_nothing_by_renewal_is_due_when_it_expires(void **) {
    assert_int_equal(wait_ms(0, start + DAY, start), RENEWAL_LOOK_MS);
    assert_int_equal(wait_ms(0, start + DAY, start + DAY - 10), 10 * 1000);
    assert_int_equal(wait_ms(0, start + DAY, start + DAY), 0);
    assert_int_equal(wait_ms(0, start - DAY, start), 0); // before the start, too
}

// The clock was ahead when it was made. If it is before the object's own creation, the clock is behind now.
static void what_is_not_valid_yet_is_due_unless_the_clock_is_behind(void **) {
    static const char uid[] = "0d9a7f0e-1111-4222-8333-123456789abc";
    const struct renewal early = {
        .valid_from = start + DAY, .renew_at = start + 30 * DAY, .expires_at = start + 90 * DAY};
    assert_int_equal(renewal_wait_ms(&early, start, start - DAY, uid, start), 0);
    assert_int_equal(renewal_wait_ms(&early, start, start, uid, start), 0);
    assert_int_equal(renewal_wait_ms(&early, start, start - DAY, uid, start + DAY - 1), 0);
    assert_int_equal(renewal_wait_ms(&early, start, start - DAY, uid, start + DAY), RENEWAL_LOOK_MS);
    assert_int_equal(renewal_wait_ms(&early, start, start + 1, uid, start), RENEWAL_LOOK_MS);
    assert_int_equal(renewal_wait_ms(&early, start, start - DAY, uid, start - 400 * (int64_t)DAY),
                     RENEWAL_LOOK_MS);
}

// What was overdue when the program began is due somewhere within its window, later objects not all at once.
static void what_was_overdue_at_the_start_is_spread(void **) {
    enum { OBJECTS = 1000, PARTS = 10 };
    unsigned in_part[PARTS] = {0};
    for (int i = 0; i < OBJECTS; i++) {
        char uid[40];
        struct renewal renewal = {.renew_at = start - DAY, .expires_at = start + 30 * DAY};
        snprintf(uid, sizeof(uid), "0d9a7f0e-1111-4222-8333-%012d", i);
        uint32_t wait = renewal_wait_ms(&renewal, start, start - DAY, uid, start);
        assert_in_range(wait, 0, (RENEWAL_SPREAD_S - 1) * 1000);
        in_part[wait / 1000 * PARTS / RENEWAL_SPREAD_S]++;
        assert_int_equal(renewal_wait_ms(&renewal, start, start - DAY, uid, start + wait / 1000),
                         0); // and at no other time
        if (wait > 0) {
            assert_int_equal(renewal_wait_ms(&renewal, start, start - DAY, uid, start + wait / 1000 - 1),
                             1000);
        }
    }
    for (int i = 0; i < PARTS; i++) {
        assert_in_range(in_part[i], OBJECTS / PARTS / 2, OBJECTS / PARTS * 2);
    }
}

static void the_window_is_within_what_is_left_of_its_life(void **) {
    for (int i = 0; i < 200; i++) {
        char uid[40];
        struct renewal renewal = {.renew_at = start - MINUTE, .expires_at = start + 40};
        snprintf(uid, sizeof(uid), "%d", i);
        assert_in_range(renewal_wait_ms(&renewal, start, start - DAY, uid, start), 0, 9 * 1000);
    }
}

static void what_has_expired_is_due_at_once(void **) {
    assert_int_equal(wait_ms(start - DAY, start - HOUR, start), 0);
    assert_int_equal(wait_ms(start - DAY, start, start), 0);
    assert_int_equal(wait_ms(start - DAY, start + 3, start), 0);
}

static void what_comes_due_after_the_start_is_not_spread(void **) {
    assert_int_equal(wait_ms(start, start + DAY, start), 0);
    assert_int_equal(wait_ms(start + 1, start + DAY, start), 1000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_due_at_its_second_and_not_before),
        cmocka_unit_test(a_long_wait_is_cut_so_that_a_changed_clock_shows),
        cmocka_unit_test(a_clock_that_went_back_makes_nothing_due),
        cmocka_unit_test(what_does_not_expire_is_never_due),
        cmocka_unit_test(what_gains_nothing_by_renewal_is_due_when_it_expires),
        cmocka_unit_test(what_is_not_valid_yet_is_due_unless_the_clock_is_behind),
        cmocka_unit_test(what_was_overdue_at_the_start_is_spread),
        cmocka_unit_test(the_window_is_within_what_is_left_of_its_life),
        cmocka_unit_test(what_has_expired_is_due_at_once),
        cmocka_unit_test(what_comes_due_after_the_start_is_not_spread),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
