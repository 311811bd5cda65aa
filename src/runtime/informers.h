// What an operator knows of a cluster: a set of informers, each a store and, once started, the watch that
// keeps it equal to what the API server has. Without a cluster the stores can be filled by hand.
#pragma once

#include "runtime/watch.h"

struct informers;

// How the watches are run, and who is told of it on the loop thread. What it points to is borrowed until
// informers_stop.
struct informers_options {
    struct loop *loop;
    struct kube_client *client;
    uint32_t watch_seconds; // how long a watch lasts at most before it is made anew
    // A list or watch failed; known: it did so the last time too, with an error of the same class.
    void (*failed)(void *context, const struct kube_resource *resource, const struct error *error,
                   bool known);
    void (*recovered)(void *context, const struct kube_resource *resource); // it works again
    void (*synced)(void *context); // all have listed for the first time
    void *context;
};

struct informer_options {
    const struct kube_resource *resource; // borrowed until informers_free
    const char *namespace;                // the only one to be watched; NULL: all; borrowed as resource
    bool metadata_only;                   // PartialObjectMetadata
    bool is_late; // its watch starts when all that are not late have listed: what it keeps depends on them
    struct store_hooks hooks;
};

// An empty set. *ret_informers is owned. Errors: NO_MEMORY.
[[nodiscard]] bool informers_create(struct informers **ret_informers, struct error *e);
void informers_free(struct informers *informers); // stops and takes informers; NULL is allowed

// Adds one, with an empty store, before any is started. *ret_store is borrowed until informers_free; NULL:
// not wanted. Errors: NO_MEMORY.
[[nodiscard]] bool informers_add(struct informers *informers, const struct informer_options *options,
                                 struct store **ret_store, struct error *e);

// Starts the watches, those that are late as soon as all others have listed. On the loop thread, or before
// the loop runs. options is copied. Errors: NO_MEMORY, INTERNAL.
[[nodiscard]] bool informers_start(struct informers *informers, const struct informers_options *options,
                                   struct error *e);

// Ends all watches; loop thread, or when the loop does not run. The stores stay readable.
void informers_stop(struct informers *informers);

// Whether all have listed, no watch is refused, and the server was heard of on each lately (it sends
// something every minute or so). Loop thread. False: *ret_missing is a resource of which that is not so, and
// *ret_why says what is not so, both static or of the resource.
bool informers_are_alive(const struct informers *informers, const char **ret_missing, const char **ret_why);

// The store that has the objects of a resource of that kind in that namespace; NULL: it is not watched.
// Borrowed until informers_free. Any thread.
struct store *informers_find_store(const struct informers *informers, const char *kind,
                                   const char *namespace);

// What is known of one informer.
struct informer_state {
    const char *resource;  // plural
    const char *namespace; // the only one that it is of; NULL: it is of all
    bool has_synced;
    int64_t silence_ms; // since the server was last heard of
    size_t object_count;
};

// Calls visit with the state of each, in the order in which they were added; loop thread, or when the loop
// does not run.
void informers_describe(const struct informers *informers,
                        void (*visit)(void *context, const struct informer_state *state), void *context);
