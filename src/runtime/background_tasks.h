// Background tasks: what the operator does besides reconciling, on a thread of its own, so that a replica
// which does not lead has it done too, and a queue full of objects does not hold it up. Each is run when it
// is asked for, and again when it says so; one that fails is tried again, ever more slowly.
#pragma once

#include "base/error.h"

struct background_tasks;

struct background_task {
    const char *name; // what it is asked for by; no other's
    // *ret_again_ms: when to run it again, 0: when it is asked for. Errors: INVALID_SPEC is not tried again.
    bool (*run)(void *context, uint32_t *ret_again_ms, struct error *e);
    void *context;
};

enum { BACKGROUND_TASKS_MAX = 8 };

// list has count tasks, at most BACKGROUND_TASKS_MAX, and is copied; names and contexts are borrowed until
// background_tasks_free. The thread runs from now on. *ret_tasks is owned. Errors: NO_MEMORY, INTERNAL.
[[nodiscard]] bool background_tasks_create(const struct background_task *list, size_t count,
                                           struct background_tasks **ret_tasks, struct error *e);

// Has the task run soon. Any thread; waits while memory is out.
void background_tasks_ask(struct background_tasks *tasks, const char *name);

// Lets the task that runs end, and no other begin.
void background_tasks_stop(struct background_tasks *tasks);

// Takes tasks; NULL is allowed. Stops them first.
void background_tasks_free(struct background_tasks *tasks);
