// Workers that wait, and many at once.
#include "queue_fixture.h"

#include <stdlib.h>

// What a thread waits for, and has got.
struct waiter {
    struct queue *queue;
    pthread_t thread;
    bool has_taken;
    struct object_key key;
};

static void *take_one(void *context) {
    struct waiter *waiter = context;
    struct queue_attempt attempt;
    waiter->has_taken = queue_take(waiter->queue, &waiter->key, &attempt);
    return nullptr;
}

// A thread that waits in queue_take, most likely already.
static void wait_in(struct queue *queue, struct waiter *waiter) {
    *waiter = (struct waiter){.queue = queue};
    pthread_create(&waiter->thread, nullptr, take_one, waiter);
    usleep(5000);
}

// Whether it has got a key.
static bool join(const struct waiter *waiter) {
    pthread_join(waiter->thread, nullptr);
    return waiter->has_taken;
}

static void receives(const struct waiter *waiter, const char *expected) {
    assert_true(join(waiter));
    assert_true(key_is(&waiter->key, expected));
    queue_done(waiter->queue, &waiter->key);
}

static void a_waiting_worker_is_woken_by_what_comes(void **) {
    struct queue *queue = make();
    struct waiter waiter;
    wait_in(queue, &waiter);
    add(queue, "now");
    receives(&waiter, "now");

    add_after(queue, "far", 1000000);
    wait_in(queue, &waiter); // for a long time
    add_after(queue, "near", 10);
    receives(&waiter, "near");
    queue_free(queue);
}

static void each_of_many_waiting_workers_gets_its_key(void **) {
    enum { WORKERS = 5 };
    struct queue *queue = make();
    struct waiter waiters[WORKERS];
    for (int i = 0; i < WORKERS; i++) {
        wait_in(queue, &waiters[i]);
    }
    add_after(queue, "e", 25);
    add_after(queue, "d", 25);
    add_after(queue, "c", 5);
    add(queue, "a");
    add(queue, "b");
    cleanup_buffer struct buffer keys = buffer_create(100);
    for (int i = 0; i < WORKERS; i++) {
        assert_true(join(&waiters[i]));
        say(&keys, "%s", waiters[i].key.name);
        queue_done(queue, &waiters[i].key);
    }
    for (const char *letter = "abcde"; *letter != '\0'; letter++) {
        assert_non_null(strchr(buffer_text(&keys), *letter));
    }
    queue_free(queue);
}

static void one_worker_is_released(void **) {
    struct queue *queue = make();
    struct waiter first;
    struct waiter second;
    wait_in(queue, &first);
    wait_in(queue, &second);
    queue_release_worker(queue);
    usleep(5000);
    add(queue, "a");
    if (join(&first)) {
        assert_false(join(&second));
        queue_done(queue, &first.key);
    } else {
        receives(&second, "a"); // the one that stayed
    }

    add(queue, "b"); // nobody waits: the next to ask leaves, even from work
    queue_release_worker(queue);
    assert_true(takes_nothing(queue));
    process(queue, "b");
    queue_free(queue);
}

static void shutting_down_ends_all_waits(void **) {
    struct queue *queue = make();
    struct waiter first;
    struct waiter second;
    wait_in(queue, &first);
    wait_in(queue, &second);
    queue_shut_down(queue);
    assert_false(join(&first));
    assert_false(join(&second));
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
    struct object_key key;
    for (struct queue_attempt attempt; queue_take(shared->queue, &key, &attempt); turns++) {
        int number = (int)strtol(key.name, nullptr, 10);
        if (atomic_fetch_add(&shared->inside[number], 1) != 0) {
            fail_msg("key %s is in two workers", key.name);
        }
        if (turns % 7 == 0) { // fails, having seen nothing
            (void)retry(shared->queue, key.name, 0);
        } else {
            atomic_store(&shared->reached[number], atomic_load(&shared->wanted[number]));
            queue_forget(shared->queue, &key);
        }
        atomic_fetch_sub(&shared->inside[number], 1);
        queue_done(shared->queue, &key);
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
