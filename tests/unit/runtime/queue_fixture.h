// What the tests of the work queue share: a clock that can be stopped, and short names for what it does.
#pragma once

#include "../base/check.h"
#include "../base/short_memory.h"

#include "runtime/queue.h"

#include "base/clock.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
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

// A key of the tests: "name", or "namespace/name"; of one resource all.
struct named {
    char text[64];
    struct object_key key;
};

static const struct kube_resource things = {"example.com", "v1", "Thing", "things"};

[[maybe_unused]] static const struct object_key *key_of(const char *text, struct named *named) {
    snprintf(named->text, sizeof(named->text), "%s", text);
    char *slash = strchr(named->text, '/');
    named->key = (struct object_key){&things, slash == nullptr ? "" : named->text,
                                     slash == nullptr ? named->text : slash + 1};
    if (slash != nullptr) {
        *slash = '\0';
    }
    return &named->key;
}
#define KEY(text) key_of(text, &(struct named){0})

[[maybe_unused]] static bool key_is(const struct object_key *key, const char *expected) {
    struct named named;
    const struct object_key *wanted = key_of(expected, &named);
    return key->resource == wanted->resource && strcmp(key->namespace, wanted->namespace) == 0 &&
           strcmp(key->name, wanted->name) == 0;
}

[[maybe_unused]] static void add(struct queue *queue, const char *key) {
    struct error e;
    must(queue_add(queue, KEY(key), &e), e);
}

[[maybe_unused]] static void add_after(struct queue *queue, const char *key, uint32_t delay_ms) {
    struct error e;
    must(queue_add_after(queue, KEY(key), delay_ms, &e), e);
}

[[maybe_unused]] static uint32_t fail_within(struct queue *queue, const char *key, uint32_t floor_ms,
                                             uint32_t ceiling_ms) {
    const struct queue_failure failure = {.floor_ms = floor_ms, .ceiling_ms = ceiling_ms};
    struct error e;
    uint32_t delay_ms = 0;
    must(queue_retry(queue, KEY(key), &failure, &delay_ms, &e), e);
    return delay_ms;
}

[[maybe_unused]] static uint32_t retry(struct queue *queue, const char *key, uint32_t floor_ms) {
    return fail_within(queue, key, floor_ms, 0);
}

// The next key must be expected; it is being processed from then on.
[[maybe_unused]] static struct object_key take(struct queue *queue, const char *expected) {
    struct object_key key;
    struct queue_attempt attempt;
    assert_true(queue_take(queue, &key, &attempt));
    assert_true(key_is(&key, expected));
    return key;
}

[[maybe_unused]] static void process(struct queue *queue, const char *expected) {
    const struct object_key key = take(queue, expected);
    queue_done(queue, &key);
}

// Whether queue_take gives nothing now, since a worker was released or the queue was shut down.
[[maybe_unused]] static bool takes_nothing(struct queue *queue) {
    struct object_key key;
    struct queue_attempt attempt;
    return !queue_take(queue, &key, &attempt);
}

// Whether there is nothing to take now.
[[maybe_unused]] static bool is_empty(struct queue *queue) {
    queue_release_worker(queue);
    assert_true(takes_nothing(queue));
    return queue_depth(queue) == 0;
}

// Whether the queue has forgotten all about key: adding it takes memory then.
[[maybe_unused]] static bool is_forgotten(struct queue *queue, const char *key) {
    struct error e;
    memory_left = 0;
    bool known = queue_add(queue, KEY(key), &e);
    memory_left = -1;
    return !known;
}
