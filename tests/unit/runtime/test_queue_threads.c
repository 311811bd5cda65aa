// Workers that wait, and many at once.
#include "queue_fixture.h"

#include <stdlib.h>

static void *take_one(void *queue) {
    char *key = nullptr;
    return queue_take(queue, &key, &(bool){false}) ? key : nullptr;
}

// A thread that waits in queue_take, most likely already.
static pthread_t wait_in(struct queue *queue) {
    pthread_t thread;
    pthread_create(&thread, nullptr, take_one, queue);
    usleep(5000);
    return thread;
}

static char *join(pthread_t thread) {
    void *key;
    pthread_join(thread, &key);
    return key;
}

static void a_waiting_worker_is_woken_by_what_comes(void **) {
    struct queue *queue = make();
    pthread_t thread = wait_in(queue);
    add(queue, "now");
    char *key = join(thread);
    assert_string_equal(key, "now");
    queue_done(queue, key);

    add_after(queue, "far", 1000000);
    thread = wait_in(queue); // for a long time
    add_after(queue, "near", 10);
    key = join(thread);
    assert_string_equal(key, "near");
    queue_done(queue, key);
    queue_free(queue);
}

static void each_of_many_waiting_workers_gets_its_key(void **) {
    enum { WORKERS = 5 };
    struct queue *queue = make();
    pthread_t threads[WORKERS];
    for (int i = 0; i < WORKERS; i++) {
        threads[i] = wait_in(queue);
    }
    add_after(queue, "e", 25);
    add_after(queue, "d", 25);
    add_after(queue, "c", 5);
    add(queue, "a");
    add(queue, "b");
    cleanup_buffer struct buffer keys = buffer_create(100);
    for (int i = 0; i < WORKERS; i++) {
        char *key = join(threads[i]);
        assert_non_null(key);
        say(&keys, "%s", key);
        queue_done(queue, key);
    }
    for (const char *letter = "abcde"; *letter != '\0'; letter++) {
        assert_non_null(strchr(buffer_text(&keys), *letter));
    }
    queue_free(queue);
}

static void one_worker_is_released(void **) {
    struct queue *queue = make();
    pthread_t first = wait_in(queue);
    pthread_t second = wait_in(queue);
    queue_release_worker(queue);
    usleep(5000);
    add(queue, "a");
    char *one = join(first);
    char *other = nullptr;
    if (one == nullptr) {
        other = join(second);
        assert_string_equal(other, "a"); // the one that stayed
    } else {
        assert_null(join(second));
    }
    queue_done(queue, one == nullptr ? other : one);

    add(queue, "b"); // nobody waits: the next to ask leaves, even from work
    queue_release_worker(queue);
    char *key = nullptr;
    assert_false(queue_take(queue, &key, &(bool){false}));
    assert_null(key);
    process(queue, "b");
    queue_free(queue);
}

static void shutting_down_ends_all_waits(void **) {
    struct queue *queue = make();
    pthread_t first = wait_in(queue);
    pthread_t second = wait_in(queue);
    queue_shut_down(queue);
    assert_null(join(first));
    assert_null(join(second));
    queue_free(queue);
}

// ---- many at once

enum { PRODUCERS = 3, WORKERS = 4, KEYS = 23, ADDS = 4000 };

struct shared {
    struct queue *queue;
    atomic_int wanted[KEYS];  // what producers have made, counted
    atomic_int reached[KEYS]; // the count that a worker saw last
    atomic_int inside[KEYS];
    atomic_int next_producer;
};

static void *produce(void *context) {
    struct shared *shared = context;
    unsigned state = (unsigned)atomic_fetch_add(&shared->next_producer, 1) * 7919 + 1;
    for (int i = 0; i < ADDS; i++) {
        state = state * 1103515245 + 12345;
        int number = (int)(state >> 16) % KEYS;
        char key[8];
        snprintf(key, sizeof(key), "%d", number);
        atomic_fetch_add(&shared->wanted[number], 1);
        if (state % 5 == 0) {
            add_after(shared->queue, key, state % 3);
        } else {
            add(shared->queue, key);
        }
    }
    return nullptr;
}

static void *work(void *context) {
    struct shared *shared = context;
    unsigned turns = 0;
    for (char *key; queue_take(shared->queue, &key, &(bool){false}); turns++) {
        int number = (int)strtol(key, nullptr, 10);
        if (atomic_fetch_add(&shared->inside[number], 1) != 0) {
            fail_msg("key %s is in two workers", key);
        }
        if (turns % 7 == 0) { // fails, having seen nothing
            (void)retry(shared->queue, key, 0);
        } else {
            atomic_store(&shared->reached[number], atomic_load(&shared->wanted[number]));
            queue_forget(shared->queue, key);
        }
        atomic_fetch_sub(&shared->inside[number], 1);
        queue_done(shared->queue, key);
    }
    return nullptr;
}

static bool all_reached(struct shared *shared) {
    for (int i = 0; i < KEYS; i++) {
        if (atomic_load(&shared->reached[i]) != atomic_load(&shared->wanted[i])) {
            return false;
        }
    }
    return true;
}

static void many_threads_lose_nothing(void **) {
    struct shared shared = {.queue = make()};
    pthread_t producers[PRODUCERS];
    pthread_t workers[WORKERS];
    for (int i = 0; i < WORKERS; i++) {
        pthread_create(&workers[i], nullptr, work, &shared);
    }
    for (int i = 0; i < PRODUCERS; i++) {
        pthread_create(&producers[i], nullptr, produce, &shared);
    }
    for (int i = 0; i < PRODUCERS; i++) {
        pthread_join(producers[i], nullptr);
    }
    for (int i = 0; i < 6000 && !all_reached(&shared); i++) {
        usleep(10000);
    }
    assert_true(all_reached(&shared));
    queue_shut_down(shared.queue);
    for (int i = 0; i < WORKERS; i++) {
        pthread_join(workers[i], nullptr);
    }
    queue_free(shared.queue);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_waiting_worker_is_woken_by_what_comes),
        cmocka_unit_test(each_of_many_waiting_workers_gets_its_key),
        cmocka_unit_test(one_worker_is_released),
        cmocka_unit_test(shutting_down_ends_all_waits),
        cmocka_unit_test(many_threads_lose_nothing),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
