// The work queue: keys of objects waiting to be reconciled, those of a namespace first in, first out.
// Namespaces take turns, so that none waits for all that another one has; what is cluster-scoped shares one.
// A key is never in two workers at once, an event during processing is not lost, and failures back off per
// key. Keys whose work takes seconds wait in lanes of their own, so that they hold up neither the others nor
// each other. Safe to use from many threads.
//
// The texts of a key are copied; its resource is borrowed until queue_free.
#pragma once

#include "base/error.h"
#include "kube/object_key.h"

struct queue;

// Where a key waits for its turn, by what its work takes.
enum queue_lane {
    QUEUE_FAST,
    QUEUE_SLOW,   // seconds of a processor
    QUEUE_REMOTE, // somebody else's answer, which may not come
    QUEUE_LANES,
};

// Told of what happens, for metrics; every member may be NULL. Called under the queue's lock: do not call
// back.
struct queue_observer {
    void *context;
    // Became ready, or was marked while it is being processed.
    void (*added)(void *context, const struct object_key *key);
    void (*retried)(void *context, const struct object_key *key); // queue_retry
    void (*started)(void *context, const struct object_key *key, double seconds_queued);
    void (*finished)(void *context, const struct object_key *key, double seconds_worked);
};

// observer is copied; NULL: nobody is told. *ret_queue is owned. Errors: NO_MEMORY.
[[nodiscard]] bool queue_create(const struct queue_observer *observer, struct queue **ret_queue,
                                struct error *e);
void queue_free(struct queue *queue); // takes queue; NULL is allowed; no thread may be in it

// key is to be reconciled now, even if it waits for a retry; its failure count stays as it is. While it is
// being processed it is only marked, and goes to the end of the queue when done. False: memory is out and the
// queue is as before, so the caller must try again. Errors: NO_MEMORY (never for a key that is waiting or
// being processed).
[[nodiscard]] bool queue_add(struct queue *queue, const struct object_key *key, struct error *e);

// key is to be reconciled once delay_ms have passed, unless it is added before. Keeps the earlier of two
// times. Errors: as queue_add.
[[nodiscard]] bool queue_add_after(struct queue *queue, const struct object_key *key, uint32_t delay_ms,
                                   struct error *e);

// One failure of a key, by the worker that is processing it.
struct queue_failure {
    uint32_t floor_ms;   // the shortest time to wait: a server's Retry-After
    uint32_t ceiling_ms; // the longest; 0: no further limit. The floor counts where it is higher
    bool is_transient; // nothing is known to be wrong: it belongs to the row that struct queue_attempt counts
};

// As queue_add_after, with a delay that doubles with each failure of this key: 5 ms, 10 ms, ... up to 1000 s.
// *ret_delay_ms: the delay.
[[nodiscard]] bool queue_retry(struct queue *queue, const struct object_key *key,
                               const struct queue_failure *failure, uint32_t *ret_delay_ms, struct error *e);

// As queue_add, by the worker that is processing key and has seen that its work belongs into lane: it goes to
// the end of that lane when done, and stays one of it until it is forgotten. Errors: as queue_add.
[[nodiscard]] bool queue_add_to_lane(struct queue *queue, const struct object_key *key, enum queue_lane lane,
                                     struct error *e);

// How many keys of a lane other than QUEUE_FAST are processed at once, at least 1, which it is at first.
void queue_set_limit(struct queue *queue, enum queue_lane lane, unsigned count);

// How many keys of all lanes other than QUEUE_FAST are processed at once, together, at least 1; without a
// limit at first. Where only that holds back keys of two lanes, the lanes take turns.
void queue_set_common_limit(struct queue *queue, unsigned count);

// key succeeded: its next failure is its first, and it waits in QUEUE_FAST again.
void queue_forget(struct queue *queue, const struct object_key *key);

// What the queue knows of a key that it gives out. Times are monotonic, in milliseconds.
struct queue_attempt {
    enum queue_lane lane; // where it was
    int64_t started_ms;
    // Of the attempts before this one those that failed transiently, in a row: without success, or another
    // failure, between them.
    unsigned failures;
    int64_t first_failure_ms; // when the first and the last of them were started; 0: there are none
    int64_t last_failure_ms;
};

// Waits for a key and marks it as being processed: of the namespace whose turn it is the one that has waited
// longest, of a lane only while fewer than its limits are being processed. The texts of *ret_key are
// borrowed until queue_done. False: the queue is shut down, or this worker was asked to leave by
// queue_release_worker.
[[nodiscard]] bool queue_take(struct queue *queue, struct object_key *ret_key,
                              struct queue_attempt *ret_attempt);

// The worker that took key has finished with it.
void queue_done(struct queue *queue, const struct object_key *key);

// Makes one queue_take return false: one that waits, or else the next one, even when there is work.
void queue_release_worker(struct queue *queue);

// No key is given out any more; all queue_take return false, and nothing more is taken in.
void queue_shut_down(struct queue *queue);

// Keys ready but not started (waiting retries are not counted).
size_t queue_depth(struct queue *queue);

// What the queue knows of one key.
struct queue_key {
    const struct object_key *key; // borrowed during the call
    enum { QUEUE_KEY_RUNNING, QUEUE_KEY_READY, QUEUE_KEY_DELAYED } state;
    enum queue_lane lane;
    unsigned failures; // in a row, of any kind
    double seconds;    // RUNNING and READY: for so long; DELAYED: until it is ready
};

// Calls visit with each key that is being processed, then with those that are ready, by namespace and in
// their order, then with those that are delayed, in no order, until it returns false. Under the queue's lock:
// do not call back.
void queue_describe(struct queue *queue, bool (*visit)(void *context, const struct queue_key *key),
                    void *context);

// Seconds that the longest running key has been processed, and through ret_unfinished_sum (may be NULL) the
// sum over all keys that are being processed.
double queue_longest_running(struct queue *queue, double *ret_unfinished_sum);
