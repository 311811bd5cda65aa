#include "render/world.h"

#include "base/clock.h"
#include "base/memory.h"
#include "reconcile/reconcile_metrics.h"
#include "reconcile/reconciler.h"
#include "runtime/controller.h"

enum { ROUNDS_PER_OBJECT = 100 };

struct world {
    struct world_options options;
    struct memory_api *memory;
    struct informers *informers;
    struct indexes *indexes;
    struct queue *queue;
    struct metrics *metrics;
    struct regenerate_backoff *backoff;
    struct access_reviewer *access;
    struct reconciler_parts parts;
    const struct kube_resource **resources; // owned list
    size_t object_count;                    // changes that were seen bound it from above
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
    bool done =
        is_ours ? kube_object_create(value, &object, &e) : kube_object_create_metadata(value, &object, &e);
    if (done) {
        struct store *store = informers_find_store(world->informers, resource->kind, object->namespace);
        done = store_apply(store, object, &e);
    }
    if (!done) {
        world->failure = e;
    }
    world->object_count++;
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
    const struct memory_api_options api = {.now = now, .changed = changed, .context = world};
    world->backoff = regenerate_backoff_create();
    if (world->backoff == nullptr) {
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
        .backoff = world->backoff,
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
        regenerate_backoff_free(world->backoff);
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

bool world_run(struct world *world, struct error *e) {
    const struct controller controller = {
        .queue = world->queue,
        .reconciler = {&world->parts, reconciler_reconcile},
    };
    size_t rounds = 0;
    while (queue_depth(world->queue) > 0) {
        struct object_key key;
        struct queue_attempt attempt;
        if (rounds++ > ROUNDS_PER_OBJECT * world->object_count) {
            return error_set(e, ERROR_INTERNAL, "rendering does not come to an end");
        }
        if (queue_take(world->queue, &key, &attempt)) {
            controller_process((void *)&controller, &key, &attempt);
            queue_done(world->queue, &key);
        }
    }
    if (world->failure.class != ERROR_NONE) {
        *e = world->failure;
        return false;
    }
    return true;
}
