// An operator on a cluster in memory, without a network and without waiting: an API of values, the stores
// that hear of its changes, the queue, and the reconciler between them. Tests put objects there as YAML, run
// until nothing is left to do, and look at what has become of it, what was told, and what was asked. Requests
// can fail, and something can happen before one is answered; the watch can fall silent; the clock is the
// test's.
//
// Objects are named as "kind name", or "kind namespace/name": the kind by its short name ("qkkp a"), or as
// "secret", "configmap". Without a namespace it is "ns".
#pragma once

#include "../kube/objects.h"

#include "base/log.h"
#include "crypto/encoding.h"
#include "kinds/table.h"
#include "kube/memory_api.h"
#include "kube/yaml.h"
#include "reconcile/kept.h"
#include "reconcile/reasons.h"
#include "reconcile/reconcile_id.h"
#include "reconcile/reconcile_metrics.h"
#include "reconcile/reconciler.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { TEXT_MAX = 64 * 1024, TOLD_MAX = 200, FAULTS_MAX = 8, GRANTS_MAX = 16, ROUNDS_MAX = 500 };
enum { FOREVER = 1 << 20 };
enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR };
enum {
    SHORT_STEP_MS = 5,
    STEP_MS = 250,
    GRANT_CHECK_MS = 30000,
    BEGINNING_S = 1767225600
}; // 2026-01-01T00:00:00Z

// ---- the clock

static int64_t clock_ms;     // since the test began
static int64_t wall_ahead_s; // by which the wall clock alone was set

static int clock_of_test(clockid_t clock, struct timespec *ret_time) {
    int64_t seconds = clock_ms / 1000 + (clock == CLOCK_REALTIME ? BEGINNING_S + wall_ahead_s : 1000);
    *ret_time = (struct timespec){.tv_sec = seconds, .tv_nsec = clock_ms % 1000 * 1000000};
    return 0;
}

#define clock_gettime clock_of_test
#include "base/clock.c"
#undef clock_gettime

// ---- what there is

// What happens to requests that begin with a text as requests_are has it ("create secret a").
struct fault {
    const char *request;
    unsigned skip;          // so many pass before
    unsigned count;         // so many are concerned; 0: one; FOREVER
    void (*before)(void);   // happens before it is answered; NULL: nothing
    enum error_class class; // it fails with; NONE: it does not
    const char *message;
    uint32_t retry_after_ms;
    bool is_executed; // all the same: only the answer is lost
    unsigned happened;
};

struct told {
    bool warning;
    char what[400]; // "Reason kind name"
    char note[EVENT_NOTE_MAX + 1];
    char id[RECONCILE_ID_SIZE];
};

// A change that the watch has not shown yet; or a document that is kept for a test that looks at it.
struct change {
    yyjson_doc *document;
    bool is_removal;
    struct change *next;
};

static struct {
    struct memory_api *memory;
    struct informers *informers;
    struct indexes *indexes;
    struct queue *queue;
    struct metrics *metrics;
    struct access_reviewer *access;
    struct regenerate_backoff *backoff;
    struct reconciler_parts parts;
    struct controller controller;
    bool is_silent;         // the watch
    struct change *unheard; // the first of those that the watch will show
    struct change *kept;    // documents that tests look at
    struct error failure;   // of a store that could not take a change
    struct outcome outcome; // of the last reconcile
    unsigned updates;       // statuses that were sent whole
    unsigned reconciles;    // since the last requests_are
    struct told told[TOLD_MAX];
    size_t told_count; // since the last told_is
    char asked[TEXT_MAX];
    struct fault faults[FAULTS_MAX];
    size_t fault_count;
    const char *grants[GRANTS_MAX]; // "ns/default get secret there/a"
    size_t grant_count;
} cluster;

struct id {
    const struct kube_resource *resource;
    char namespace[64];
    char name[300];
};

static inline const struct kube_resource *resource_of(const char *kind, size_t length) {
    if (strncmp(kind, "secret", length) == 0) {
        return &kube_secrets;
    }
    if (strncmp(kind, "configmap", length) == 0) {
        return &kube_config_maps;
    }
    for (const struct kind *const *at = kind_table; *at != nullptr; at++) {
        if (strlen((*at)->short_name) == length && strncmp((*at)->short_name, kind, length) == 0) {
            return indexes_find_resource(cluster.indexes, (*at)->kind);
        }
    }
    fail_msg("%s is of no kind", kind);
    return nullptr;
}

static inline const char *short_name_of(const struct kube_resource *resource) {
    const struct kind *kind = indexes_find_kind(cluster.indexes, resource);
    return kind != nullptr ? kind->short_name : resource == &kube_secrets ? "secret" : "configmap";
}

static inline struct id id_of(const char *text) {
    struct id id = {0};
    size_t length = strcspn(text, " ");
    const char *name = text + length + 1;
    const char *slash = strchr(name, '/');
    id.resource = resource_of(text, length);
    snprintf(id.namespace, sizeof(id.namespace), "%.*s", slash == nullptr ? 2 : (int)(slash - name),
             slash == nullptr ? "ns" : name);
    snprintf(id.name, sizeof(id.name), "%s", slash == nullptr ? name : slash + 1);
    return id;
}

// "kind name", as id_of reads it.
static inline void write_id(const struct kube_resource *resource, const char *namespace, const char *name,
                            char ret_text[400]) {
    bool own = namespace == nullptr || strcmp(namespace, "ns") == 0;
    snprintf(ret_text, 400, "%s %s%s%s", short_name_of(resource), own ? "" : namespace, own ? "" : "/", name);
}

// ---- what the stores hear

static inline void hear_of(yyjson_val *value, bool is_removal) {
    struct error e;
    struct kube_object *object = nullptr;
    const char *kind = json_member_text(value, "kind");
    bool is_ours = indexes_find_resource(cluster.indexes, kind) != nullptr;
    if (!kube_object_create(value, is_ours ? &kept_of_kinds : &kept_of_secrets, &object, &e)) {
        cluster.failure = e;
        return;
    }
    struct store *store = informers_find_store(cluster.informers, kind, object->namespace);
    if (is_removal) {
        store_remove(store, object);
    } else if (!store_apply(store, object, &e)) {
        cluster.failure = e;
    }
}

static inline yyjson_doc *copy_of(yyjson_val *value) {
    struct error e;
    cleanup_json_mut yyjson_mut_doc *document = nullptr;
    yyjson_doc *copy = nullptr;
    must(json_create(&document, &e), e);
    yyjson_mut_doc_set_root(document, yyjson_val_mut_copy(document, value));
    must(json_freeze(document, &copy, &e), e);
    return copy;
}

static inline struct change *add_change(struct change **list, yyjson_doc *document, bool is_removal) {
    struct change *change = calloc(1, sizeof(*change));
    assert_non_null(change);
    *change = (struct change){.document = document, .is_removal = is_removal};
    while (*list != nullptr) {
        list = &(*list)->next;
    }
    *list = change;
    return change;
}

static inline void free_changes(struct change **list) {
    for (struct change *change = *list; change != nullptr;) {
        struct change *next = change->next;
        json_free(change->document);
        free(change);
        change = next;
    }
    *list = nullptr;
}

static inline void note_change(yyjson_val *value, bool is_removal) {
    const char *kind = json_member_text(value, "kind");
    struct store *store = informers_find_store(cluster.informers, kind, "ns");
    if (store == nullptr || !store_is_complete(store)) {
        return; // a namespace, or of what is not watched
    }
    if (cluster.is_silent) {
        (void)add_change(&cluster.unheard, copy_of(value), is_removal);
    } else {
        hear_of(value, is_removal);
    }
}

static inline void note_changed(void *, const struct kube_resource *, yyjson_val *value) {
    note_change(value, false);
}

static inline void note_removed(void *, yyjson_val *value) {
    note_change(value, true);
}

// The watch shows nothing from now on, until it is heard again.
static inline void silence(void) {
    cluster.is_silent = true;
}

static inline void hear(void) {
    cluster.is_silent = false;
    for (struct change *change = cluster.unheard; change != nullptr; change = change->next) {
        hear_of(yyjson_doc_get_root(change->document), change->is_removal);
    }
    free_changes(&cluster.unheard);
}

// ---- what is asked

static inline void write_request(const struct api_request *request, char ret_text[1000]) {
    static const char *const verbs[] = {
        [API_GET] = "get",       [API_LIST] = "list",   [API_CREATE] = "create", [API_PATCH] = "patch",
        [API_UPDATE] = "update", [API_APPLY] = "apply", [API_DELETE] = "delete"};
    char id[400];
    const char *name = request->name;
    if (request->verb == API_CREATE) {
        yyjson_mut_val *root = yyjson_mut_doc_get_root((yyjson_mut_doc *)request->body);
        yyjson_mut_val *of_body = yyjson_mut_obj_get(yyjson_mut_obj_get(root, "metadata"), "name");
        yyjson_mut_val *attributes =
            yyjson_mut_obj_get(yyjson_mut_obj_get(root, "spec"), "resourceAttributes");
        name = yyjson_mut_get_str(of_body != nullptr ? of_body : yyjson_mut_obj_get(attributes, "name"));
    } else if (request->verb == API_LIST) {
        name = request->field_selector + strlen("metadata.name=");
    }
    if (request->resource == &kube_access_reviews) {
        snprintf(id, sizeof(id), "review %s/%s", request->namespace, name);
    } else {
        write_id(request->resource, request->namespace, name, id);
    }
    snprintf(ret_text, 1000, "%s %s%s%s%s", request->subresource == nullptr ? verbs[request->verb] : "write",
             id, request->subresource == nullptr ? "" : " ",
             request->subresource == nullptr ? "" : request->subresource,
             request->resource_version == nullptr ? "" : " cached");
}

static inline struct fault *find_fault(const char *request) {
    for (size_t i = 0; i < cluster.fault_count; i++) {
        struct fault *fault = &cluster.faults[i];
        if (fault->count == 0 || strncmp(request, fault->request, strlen(fault->request)) != 0) {
            continue;
        }
        if (fault->skip > 0) {
            fault->skip--;
            continue;
        }
        fault->count--;
        fault->happened++;
        return fault;
    }
    return nullptr;
}

static bool call(void *, const struct api_request *request, yyjson_doc **ret_document, struct error *e) {
    char text[1000];
    write_request(request, text);
    cluster.updates += request->verb == API_UPDATE ? 1 : 0;
    size_t used = strlen(cluster.asked);
    snprintf(cluster.asked + used, sizeof(cluster.asked) - used, "%s; ", text);
    const struct fault *fault = find_fault(text);
    if (fault == nullptr) {
        return api_call(memory_api_verbs(cluster.memory), request, ret_document, e);
    }
    if (fault->before != nullptr) {
        fault->before();
    }
    cleanup_json yyjson_doc *lost = nullptr;
    bool is_lost = fault->class != ERROR_NONE;
    if ((!is_lost || fault->is_executed) &&
        !api_call(memory_api_verbs(cluster.memory), request, is_lost ? &lost : ret_document, e)) {
        return false;
    }
    if (is_lost) {
        error_set(e, fault->class, "%s", fault->message == nullptr ? "it failed" : fault->message);
        e->retry_after_ms = fault->retry_after_ms;
    }
    return !is_lost;
}

static inline void fault(struct fault one) {
    assert_true(cluster.fault_count < FAULTS_MAX);
    one.count = one.count == 0 ? 1 : one.count;
    cluster.faults[cluster.fault_count++] = one;
}

// Nothing fails any more; all that was to fail has.
static inline void faults_are_over(void) {
    for (size_t i = 0; i < cluster.fault_count; i++) {
        const struct fault *one = &cluster.faults[i];
        if (one->happened == 0 || (one->count > 0 && one->count < FOREVER / 2)) {
            fail_msg("there was no %s", cluster.faults[i].request);
        }
    }
    cluster.fault_count = 0;
}

// ---- whom the API server allows what, and what is told

static bool allows(void *, yyjson_val *spec) {
    char asked[1000];
    yyjson_val *attributes = yyjson_obj_get(spec, "resourceAttributes");
    const char *user = json_member_text(spec, "user");
    snprintf(asked, sizeof(asked), "%s %s %s %s/%s", user + strlen("system:serviceaccount:"),
             json_member_text(attributes, "verb"), json_member_text(attributes, "resource"),
             json_member_text(attributes, "namespace"), json_member_text(attributes, "name"));
    for (size_t i = 0; i < cluster.grant_count; i++) {
        if (strcmp(cluster.grants[i], asked) == 0) {
            return true;
        }
    }
    return false;
}

// "ns:default get secrets there/a"
static inline void grant(const char *right) {
    assert_true(cluster.grant_count < GRANTS_MAX);
    cluster.grants[cluster.grant_count++] = right;
}

static void record(void *, const struct kube_resource *resource, const struct kube_object *object,
                   const struct event_content *content) {
    assert_true(cluster.told_count < TOLD_MAX);
    struct told *told = &cluster.told[cluster.told_count++];
    char id[400];
    write_id(resource, object->namespace, object->name, id);
    told->warning = content->warning;
    snprintf(told->what, sizeof(told->what), "%s %.300s", content->reason, id);
    snprintf(told->note, sizeof(told->note), "%s", content->note);
    snprintf(told->id, sizeof(told->id), "%s", content->reconcile_id);
}

static void note_outcome(void *, const struct object_key *, const struct outcome *outcome, double) {
    cluster.outcome = *outcome;
    cluster.reconciles++;
}

static int64_t seconds_now(void *) {
    return clock_wall_seconds();
}

// ---- begin and end

// All but the API.
static inline bool create_operator(struct error *e) {
    static const struct metric *const counted[] = {&metric_secrets_written_total, nullptr};
    static const char *const prefixes[] = {"https://seeds.example/", nullptr};
    const struct api api = {.call = call};
    cluster.backoff = regenerate_backoff_create();
    if (cluster.backoff == nullptr || !queue_create(nullptr, &cluster.queue, e) ||
        !metrics_create(counted, &cluster.metrics, e) || !informers_create(&cluster.informers, e)) {
        return false;
    }
    const struct indexes_options indexes = {.kinds = kind_table, .queue = cluster.queue};
    if (!indexes_create(&indexes, cluster.informers, &cluster.indexes, e) ||
        !access_reviewer_create(api, &cluster.access, e)) {
        return false;
    }
    cluster.parts = (struct reconciler_parts){
        .informers = cluster.informers,
        .indexes = cluster.indexes,
        .api = api,
        .record = record,
        .metrics = cluster.metrics,
        .backoff = cluster.backoff,
        .access = cluster.access,
        .grant_check_ms = GRANT_CHECK_MS,
        .seed_url_prefixes = prefixes,
        .started = clock_wall_seconds(),
        .started_ms = clock_monotonic_ms(),
    };
    cluster.controller = (struct controller){
        .queue = cluster.queue,
        .reconciler = {&cluster.parts, reconciler_reconcile},
        .observer = {.ended = note_outcome},
    };
    return true;
}

static inline void free_operator(void) {
    access_reviewer_free(cluster.access);
    informers_free(cluster.informers);
    indexes_free(cluster.indexes);
    metrics_free(cluster.metrics);
    queue_free(cluster.queue);
    regenerate_backoff_free(cluster.backoff);
    cluster.access = nullptr;
    cluster.informers = nullptr;
    cluster.indexes = nullptr;
    cluster.metrics = nullptr;
    cluster.queue = nullptr;
    cluster.backoff = nullptr;
}

static inline int tear_down(void **) {
    memory_left = -1;
    free_changes(&cluster.unheard);
    free_changes(&cluster.kept);
    free_operator();
    memory_api_free(cluster.memory);
    return 0;
}

static inline int set_up(void **state) {
    struct error e;
    const struct memory_api_options options = {
        .now = seconds_now, .allows = allows, .changed = note_changed, .removed = note_removed};
    memory_left = -1;
    clock_ms = 0;
    wall_ahead_s = 0;
    log_set_level(LOG_ERROR);
    memset(&cluster, 0, sizeof(cluster));
    if (!memory_api_create(&options, &cluster.memory, &e) || !create_operator(&e)) {
        (void)tear_down(state);
        return -1;
    }
    return 0;
}

static inline void hear_of_kind(void *context, yyjson_val *value) {
    bool of_ours = indexes_find_resource(cluster.indexes, json_member_text(value, "kind")) != nullptr;
    if (of_ours == *(const bool *)context) {
        note_change(value, false);
    }
}

static inline void hear_of_all(void) {
    memory_api_visit(cluster.memory, hear_of_kind, &(bool){true});
    memory_api_visit(cluster.memory, hear_of_kind, &(bool){false});
}

// The operator ends, and another one begins that cannot list objects of that kind (NULL: it can list all). It
// knows what else is there, and nothing besides.
static inline void restart_without(const char *kind) {
    struct error e;
    free_changes(&cluster.unheard);
    cluster.is_silent = false;
    free_operator();
    must(create_operator(&e), e);
    if (kind != nullptr) {
        store_set_complete(informers_find_store(cluster.informers, kind, "ns"), false);
    }
    hear_of_all();
}

static inline void restart(void) {
    restart_without(nullptr);
}

// What could not be listed is.
static inline void list(const char *kind) {
    store_set_complete(informers_find_store(cluster.informers, kind, "ns"), true);
    hear_of_all();
}
