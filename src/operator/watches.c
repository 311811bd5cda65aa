#include "operator/watches.h"

#include "base/memory.h"
#include "operator/decode.h"
#include "operator/renewal.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    KINDS_MAX = 16,
    KEY_MAX = 1024,
    OWN_RESOURCES = 2,
    ENQUEUE_PAUSE_NS = 1000000,
    SILENCE_MAX_MS = 300000
};

struct watched {
    struct watches *watches;
    const struct kind *kind; // NULL: Secrets or ConfigMaps
    struct kube_resource resource;
    struct store *store;
    struct watch *watch;
};

struct watches {
    struct watches_options options;
    char *settings_key;
    struct watched all[KINDS_MAX + OWN_RESOURCES]; // the kinds first
    size_t kind_count;
    size_t count;
};

// Index values: what an object depends on, as "Kind/namespace/name", what it claims as its output Secret, and
// what its status.status is.
static const char claim_format[] = "claim/%s/%s";
static const char dependency_format[] = "%s/%s/%s";
static const char status_format[] = "status/%s";

static void index_reference(const struct input_request *request, const char *own_namespace,
                            void (*add)(void *sink, const char *value), void *sink) {
    const struct reference *reference = &request->reference;
    const char *namespace = reference->namespace == nullptr ? own_namespace : reference->namespace;
    for (const struct input_source *source = request->sources; source->kind != nullptr; source++) {
        bool wanted =
            reference->kind == nullptr ? source->by_default : strcmp(reference->kind, source->kind) == 0;
        if (wanted && reference->name != nullptr) {
            char value[KEY_MAX];
            snprintf(value, sizeof(value), dependency_format, source->kind, namespace, reference->name);
            add(sink, value);
        }
    }
}

static void index_status(const struct kube_object *object, void (*add)(void *sink, const char *value),
                         void *sink) {
    yyjson_val *status = yyjson_obj_get(object->root, "status");
    const char *phase = json_member_text(status, "status");
    if (phase != nullptr) {
        char value[KEY_MAX];
        snprintf(value, sizeof(value), status_format, phase);
        add(sink, value);
    }
    if (yyjson_obj_get(status, RENEWAL_EXPIRY_FIELD) != nullptr) {
        add(sink, WATCHES_EXPIRING);
    }
}

static void index_object(void *context, const struct kube_object *object,
                         void (*add)(void *sink, const char *value), void *sink) {
    const struct watched *watched = context;
    cleanup_decoded struct decoded decoded;
    struct error ignored;
    (void)decode_object(watched->kind, object, &decoded,
                        &ignored); // what can be read of a faulty spec is indexed
    for (size_t i = 0; i < decoded.request_count; i++) {
        index_reference(&decoded.requests[i], object->namespace, add, sink);
    }
    if (watched->kind->entries != nullptr) {
        char value[KEY_MAX];
        snprintf(value, sizeof(value), dependency_format, kube_secrets.kind, object->namespace,
                 decoded.secret_name);
        add(sink, value);
        snprintf(value, sizeof(value), claim_format, object->namespace, decoded.secret_name);
        add(sink, value);
    }
    index_status(object, add, sink);
}

static void enqueue(struct watches *watches, const char *plural, const char *key) {
    char queue_key[KEY_MAX];
    struct error e;
    snprintf(queue_key, sizeof(queue_key), "%s/%s", plural, key);
    while (!queue_add(watches->options.queue, queue_key, &e)) {
        // Memory is out, and a lost key would be a lost update: wait for workers to free some.
        (void)nanosleep(&(struct timespec){.tv_nsec = ENQUEUE_PAUSE_NS}, nullptr);
    }
}

static void enqueue_dependent(void *context, const char *key) {
    struct watched *watched = context;
    enqueue(watched->watches, watched->resource.plural, key);
}

static void enqueue_dependents(struct watches *watches, const char *value) {
    for (size_t i = 0; i < watches->kind_count; i++) {
        store_find(watches->all[i].store, value, enqueue_dependent, &watches->all[i]);
    }
}

static void enqueue_other_claimants(struct watched *watched, const struct kube_object *gone) {
    cleanup_decoded struct decoded decoded;
    struct error ignored;
    char value[KEY_MAX];
    (void)decode_object(watched->kind, gone, &decoded, &ignored);
    snprintf(value, sizeof(value), claim_format, gone->namespace, decoded.secret_name);
    enqueue_dependents(watched->watches, value);
}

static void object_changed(void *context, const struct kube_object *old, const struct kube_object *object) {
    struct watched *watched = context;
    struct watches *watches = watched->watches;
    const struct kube_object *any = object != nullptr ? object : old;
    char value[KEY_MAX];
    if (watched->kind != nullptr && object != nullptr) {
        enqueue(watches, watched->resource.plural, object->key);
    }
    if (watched->kind != nullptr && object == nullptr) {
        enqueue_other_claimants(watched, old);
    }
    if (watched->resource.plural == kube_config_maps.plural && strcmp(any->key, watches->settings_key) == 0) {
        enqueue(watches, WATCHES_SETTINGS_PLURAL, any->key);
    }
    snprintf(value, sizeof(value), "%s/%s", watched->resource.kind, any->key);
    enqueue_dependents(watches, value);
}

// Of Secrets and ConfigMaps only those are kept that an object of ours refers to.
static bool is_referred_to(void *context, const struct kube_object *object) {
    const struct watched *watched = context;
    const struct watches *watches = watched->watches;
    if (watched->resource.plural == kube_config_maps.plural &&
        strcmp(object->key, watches->settings_key) == 0) {
        return true;
    }
    char value[KEY_MAX];
    snprintf(value, sizeof(value), "%s/%s", watched->resource.kind, object->key);
    for (size_t i = 0; i < watches->kind_count; i++) {
        if (store_has(watches->all[i].store, value)) {
            return true;
        }
    }
    return false;
}

static void watch_failed(void *context, const struct kube_resource *resource, const struct error *error) {
    struct watched *watched = context;
    watched->watches->options.failed(watched->watches->options.context, resource, error);
}

static bool range_has_synced(const struct watches *watches, size_t from, size_t to,
                             const char **ret_missing) {
    for (size_t i = from; i < to; i++) {
        const struct watch *watch = watches->all[i].watch;
        if (watch == nullptr || !watch_has_synced(watch)) {
            *ret_missing = watches->all[i].resource.plural;
            return false;
        }
    }
    return true;
}

static void watch_synced(void *context, const struct kube_resource *resource);

static bool start_range(struct watches *watches, size_t from, size_t to, struct error *e) {
    for (size_t i = from; i < to; i++) {
        struct watched *watched = &watches->all[i];
        struct watch_options options = {
            .resource = &watched->resource,
            .metadata_only = watched->kind == nullptr,
            .failed = watch_failed,
            .synced = watch_synced,
            .context = watched,
        };
        if (!watch_create(watches->options.loop, watches->options.client, watched->store, &options,
                          &watched->watch, e)) {
            return false;
        }
    }
    return true;
}

static void watch_synced(void *context, const struct kube_resource *) {
    struct watched *watched = context;
    struct watches *watches = watched->watches;
    const char *missing;
    struct error e;
    bool kinds_synced = range_has_synced(watches, 0, watches->kind_count, &missing);
    if (kinds_synced && watched->kind != nullptr && watches->all[watches->kind_count].watch == nullptr &&
        !start_range(watches, watches->kind_count, watches->count, &e)) {
        watch_failed(watched, &watched->resource, &e);
    }
    if (range_has_synced(watches, 0, watches->count, &missing)) {
        watches->options.synced(watches->options.context);
    }
}

static bool add_resource(struct watches *watches, const struct kind *kind,
                         const struct kube_resource *resource, struct error *e) {
    if (watches->count == KINDS_MAX + OWN_RESOURCES) {
        return error_set(e, ERROR_INTERNAL, "more than %d kinds", KINDS_MAX);
    }
    struct watched *watched = &watches->all[watches->count++];
    *watched = (struct watched){.watches = watches, .kind = kind, .resource = *resource};
    struct store_hooks hooks = {
        .context = watched,
        .keep = kind == nullptr ? is_referred_to : nullptr,
        .changed = object_changed,
        .index = kind == nullptr ? nullptr : index_object,
    };
    return store_create(&hooks, &watched->store, e);
}

static bool add_all(struct watches *watches, struct error *e) {
    for (const struct kind *const *kind = watches->options.kinds; *kind != nullptr; kind++) {
        struct kube_resource resource = {"qubesec.io", "v1", (*kind)->kind, (*kind)->plural};
        if (!add_resource(watches, *kind, &resource, e)) {
            return false;
        }
    }
    watches->kind_count = watches->count;
    return add_resource(watches, nullptr, &kube_secrets, e) &&
           add_resource(watches, nullptr, &kube_config_maps, e);
}

bool watches_create(const struct watches_options *options, struct watches **ret_watches, struct error *e) {
    struct watches *watches = memory_allocate_zeroed(1, sizeof(*watches));
    if (watches == nullptr) {
        return error_no_memory(e, "watches");
    }
    watches->options = *options;
    watches->settings_key = memory_copy_text(options->settings_key);
    if (watches->settings_key == nullptr) {
        watches_free(watches);
        return error_no_memory(e, "watches");
    }
    if (!add_all(watches, e) || !start_range(watches, 0, watches->kind_count, e)) {
        watches_free(watches);
        return false;
    }
    *ret_watches = watches;
    return true;
}

void watches_stop(struct watches *watches) {
    for (size_t i = 0; i < watches->count; i++) {
        watch_free(watches->all[i].watch);
        watches->all[i].watch = nullptr;
    }
}

void watches_free(struct watches *watches) {
    if (watches != nullptr) {
        watches_stop(watches);
        for (size_t i = 0; i < watches->count; i++) {
            store_free(watches->all[i].store);
        }
        memory_free(watches->settings_key);
        memory_free(watches);
    }
}

bool watches_are_alive(const struct watches *watches, const char **ret_missing) {
    if (!range_has_synced(watches, 0, watches->count, ret_missing)) {
        return false;
    }
    for (size_t i = 0; i < watches->count; i++) {
        if (watch_silence_ms(watches->all[i].watch) > SILENCE_MAX_MS) {
            *ret_missing = watches->all[i].resource.plural;
            return false;
        }
    }
    return true;
}

void watches_describe(const struct watches *watches,
                      void (*visit)(void *context, const struct watch_state *state), void *context) {
    for (size_t i = 0; i < watches->count; i++) {
        const struct watched *watched = &watches->all[i];
        struct watch_state state = {.resource = watched->resource.plural,
                                    .object_count = store_count(watched->store)};
        if (watched->watch != nullptr) {
            state.has_synced = watch_has_synced(watched->watch);
            state.silence_ms = watch_silence_ms(watched->watch);
        }
        visit(context, &state);
    }
}

size_t watches_count_status(const struct watches *watches, const char *kind, const char *status) {
    char value[KEY_MAX];
    snprintf(value, sizeof(value), status_format, status);
    return store_count_under(watches_find_objects(watches, kind), value);
}

void watches_count(const struct watches *watches,
                   void (*visit)(void *context, const char *kind, size_t count), void *context) {
    for (size_t i = 0; i < watches->kind_count; i++) {
        visit(context, watches->all[i].resource.kind, store_count(watches->all[i].store));
    }
}

const struct kind *watches_find_plural(const struct watches *watches, const char *plural,
                                       const struct kube_resource **ret_resource) {
    for (size_t i = 0; i < watches->kind_count; i++) {
        if (strcmp(watches->all[i].resource.plural, plural) == 0) {
            *ret_resource = &watches->all[i].resource;
            return watches->all[i].kind;
        }
    }
    return nullptr;
}

struct store *watches_find_objects(const struct watches *watches, const char *kind) {
    for (size_t i = 0; i < watches->count; i++) {
        if (strcmp(watches->all[i].resource.kind, kind) == 0) {
            return watches->all[i].store;
        }
    }
    return nullptr;
}

struct claim_search {
    const struct watched *watched; // whose objects are being looked at
    const struct kind *kind;
    const struct kube_object *object;
    char *owner; // "Kind name" of an older one
};

// Whether object, of kind, is older than other, of other_kind.
static bool is_older(const struct kind *kind, const struct kube_object *object, const struct kind *other_kind,
                     const struct kube_object *other) {
    if (object->created != other->created) {
        return object->created < other->created;
    }
    int order = strcmp(kind->kind, other_kind->kind);
    return order != 0 ? order < 0 : strcmp(object->name, other->name) < 0;
}

static void look_at_claimant(void *context, const char *key) {
    struct claim_search *search = context;
    cleanup_object struct kube_object *other = store_get(search->watched->store, key);
    if (other == nullptr || other->deleting || search->owner != nullptr ||
        strcmp(other->uid, search->object->uid) == 0 ||
        !is_older(search->watched->kind, other, search->kind, search->object)) {
        return;
    }
    char owner[KEY_MAX];
    snprintf(owner, sizeof(owner), "%s %s", search->watched->kind->kind, other->name);
    search->owner = memory_copy_text(owner);
}

char *watches_find_older_claim(const struct watches *watches, const struct kind *kind,
                               const struct kube_object *object, const char *secret_name) {
    char value[KEY_MAX];
    snprintf(value, sizeof(value), claim_format, object->namespace, secret_name);
    struct claim_search search = {.kind = kind, .object = object};
    for (size_t i = 0; i < watches->kind_count && search.owner == nullptr; i++) {
        search.watched = &watches->all[i];
        store_find(watches->all[i].store, value, look_at_claimant, &search);
    }
    return search.owner;
}
