// One process of the operator, as src/operator/manager.c puts it together: what it is made of is the
// product's own, but for the network (cluster.h, feed.h) and the threads, which are fibers. It contends for
// the Lease, lists, watches, and works as soon as it leads and has listed.
#pragma once

#include "cluster.h"
#include "kube/event_body.h"

struct replica;

struct replica_options {
    struct cluster *cluster;
    bool elects; // false: it leads from the start, as the only one
    int64_t wall_error_s;
    void (*recorded)(void *context, const struct kube_object *object, const struct event_content *content);
    void *context;
};

// Starts at once. Owned.
struct replica *replica_create(const struct replica_options *options);

// Takes replica, which must be dead, once its fibers have ended: when nothing is scheduled any more.
void replica_free(struct replica *replica);

// From one moment to the next it is not there any more; what it has sent goes on its way.
void replica_kill(struct replica *replica);

// It is asked to end: it finishes what it has begun, gives the Lease back, and is dead.
void replica_stop(struct replica *replica);

// Nothing of what it sends arrives for so long, and it hears nothing.
void replica_cut_off(struct replica *replica, int64_t for_ms);

// It does nothing for so long, and does not know.
void replica_pause(struct replica *replica, int64_t for_ms);

bool replica_is_dead(const struct replica *replica);
bool replica_has_ended(const struct replica *replica); // its fibers too
bool replica_may_write(const struct replica *replica); // it lives, and holds the Lease for certain

// Something has changed in the cluster.
void replica_wake(struct replica *replica);

// Requests that it has sent, without those for the Lease.
unsigned replica_reads(const struct replica *replica);
unsigned replica_writes(const struct replica *replica);
