// What a worker is told of the attempts before its own.
#include "queue_fixture.h"

// The next attempt at "a" must come after so many transient failures in a row, the first and the last of
// which were started at those times. The clock stands still.
static void attempt_is(struct queue *queue, unsigned failures, int64_t first_ms, int64_t last_ms) {
    struct object_key key;
    struct queue_attempt attempt;
    add(queue, "a");
    assert_true(queue_take(queue, &key, &attempt));
    assert_true(key_is(&key, "a"));
    assert_int_equal(attempt.started_ms, stopped_ms);
    assert_int_equal(attempt.failures, failures);
    assert_int_equal(attempt.first_failure_ms, first_ms);
    assert_int_equal(attempt.last_failure_ms, last_ms);
}

// It ends later than it was started.
static void fails(struct queue *queue, bool is_transient) {
    const struct queue_failure failure = {.is_transient = is_transient};
    struct error e;
    uint32_t delay_ms;
    stopped_ms += 3;
    must(queue_retry(queue, KEY("a"), &failure, &delay_ms, &e), e);
    queue_done(queue, KEY("a"));
}

static void succeeds(struct queue *queue) {
    queue_forget(queue, KEY("a"));
    queue_done(queue, KEY("a"));
}

static void a_row_is_counted_from_its_first_failure(void **) {
    struct queue *queue = make();
    stopped_ms = 1000;
    attempt_is(queue, 0, 0, 0);
    fails(queue, true);
    stopped_ms = 2000;
    attempt_is(queue, 1, 1000, 1000);
    fails(queue, true);
    add(queue, "a");
    process(queue, "a"); // without a word of how it ended: what was counted stays
    stopped_ms = 61000;
    attempt_is(queue, 2, 1000, 2000);
    fails(queue, true);
    stopped_ms = 62000;
    attempt_is(queue, 3, 1000, 61000);
    fails(queue, true);
    queue_free(queue);
}

static void success_is_its_end(void **) {
    struct queue *queue = make();
    stopped_ms = 1000;
    attempt_is(queue, 0, 0, 0);
    fails(queue, true);
    attempt_is(queue, 1, 1000, 1000);
    succeeds(queue);
    stopped_ms = 70000;
    attempt_is(queue, 0, 0, 0);
    fails(queue, true);
    attempt_is(queue, 1, 70000, 70000);
    succeeds(queue);
    assert_true(is_forgotten(queue, "a"));
    queue_free(queue);
}

// It goes on backing off, and what is transient is counted anew.
static void another_failure_is_its_end_too(void **) {
    struct queue *queue = make();
    stopped_ms = 1000;
    attempt_is(queue, 0, 0, 0);
    fails(queue, true);
    attempt_is(queue, 1, 1000, 1000);
    fails(queue, false);
    stopped_ms = 5000;
    attempt_is(queue, 0, 0, 0);
    fails(queue, true);
    attempt_is(queue, 1, 5000, 5000);
    assert_int_equal(retry(queue, "a", 0), 5 * 8);
    queue_done(queue, KEY("a"));
    queue_free(queue);
}

static void each_key_for_itself(void **) {
    struct queue *queue = make();
    stopped_ms = 1000;
    attempt_is(queue, 0, 0, 0);
    fails(queue, true);
    add(queue, "b");
    struct object_key key;
    struct queue_attempt attempt;
    stopped_ms = 1000;
    assert_true(queue_take(queue, &key, &attempt));
    assert_true(key_is(&key, "b"));
    assert_int_equal(attempt.failures, 0);
    queue_done(queue, &key);
    queue_free(queue);
}

// What is slow was not done, and has not failed.
static void waiting_for_the_slow_lane_is_no_failure(void **) {
    struct queue *queue = make();
    struct error e;
    stopped_ms = 1000;
    attempt_is(queue, 0, 0, 0);
    fails(queue, true);
    attempt_is(queue, 1, 1000, 1000);
    must(queue_add_to_lane(queue, KEY("a"), QUEUE_SLOW, &e), e);
    queue_done(queue, KEY("a"));
    attempt_is(queue, 1, 1000, 1000);
    queue_done(queue, KEY("a"));
    queue_free(queue);
}

static void what_is_counted_needs_no_memory(void **) {
    struct queue *queue = make();
    stopped_ms = 1000;
    attempt_is(queue, 0, 0, 0);
    memory_left = 0;
    fails(queue, true);
    attempt_is(queue, 1, 1000, 1000);
    succeeds(queue);
    memory_left = -1;
    queue_free(queue);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_is_counted_from_its_first_failure),
        cmocka_unit_test(success_is_its_end),
        cmocka_unit_test(another_failure_is_its_end_too),
        cmocka_unit_test(each_key_for_itself),
        cmocka_unit_test(waiting_for_the_slow_lane_is_no_failure),
        cmocka_unit_test(what_is_counted_needs_no_memory),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
