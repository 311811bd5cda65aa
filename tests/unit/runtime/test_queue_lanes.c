// Slow keys have a lane of their own, and a limit.
#include "queue_fixture.h"

#include <stdlib.h>

static void add_slow(struct queue *queue, const char *key) {
    struct error e;
    must(queue_add_to_lane(queue, KEY(key), QUEUE_SLOW, &e), e);
}

static struct object_key take_from(struct queue *queue, const char *expected, bool slow) {
    struct object_key key;
    struct queue_attempt attempt = {.lane = QUEUE_LANES};
    assert_true(queue_take(queue, &key, &attempt));
    assert_true(key_is(&key, expected));
    assert_int_equal(attempt.lane, slow ? QUEUE_SLOW : QUEUE_FAST);
    return key;
}

static void process_from(struct queue *queue, const char *expected, bool slow) {
    const struct object_key key = take_from(queue, expected, slow);
    queue_done(queue, &key);
}

// Nothing of those depth keys may be given out now: one that has come later is.
static void assert_held_back(struct queue *queue, size_t depth) {
    assert_int_equal(queue_depth(queue), depth);
    usleep(1000);
    add(queue, "later one");
    process_from(queue, "later one", false);
    assert_int_equal(queue_depth(queue), depth);
}

// What a worker does that finds key to be slow.
static void find_slow(struct queue *queue, const char *key) {
    struct object_key taken = take_from(queue, key, false);
    add_slow(queue, key);
    queue_done(queue, &taken);
}

static void a_slow_key_comes_again_in_the_slow_lane(void **) {
    struct queue *queue = make();
    add(queue, "a");
    find_slow(queue, "a");
    assert_int_equal(queue_depth(queue), 1);
    struct object_key key = take_from(queue, "a", true);
    queue_forget(queue, &key);
    queue_done(queue, &key);
    assert_true(is_empty(queue));
    assert_true(is_forgotten(queue, "a"));
    queue_free(queue);
}

static void test_trap_28_slow_keys_wait_for_their_slot_and_others_pass(void **) {
    struct queue *queue = make();
    add(queue, "a");
    add(queue, "b");
    find_slow(queue, "a");
    find_slow(queue, "b");
    struct object_key a = take_from(queue, "a", true);
    assert_held_back(queue, 1);
    add(queue, "c");
    add(queue, "d");
    process_from(queue, "c", false);
    process_from(queue, "d", false);
    assert_held_back(queue, 1);
    queue_done(queue, &a);
    struct object_key b = take_from(queue, "b", true);
    queue_done(queue, &b);
    queue_free(queue);
}

// Lets each of three new keys wait in the lane that belongs to it.
static void find_lanes(struct queue *queue, const char *const keys[3], const enum queue_lane lanes[3]) {
    struct error e;
    for (int i = 0; i < 3; i++) {
        add(queue, keys[i]);
    }
    for (int i = 0; i < 3; i++) {
        struct object_key taken = take_from(queue, keys[i], false);
        must(queue_add_to_lane(queue, &taken, lanes[i], &e), e);
        queue_done(queue, &taken);
    }
}

// Each lane has a limit of its own: a server that does not answer holds up no slow signature.
static void the_lanes_do_not_hold_up_each_other(void **) {
    struct queue *queue = make();
    static const char *const keys[] = {"silent", "silent too", "signature"};
    static const enum queue_lane lanes[] = {QUEUE_REMOTE, QUEUE_REMOTE, QUEUE_SLOW};
    struct object_key key;
    struct queue_attempt attempt;
    find_lanes(queue, keys, lanes);
    assert_true(queue_take(queue, &key, &attempt));
    assert_true(key_is(&key, "silent"));
    assert_int_equal(attempt.lane, QUEUE_REMOTE);
    process_from(queue, "signature", true);
    assert_held_back(queue, 1);
    queue_done(queue, &key);
    assert_true(queue_take(queue, &key, &attempt));
    assert_true(key_is(&key, "silent too"));
    queue_done(queue, &key);
    queue_free(queue);
}

// With two workers: a server that does not answer and a slow signature leave one of them to all else.
static void together_the_lanes_leave_room_to_the_fast_one(void **) {
    struct queue *queue = make();
    static const char *const keys[] = {"silent", "signature", "another"};
    static const enum queue_lane lanes[] = {QUEUE_REMOTE, QUEUE_SLOW, QUEUE_SLOW};
    struct object_key key;
    struct queue_attempt attempt;
    queue_set_common_limit(queue, 0); // which counts as 1
    find_lanes(queue, keys, lanes);
    assert_true(queue_take(queue, &key, &attempt));
    assert_true(key_is(&key, "silent"));
    assert_held_back(queue, 2);
    add(queue, "fast");
    process_from(queue, "fast", false);
    assert_held_back(queue, 2);
    queue_done(queue, &key);
    struct object_key slow = take_from(queue, "signature", true); // of another lane, as soon as there is room
    assert_held_back(queue, 1);
    queue_set_limit(queue, QUEUE_SLOW, 2);
    add(queue, "fast");
    process_from(queue, "fast", false);
    queue_set_common_limit(queue, 2);
    process_from(queue, "another", true);
    queue_done(queue, &slow);
    queue_free(queue);
}

// With two workers: however many wait for a server that does not answer, one of them goes, and then a slow
// one.
static void lanes_that_share_one_slot_take_turns(void **) {
    enum { MANY = 20 };
    struct queue *queue = make();
    struct queue_attempt attempt;
    struct object_key key;
    struct error e;
    char name[16];
    queue_set_common_limit(queue, 1);
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof(name), "silent %d", i);
        must(queue_add_to_lane(queue, KEY(name), QUEUE_REMOTE, &e), e);
    }
    usleep(1000);
    add_slow(queue, "signature");
    add_slow(queue, "another");
    static const enum queue_lane turns[] = {QUEUE_REMOTE, QUEUE_SLOW, QUEUE_REMOTE, QUEUE_SLOW, QUEUE_REMOTE};
    for (size_t i = 0; i < sizeof(turns) / sizeof(turns[0]); i++) {
        assert_true(queue_take(queue, &key, &attempt));
        assert_int_equal(attempt.lane, turns[i]);
        queue_done(queue, &key);
    }
    for (int i = 3; i < MANY; i++) { // nobody else wants the slot
        assert_true(queue_take(queue, &key, &attempt));
        queue_done(queue, &key);
    }
    assert_true(is_empty(queue));
    queue_free(queue);
}

static void the_limit_can_be_changed(void **) {
    struct queue *queue = make();
    static const char *const keys[] = {"a", "b", "c"};
    struct object_key taken[3];
    for (int i = 0; i < 3; i++) {
        add(queue, keys[i]);
    }
    for (int i = 0; i < 3; i++) {
        find_slow(queue, keys[i]);
    }
    queue_set_limit(queue, QUEUE_SLOW, 2);
    taken[0] = take_from(queue, "a", true);
    taken[1] = take_from(queue, "b", true);
    assert_held_back(queue, 1);
    queue_set_limit(queue, QUEUE_SLOW, 0); // which counts as 1
    queue_done(queue, &taken[0]);
    assert_held_back(queue, 1);
    queue_done(queue, &taken[1]);
    taken[2] = take_from(queue, "c", true);
    queue_done(queue, &taken[2]);
    queue_free(queue);
}

static void the_one_that_has_waited_longer_comes_first(void **) {
    struct queue *queue = make();
    add(queue, "slow");
    find_slow(queue, "slow");
    usleep(1000);
    add(queue, "later");
    process_from(queue, "slow", true);
    add(queue, "earlier");
    process_from(queue, "later", false);
    process_from(queue, "earlier", false);
    queue_free(queue);
}

static void a_slow_key_that_fails_stays_a_slow_one(void **) {
    struct queue *queue = make();
    add(queue, "a");
    find_slow(queue, "a");
    struct object_key key = take_from(queue, "a", true);
    (void)retry(queue, "a", 0);
    queue_done(queue, &key);
    key = take_from(queue, "a", true); // 5 ms later
    add(queue, "a");
    queue_done(queue, &key);
    key = take_from(queue, "a", true); // what was added meanwhile
    queue_forget(queue, &key);
    add(queue, "a");
    queue_done(queue, &key);
    process_from(queue, "a", false);
    queue_free(queue);
}

static void slow_keys_are_not_given_out_after_shutting_down(void **) {
    struct queue *queue = make();
    add(queue, "a");
    find_slow(queue, "a");
    queue_shut_down(queue);
    add_slow(queue, "b");
    assert_true(takes_nothing(queue));
    queue_free(queue);
}

static void memory_may_be_out(void **) {
    struct queue *queue = make();
    struct error e;
    memory_left = 0;
    must_fail(queue_add_to_lane(queue, KEY("a"), QUEUE_SLOW, &e), e, ERROR_NO_MEMORY, "queueing");
    memory_left = -1;
    add(queue, "a");
    struct object_key key = take_from(queue, "a", false);
    memory_left = 0; // never for a key that is being processed
    must(queue_add_to_lane(queue, KEY("a"), QUEUE_SLOW, &e), e);
    queue_done(queue, &key);
    process_from(queue, "a", true);
    memory_left = -1;
    queue_free(queue);
}

// ---- many at once

enum { WORKERS = 4, SLOW_LIMIT = 2, SLOW_KEYS = 60, FAST_KEYS = 200 };

struct shared {
    struct queue *queue;
    atomic_int slow_inside;
    atomic_int slow_done;
    atomic_int fast_done;
    atomic_int fast_done_before_the_last_slow;
};

static void work_slowly(struct shared *shared) {
    if (atomic_fetch_add(&shared->slow_inside, 1) >= SLOW_LIMIT) {
        fail_msg("more than %d slow keys at once", SLOW_LIMIT);
    }
    usleep(3000);
    atomic_fetch_sub(&shared->slow_inside, 1);
    if (atomic_fetch_add(&shared->slow_done, 1) == SLOW_KEYS - 1) {
        atomic_store(&shared->fast_done_before_the_last_slow, atomic_load(&shared->fast_done));
    }
}

static void *work(void *context) {
    struct shared *shared = context;
    struct object_key key;
    for (struct queue_attempt attempt; queue_take(shared->queue, &key, &attempt);) {
        if (key.name[0] == 's' && attempt.lane == QUEUE_FAST) {
            add_slow(shared->queue, key.name);
        } else {
            if (attempt.lane == QUEUE_SLOW) {
                work_slowly(shared);
            } else {
                atomic_fetch_add(&shared->fast_done, 1);
            }
            queue_forget(shared->queue, &key);
        }
        queue_done(shared->queue, &key);
    }
    return nullptr;
}

static void slow_work_does_not_hold_up_other_work(void **) {
    struct shared shared = {.queue = make()};
    pthread_t workers[WORKERS];
    queue_set_limit(shared.queue, QUEUE_SLOW, SLOW_LIMIT);
    for (int i = 0; i < SLOW_KEYS + FAST_KEYS; i++) {
        char key[16];
        snprintf(key, sizeof(key), "%c%d", i < SLOW_KEYS ? 's' : 'f', i);
        add(shared.queue, key);
    }
    for (int i = 0; i < WORKERS; i++) {
        pthread_create(&workers[i], nullptr, work, &shared);
    }
    for (int i = 0; i < 6000 && atomic_load(&shared.slow_done) < SLOW_KEYS; i++) {
        usleep(10000);
    }
    assert_int_equal(atomic_load(&shared.slow_done), SLOW_KEYS);
    assert_int_equal(atomic_load(&shared.fast_done), FAST_KEYS);
    assert_int_equal(atomic_load(&shared.fast_done_before_the_last_slow), FAST_KEYS);
    queue_shut_down(shared.queue);
    for (int i = 0; i < WORKERS; i++) {
        pthread_join(workers[i], nullptr);
    }
    queue_free(shared.queue);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slow_key_comes_again_in_the_slow_lane),
        cmocka_unit_test(test_trap_28_slow_keys_wait_for_their_slot_and_others_pass),
        cmocka_unit_test(the_lanes_do_not_hold_up_each_other),
        cmocka_unit_test(together_the_lanes_leave_room_to_the_fast_one),
        cmocka_unit_test(lanes_that_share_one_slot_take_turns),
        cmocka_unit_test(the_limit_can_be_changed),
        cmocka_unit_test(the_one_that_has_waited_longer_comes_first),
        cmocka_unit_test(a_slow_key_that_fails_stays_a_slow_one),
        cmocka_unit_test(slow_keys_are_not_given_out_after_shutting_down),
        cmocka_unit_test(memory_may_be_out),
        cmocka_unit_test(slow_work_does_not_hold_up_other_work),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
