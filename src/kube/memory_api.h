// An API of values in memory as a struct api: for unit tests, for a simulation, and for what is done without
// a cluster. It has the rules of a real API server that its callers can tell:
//
// - An object has a uid, a creationTimestamp, a resourceVersion, and, if it has a spec, a generation. They
//   are the API's: what a body says of them is dropped. The resourceVersion comes from one number that rises
//   with each change of any object; the generation rises when the spec changes. A write that changes nothing
//   is none.
// - A uid or resourceVersion in the body of a patch, or among the preconditions of a deletion, is a
// condition:
//   CONFLICT where the object has another.
// - The status is written through the subresource of that name, which writes nothing else; all other writes
//   leave it as it is. (Kubernetes has it so for every kind with a status.)
// - A review of group authorization.k8s.io is answered, and not kept.
//
// - Where there are to be namespaces, nothing can be created in one that is not there, or is being deleted.
//
// - What has owners goes when all of them are gone, and what lies in a namespace goes with it; that is when
//   memory_api_collect is called, since it comes later in a cluster, too.
//
// It has no schemas, so nothing is validated or defaulted, and neither server-side apply nor label selectors:
// both are REFUSED. A list has all its items, whatever the limit. Field selectors are of the form
// "metadata.name=x", for any text of an object. Versions are the same in each run, and so are uids, unless
// they are to be random.
//
// One thread at a time.
#pragma once

#include "kube/api.h"

struct memory_api;

struct memory_api_options {
    int64_t (*now)(void *context); // seconds since 1970
    // Whether a review's spec, borrowed during the call, is allowed. NULL: everything is.
    bool (*allows)(void *context, yyjson_val *spec);
    // Told of each object that was created, changed or put, as it is now; both are borrowed during the call.
    // Must not call back. NULL: nobody is told.
    void (*changed)(void *context, const struct kube_resource *resource, yyjson_val *object);
    // Told of each object that was removed, as it was last, with the version of its removal. As changed.
    void (*removed)(void *context, yyjson_val *object);
    void *context; // of all; borrowed until memory_api_free
    bool has_random_uids;
    bool has_namespaces; // they are objects; else any namespace may be named
};

// An API without objects. *ret_memory is owned. Errors: NO_MEMORY.
[[nodiscard]] bool memory_api_create(const struct memory_api_options *options, struct memory_api **ret_memory,
                                     struct error *e);
void memory_api_free(struct memory_api *memory); // takes memory; NULL is allowed

// The verbs on memory, which is borrowed as long as they are used. Classes and messages of errors are those
// of an API server behind kube/client.h.
struct api memory_api_verbs(struct memory_api *memory);

// Puts an object there from outside, as a user would: creates it, or replaces the one of its namespace and
// name, which keeps its uid. A new one has the uid that object names, if it does, so that what is put in with
// owner references stays together. object is copied, without its status. Errors: REFUSED (no name),
// NO_MEMORY.
[[nodiscard]] bool memory_api_put(struct memory_api *memory, const struct kube_resource *resource,
                                  yyjson_val *object, struct error *e);

// Puts an object there as memory_api_visit has shown it in an earlier run: with its uid, versions and status.
// What is changed from then on has later versions. Errors: CONFLICT (it is there), REFUSED (it is no such
// object), NO_MEMORY.
[[nodiscard]] bool memory_api_restore(struct memory_api *memory, const struct kube_resource *resource,
                                      yyjson_val *object, struct error *e);

// Removes an object, as a user would who deletes it and waits; namespace NULL: cluster-scoped. Errors:
// NOT_FOUND, NO_MEMORY.
[[nodiscard]] bool memory_api_remove(struct memory_api *memory, const struct kube_resource *resource,
                                     const char *namespace, const char *name, struct error *e);

// Removes what is left behind: objects with owners that are all gone (an owner is there when an object of its
// kind, name and uid is in the object's own namespace, or is cluster-scoped), and objects in a namespace that
// is gone. *ret_count (may be NULL): how many. Errors: NO_MEMORY.
[[nodiscard]] bool memory_api_collect(struct memory_api *memory, size_t *ret_count, struct error *e);

// Calls visit with each object, borrowed during the call, ordered by group, plural, namespace and name. It
// must not change any.
void memory_api_visit(const struct memory_api *memory, void (*visit)(void *context, yyjson_val *object),
                      void *context);
