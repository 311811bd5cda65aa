// What src/runtime/watch.c is on a real connection: drives one reflector, with lists and watches of the
// simulated cluster as its weather lets them through.
#pragma once

#include "cluster.h"
#include "runtime/store.h"

struct feed;

struct feed_options {
    struct cluster *cluster;
    struct process *process;
    int64_t behind_ms;                    // its API server
    const struct kube_resource *resource; // of cluster_resource
    struct store *store;
    struct kube_kept kept;         // as in watch_options
    void (*synced)(void *context); // listed for the first time
    void *context;
};

// Starts at once. All is borrowed until feed_free. Owned.
struct feed *feed_create(const struct feed_options *options);
void feed_free(struct feed *feed);

// Something has changed in the cluster.
void feed_wake(struct feed *feed);
