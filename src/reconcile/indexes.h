// What our objects are indexed under, and what follows from an event: which objects are woken by it, being
// those themselves and all that depend on them, and which Secrets and ConfigMaps are worth keeping, of which
// there are only metadata, and only of those that some object refers to.
#pragma once

#include "engine/kind.h"
#include "runtime/informers.h"
#include "runtime/queue.h"

struct indexes;

struct indexes_options {
    const struct kind *const *kinds; // NULL-terminated; borrowed until indexes_free, like all that follows
    // NULL-terminated. The namespaces that are served: all, if there is none (or NULL), but those that are
    // excluded.
    const char *const *namespaces;
    const char *const *excluded;
    struct queue *queue;      // gets the keys of objects that are to be looked at
    const char *settings_key; // "namespace/name" of the ConfigMap with the operator's own settings; copied.
                              // NULL: none
    // That ConfigMap is, or is not, what it was. On the thread that has changed its store.
    void (*settings_changed)(void *context);
    void *context;
};

// What objects of a kind's store are indexed under whose status says when their output expires.
#define INDEX_EXPIRING "expiring"
// The same of those whose status speaks of a rotation or of versions.
#define INDEX_ROTATED "rotated"

// Adds to informers, which are empty and are borrowed until indexes_free, one for each kind, and for the
// metadata of Secrets and ConfigMaps: late ones, since it is known once the kinds have listed which of them
// matter. *ret_indexes is owned. Errors: NO_MEMORY.
[[nodiscard]] bool indexes_create(const struct indexes_options *options, struct informers *informers,
                                  struct indexes **ret_indexes, struct error *e);

// Takes indexes, which informers must have been freed before; NULL is allowed.
void indexes_free(struct indexes *indexes);

// A worker takes up the object under key, before it looks at what the store has. From now on what is heard of
// it, and of its output Secret once that is named, does not wake it (but does wake all others that depend on
// them): what it writes itself comes back so. Any thread, like all below.
void indexes_take_up(struct indexes *indexes, const struct object_key *key);
void indexes_expect_output(struct indexes *indexes, const struct object_key *key, const char *secret_name);

// The worker has finished. object and output (NULL: none): what it has seen or written last of the two; the
// object is woken now if something was heard meanwhile and the stores have anything else.
void indexes_lay_down(struct indexes *indexes, const struct object_key *key, const struct kube_object *object,
                      const struct kube_object *output);

// How many objects of a kind have that text as their status.status.
size_t indexes_count_status(const struct indexes *indexes, const char *kind, const char *status);

// Calls visit with each kind's name and the number of its objects.
void indexes_count(const struct indexes *indexes,
                   void (*visit)(void *context, const char *kind, size_t count), void *context);

// The kind that a resource is of; NULL: none of ours.
const struct kind *indexes_find_kind(const struct indexes *indexes, const struct kube_resource *resource);

// The resource of the kind of that name, as keys have it, borrowed until indexes_free; NULL: none of ours.
const struct kube_resource *indexes_find_resource(const struct indexes *indexes, const char *kind);

// Whether objects of that namespace are served, and may be referred to.
bool indexes_serve(const struct indexes *indexes, const char *namespace);

// Calls visit for each of the kinds' objects that the index has under value, as store_index_visit does.
void indexes_visit(const struct indexes *indexes, const char *value,
                   void (*visit)(void *context, const struct kind *kind, const struct kube_object *object),
                   void *context);

// How many objects refer to the object of that kind, namespace and name. *ret_all: whether all of the same
// kind are watched, so that none of these can be missing.
size_t indexes_count_dependents(const struct indexes *indexes, const struct kind *kind, const char *namespace,
                                const char *name, bool *ret_all);

// The same as indexes_visit for each object that refers to the object of that kind, namespace and name.
void indexes_visit_dependents(
    const struct indexes *indexes, const struct kind *kind, const char *namespace, const char *name,
    void (*visit)(void *context, const struct kind *kind, const struct kube_object *object), void *context);

// The same for each object that has that text as its status.status.
void indexes_visit_status(const struct indexes *indexes, const char *status,
                          void (*visit)(void *context, const struct kind *kind,
                                        const struct kube_object *object),
                          void *context);

// An object that claims the same output Secret, or the same ConfigMap for a bundle (claimed: Secrets or
// ConfigMaps), and is older than object: created earlier, or in the same
// second and first by kind and name. "Kind name", owned; NULL: there is none (or memory is out; the API
// server then decides who comes first).
[[nodiscard]] char *indexes_find_older_claim(const struct indexes *indexes, const struct kind *kind,
                                             const struct kube_object *object,
                                             const struct kube_resource *claimed, const char *name);

// Calls visit with the metadata of each ConfigMap whose marks say that it was made for object, as
// store_index_visit does.
void indexes_visit_bundles(const struct indexes *indexes, const struct kind *kind,
                           const struct kube_object *object,
                           void (*visit)(void *context, const struct kube_object *config_map), void *context);
