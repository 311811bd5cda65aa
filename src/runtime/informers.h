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
    // A list or watch failed, or works again. namespace: the only one that it is of; NULL: it is of all.
    // known: it failed the last time too, with an error of the same class.
    void (*failed)(void *context, const struct kube_resource *resource, const char *namespace,
                   const struct error *error, bool known);
    void (*recovered)(void *context, const struct kube_resource *resource, const char *namespace);
    void (*settled)(void *context); // once: all have listed, or are not waited for
    void *context;
};

struct informer_options {
    const struct kube_resource *resource; // borrowed until informers_free
    const char *namespace;                // the only one to be watched; NULL: all; borrowed as resource
    struct kube_kept kept;                // as in watch_options
    bool is_late; // its watch starts when all that are not late have settled: what it keeps depends on them
    bool may_be_absent; // there may be no such resource yet, which is as good as that there are no objects
    struct store_hooks hooks;
};

// An empty set. *ret_informers is owned. Errors: NO_MEMORY.
[[nodiscard]] bool informers_create(struct informers **ret_informers, struct error *e);
void informers_free(struct informers *informers); // stops and takes informers; NULL is allowed

// Adds one, with an empty store, before any is started. *ret_store is borrowed until informers_free; NULL:
// not wanted. Errors: NO_MEMORY.
[[nodiscard]] bool informers_add(struct informers *informers, const struct informer_options *options,
                                 struct store **ret_store, struct error *e);

// Starts the watches, those that are late as soon as all others have settled. From then on a store is
// complete (store_is_complete) once it was listed, or while the server says that there is no such resource
// and it may be absent; and until it is refused again and again, from when on what changes is not heard of,
// and then again when something comes. An informer is not waited for, and so has settled, when that is so; or
// when it is refused again and again, or not heard of for minutes, while another one was listed. On the loop
// thread, or before the loop runs. options is copied. Errors: NO_MEMORY, INTERNAL.
[[nodiscard]] bool informers_start(struct informers *informers, const struct informers_options *options,
                                   struct error *e);

// Ends all watches; loop thread, or when the loop does not run. The stores stay readable.
void informers_stop(struct informers *informers);

// The store that has the objects of a resource of that kind in that namespace; NULL: it is not watched.
// Borrowed until informers_free. Any thread.
struct store *informers_find_store(const struct informers *informers, const char *kind,
                                   const char *namespace);

// What is known of one informer. It is up when it has listed, its watch is not refused, and the server was
// heard of on it lately (it sends something every minute or so).
struct informer_state {
    const char *resource;  // plural
    const char *namespace; // the only one that it is of; NULL: it is of all
    const char *condition; // "up", or in a few words what it is instead
    const char *detail;    // the last failure, while nothing has come since; "": there is none
    bool is_answer;        // detail is of an answer, and not of a network that varies from try to try
    bool is_up;
    bool has_synced;
    int64_t silence_ms; // since the server was last heard of
    size_t object_count;
};

// Calls visit with the state of each, in the order in which they were added, which it borrows; loop thread,
// or when the loop does not run.
void informers_describe(const struct informers *informers,
                        void (*visit)(void *context, const struct informer_state *state), void *context);
