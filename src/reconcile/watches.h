// What the operator knows of the cluster: a store and a watch for each kind, and one each for the metadata of
// Secrets and ConfigMaps, of which only those are kept that some object refers to. Events become keys in the
// work queue: the object's own, and those of all that depend on it, found by index.
#pragma once

#include "engine/kind.h"
#include "runtime/queue.h"
#include "runtime/watch.h"

struct watches;

struct watches_options {
    const struct kind *const *kinds; // NULL-terminated, borrowed until watches_free
    struct loop *loop;
    struct kube_client *client;
    struct queue *queue;
    // NULL-terminated, borrowed as kinds. The namespaces that are served: all, if there is none (or NULL),
    // but those that are excluded.
    const char *const *namespaces;
    const char *const *excluded;
    uint32_t watch_seconds;   // as in watch_options
    const char *settings_key; // "namespace/name" of the ConfigMap with the operator's own settings; copied
    // Told on the loop thread. failed: a list or watch failed; known: it did so the last time too, with an
    // error of the same class; recovered: after failures the server has answered; synced: all have listed for
    // the first time; settings_changed: that ConfigMap is, or is not, what it was.
    void (*failed)(void *context, const struct kube_resource *resource, const struct error *error,
                   bool known);
    void (*recovered)(void *context, const struct kube_resource *resource);
    void (*synced)(void *context);
    void (*settings_changed)(void *context);
    void *context;
};

// Queue keys are "plural/namespace/name".

// What objects of a kind's store are indexed under whose status says when their output expires.
#define WATCHES_EXPIRING "expiring"

// Starts watching the kinds, and Secrets and ConfigMaps once all kinds have listed, so that it is known by
// then which of them matter. What options points to is borrowed until watches_free. *ret_watches is owned.
// Errors: NO_MEMORY.
[[nodiscard]] bool watches_create(const struct watches_options *options, struct watches **ret_watches,
                                  struct error *e);

// Ends all watches; loop thread, or when the loop does not run. The stores stay readable.
void watches_stop(struct watches *watches);
void watches_free(struct watches *watches); // stops and takes watches; NULL is allowed

// A worker takes up the object of resource under key ("namespace/name"), before it looks at what the store
// has. From now on what is heard of it, and of its output Secret once that is named, does not wake it (but
// does wake all others that depend on them): what it writes itself comes back so. Any thread.
void watches_take_up(struct watches *watches, const struct kube_resource *resource, const char *key);
void watches_expect_output(struct watches *watches, const struct kube_resource *resource,
                           const struct kube_object *object, const char *secret_name);

// The worker has finished. object and output (NULL: none): what it has seen or written last of the two; the
// object is woken now if something was heard meanwhile and the stores have anything else. Any thread.
void watches_lay_down(struct watches *watches, const struct kube_resource *resource, const char *key,
                      const struct kube_object *object, const struct kube_object *output);

// Whether everything has listed, no watch is refused, and the server was heard of on each lately (it sends
// something every minute or so). Any thread. *ret_missing: a resource of which that is not so; *ret_why: what
// is not so.
bool watches_are_alive(const struct watches *watches, const char **ret_missing, const char **ret_why);

// What is known of one watch.
struct watch_state {
    const char *resource;  // plural
    const char *namespace; // the only one that it is of; NULL: it is of all
    bool has_synced;
    int64_t silence_ms; // since the server was last heard of
    size_t object_count;
};

// Calls visit with the state of each watch; loop thread, or when the loop does not run.
void watches_describe(const struct watches *watches,
                      void (*visit)(void *context, const struct watch_state *state), void *context);

// How many objects of a kind have that text as their status.status. Any thread.
size_t watches_count_status(const struct watches *watches, const char *kind, const char *status);

// Calls visit with each kind's name and the number of its objects. Any thread.
void watches_count(const struct watches *watches,
                   void (*visit)(void *context, const char *kind, size_t count), void *context);

// The kind with that plural, or with that name; NULL: not one of ours. *ret_resource: how the API server
// calls it.
const struct kind *watches_find_plural(const struct watches *watches, const char *plural,
                                       const struct kube_resource **ret_resource);
const struct kind *watches_find_kind(const struct watches *watches, const char *kind,
                                     const struct kube_resource **ret_resource);

// The store that has the objects of a kind, or of "Secret" or "ConfigMap", of a namespace; NULL: that
// namespace is not watched.
struct store *watches_find_store(const struct watches *watches, const char *kind, const char *namespace);

// Whether objects of that namespace are served, and may be referred to.
bool watches_serve(const struct watches *watches, const char *namespace);

// Calls visit for each of the kinds' objects that the index has under value, as store_index_visit does.
void watches_visit(const struct watches *watches, const char *value,
                   void (*visit)(void *context, const struct kind *kind, const struct kube_object *object),
                   void *context);

// An object that claims the same output Secret and is older than object: created earlier, or in the same
// second and first by kind and name. "Kind name", owned; NULL: there is none (or memory is out; the API
// server then decides who comes first).
[[nodiscard]] char *watches_find_older_claim(const struct watches *watches, const struct kind *kind,
                                             const struct kube_object *object, const char *secret_name);
