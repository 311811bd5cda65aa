// A watch keeps a store equal to what the API server has: it drives the reflector (runtime/reflector.h, a
// pure state machine) with real requests on the loop thread.
#pragma once

#include "kube/client.h"
#include "runtime/store.h"

struct watch;

enum {
    WATCH_OBJECT_MAX = 8 * 1024 * 1024, // bytes of an event or of an item of a list: an object has up to 1.5
                                        // MB as etcd keeps it
};

struct watch_options {
    const struct kube_resource *resource; // borrowed until watch_free
    const char *namespace;                // NULL: all; copied
    struct kube_kept kept;                // of each object; metadata_only: as PartialObjectMetadata
    uint32_t watch_seconds;               // how long a watch lasts at most before it is made anew
    // Told on the loop thread of each failed list or watch, of the first answer of use after such, and of the
    // first complete list; may be NULL. None may call watch_free.
    void (*failed)(void *context, const struct kube_resource *resource, const struct error *error);
    void (*recovered)(void *context, const struct kube_resource *resource);
    void (*synced)(void *context, const struct kube_resource *resource);
    void *context;
};

// Starts once the loop runs; call it on the loop thread or before the loop runs. loop, client and store are
// borrowed until watch_free; the store's hooks are called on the loop thread. *ret_watch is owned. Errors:
// NO_MEMORY, INTERNAL.
[[nodiscard]] bool watch_create(struct loop *loop, struct kube_client *client, struct store *store,
                                const struct watch_options *options, struct watch **ret_watch,
                                struct error *e);

// Stops and takes watch; loop thread, or when the loop does not run. NULL is allowed.
void watch_free(struct watch *watch);

// Whether it has listed once. Any thread.
bool watch_has_synced(const struct watch *watch);

// Whether the server has answered with an error several times in a row since it last began a watch: a right
// was taken away, say, or there is no such resource any more. That it is busy or away (408, 429, 503 and the
// like, or a 500 without a reason, as where etcd is away) is no such error. Any thread.
bool watch_is_refused(const struct watch *watch);

// The HTTP status of the error with which the server has answered the list or watch that runs, or the last
// one if none does: then an error of it is in the server's words; 0: it has not, and they are mostly those of
// the network. Loop thread.
int watch_denial(const struct watch *watch);

// Milliseconds since the server last answered (a list, an event, a bookmark), or since watch_create. Any
// thread.
int64_t watch_silence_ms(const struct watch *watch);
