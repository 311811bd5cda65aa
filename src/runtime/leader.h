// Which of the operator's replicas works: the one that holds a Lease (runtime/lease.h). A thread of its own
// takes and renews it, with connections of its own, so that nothing else can keep a renewal waiting.
//
// Nothing may be written without the Lease. leader_may_write says so from a deadline that needs no lock and
// no network: the start of the last successful renewal plus the renew deadline. Others may take the Lease one
// lease duration after they have seen that renewal, which is later by the difference of the two (5 s by
// default): time enough for what was sent just before the deadline to arrive. The clock behind it goes on
// while the machine sleeps.
#pragma once

#include "kube/client.h"
#include "runtime/event.h"
#include "runtime/lease.h"
#include "runtime/metrics.h"

struct leader;

struct leader_options {
    bool elect;            // false: there is no other; it leads from the start, and there is no Lease
    const char *namespace; // of the Lease
    const char *name;      // of the Lease
    struct lease_timing timing;
    struct loop *loop;
    struct kube_config *config;
    struct event_recorder *recorder;
    struct metrics *metrics;
    http_connection_observer *connected; // of its own connections and requests; with observer
    kube_request_observer *requested;
    void *observer;
    void (*started)(void *context); // we lead; on the leader's thread, must neither wait nor call back
    void (*lost)(void *context);    // we do not any more, and work may be under way: must end the process
    void *context;                  // of both
};

// Everything is borrowed until leader_free (the recorder until leader_decline), texts are copied. Before the
// loop runs. *ret_leader is owned. Errors: INVALID_SPEC (see lease_check_timing), NO_MEMORY, INTERNAL.
[[nodiscard]] bool leader_create(const struct leader_options *options, struct leader **ret_leader,
                                 struct error *e);

// Starts to contend. Errors: INTERNAL (the system gives no thread).
[[nodiscard]] bool leader_start(struct leader *leader, struct error *e);

// Whether we lead at this moment; a fence for kube_client_set_fence. leader: struct leader *. Any thread.
bool leader_may_write(void *leader);

// Whether the Lease is not long overdue: 20 s after others may have taken it the thread that should have
// noticed must be stuck. Any thread.
bool leader_is_healthy(const struct leader *leader);

// For an orderly stop, first of all: from now on we do not come to lead. Whoever leads goes on to renew. Any
// thread.
void leader_decline(struct leader *leader);

// For an orderly stop, once nothing is written any more: gives the Lease back, so that another can take it at
// once, and waits until that is done. Not on the loop thread, which must run.
void leader_release(struct leader *leader);

// Takes leader, released if it was started, once the loop does not run. NULL is allowed.
void leader_free(struct leader *leader);
