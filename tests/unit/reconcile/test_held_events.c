#include "../base/check.h"
#include "../base/short_memory.h"

#include "reconcile/held_events.h"

#define OBJECT "Thing/ns/a"
#define OUTPUT "Secret/ns/a"

static const struct kube_resource things = {"example.com", "v1", "Thing", "things"};
static const struct object_key a = {&things, "ns", "a"};
static const struct object_key b = {&things, "ns", "b"};
static const struct object_key c = {&things, "ns", "c"};

static struct held_events *events;

static int set_up(void **) {
    memory_left = -1;
    events = held_events_create();
    return events == nullptr ? -1 : 0;
}

static int tear_down(void **) {
    memory_left = -1;
    held_events_free(events);
    return 0;
}

static void ends_with(const struct object_key *key, bool object, bool output) {
    struct held held = held_events_end(events, key);
    assert_int_equal(held.object, object);
    assert_int_equal(held.output, output);
}

static void what_is_in_no_hands_is_woken(void **) {
    assert_false(held_events_hold(events, &a, OBJECT));
    held_events_expect_output(events, &a, OUTPUT); // of nobody
    assert_false(held_events_hold(events, &a, OUTPUT));
    ends_with(&a, false, false);
}

static void test_trap_53_what_is_heard_of_the_object_in_hand_is_held(void **) {
    held_events_begin(events, &a, OBJECT);
    assert_true(held_events_hold(events, &a, OBJECT));
    assert_true(held_events_hold(events, &a, OBJECT));
    ends_with(&a, true, false);
    assert_false(held_events_hold(events, &a, OBJECT)); // afterwards it is woken again
    held_events_begin(events, &a, OBJECT);
    ends_with(&a, false, false); // and nothing of before is left
}

static void test_trap_53_its_output_is_held_as_soon_as_it_is_known(void **) {
    held_events_begin(events, &a, OBJECT);
    assert_false(held_events_hold(events, &a, OUTPUT));
    held_events_expect_output(events, &a, OUTPUT);
    assert_true(held_events_hold(events, &a, OUTPUT));
    held_events_expect_output(events, &a, "Secret/ns/other");
    assert_false(held_events_hold(events, &a, OUTPUT));
    ends_with(&a, false, true);
}

static void test_trap_53_others_that_depend_on_it_are_woken(void **) {
    held_events_begin(events, &a, OBJECT);
    held_events_expect_output(events, &a, OUTPUT);
    held_events_begin(events, &b, "Thing/ns/b"); // in hand too, and reads both
    assert_false(held_events_hold(events, &b, OBJECT));
    assert_false(held_events_hold(events, &b, OUTPUT));
    assert_false(held_events_hold(events, &c, OBJECT));
    assert_false(held_events_hold(events, &a, "Thing/ns/b"));
    ends_with(&a, false, false);
    ends_with(&b, false, false);
}

static void out_of_memory_holds_nothing(void **) {
    for (long left = 0; left < 4; left++) {
        memory_left = left;
        held_events_begin(events, &a, OBJECT);
        memory_left = -1;
        assert_false(held_events_hold(events, &a, OBJECT));
        ends_with(&a, false, false);
    }
    held_events_begin(events, &a, OBJECT);
    memory_left = 0;
    held_events_expect_output(events, &a, OUTPUT);
    assert_false(held_events_hold(events, &a, OUTPUT));
    assert_true(held_events_hold(events, &a, OBJECT));
    ends_with(&a, true, false);
    for (long left = 0; left < 2; left++) {
        memory_left = left;
        assert_null(held_events_create());
    }
    memory_left = -1;
    held_events_free(nullptr);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_in_no_hands_is_woken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_trap_53_what_is_heard_of_the_object_in_hand_is_held, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_trap_53_its_output_is_held_as_soon_as_it_is_known, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_trap_53_others_that_depend_on_it_are_woken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(out_of_memory_holds_nothing, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("reconcile/held_events", tests, nullptr, nullptr);
}
