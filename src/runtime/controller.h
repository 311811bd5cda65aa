// The controller loop: each key of the work queue is given to a reconciler, and what follows is what its
// outcome says. It knows no kind: the reconciler is a value.
#pragma once

#include "runtime/queue.h"

enum result {
    RESULT_OK,       // nothing is to be done before something changes, or requeue_after_ms have passed
    RESULT_TERMINAL, // failed, and only a change can help
    RESULT_RETRY,    // failed, and is to be tried again, ever more slowly
    RESULT_LANE,     // nothing was done: an attempt that comes from another lane is to do it
};

enum { OUTCOME_REASON_SIZE = 64 };

// How a reconcile ended. Zeroed: it succeeded.
struct outcome {
    enum result result;
    struct error error; // why it failed, or waits; its retry_after_ms is the least time to wait (RETRY)
    char reason[OUTCOME_REASON_SIZE]; // what the failure is called, where its class does not say; "": it does
    bool is_transient;                // RETRY: nothing is known to be wrong, so that it may pass by itself
    uint32_t retry_max_ms;            // RETRY: the longest time to wait for it; 0: as long as usual
    uint32_t requeue_after_ms;        // OK, TERMINAL: when to look again; 0: when something changes
    enum queue_lane lane;             // LANE: which one
};

struct reconciler {
    void *context;
    // Brings the object under key to what it should be, whatever has happened to it. Blocks; any number of
    // workers call it, never two with the same key at a time. attempt says how it went before, and, by its
    // lane, which work that takes seconds may be done. *ret_outcome comes zeroed.
    void (*reconcile)(void *context, const struct object_key *key, const struct queue_attempt *attempt,
                      struct outcome *ret_outcome);
};

// Told of what happens, for metrics; every member may be NULL. On the worker's thread.
struct controller_observer {
    void *context;
    void (*started)(void *context, const struct object_key *key);
    void (*ended)(void *context, const struct object_key *key, const struct outcome *outcome, double seconds);
};

struct controller {
    struct queue *queue; // borrowed
    struct reconciler reconciler;
    struct controller_observer observer;
};

// Reconciles key once, and follows up: forgets its failures, or queues it again. A workers_function; context
// is a struct controller, which workers share.
void controller_process(void *context, const struct object_key *key, const struct queue_attempt *attempt);
