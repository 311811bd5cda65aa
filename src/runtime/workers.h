// Worker threads: each takes keys from the queue, one at a time, until the queue is shut down.
#pragma once

#include "runtime/queue.h"

struct workers;

// What is done with each key, on a worker's thread. It must call neither queue_take nor queue_done. Both are
// borrowed during the call.
typedef void workers_function(void *context, const struct object_key *key,
                              const struct queue_attempt *attempt);

// No worker runs yet. queue and context are borrowed until workers_free. *ret_workers is owned. Errors:
// NO_MEMORY.
[[nodiscard]] bool workers_create(struct queue *queue, workers_function *work, void *context,
                                  struct workers **ret_workers, struct error *e);

// None is to run before workers_begin: workers_set_count only remembers until then.
void workers_hold(struct workers *workers);
[[nodiscard]] bool workers_begin(struct workers *workers, struct error *e); // errors: as workers_set_count

// Starts workers, or lets the superfluous ones leave when they have finished what they do. Half of them at
// most do slow work at once, and so few that a core is left to all else; a quarter wait for others; never
// fewer than one each, but together so few that a worker is left to all else. A sole worker does all. Errors:
// INTERNAL (the system gives no thread; fewer run then).
[[nodiscard]] bool workers_set_count(struct workers *workers, unsigned count, struct error *e);

// How many workers there are to be, once they may begin.
unsigned workers_count(struct workers *workers);

// Waits until all have left; the queue must have been shut down.
void workers_join(struct workers *workers);

// Takes workers, of whom none may run any more; NULL is allowed.
void workers_free(struct workers *workers);
