// Chores: what the operator does besides reconciling, on a thread of its own, so that a replica which does
// not lead has it done too, and a queue full of objects does not hold it up. Each is run when it is asked
// for, and again when it says so; one that fails is tried again, ever more slowly.
#pragma once

#include "base/error.h"

struct chores;

struct chore {
    const char *name; // what it is asked for by; no other's
    // *ret_again_ms: when to run it again, 0: when it is asked for. Errors: INVALID_SPEC is not tried again.
    bool (*run)(void *context, uint32_t *ret_again_ms, struct error *e);
    void *context;
};

enum { CHORES_MAX = 8 };

// list has count chores, at most CHORES_MAX, and is copied; names and contexts are borrowed until
// chores_free. The thread runs from now on. *ret_chores is owned. Errors: NO_MEMORY, INTERNAL.
[[nodiscard]] bool chores_create(const struct chore *list, size_t count, struct chores **ret_chores,
                                 struct error *e);

// Has the chore run soon. Any thread; waits while memory is out.
void chores_ask(struct chores *chores, const char *name);

// Lets the chore that runs end, and no other begin.
void chores_stop(struct chores *chores);

// Takes chores; NULL is allowed. Stops them first.
void chores_free(struct chores *chores);
