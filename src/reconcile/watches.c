#include "reconcile/watches.h"

#include "base/memory.h"
#include "engine/decode.h"
#include "reconcile/news.h"
#include "reconcile/renewal.h"
#include "reconcile/secret_metadata.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { KEY_MAX = 1024, ENQUEUE_PAUSE_NS = 1000000, SILENCE_MAX_MS = 300000 };

struct watched {
    struct watches *watches;
    const struct kind *kind; // NULL: Secrets or ConfigMaps
    struct kube_resource resource;
    const char *namespace; // NULL: all; borrowed from options or settings_namespace
    struct store *store;
    struct watch *watch;
    enum error_class failure; // what it failed with the last time; ERROR_NONE: it works. Loop thread
};

struct watches {
    struct watches_options options;
    struct news *news;
    char *settings_key;
    char *settings_namespace;
    struct watched *all; // those of the kinds first
    size_t kind_count;   // how many are of the kinds
    size_t count;
};

// Index values: what an object depends on, its output Secret included, as "Kind/namespace/name", and what its
// status.status is.
static const char dependency_format[] = "%s/%s/%s";
static const char status_format[] = "status/%s";

static void format_output(const char *ns, const char *secret_name, char ret_value[KEY_MAX]) {
    snprintf(ret_value, KEY_MAX, dependency_format, kube_secrets.kind, ns, secret_name);
}

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
    (void)decode_object(watched->kind, object->name, object->root, &decoded,
                        &ignored); // what can be read of a faulty spec is indexed
    for (size_t i = 0; i < decoded.request_count; i++) {
        index_reference(&decoded.requests[i], object->namespace, add, sink);
    }
    if (watched->kind->entries != nullptr) {
        char value[KEY_MAX];
        format_output(object->namespace, decoded.secret_name, value);
        add(sink, value);
    }
    index_status(object, add, sink);
}

static void enqueue(struct watches *watches, const char *queue_key) {
    struct error e;
    while (!queue_add(watches->options.queue, queue_key, &e)) {
        // Memory is out, and a lost key would be a lost update: wait for workers to free some.
        (void)nanosleep(&(struct timespec){.tv_nsec = ENQUEUE_PAUSE_NS}, nullptr);
    }
}

static void format_queue_key(const char *plural, const char *key, char ret_queue_key[KEY_MAX]) {
    snprintf(ret_queue_key, KEY_MAX, "%s/%s", plural, key);
}

// Wakes the object under key for a change of what the index has under about. NULL: for the end of something,
// which is nobody's own doing.
static void wake(struct watches *watches, const char *plural, const char *key, const char *about) {
    char queue_key[KEY_MAX];
    format_queue_key(plural, key, queue_key);
    if (about == nullptr || !news_hold(watches->news, queue_key, about)) {
        enqueue(watches, queue_key);
    }
}

struct waking {
    struct watched *watched;
    const char *about;
};

static void wake_dependent(void *context, const char *key) {
    const struct waking *waking = context;
    wake(waking->watched->watches, waking->watched->resource.plural, key, waking->about);
}

static void wake_dependents(struct watches *watches, const char *value, bool is_gone) {
    for (size_t i = 0; i < watches->kind_count; i++) {
        struct waking waking = {&watches->all[i], is_gone ? nullptr : value};
        store_index_visit(watches->all[i].store, value, wake_dependent, &waking);
    }
}

// Another object may have waited for the name of its output.
static void wake_other_claimants(struct watched *watched, const struct kube_object *gone) {
    cleanup_decoded struct decoded decoded;
    struct error ignored;
    char value[KEY_MAX];
    (void)decode_object(watched->kind, gone->name, gone->root, &decoded, &ignored);
    format_output(gone->namespace, decoded.secret_name, value);
    wake_dependents(watched->watches, value, true);
}

static bool is_settings(const struct watched *watched, const struct kube_object *object) {
    return watched->resource.plural == kube_config_maps.plural &&
           strcmp(object->key, watched->watches->settings_key) == 0;
}

static void object_changed(void *context, const struct kube_object *old, const struct kube_object *object) {
    struct watched *watched = context;
    struct watches *watches = watched->watches;
    const struct kube_object *any = object != nullptr ? object : old;
    char value[KEY_MAX];
    snprintf(value, sizeof(value), "%s/%s", watched->resource.kind, any->key);
    if (watched->kind != nullptr && object != nullptr) {
        wake(watches, watched->resource.plural, object->key, value);
    }
    if (watched->kind != nullptr && object == nullptr) {
        wake_other_claimants(watched, old);
    }
    if (is_settings(watched, any)) {
        watches->options.settings_changed(watches->options.context);
    }
    wake_dependents(watches, value, object == nullptr);
}

// A Secret that was made for an object of ours, by another replica perhaps: then the watch may show it before
// that object.
static bool is_output(const struct watched *watched, const struct kube_object *object) {
    return watched->resource.plural == kube_secrets.plural &&
           secret_metadata_is_marked(yyjson_obj_get(object->root, "metadata"));
}

// Of Secrets and ConfigMaps only those are kept that an object of ours refers to, or was made for.
static bool is_referred_to(void *context, const struct kube_object *object) {
    const struct watched *watched = context;
    const struct watches *watches = watched->watches;
    if (is_settings(watched, object) || is_output(watched, object)) {
        return true;
    }
    char value[KEY_MAX];
    snprintf(value, sizeof(value), "%s/%s", watched->resource.kind, object->key);
    for (size_t i = 0; i < watches->kind_count; i++) {
        if (store_index_contains(watches->all[i].store, value)) {
            return true;
        }
    }
    return false;
}

static bool is_served(void *context, const struct kube_object *object) {
    const struct watched *watched = context;
    return watches_serve(watched->watches, object->namespace);
}

static void watch_failed(void *context, const struct kube_resource *resource, const struct error *error) {
    struct watched *watched = context;
    bool known = watched->failure == error->class;
    watched->failure = error->class;
    watched->watches->options.failed(watched->watches->options.context, resource, error, known);
}

static void watch_recovered(void *context, const struct kube_resource *resource) {
    struct watched *watched = context;
    watched->failure = ERROR_NONE;
    watched->watches->options.recovered(watched->watches->options.context, resource);
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
            .namespace = watched->namespace,
            .metadata_only = watched->kind == nullptr,
            .watch_seconds = watches->options.watch_seconds,
            .failed = watch_failed,
            .recovered = watch_recovered,
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

static bool add_watched(struct watches *watches, const struct kind *kind,
                        const struct kube_resource *resource, const char *namespace, struct error *e) {
    struct watched *watched = &watches->all[watches->count++];
    *watched =
        (struct watched){.watches = watches, .kind = kind, .resource = *resource, .namespace = namespace};
    struct store_hooks hooks = {
        .context = watched,
        .filter = kind == nullptr ? is_referred_to : is_served,
        .changed = object_changed,
        .index = kind == nullptr ? nullptr : index_object,
    };
    return store_create(&hooks, &watched->store, e);
}

// Once for all namespaces, or once for each that is served: rights may end there.
static bool add_resource(struct watches *watches, const struct kind *kind,
                         const struct kube_resource *resource, struct error *e) {
    const char *const *namespace = watches->options.namespaces;
    bool added = true;
    if (namespace[0] == nullptr) {
        return add_watched(watches, kind, resource, nullptr, e);
    }
    for (; added && *namespace != nullptr; namespace ++) {
        added = add_watched(watches, kind, resource, *namespace, e);
    }
    return added;
}

static bool add_all(struct watches *watches, struct error *e) {
    for (const struct kind *const *kind = watches->options.kinds; *kind != nullptr; kind++) {
        struct kube_resource resource = {(*kind)->group, (*kind)->version, (*kind)->kind, (*kind)->plural};
        if (!add_resource(watches, *kind, &resource, e)) {
            return false;
        }
    }
    watches->kind_count = watches->count;
    if (!add_resource(watches, nullptr, &kube_secrets, e) ||
        !add_resource(watches, nullptr, &kube_config_maps, e)) {
        return false;
    }
    return watches_find_store(watches, kube_config_maps.kind, watches->settings_namespace) != nullptr ||
           add_watched(watches, nullptr, &kube_config_maps, watches->settings_namespace, e);
}

static size_t count_list(const void *const *list) {
    size_t count = 0;
    while (list[count] != nullptr) {
        count++;
    }
    return count;
}

static bool prepare(struct watches *watches, const struct watches_options *options) {
    static const char *const none[] = {nullptr};
    watches->options = *options;
    if (options->namespaces == nullptr) {
        watches->options.namespaces = none;
    }
    if (options->excluded == nullptr) {
        watches->options.excluded = none;
    }
    const char *slash = strchr(options->settings_key, '/');
    size_t resources = count_list((const void *const *)options->kinds) + 2; // Secrets and ConfigMaps
    size_t namespaces = count_list((const void *const *)watches->options.namespaces);
    watches->settings_key = memory_copy_text(options->settings_key);
    watches->settings_namespace =
        memory_copy_span(options->settings_key, (size_t)(slash - options->settings_key));
    watches->all =
        memory_allocate_zeroed(resources * (namespaces > 0 ? namespaces : 1) + 1, sizeof(*watches->all));
    watches->news = news_create();
    return watches->news != nullptr && watches->settings_key != nullptr &&
           watches->settings_namespace != nullptr && watches->all != nullptr;
}

bool watches_create(const struct watches_options *options, struct watches **ret_watches, struct error *e) {
    struct watches *watches = memory_allocate_zeroed(1, sizeof(*watches));
    if (watches == nullptr) {
        return error_no_memory(e, "watches");
    }
    if (!prepare(watches, options)) {
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
        memory_free(watches->all);
        news_free(watches->news);
        memory_free(watches->settings_key);
        memory_free(watches->settings_namespace);
        memory_free(watches);
    }
}

// ---- what is in hand

void watches_take_up(struct watches *watches, const struct kube_resource *resource, const char *key) {
    char queue_key[KEY_MAX];
    char value[KEY_MAX];
    format_queue_key(resource->plural, key, queue_key);
    snprintf(value, sizeof(value), "%s/%s", resource->kind, key);
    news_begin(watches->news, queue_key, value);
}

void watches_expect_output(struct watches *watches, const struct kube_resource *resource,
                           const struct kube_object *object, const char *secret_name) {
    char queue_key[KEY_MAX];
    char value[KEY_MAX];
    format_queue_key(resource->plural, object->key, queue_key);
    format_output(object->namespace, secret_name, value);
    news_expect_output(watches->news, queue_key, value);
}

// Whether the store has another version of the object of that key than known (NULL: none is), or none any
// more.
static bool differs(const struct watches *watches, const char *kind, const char *ns, const char *key,
                    const struct kube_object *known) {
    struct store *store = watches_find_store(watches, kind, ns);
    cleanup_object struct kube_object *stored = store == nullptr ? nullptr : store_get(store, key);
    return known == nullptr || stored == nullptr || strcmp(stored->uid, known->uid) != 0 ||
           strcmp(stored->resource_version, known->resource_version) != 0;
}

void watches_lay_down(struct watches *watches, const struct kube_resource *resource, const char *key,
                      const struct kube_object *object, const struct kube_object *output) {
    char queue_key[KEY_MAX];
    char ns[KUBE_KEY_SIZE];
    format_queue_key(resource->plural, key, queue_key);
    snprintf(ns, sizeof(ns), "%.*s", (int)strcspn(key, "/"), key);
    const struct news_held held = news_end(watches->news, queue_key);
    if ((held.object && differs(watches, resource->kind, ns, key, object)) ||
        (held.output &&
         (output == nullptr || differs(watches, kube_secrets.kind, ns, output->key, output)))) {
        enqueue(watches, queue_key);
    }
}

bool watches_are_alive(const struct watches *watches, const char **ret_missing, const char **ret_why) {
    if (!range_has_synced(watches, 0, watches->count, ret_missing)) {
        *ret_why = "not listed yet";
        return false;
    }
    for (size_t i = 0; i < watches->count; i++) {
        const struct watch *watch = watches->all[i].watch;
        bool refused = watch_is_refused(watch);
        if (refused || watch_silence_ms(watch) > SILENCE_MAX_MS) {
            *ret_missing = watches->all[i].resource.plural;
            *ret_why =
                refused ? "the API server answers with errors, the log tells them" : "not heard of lately";
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
                                    .namespace = watched->namespace,
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
    size_t total = 0;
    for (size_t i = 0; i < watches->kind_count; i++) {
        const struct watched *watched = &watches->all[i];
        total += strcmp(watched->resource.kind, kind) == 0 ? store_index_count(watched->store, value) : 0;
    }
    return total;
}

void watches_count(const struct watches *watches,
                   void (*visit)(void *context, const char *kind, size_t count), void *context) {
    for (const struct kind *const *kind = watches->options.kinds; *kind != nullptr; kind++) {
        size_t count = 0;
        for (size_t i = 0; i < watches->kind_count; i++) {
            count += watches->all[i].kind == *kind ? store_count(watches->all[i].store) : 0;
        }
        visit(context, (*kind)->kind, count);
    }
}

struct visiting {
    const struct watched *watched;
    void (*visit)(void *context, const struct kind *kind, const struct kube_object *object);
    void *context;
};

static void visit_key(void *context, const char *key) {
    const struct visiting *visiting = context;
    cleanup_object struct kube_object *object = store_get(visiting->watched->store, key);
    if (object != nullptr) {
        visiting->visit(visiting->context, visiting->watched->kind, object);
    }
}

void watches_visit(const struct watches *watches, const char *value,
                   void (*visit)(void *context, const struct kind *kind, const struct kube_object *object),
                   void *context) {
    for (size_t i = 0; i < watches->kind_count; i++) {
        struct visiting visiting = {&watches->all[i], visit, context};
        store_index_visit(watches->all[i].store, value, visit_key, &visiting);
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

const struct kind *watches_find_kind(const struct watches *watches, const char *kind,
                                     const struct kube_resource **ret_resource) {
    for (size_t i = 0; i < watches->kind_count; i++) {
        if (strcmp(watches->all[i].resource.kind, kind) == 0) {
            *ret_resource = &watches->all[i].resource;
            return watches->all[i].kind;
        }
    }
    return nullptr;
}

static bool lists(const char *const *names, const char *name) {
    while (*names != nullptr && strcmp(*names, name) != 0) {
        names++;
    }
    return *names != nullptr;
}

bool watches_serve(const struct watches *watches, const char *namespace) {
    const struct watches_options *options = &watches->options;
    return (options->namespaces[0] == nullptr || lists(options->namespaces, namespace)) &&
           !lists(options->excluded, namespace);
}

struct store *watches_find_store(const struct watches *watches, const char *kind, const char *namespace) {
    for (size_t i = 0; i < watches->count; i++) {
        const struct watched *watched = &watches->all[i];
        if (strcmp(watched->resource.kind, kind) == 0 &&
            (watched->namespace == nullptr || strcmp(watched->namespace, namespace) == 0)) {
            return watched->store;
        }
    }
    return nullptr;
}

struct claim_search {
    const struct kind *kind;
    const struct kube_object *object;
    const char *secret_name;
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

// Whether the Secret is what other writes, and not what it reads.
static bool is_claimant(const struct claim_search *search, const struct kind *kind,
                        const struct kube_object *other) {
    if (kind->entries == nullptr || strcmp(other->namespace, search->object->namespace) != 0) {
        return false;
    }
    cleanup_decoded struct decoded decoded;
    struct error ignored;
    (void)decode_object(kind, other->name, other->root, &decoded, &ignored);
    return strcmp(decoded.secret_name, search->secret_name) == 0;
}

static void look_at_dependent(void *context, const struct kind *kind, const struct kube_object *other) {
    struct claim_search *search = context;
    if (other->deleting || search->owner != nullptr || strcmp(other->uid, search->object->uid) == 0 ||
        !is_older(kind, other, search->kind, search->object) || !is_claimant(search, kind, other)) {
        return;
    }
    char owner[KEY_MAX];
    snprintf(owner, sizeof(owner), "%s %s", kind->kind, other->name);
    search->owner = memory_copy_text(owner);
}

char *watches_find_older_claim(const struct watches *watches, const struct kind *kind,
                               const struct kube_object *object, const char *secret_name) {
    char value[KEY_MAX];
    format_output(object->namespace, secret_name, value);
    struct claim_search search = {.kind = kind, .object = object, .secret_name = secret_name};
    watches_visit(watches, value, look_at_dependent, &search);
    return search.owner;
}
