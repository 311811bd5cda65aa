// The event loop: one thread runs it and owns every socket; other threads reach it through loop_post.
#pragma once

#include "base/error.h"

struct event_base;
struct loop;
struct loop_timer;

// *ret_loop is owned. Also makes libevent allocate in base/memory, and the process ignore SIGPIPE, since
// libevent writes to sockets in a way that raises it. Errors: NO_MEMORY, INTERNAL.
[[nodiscard]] bool loop_create(struct loop **ret_loop, struct error *e);

// Takes loop, which must not be running; what is still posted is dropped. NULL is allowed.
void loop_free(struct loop *loop);

// Runs until loop_stop; returns at once if loop_stop was called before. The calling thread is the loop thread
// from then on until it returns.
void loop_run(struct loop *loop);

// Makes loop_run return soon. Any thread.
void loop_stop(struct loop *loop);

// Whether the caller is the thread in loop_run.
bool loop_is_current(struct loop *loop);

// Calls function(context) on the loop thread, after all that was posted before. Any thread; loop must outlive
// the call, also where function has run before it returns. Errors: NO_MEMORY.
[[nodiscard]] bool loop_post(struct loop *loop, void (*function)(void *context), void *context,
                             struct error *e);

// Drops what was posted with this context and has not been called yet. On the loop thread, or when the loop
// does not run.
void loop_unpost(struct loop *loop, const void *context);

// Calls function(context) on the loop thread whenever the process gets the signal, until loop_free. After
// that the signal is ignored: one that is repeated must not end a process that is about to end by itself. On
// the loop thread, or before the loop runs. Errors: INTERNAL, NO_MEMORY.
[[nodiscard]] bool loop_on_signal(struct loop *loop, int signal, void (*function)(void *context),
                                  void *context, struct error *e);

// So many timers of a loop can run at once without a need for memory: more than watches and connections have.
enum { LOOP_TIMERS_MAX = 8192 };

// A one-shot timer, not running yet; *ret_timer is owned. Timers belong to the loop thread and must be freed
// before the loop. Errors: NO_MEMORY.
[[nodiscard]] bool loop_timer_create(struct loop *loop, void (*function)(void *context), void *context,
                                     struct loop_timer **ret_timer, struct error *e);
void loop_timer_start(struct loop_timer *timer, uint32_t milliseconds); // restarts when it is running
void loop_timer_free(struct loop_timer *timer);                         // takes timer; NULL is allowed

// libevent's own handle, for the HTTP server and the HTTP client; borrowed until loop_free.
struct event_base *loop_event_base(struct loop *loop);
