#include "render/world.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/memory.h"
#include "reconcile/kept.h"
#include "reconcile/reconcile_metrics.h"
#include "reconcile/reconciler.h"
#include "runtime/controller.h"

#include <stdio.h>
#include <string.h>

enum { ROUNDS_PER_OBJECT = 100, RETRIES_MAX = 20 };

// An object that is to be tried again.
struct unfinished {
    struct outcome outcome;
    const struct kube_resource *resource;
    char namespace[KUBE_KEY_SIZE];
    char name[KUBE_KEY_SIZE];
};

struct world {
    struct world_options options;
    struct memory_api *memory;
    struct informers *informers;
    struct indexes *indexes;
    struct queue *queue;
    struct metrics *metrics;
    struct access_reviewer *access;
    struct reconciler_parts parts;
    const struct kube_resource **resources; // owned list
    struct map *unfinished;                 // "plural/namespace/name" -> struct unfinished, owned
    struct error failure;                   // of a change that the stores could not take
};

static int64_t now(void *) {
    return clock_wall_seconds();
}

// What has changed is what an informer would hear of.
static void changed(void *context, const struct kube_resource *resource, yyjson_val *value) {
    struct world *world = context;
    struct kube_object *object;
    struct error e;
    bool is_ours = indexes_find_kind(world->indexes, resource) != nullptr;
    bool done = kube_object_create(value, is_ours ? &kept_of_kinds : &kept_of_secrets, &object, &e);
    if (done) {
        struct store *store = informers_find_store(world->informers, resource->kind, object->namespace);
        done = store_apply(store, object, &e);
    }
    if (!done) {
        world->failure = e;
    }
}

static void removed(void *context, yyjson_val *value) {
    struct world *world = context;
    struct kube_object *object;
    struct error e;
    if (!kube_object_create(value, &kept_of_secrets, &object, &e)) {
        world->failure = e;
        return;
    }
    const char *kind = json_member_text(value, "kind");
    store_remove(informers_find_store(world->informers, kind, object->namespace), object);
}

static bool list_resources(struct world *world, struct error *e) {
    size_t count = 0;
    while (world->options.kinds[count] != nullptr) {
        count++;
    }
    world->resources = memory_allocate_zeroed(count + 3, sizeof(world->resources[0]));
    if (world->resources == nullptr) {
        return error_no_memory(e, "rendering");
    }
    for (size_t i = 0; i < count; i++) {
        world->resources[i] = indexes_find_resource(world->indexes, world->options.kinds[i]->kind);
    }
    world->resources[count] = &kube_secrets;
    world->resources[count + 1] = &kube_config_maps;
    return true;
}

static bool create_parts(struct world *world, struct error *e) {
    static const struct metric *const counted[] = {&metric_secrets_written_total, nullptr};
    static const char *const none[] = {nullptr};
    const struct memory_api_options api = {
        .now = now, .changed = changed, .removed = removed, .context = world, .has_random_uids = true};
    world->unfinished = map_create(memory_free);
    if (world->unfinished == nullptr) {
        return error_no_memory(e, "rendering");
    }
    if (!memory_api_create(&api, &world->memory, e) || !queue_create(nullptr, &world->queue, e) ||
        !metrics_create(counted, &world->metrics, e) || !informers_create(&world->informers, e)) {
        return false;
    }
    const struct indexes_options indexes = {.kinds = world->options.kinds, .queue = world->queue};
    if (!indexes_create(&indexes, world->informers, &world->indexes, e) || !list_resources(world, e) ||
        !access_reviewer_create(memory_api_verbs(world->memory), &world->access, e)) {
        return false;
    }
    world->parts = (struct reconciler_parts){
        .informers = world->informers,
        .indexes = world->indexes,
        .api = memory_api_verbs(world->memory),
        .record = world->options.recorded,
        .record_context = world->options.context,
        .metrics = world->metrics,
        .access = world->access,
        .seed_url_prefixes = none,
    };
    return true;
}

bool world_create(const struct world_options *options, struct world **ret_world, struct error *e) {
    struct world *world = memory_allocate_zeroed(1, sizeof(*world));
    if (world == nullptr) {
        return error_no_memory(e, "rendering");
    }
    world->options = *options;
    if (!create_parts(world, e)) {
        world_free(world);
        return false;
    }
    *ret_world = world;
    return true;
}

void world_free(struct world *world) {
    if (world != nullptr) {
        access_reviewer_free(world->access);
        memory_free(world->resources);
        informers_free(world->informers);
        indexes_free(world->indexes);
        metrics_free(world->metrics);
        queue_free(world->queue);
        memory_api_free(world->memory);
        map_free(world->unfinished);
        memory_free(world);
    }
}

const struct kube_resource *const *world_resources(const struct world *world) {
    return world->resources;
}

const struct kind *world_find_kind(const struct world *world, const struct kube_resource *resource) {
    return indexes_find_kind(world->indexes, resource);
}

struct memory_api *world_api(struct world *world) {
    return world->memory;
}

// ---- work

// An object that failed in a way that may pass is tried again once all others are done.
static void note_outcome(void *context, const struct object_key *key, const struct outcome *outcome, double) {
    struct world *world = context;
    char text[OBJECT_KEY_TEXT_SIZE];
    object_key_format(key, text);
    if (outcome->result != RESULT_RETRY) {
        (void)map_remove(world->unfinished, text);
        return;
    }
    struct unfinished *unfinished = memory_allocate_zeroed(1, sizeof(*unfinished));
    if (unfinished != nullptr) {
        unfinished->outcome = *outcome;
        unfinished->resource = key->resource;
        snprintf(unfinished->namespace, sizeof(unfinished->namespace), "%s", key->namespace);
        snprintf(unfinished->name, sizeof(unfinished->name), "%s", key->name);
    }
    if (unfinished == nullptr || !map_put(world->unfinished, text, unfinished)) {
        memory_free(unfinished);
        (void)error_no_memory(&world->failure, "rendering");
    }
}

const struct outcome *world_find_unfinished(const struct world *world, const struct object_key *key) {
    char text[OBJECT_KEY_TEXT_SIZE];
    object_key_format(key, text);
    const struct unfinished *unfinished = map_get(world->unfinished, text);
    return unfinished == nullptr ? nullptr : &unfinished->outcome;
}

static void process_ready(struct world *world, size_t rounds_max) {
    struct controller controller = {
        .queue = world->queue,
        .reconciler = {&world->parts, reconciler_reconcile},
        .observer = {.context = world, .ended = note_outcome},
    };
    struct object_key key;
    struct queue_attempt attempt;
    for (size_t i = 0; i < rounds_max && queue_depth(world->queue) > 0; i++) {
        if (queue_take(world->queue, &key, &attempt)) {
            controller_process(&controller, &key, &attempt);
            queue_done(world->queue, &key);
        }
    }
}

static void wake_unfinished(struct world *world) {
    size_t position = 0;
    const char *text;
    void *value;
    while (map_next(world->unfinished, &position, &text, &value)) {
        const struct unfinished *unfinished = value;
        const struct object_key key = {unfinished->resource, unfinished->namespace, unfinished->name};
        struct error e;
        if (!queue_add(world->queue, &key, &e)) {
            world->failure = e;
        }
    }
}

static void count_kind(void *context, const char *, size_t count) {
    *(size_t *)context += count;
}

bool world_run(struct world *world, struct error *e) {
    size_t object_count = 0;
    indexes_count(world->indexes, count_kind, &object_count);
    size_t rounds_max = ROUNDS_PER_OBJECT * (object_count + 1);
    process_ready(world, rounds_max);
    for (int i = 0; i < RETRIES_MAX && map_count(world->unfinished) > 0; i++) {
        wake_unfinished(world);
        process_ready(world, rounds_max);
    }
    if (queue_depth(world->queue) > 0 && world->failure.class == ERROR_NONE) {
        return error_set(e, ERROR_INTERNAL, "rendering does not come to an end");
    }
    if (world->failure.class != ERROR_NONE) {
        *e = world->failure;
        return false;
    }
    return true;
}
