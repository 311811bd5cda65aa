// What the tests of the work queue share: a clock that can be stopped, and short names for what it does.
#pragma once

#include "../base/check.h"
#include "../base/short_memory.h"

#include "runtime/queue.h"

#include "base/clock.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

// The clock, in the place of the library's: it stands still at this time when that is not negative.
static atomic_llong stopped_ms = -1;

double clock_monotonic_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int64_t clock_monotonic_ms(void) {
    long long stopped = atomic_load(&stopped_ms);
    return stopped >= 0 ? stopped : (int64_t)(clock_monotonic_seconds() * 1000);
}

[[maybe_unused]] static struct queue *make(void) {
    struct error e;
    struct queue *queue = nullptr;
    memory_left = -1;
    stopped_ms = -1;
    must(queue_create(nullptr, &queue, &e), e);
    return queue;
}

[[maybe_unused]] static void add(struct queue *queue, const char *key) {
    struct error e;
    must(queue_add(queue, key, &e), e);
}

[[maybe_unused]] static void add_after(struct queue *queue, const char *key, uint32_t delay_ms) {
    struct error e;
    must(queue_add_after(queue, key, delay_ms, &e), e);
}

[[maybe_unused]] static uint32_t retry(struct queue *queue, const char *key, uint32_t floor_ms) {
    struct error e;
    uint32_t delay_ms = 0;
    must(queue_retry(queue, key, floor_ms, 0, &delay_ms, &e), e);
    return delay_ms;
}

// The next key must be expected; it is being processed from then on.
[[maybe_unused]] static char *take(struct queue *queue, const char *expected) {
    char *key = nullptr;
    assert_true(queue_take(queue, &key, &(bool){false}));
    assert_string_equal(key, expected);
    return key;
}

[[maybe_unused]] static void process(struct queue *queue, const char *expected) {
    queue_done(queue, take(queue, expected));
}

// Whether there is nothing to take now.
[[maybe_unused]] static bool is_empty(struct queue *queue) {
    char *key = nullptr;
    queue_release_worker(queue);
    assert_false(queue_take(queue, &key, &(bool){false}));
    return queue_depth(queue) == 0;
}

// Whether the queue has forgotten all about key: adding it takes memory then.
[[maybe_unused]] static bool is_forgotten(struct queue *queue, const char *key) {
    struct error e;
    memory_left = 0;
    bool known = queue_add(queue, key, &e);
    memory_left = -1;
    return !known;
}
