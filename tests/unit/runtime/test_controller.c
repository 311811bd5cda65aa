// The loop: what follows from each outcome.
#include "queue_fixture.h"

#include "runtime/controller.h"

// What the log asks for; the rest of the clock is the fixture's.
int64_t clock_wall_microseconds(void) {
    return 0;
}

void clock_format_micro(int64_t, char ret_text[CLOCK_TEXT_SIZE]) {
    ret_text[0] = '\0';
}

// A reconciler and an observer that do as they are told, and note what they are asked.
static struct {
    struct queue *queue;
    struct controller controller;
    struct outcome next;
    struct queue_attempt attempt;
    unsigned reconciles;
    char observed[200];
} world;

static void reconcile(void *context, const struct object_key *key, const struct queue_attempt *attempt,
                      struct outcome *ret_outcome) {
    assert_ptr_equal(context, &world);
    assert_true(key_is(key, "ns/a"));
    assert_int_equal(ret_outcome->result, RESULT_OK); // it comes zeroed
    assert_int_equal(ret_outcome->requeue_after_ms, 0);
    world.attempt = *attempt;
    world.reconciles++;
    *ret_outcome = world.next;
}

static void observe(const char *what, const struct object_key *key, int result) {
    size_t used = strlen(world.observed);
    snprintf(world.observed + used, sizeof(world.observed) - used, "%s %s %d; ", what, key->name, result);
}

static void note_started(void *, const struct object_key *key) {
    observe("started", key, -1);
}

static void note_ended(void *, const struct object_key *key, const struct outcome *outcome, double seconds) {
    assert_true(seconds >= 0);
    observe("ended", key, (int)outcome->result);
}

static int set_up(void **) {
    world.queue = make();
    world.controller =
        (struct controller){.queue = world.queue, .reconciler = {.context = &world, .reconcile = reconcile}};
    world.next = (struct outcome){0};
    world.reconciles = 0;
    world.observed[0] = '\0';
    stopped_ms = 1000;
    return 0;
}

static int tear_down(void **) {
    memory_left = -1;
    queue_free(world.queue);
    return 0;
}

// What a worker does with the next key.
static void work_once(void) {
    struct object_key key;
    struct queue_attempt attempt;
    assert_true(queue_take(world.queue, &key, &attempt));
    controller_process(&world.controller, &key, &attempt);
    queue_done(world.queue, &key);
}

// The key is delayed for so long.
static void comes_after(int64_t delay_ms) {
    stopped_ms += delay_ms - 1;
    assert_true(is_empty(world.queue));
    stopped_ms += 1;
    assert_int_equal(queue_depth(world.queue), 1);
}

static void what_is_done_is_forgotten(void **) {
    add(world.queue, "ns/a");
    work_once();
    assert_int_equal(world.reconciles, 1);
    assert_true(is_empty(world.queue));
    assert_true(is_forgotten(world.queue, "ns/a"));
}

static void it_is_looked_at_again_when_the_outcome_says(void **) {
    add(world.queue, "ns/a");
    world.next.requeue_after_ms = 7000;
    work_once();
    comes_after(7000);
    work_once();
    assert_int_equal(world.attempt.failures, 0);
}

static void a_failure_that_only_a_change_can_help_is_not_tried_again(void **) {
    add(world.queue, "ns/a");
    world.next.result = RESULT_TERMINAL;
    work_once();
    assert_true(is_forgotten(world.queue, "ns/a"));
}

static void other_failures_back_off(void **) {
    add(world.queue, "ns/a");
    world.next.result = RESULT_RETRY;
    for (int64_t delay_ms = 5; delay_ms < 100; delay_ms *= 2) {
        work_once();
        comes_after(delay_ms);
    }
    world.next.retry_max_ms = 60;
    work_once();
    comes_after(60);
    world.next.error.retry_after_ms = 90;
    work_once();
    comes_after(90);
    world.next = (struct outcome){0};
    work_once();
    assert_true(is_forgotten(world.queue, "ns/a"));
}

static void transient_ones_are_counted(void **) {
    add(world.queue, "ns/a");
    world.next.result = RESULT_RETRY;
    world.next.is_transient = true;
    work_once();
    comes_after(5);
    work_once();
    assert_int_equal(world.attempt.failures, 1);
    assert_int_equal(world.attempt.first_failure_ms, 1000);
    comes_after(10);
    world.next.is_transient = false;
    work_once();
    assert_int_equal(world.attempt.failures, 2);
    comes_after(20);
    work_once();
    assert_int_equal(world.attempt.failures, 0);
}

static void slow_work_waits_in_its_lane(void **) {
    add(world.queue, "ns/a");
    world.next.result = RESULT_LANE;
    world.next.lane = QUEUE_REMOTE;
    work_once();
    assert_int_equal(world.attempt.lane, QUEUE_FAST);
    assert_int_equal(queue_depth(world.queue), 1);
    world.next.result = RESULT_OK;
    work_once();
    assert_int_equal(world.attempt.lane, QUEUE_REMOTE);
    assert_true(is_forgotten(world.queue, "ns/a"));
}

static void the_observer_is_told(void **) {
    add(world.queue, "ns/a");
    world.controller.observer = (struct controller_observer){nullptr, note_started, note_ended};
    world.next.result = RESULT_TERMINAL;
    work_once();
    assert_string_equal(world.observed, "started a -1; ended a 1; ");
}

// A key that was never queued can be lost, which is said; one that is in hand never needs memory.
static void memory_may_be_out(void **) {
    const struct queue_attempt attempt = {0};
    world.next.result = RESULT_RETRY;
    memory_left = 0;
    controller_process(&world.controller, KEY("ns/a"), &attempt);
    memory_left = -1;
    assert_true(is_empty(world.queue));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_done_is_forgotten, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_is_looked_at_again_when_the_outcome_says, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_failure_that_only_a_change_can_help_is_not_tried_again, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(other_failures_back_off, set_up, tear_down),
        cmocka_unit_test_setup_teardown(transient_ones_are_counted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(slow_work_waits_in_its_lane, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_observer_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(memory_may_be_out, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
