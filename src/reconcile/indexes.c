#include "reconcile/indexes.h"

#include "base/memory.h"
#include "engine/decode.h"
#include "engine/versions.h"
#include "reconcile/held_events.h"
#include "reconcile/kept.h"
#include "reconcile/renewal.h"
#include "reconcile/rotation.h"
#include "reconcile/secret_metadata.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { VALUE_SIZE = 1024, ENQUEUE_PAUSE_NS = 1000000 };

// A kind, with the resource that keys of its objects have.
struct served {
    const struct kind *kind;
    struct kube_resource resource;
};

// One store, as its hooks know it.
struct indexed {
    struct indexes *indexes;
    const struct kind *kind; // NULL: Secrets or ConfigMaps
    const struct kube_resource *resource;
    struct store *store; // borrowed from the informers
};

struct indexes {
    struct indexes_options options;
    struct informers *informers;
    struct held_events *held_events;
    char *settings_key;
    char *settings_namespace;
    struct served *served; // one for each kind
    size_t served_count;
    struct indexed *all; // those of the kinds first
    size_t kind_count;   // how many are of the kinds
    size_t count;
};

// Index values: what an object depends on, its output Secret included, as "Kind/namespace/name", and what its
// status.status is.
static const char dependency_format[] = "%s/%s/%s";
static const char status_format[] = "status/%s";

static void format_object(const char *kind, const char *ns, const char *name, char ret_value[VALUE_SIZE]) {
    snprintf(ret_value, VALUE_SIZE, dependency_format, kind, ns, name);
}

// What a ConfigMap is indexed under that was made for owner, "Kind/name".
static void format_made(const char *ns, const char *owner, char ret_value[VALUE_SIZE]) {
    snprintf(ret_value, VALUE_SIZE, "%s/%s", ns, owner);
}

static void format_bundle(const char *ns, const struct bundle_spec *bundle, char ret_value[VALUE_SIZE]) {
    format_object(kube_config_maps.kind, ns, bundle->config_map_name, ret_value);
}

static void format_output(const char *ns, const char *secret_name, char ret_value[VALUE_SIZE]) {
    format_object(kube_secrets.kind, ns, secret_name, ret_value);
}

static void index_reference(const struct input_request *request, const char *own_namespace,
                            void (*add)(void *sink, const char *value), void *sink) {
    const struct reference *reference = &request->reference;
    const char *namespace = reference->namespace == nullptr ? own_namespace : reference->namespace;
    for (const struct input_source *source = request->sources; source->kind != nullptr; source++) {
        bool wanted =
            reference->kind == nullptr ? source->by_default : strcmp(reference->kind, source->kind) == 0;
        if (wanted && reference->name != nullptr) {
            char value[VALUE_SIZE];
            format_object(source->kind, namespace, reference->name, value);
            add(sink, value);
        }
    }
}

static void index_status(const struct kube_object *object, void (*add)(void *sink, const char *value),
                         void *sink) {
    yyjson_val *status = yyjson_obj_get(object->root, "status");
    const char *phase = json_member_text(status, "status");
    if (phase != nullptr) {
        char value[VALUE_SIZE];
        snprintf(value, sizeof(value), status_format, phase);
        add(sink, value);
    }
    if (yyjson_obj_get(status, RENEWAL_EXPIRY_FIELD) != nullptr) {
        add(sink, INDEX_EXPIRING);
    }
    if (yyjson_obj_get(status, ROTATION_FIELD) != nullptr ||
        yyjson_obj_get(status, VERSIONS_FIELD) != nullptr) {
        add(sink, INDEX_ROTATED);
    }
}

static void index_object(void *context, const struct kube_object *object,
                         void (*add)(void *sink, const char *value), void *sink) {
    const struct indexed *indexed = context;
    cleanup_decoded struct decoded decoded;
    struct error ignored;
    (void)decode_object(indexed->kind, object->name, object->root, &decoded,
                        &ignored); // what can be read of a faulty spec is indexed
    for (size_t i = 0; i < decoded.request_count; i++) {
        index_reference(&decoded.requests[i], object->namespace, add, sink);
    }
    if (indexed->kind->entries != nullptr) {
        char value[VALUE_SIZE];
        format_output(object->namespace, decoded.secret_name, value);
        add(sink, value);
    }
    const struct bundle_spec *bundle = kind_bundle(indexed->kind, decoded.spec);
    if (bundle != nullptr) {
        char value[VALUE_SIZE];
        format_bundle(object->namespace, bundle, value);
        add(sink, value);
    }
    index_status(object, add, sink);
}

// A ConfigMap that was made for an object of ours, under that object. Marks that were made elsewhere came
// with a copy.
static void index_made(void *, const struct kube_object *object, void (*add)(void *sink, const char *value),
                       void *sink) {
    yyjson_val *metadata = yyjson_obj_get(object->root, "metadata");
    const char *owner = secret_metadata_marked_owner(metadata);
    const char *home = secret_metadata_namespace(metadata);
    if (owner != nullptr && home != nullptr && strcmp(home, object->namespace) == 0) {
        char value[VALUE_SIZE];
        format_made(home, owner, value);
        add(sink, value);
    }
}

// ---- who is woken

static void enqueue(const struct indexes *indexes, const struct object_key *key) {
    struct error e;
    while (!queue_add(indexes->options.queue, key, &e)) {
        // Memory is out, and a lost key would be a lost update: wait for workers to free some.
        (void)nanosleep(&(struct timespec){.tv_nsec = ENQUEUE_PAUSE_NS}, nullptr);
    }
}

// Wakes an object for a change of what the index has under about. NULL: for the end of something, which is
// nobody's own doing.
static void wake(const struct indexed *indexed, const struct kube_object *object, const char *about) {
    const struct indexes *indexes = indexed->indexes;
    const struct object_key key = {indexed->resource, object->namespace, object->name};
    if (about == nullptr || !held_events_hold(indexes->held_events, &key, about)) {
        enqueue(indexes, &key);
    }
}

struct waking {
    const struct indexed *indexed;
    const char *about;
};

static void wake_dependent(void *context, const struct kube_object *object) {
    const struct waking *waking = context;
    wake(waking->indexed, object, waking->about);
}

static void wake_dependents(const struct indexes *indexes, const char *value, bool is_gone) {
    for (size_t i = 0; i < indexes->kind_count; i++) {
        struct waking waking = {&indexes->all[i], is_gone ? nullptr : value};
        store_index_visit(indexes->all[i].store, value, wake_dependent, &waking);
    }
}

// Another object may have waited for the name of its output, or of its ConfigMap.
static void wake_other_claimants(const struct indexed *indexed, const struct kube_object *gone) {
    cleanup_decoded struct decoded decoded;
    struct error ignored;
    char value[VALUE_SIZE];
    (void)decode_object(indexed->kind, gone->name, gone->root, &decoded, &ignored);
    format_output(gone->namespace, decoded.secret_name, value);
    wake_dependents(indexed->indexes, value, true);
    const struct bundle_spec *bundle = kind_bundle(indexed->kind, decoded.spec);
    if (bundle != nullptr) {
        format_bundle(gone->namespace, bundle, value);
        wake_dependents(indexed->indexes, value, true);
    }
}

static bool is_settings(const struct indexed *indexed, const struct kube_object *object) {
    const char *key = indexed->indexes->settings_key;
    return indexed->resource == &kube_config_maps && key != nullptr && strcmp(object->key, key) == 0;
}

static void object_changed(void *context, const struct kube_object *old, const struct kube_object *object) {
    const struct indexed *indexed = context;
    const struct indexes *indexes = indexed->indexes;
    const struct kube_object *any = object != nullptr ? object : old;
    char value[VALUE_SIZE];
    format_object(indexed->resource->kind, any->namespace, any->name, value);
    if (indexed->kind != nullptr && object != nullptr) {
        wake(indexed, object, value);
    }
    if (indexed->kind != nullptr && object == nullptr) {
        wake_other_claimants(indexed, old);
    }
    if (is_settings(indexed, any)) {
        indexes->options.settings_changed(indexes->options.context);
    }
    wake_dependents(indexes, value, object == nullptr);
}

// ---- what is kept

// A Secret that was made for an object of ours, by another replica perhaps: then the watch may show it before
// that object. Of ConfigMaps, which people copy into many namespaces, only where they were made.
static bool is_output(const struct indexed *indexed, const struct kube_object *object) {
    yyjson_val *metadata = yyjson_obj_get(object->root, "metadata");
    const char *home = secret_metadata_namespace(metadata);
    return secret_metadata_is_marked(metadata) &&
           (indexed->resource == &kube_secrets || (home != nullptr && strcmp(home, object->namespace) == 0));
}

// Of Secrets and ConfigMaps only those are kept that an object of ours refers to, or was made for.
static bool is_referred_to(void *context, const struct kube_object *object) {
    const struct indexed *indexed = context;
    const struct indexes *indexes = indexed->indexes;
    if (is_settings(indexed, object) || is_output(indexed, object)) {
        return true;
    }
    char value[VALUE_SIZE];
    format_object(indexed->resource->kind, object->namespace, object->name, value);
    for (size_t i = 0; i < indexes->kind_count; i++) {
        if (store_index_contains(indexes->all[i].store, value)) {
            return true;
        }
    }
    return false;
}

static bool is_served(void *context, const struct kube_object *object) {
    const struct indexed *indexed = context;
    return indexes_serve(indexed->indexes, object->namespace);
}

// ---- making

typedef void index_function(void *context, const struct kube_object *object,
                            void (*add)(void *sink, const char *value), void *sink);

static index_function *choose_index(const struct kind *kind, const struct kube_resource *resource) {
    return kind != nullptr ? index_object : resource == &kube_config_maps ? index_made : nullptr;
}

static bool add_indexed(struct indexes *indexes, const struct kind *kind,
                        const struct kube_resource *resource, const char *namespace, struct error *e) {
    struct indexed *indexed = &indexes->all[indexes->count++];
    *indexed = (struct indexed){.indexes = indexes, .kind = kind, .resource = resource};
    const struct informer_options options = {
        .resource = resource,
        .namespace = namespace,
        .kept = kind == nullptr ? kept_of_secrets : kept_of_kinds,
        .is_late = kind == nullptr,
        .may_be_absent = kind != nullptr,
        .hooks = {.context = indexed,
                  .filter = kind == nullptr ? is_referred_to : is_served,
                  .changed = object_changed,
                  .index = choose_index(kind, resource)},
    };
    return informers_add(indexes->informers, &options, &indexed->store, e);
}

// Once for all namespaces, or once for each that is served: rights may end there.
static bool add_resource(struct indexes *indexes, const struct kind *kind,
                         const struct kube_resource *resource, struct error *e) {
    const char *const *namespace = indexes->options.namespaces;
    bool added = true;
    if (namespace[0] == nullptr) {
        return add_indexed(indexes, kind, resource, nullptr, e);
    }
    for (; added && *namespace != nullptr; namespace ++) {
        added = add_indexed(indexes, kind, resource, *namespace, e);
    }
    return added;
}

static bool add_all(struct indexes *indexes, struct error *e) {
    for (const struct kind *const *kind = indexes->options.kinds; *kind != nullptr; kind++) {
        struct served *served = &indexes->served[indexes->served_count++];
        *served = (struct served){*kind, {(*kind)->group, (*kind)->version, (*kind)->kind, (*kind)->plural}};
        if (!add_resource(indexes, *kind, &served->resource, e)) {
            return false;
        }
    }
    indexes->kind_count = indexes->count;
    if (!add_resource(indexes, nullptr, &kube_secrets, e) ||
        !add_resource(indexes, nullptr, &kube_config_maps, e)) {
        return false;
    }
    const char *namespace = indexes->settings_namespace;
    return namespace == nullptr ||
           informers_find_store(indexes->informers, kube_config_maps.kind, namespace) != nullptr ||
           add_indexed(indexes, nullptr, &kube_config_maps, namespace, e);
}

static size_t count_list(const void *const *list) {
    size_t count = 0;
    while (list[count] != nullptr) {
        count++;
    }
    return count;
}

static bool copy_settings_key(struct indexes *indexes, const char *key) {
    if (key == nullptr) {
        return true;
    }
    indexes->settings_key = memory_copy_text(key);
    indexes->settings_namespace = memory_copy_span(key, strcspn(key, "/"));
    return indexes->settings_key != nullptr && indexes->settings_namespace != nullptr;
}

static bool prepare(struct indexes *indexes, const struct indexes_options *options) {
    static const char *const none[] = {nullptr};
    indexes->options = *options;
    if (options->namespaces == nullptr) {
        indexes->options.namespaces = none;
    }
    if (options->excluded == nullptr) {
        indexes->options.excluded = none;
    }
    size_t kinds = count_list((const void *const *)options->kinds);
    size_t namespaces = count_list((const void *const *)indexes->options.namespaces);
    size_t most = (kinds + 2) * (namespaces > 0 ? namespaces : 1) + 1; // Secrets, ConfigMaps, settings
    indexes->served = memory_allocate_zeroed(kinds + 1, sizeof(*indexes->served));
    indexes->all = memory_allocate_zeroed(most, sizeof(*indexes->all));
    indexes->held_events = held_events_create();
    return indexes->held_events != nullptr && indexes->served != nullptr && indexes->all != nullptr &&
           copy_settings_key(indexes, options->settings_key);
}

bool indexes_create(const struct indexes_options *options, struct informers *informers,
                    struct indexes **ret_indexes, struct error *e) {
    struct indexes *indexes = memory_allocate_zeroed(1, sizeof(*indexes));
    if (indexes == nullptr) {
        return error_no_memory(e, "indexes");
    }
    indexes->informers = informers;
    if (!prepare(indexes, options)) {
        indexes_free(indexes);
        return error_no_memory(e, "indexes");
    }
    if (!add_all(indexes, e)) {
        indexes_free(indexes);
        return false;
    }
    *ret_indexes = indexes;
    return true;
}

void indexes_free(struct indexes *indexes) {
    if (indexes != nullptr) {
        memory_free(indexes->all);
        memory_free(indexes->served);
        held_events_free(indexes->held_events);
        memory_free(indexes->settings_key);
        memory_free(indexes->settings_namespace);
        memory_free(indexes);
    }
}

// ---- what is in hand

void indexes_take_up(struct indexes *indexes, const struct object_key *key) {
    char value[VALUE_SIZE];
    format_object(key->resource->kind, key->namespace, key->name, value);
    held_events_begin(indexes->held_events, key, value);
}

void indexes_expect_output(struct indexes *indexes, const struct object_key *key, const char *secret_name) {
    char value[VALUE_SIZE];
    format_output(key->namespace, secret_name, value);
    held_events_expect_output(indexes->held_events, key, value);
}

// Whether the store has another version of that object than known (NULL: none is), or none any more.
static bool differs(const struct indexes *indexes, const struct object_key *key,
                    const struct kube_object *known) {
    char name[KUBE_KEY_SIZE];
    struct store *store = informers_find_store(indexes->informers, key->resource->kind, key->namespace);
    kube_format_key(key->namespace, key->name, name);
    cleanup_object struct kube_object *stored = store == nullptr ? nullptr : store_get(store, name);
    return known == nullptr || stored == nullptr || strcmp(stored->uid, known->uid) != 0 ||
           strcmp(stored->resource_version, known->resource_version) != 0;
}

static bool output_differs(const struct indexes *indexes, const struct kube_object *output) {
    return output == nullptr ||
           differs(indexes, &(struct object_key){&kube_secrets, output->namespace, output->name}, output);
}

void indexes_lay_down(struct indexes *indexes, const struct object_key *key, const struct kube_object *object,
                      const struct kube_object *output) {
    const struct held held = held_events_end(indexes->held_events, key);
    if ((held.object && differs(indexes, key, object)) || (held.output && output_differs(indexes, output))) {
        enqueue(indexes, key);
    }
}

// ---- what is looked up

size_t indexes_count_dependents(const struct indexes *indexes, const struct kind *kind, const char *namespace,
                                const char *name, bool *ret_all) {
    char value[VALUE_SIZE];
    size_t total = 0;
    format_object(kind->kind, namespace, name, value);
    *ret_all = true;
    for (size_t i = 0; i < indexes->kind_count; i++) {
        const struct indexed *indexed = &indexes->all[i];
        total += store_index_count(indexed->store, value);
        *ret_all = *ret_all && (indexed->kind != kind || store_is_complete(indexed->store));
    }
    return total;
}

size_t indexes_count_status(const struct indexes *indexes, const char *kind, const char *status) {
    char value[VALUE_SIZE];
    snprintf(value, sizeof(value), status_format, status);
    size_t total = 0;
    for (size_t i = 0; i < indexes->kind_count; i++) {
        const struct indexed *indexed = &indexes->all[i];
        total += strcmp(indexed->resource->kind, kind) == 0 ? store_index_count(indexed->store, value) : 0;
    }
    return total;
}

void indexes_count(const struct indexes *indexes,
                   void (*visit)(void *context, const char *kind, size_t count), void *context) {
    for (size_t k = 0; k < indexes->served_count; k++) {
        const struct kind *kind = indexes->served[k].kind;
        size_t count = 0;
        for (size_t i = 0; i < indexes->kind_count; i++) {
            count += indexes->all[i].kind == kind ? store_count(indexes->all[i].store) : 0;
        }
        visit(context, kind->kind, count);
    }
}

struct visiting {
    const struct kind *kind;
    void (*visit)(void *context, const struct kind *kind, const struct kube_object *object);
    void *context;
};

static void visit_object(void *context, const struct kube_object *object) {
    const struct visiting *visiting = context;
    visiting->visit(visiting->context, visiting->kind, object);
}

void indexes_visit(const struct indexes *indexes, const char *value,
                   void (*visit)(void *context, const struct kind *kind, const struct kube_object *object),
                   void *context) {
    for (size_t i = 0; i < indexes->kind_count; i++) {
        struct visiting visiting = {indexes->all[i].kind, visit, context};
        store_index_visit(indexes->all[i].store, value, visit_object, &visiting);
    }
}

void indexes_visit_dependents(
    const struct indexes *indexes, const struct kind *kind, const char *namespace, const char *name,
    void (*visit)(void *context, const struct kind *kind, const struct kube_object *object), void *context) {
    char value[VALUE_SIZE];
    format_object(kind->kind, namespace, name, value);
    indexes_visit(indexes, value, visit, context);
}

void indexes_visit_status(const struct indexes *indexes, const char *status,
                          void (*visit)(void *context, const struct kind *kind,
                                        const struct kube_object *object),
                          void *context) {
    char value[VALUE_SIZE];
    snprintf(value, sizeof(value), status_format, status);
    indexes_visit(indexes, value, visit, context);
}

const struct kind *indexes_find_kind(const struct indexes *indexes, const struct kube_resource *resource) {
    for (size_t i = 0; i < indexes->served_count; i++) {
        if (&indexes->served[i].resource == resource) {
            return indexes->served[i].kind;
        }
    }
    return nullptr;
}

const struct kube_resource *indexes_find_resource(const struct indexes *indexes, const char *kind) {
    for (size_t i = 0; i < indexes->served_count; i++) {
        if (strcmp(indexes->served[i].kind->kind, kind) == 0) {
            return &indexes->served[i].resource;
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

bool indexes_serve(const struct indexes *indexes, const char *namespace) {
    const struct indexes_options *options = &indexes->options;
    return (options->namespaces[0] == nullptr || lists(options->namespaces, namespace)) &&
           !lists(options->excluded, namespace);
}

// ---- claims

struct claim_search {
    const struct kind *kind;
    const struct kube_object *object;
    const struct kube_resource *claimed; // Secrets or ConfigMaps
    const char *name;
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

// Whether the Secret or ConfigMap is what other writes, and not what it reads.
static bool is_claimant(const struct claim_search *search, const struct kind *kind,
                        const struct kube_object *other) {
    if (kind->entries == nullptr || strcmp(other->namespace, search->object->namespace) != 0) {
        return false;
    }
    cleanup_decoded struct decoded decoded;
    struct error ignored;
    (void)decode_object(kind, other->name, other->root, &decoded, &ignored);
    if (search->claimed == &kube_secrets) {
        return strcmp(decoded.secret_name, search->name) == 0;
    }
    const struct bundle_spec *bundle = kind_bundle(kind, decoded.spec);
    return bundle != nullptr && strcmp(bundle->config_map_name, search->name) == 0;
}

static void look_at_dependent(void *context, const struct kind *kind, const struct kube_object *other) {
    struct claim_search *search = context;
    if (other->deleting || search->owner != nullptr || strcmp(other->uid, search->object->uid) == 0 ||
        !is_older(kind, other, search->kind, search->object) || !is_claimant(search, kind, other)) {
        return;
    }
    char owner[VALUE_SIZE];
    snprintf(owner, sizeof(owner), "%s %s", kind->kind, other->name);
    search->owner = memory_copy_text(owner);
}

char *indexes_find_older_claim(const struct indexes *indexes, const struct kind *kind,
                               const struct kube_object *object, const struct kube_resource *claimed,
                               const char *name) {
    char value[VALUE_SIZE];
    format_object(claimed->kind, object->namespace, name, value);
    struct claim_search search = {.kind = kind, .object = object, .claimed = claimed, .name = name};
    indexes_visit(indexes, value, look_at_dependent, &search);
    return search.owner;
}

// ---- bundles

void indexes_visit_bundles(const struct indexes *indexes, const struct kind *kind,
                           const struct kube_object *object,
                           void (*visit)(void *context, const struct kube_object *config_map),
                           void *context) {
    struct store *store = informers_find_store(indexes->informers, kube_config_maps.kind, object->namespace);
    char owner[SECRET_OWNER_MARK_SIZE];
    char value[VALUE_SIZE];
    secret_metadata_format_owner(kind, object, owner);
    format_made(object->namespace, owner, value);
    if (store != nullptr) {
        store_index_visit(store, value, visit, context);
    }
}
