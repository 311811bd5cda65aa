// A cluster of one process: an API of values, the stores that its changes fill, and the reconciler over them.
#pragma once

#include "engine/kind.h"
#include "kube/event_body.h"
#include "kube/memory_api.h"
#include "runtime/controller.h"

struct world;

struct world_options {
    const struct kind *const *kinds; // NULL-terminated; borrowed until world_free
    // Told of each Event; all borrowed during the call.
    void (*recorded)(void *context, const struct kube_resource *resource, const struct kube_object *object,
                     const struct event_content *content);
    void *context;
};

// *ret_world is owned. Errors: NO_MEMORY.
[[nodiscard]] bool world_create(const struct world_options *options, struct world **ret_world,
                                struct error *e);
void world_free(struct world *world); // takes world; NULL is allowed

// The resources that there can be objects of: those of the kinds, Secrets and ConfigMaps. NULL-terminated,
// borrowed until world_free.
const struct kube_resource *const *world_resources(const struct world *world);

// The kind that the resource is of; NULL: Secrets or ConfigMaps.
const struct kind *world_find_kind(const struct world *world, const struct kube_resource *resource);

// The API, which is borrowed as long as world. What is put into it is reconciled by world_run; put the kinds'
// objects first, since it is by them that Secrets and ConfigMaps matter.
struct memory_api *world_api(struct world *world);

// Reconciles until nothing is left to do but to wait; what failed in a way that may pass is tried again, at
// once and not for ever. Errors: NO_MEMORY, INTERNAL (it does not come to an
// end).
[[nodiscard]] bool world_run(struct world *world, struct error *e);

// How an object has ended that world_run has given up on, though it may succeed yet; borrowed until the next
// world_run. NULL: it has not.
const struct outcome *world_find_unfinished(const struct world *world, const struct object_key *key);
