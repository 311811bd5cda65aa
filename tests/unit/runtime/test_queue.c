#include "queue_fixture.h"

static void test_trap_28_keys_come_out_in_the_order_they_came_in(void **) {
    struct queue *queue = make();
    add(queue, "c");
    add(queue, "a");
    add(queue, "b");
    assert_int_equal(queue_depth(queue), 3);
    process(queue, "c");
    process(queue, "a");
    add(queue, "c");
    process(queue, "b");
    process(queue, "c");
    assert_true(is_empty(queue));
    queue_free(queue);
    queue_free(nullptr);
}

static void a_waiting_key_is_there_once(void **) {
    struct queue *queue = make();
    add(queue, "a");
    add(queue, "b");
    add(queue, "a");
    add_after(queue, "a", 1000000);
    assert_int_equal(queue_depth(queue), 2);
    process(queue, "a");
    process(queue, "b");
    assert_true(is_empty(queue));
    queue_free(queue);
}

static void test_trap_25_a_key_is_never_in_two_workers_and_no_event_is_lost(void **) {
    struct queue *queue = make();
    add(queue, "a");
    struct object_key key = take(queue, "a");
    add(queue, "a");
    add(queue, "a");
    assert_true(is_empty(queue));
    add(queue, "b");
    queue_done(queue, &key);
    process(queue, "b"); // the marked key is behind what came before it was done
    process(queue, "a");
    assert_true(is_empty(queue));
    queue_free(queue);
}

static void a_delay_that_passes_while_a_key_is_processed_is_an_event(void **) {
    struct queue *queue = make();
    add(queue, "a");
    struct object_key key = take(queue, "a");
    add_after(queue, "a", 0);
    assert_true(is_empty(queue));
    queue_done(queue, &key);
    process(queue, "a");
    assert_true(is_empty(queue));
    queue_free(queue);
}

static void delayed_keys_come_when_they_are_due(void **) {
    struct queue *queue = make();
    stopped_ms = 1000;
    add_after(queue, "third", 30);
    add_after(queue, "first", 10);
    add_after(queue, "second", 20);
    assert_true(is_empty(queue));
    stopped_ms = 1009;
    assert_true(is_empty(queue));
    stopped_ms = 1010;
    process(queue, "first");
    assert_true(is_empty(queue));
    stopped_ms = 5000;
    assert_int_equal(queue_depth(queue), 2);
    process(queue, "second");
    process(queue, "third");
    assert_true(is_empty(queue));
    queue_free(queue);
}

static void many_delays_come_in_order(void **) {
    enum { KEYS = 499 };
    struct queue *queue = make();
    stopped_ms = 0;
    for (int i = 0; i < KEYS; i++) {
        char key[8];
        int place = i * 37 % KEYS;
        snprintf(key, sizeof(key), "k%03d", place);
        add_after(queue, key, 1 + (uint32_t)place);
        if (i % 3 == 0) { // out of the middle of the heap, and in again
            add(queue, key);
            process(queue, key);
            add_after(queue, key, 1 + (uint32_t)place);
        }
    }
    stopped_ms = KEYS / 2;
    assert_int_equal(queue_depth(queue), KEYS / 2);
    stopped_ms = KEYS;
    for (int i = 0; i < KEYS; i++) {
        char key[8];
        snprintf(key, sizeof(key), "k%03d", i);
        process(queue, key);
    }
    assert_true(is_empty(queue));
    queue_free(queue);
}

static void a_retry_comes_after_its_delay(void **) {
    struct queue *queue = make();
    stopped_ms = 0;
    add(queue, "a");
    struct object_key key = take(queue, "a");
    assert_int_equal(retry(queue, "a", 400), 400);
    queue_done(queue, &key);
    stopped_ms = 399;
    assert_true(is_empty(queue));
    stopped_ms = 400;
    process(queue, "a");
    queue_free(queue);
}

static void of_two_times_the_earlier_counts(void **) {
    struct queue *queue = make();
    stopped_ms = 0;
    add_after(queue, "a", 1000);
    add_after(queue, "a", 5);
    add_after(queue, "a", 500);
    stopped_ms = 5;
    process(queue, "a");
    stopped_ms = 2000;
    assert_true(is_empty(queue));
    queue_free(queue);
}

static void failures_double_the_delay_up_to_a_limit(void **) {
    struct queue *queue = make();
    uint32_t expected = 5;
    for (int i = 0; i < 40; i++) {
        assert_int_equal(retry(queue, "a", 0), expected);
        expected = expected * 2 < 1000000 ? expected * 2 : 1000000;
    }
    assert_int_equal(retry(queue, "b", 0), 5); // each key for itself
    assert_int_equal(retry(queue, "b", 7000), 7000);
    assert_int_equal(retry(queue, "b", 3), 20);
    assert_int_equal(fail_within(queue, "b", 3, 30), 30);  // of 40: the ceiling
    assert_int_equal(fail_within(queue, "b", 50, 30), 50); // the floor is higher
    queue_free(queue);
}

static void test_trap_26_an_event_neither_inflates_the_backoff_nor_waits_for_it(void **) {
    struct queue *queue = make();
    for (int i = 0; i < 10; i++) {
        (void)retry(queue, "a", 0);
    }
    for (int i = 0; i < 100; i++) {
        add(queue, "a");
    }
    struct object_key key = take(queue, "a"); // at once, not in 2.5 s
    add(queue, "a");
    assert_int_equal(retry(queue, "a", 0), 5 * 1024);
    queue_done(queue, &key);
    process(queue, "a"); // the event during processing comes at once, too
    assert_true(is_empty(queue));
    assert_int_equal(retry(queue, "a", 0), 5 * 2048);
    queue_free(queue);
}

static void test_trap_27_success_forgets_failures(void **) {
    struct queue *queue = make();
    (void)retry(queue, "a", 0);
    (void)retry(queue, "a", 0);
    process(queue, "a");
    queue_forget(queue, KEY("a"));
    assert_int_equal(retry(queue, "a", 0), 5);
    queue_forget(queue, KEY("unknown"));
    queue_free(queue);
}

static void a_key_that_succeeded_takes_no_memory(void **) {
    struct queue *queue = make();
    struct error e;
    add(queue, "a");
    struct object_key key = take(queue, "a");
    queue_forget(queue, KEY("a"));
    assert_false(is_forgotten(queue, "a")); // it is being processed, and now marked
    queue_done(queue, &key);
    key = take(queue, "a");
    queue_forget(queue, KEY("a"));
    queue_done(queue, &key);
    assert_true(is_forgotten(queue, "a"));

    (void)retry(queue, "a", 0);
    process(queue, "a");
    assert_false(is_forgotten(queue, "a")); // its failure is remembered
    process(queue, "a");
    queue_forget(queue, KEY("a"));
    assert_true(is_forgotten(queue, "a"));

    memory_left = 0;
    must_fail(queue_add_after(queue, KEY("a"), 1, &e), e, ERROR_NO_MEMORY, "");
    uint32_t delay_ms = 77;
    must_fail(queue_retry(queue, KEY("a"), &(struct queue_failure){0}, &delay_ms, &e), e, ERROR_NO_MEMORY,
              "");
    memory_left = -1;
    assert_int_equal(delay_ms, 77);
    queue_free(queue);
}

static void out_of_memory_leaves_the_queue_as_it_was(void **) {
    struct error e;
    struct queue *queue = nullptr;
    long failures = 0;
    for (memory_left = 0; !queue_create(nullptr, &queue, &e); memory_left = ++failures) {
        assert_int_equal(e.class, ERROR_NO_MEMORY);
        assert_null(queue);
    }
    memory_left = -1;
    char key[] = "k0";
    for (; key[1] <= '9'; key[1]++) {
        long left = 0;
        for (memory_left = 0; !queue_add(queue, KEY(key), &e); memory_left = ++left) {
            assert_int_equal(e.class, ERROR_NO_MEMORY);
            assert_int_equal(queue_depth(queue), key[1] - '0');
        }
        memory_left = -1;
        assert_in_range(left, 2, 9);
    }
    memory_left = 0; // no other call needs memory
    for (key[1] = '0'; key[1] <= '9'; key[1]++) {
        struct object_key taken = take(queue, key);
        add_after(queue, key, 1000);
        (void)retry(queue, key, 0);
        add(queue, key);
        queue_done(queue, &taken);
    }
    assert_int_equal(queue_depth(queue), 10);
    memory_left = -1;
    queue_free(queue);
}

static void nothing_is_given_out_after_shutting_down(void **) {
    struct queue *queue = make();
    add(queue, "a");
    add(queue, "b");
    struct object_key key = take(queue, "a");
    queue_shut_down(queue);
    add(queue, "c");
    add(queue, "a");
    add_after(queue, "d", 0);
    assert_int_equal(retry(queue, "a", 0), 5);
    queue_done(queue, &key);
    assert_true(takes_nothing(queue));
    queue_free(queue);
}

// ---- observing

struct log {
    struct buffer text;
};

static void note(struct log *log, const char *sign, const struct object_key *key) {
    struct error e;
    must(buffer_append_format(&log->text, &e, "%s%s ", sign, key->name), e);
}

static void note_added(void *context, const struct object_key *key) {
    note(context, "+", key);
}

static void note_retried(void *context, const struct object_key *key) {
    note(context, "r", key);
}

static void note_started(void *context, const struct object_key *key, double seconds) {
    assert_true(seconds >= 0);
    note(context, "s", key);
}

static void note_finished(void *context, const struct object_key *key, double seconds) {
    assert_true(seconds >= 0);
    note(context, "f", key);
}

static void the_observer_is_told(void **) {
    struct log log = {.text = buffer_create(1 << 16)};
    const struct queue_observer observer = {&log, note_added, note_retried, note_started, note_finished};
    struct error e;
    struct queue *queue = nullptr;
    must(queue_create(&observer, &queue, &e), e);
    add(queue, "a");
    add(queue, "a");
    struct object_key key = take(queue, "a");
    add(queue, "a");
    add(queue, "a");
    queue_done(queue, &key);
    key = take(queue, "a");
    (void)retry(queue, "a", 0);
    queue_done(queue, &key);
    process(queue, "a");
    assert_string_equal(buffer_text(&log.text), "+a sa +a fa sa ra fa +a sa fa ");
    queue_free(queue);
    buffer_done(&log.text);
}

static void running_keys_are_measured(void **) {
    struct queue *queue = make();
    double sum = -1;
    assert_true(queue_longest_running(queue, &sum) == 0);
    assert_true(sum == 0);
    add(queue, "a");
    add(queue, "b");
    struct object_key a = take(queue, "a");
    usleep(2000);
    struct object_key b = take(queue, "b");
    usleep(1000);
    double longest = queue_longest_running(queue, &sum);
    assert_true(longest > 0.002);
    assert_true(sum > longest);
    queue_done(queue, &a);
    assert_true(queue_longest_running(queue, &sum) == sum);
    assert_true(sum > 0);
    queue_done(queue, &b);
    assert_true(queue_longest_running(queue, nullptr) == 0);
    queue_free(queue);
}

struct description {
    char text[400];
    size_t used;
    size_t most; // keys
};

static bool describe(void *context, const struct queue_key *key) {
    static const char *const states[] = {"running", "ready", "delayed"};
    struct description *description = context;
    assert_true(key->seconds >= 0);
    description->used += (size_t)snprintf(
        description->text + description->used, sizeof(description->text) - description->used, "%s %s%s %u; ",
        key->key->name, states[key->state], key->lane == QUEUE_SLOW ? " slow" : "", key->failures);
    return --description->most > 0;
}

static void every_key_can_be_seen(void **) {
    struct queue *queue = make();
    struct error e;
    struct description description = {.most = 100};
    stopped_ms = 1000000;
    queue_describe(queue, describe, &description);
    assert_string_equal(description.text, "");
    add(queue, "running");
    add(queue, "failing");
    struct object_key running = take(queue, "running");
    struct object_key failing = take(queue, "failing");
    (void)retry(queue, "failing", 0);
    queue_done(queue, &failing);
    add(queue, "ready 1");
    add(queue, "ready 2");
    must(queue_add_to_lane(queue, KEY("slow"), QUEUE_SLOW, &e), e);
    queue_describe(queue, describe, &description);
    assert_string_equal(description.text,
                        "running running 0; ready 1 ready 0; ready 2 ready 0; slow ready slow 0; "
                        "failing delayed 1; ");
    for (size_t most = 1; most <= 5; most++) {
        struct description some = {.most = most};
        queue_describe(queue, describe, &some);
        assert_int_equal(some.most, 0);
        assert_memory_equal(some.text, description.text, some.used);
    }
    stopped_ms += 1000; // the failing one is due
    description = (struct description){.most = 100};
    queue_describe(queue, describe, &description);
    assert_non_null(strstr(description.text, "failing ready 1; "));
    queue_done(queue, &running);
    queue_free(queue);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trap_28_keys_come_out_in_the_order_they_came_in),
        cmocka_unit_test(a_waiting_key_is_there_once),
        cmocka_unit_test(test_trap_25_a_key_is_never_in_two_workers_and_no_event_is_lost),
        cmocka_unit_test(a_delay_that_passes_while_a_key_is_processed_is_an_event),
        cmocka_unit_test(delayed_keys_come_when_they_are_due),
        cmocka_unit_test(many_delays_come_in_order),
        cmocka_unit_test(a_retry_comes_after_its_delay),
        cmocka_unit_test(of_two_times_the_earlier_counts),
        cmocka_unit_test(failures_double_the_delay_up_to_a_limit),
        cmocka_unit_test(test_trap_26_an_event_neither_inflates_the_backoff_nor_waits_for_it),
        cmocka_unit_test(test_trap_27_success_forgets_failures),
        cmocka_unit_test(a_key_that_succeeded_takes_no_memory),
        cmocka_unit_test(out_of_memory_leaves_the_queue_as_it_was),
        cmocka_unit_test(nothing_is_given_out_after_shutting_down),
        cmocka_unit_test(the_observer_is_told),
        cmocka_unit_test(running_keys_are_measured),
        cmocka_unit_test(every_key_can_be_seen),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
