#include "cluster.h"

#include "base/memory.h"
#include "chance.h"
#include "kinds/table.h"
#include "kube/access_review.h"
#include "kube/object.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KINDS_MAX = 32, TIMEOUT_MS = 30 * 1000, SLOW_MS = 40 * 1000, BEHIND_MS = 20 * 1000 };

struct cluster {
    struct cluster_options options;
    struct memory_api *memory;
    struct weather weather;
    enum actor actor; // who changes something just now
    int64_t sent_ms;  // when the request for that left; 0: just now
    const struct link *sent_by;
    struct change **changes;
    size_t count;
    size_t room;
    uint64_t oldest;
    struct flight *flights; // all that ever were
};

static void must(bool done, const struct error *e) {
    if (!done) {
        fprintf(stderr, "the simulation itself failed: %s\n", e->message);
        abort();
    }
}

// ---- resources

static struct kube_resource resources[KINDS_MAX];
static size_t resource_count;

static void list_resources(void) {
    for (size_t i = 0; resource_count == i && kind_table[i] != nullptr; i++) {
        const struct kind *kind = kind_table[i];
        resources[resource_count++] =
            (struct kube_resource){kind->group, kind->version, kind->kind, kind->plural};
    }
    resources[resource_count++] = kube_secrets;
    resources[resource_count++] = kube_config_maps;
    resources[resource_count++] = kube_leases;
    resources[resource_count++] = kube_namespaces;
    resources[resource_count++] = kube_access_reviews;
}

const struct kube_resource *cluster_resource(const char *kind) {
    if (resource_count == 0) {
        list_resources();
    }
    for (size_t i = 0; i < resource_count; i++) {
        if (strcmp(resources[i].kind, kind) == 0) {
            return &resources[i];
        }
    }
    return nullptr;
}

// ---- what has changed

static uint64_t version_of(yyjson_val *object) {
    return strtoull(json_text(json_find(object, "metadata", "resourceVersion", nullptr)), nullptr, 10);
}

const struct change *cluster_change_of(const struct cluster *cluster, const struct kube_resource *resource,
                                       const char *namespace, const char *name, uint64_t version) {
    for (size_t i = cluster->count; i > 0; i--) {
        const struct change *change = cluster->changes[i - 1];
        if (change->version <= version && change->resource == resource && strcmp(change->name, name) == 0 &&
            strcmp(change->namespace, namespace) == 0) {
            return change;
        }
    }
    return nullptr;
}

static void note(struct cluster *cluster, yyjson_val *object, bool removed) {
    struct change *change = calloc(1, sizeof(*change));
    yyjson_mut_doc *copy = yyjson_mut_doc_new(nullptr);
    yyjson_mut_doc_set_root(copy, yyjson_val_mut_copy(copy, object));
    change->document = yyjson_mut_doc_imut_copy(copy, nullptr);
    yyjson_mut_doc_free(copy);
    yyjson_val *root = yyjson_doc_get_root(change->document);
    const char *namespace = json_text(json_find(root, "metadata", "namespace", nullptr));
    change->namespace = namespace == nullptr ? "" : namespace;
    change->name = json_text(json_find(root, "metadata", "name", nullptr));
    change->resource = cluster_resource(json_member_text(root, "kind"));
    change->version = version_of(root);
    change->at_ms = schedule_now_ms();
    change->sent_ms = cluster->sent_ms == 0 ? change->at_ms : cluster->sent_ms;
    change->sent_by = cluster->sent_by;
    change->actor = cluster->actor;
    change->removed = removed;
    const struct change *before =
        cluster_change_of(cluster, change->resource, change->namespace, change->name, UINT64_MAX);
    change->before = before == nullptr || before->removed ? nullptr : before;
    if (cluster->count == cluster->room) {
        cluster->room = cluster->room == 0 ? 256 : cluster->room * 2;
        cluster->changes = realloc(cluster->changes, cluster->room * sizeof(struct change *));
    }
    cluster->changes[cluster->count++] = change;
    cluster->options.changed(cluster->options.context, change);
}

static void on_change(void *context, const struct kube_resource *, yyjson_val *object) {
    note(context, object, false);
}

static void on_removal(void *context, yyjson_val *object) {
    note(context, object, true);
}

static bool on_review(void *context, yyjson_val *spec) {
    const struct cluster *cluster = context;
    return cluster->options.allows(cluster->options.context, spec);
}

static int64_t tell_time(void *) {
    return schedule_wall_s();
}

const struct change *const *cluster_changes(const struct cluster *cluster, size_t *ret_count) {
    *ret_count = cluster->count;
    return (const struct change *const *)cluster->changes;
}

yyjson_val *cluster_find(const struct cluster *cluster, const char *kind, const char *namespace,
                         const char *name) {
    const struct change *change =
        cluster_change_of(cluster, cluster_resource(kind), namespace, name, UINT64_MAX);
    return change == nullptr || change->removed ? nullptr : yyjson_doc_get_root(change->document);
}

uint64_t cluster_version(const struct cluster *cluster) {
    return cluster->count == 0 ? 1 : cluster->changes[cluster->count - 1]->version;
}

int64_t cluster_draw_delay(const struct cluster *cluster) {
    return chance_of(cluster->weather.stale) ? chance_below(BEHIND_MS) : 0;
}

int64_t cluster_shown_until(const struct cluster *cluster, int64_t behind_ms) {
    return schedule_now_ms() - (cluster->weather.stale == 0 ? 0 : behind_ms);
}

uint64_t cluster_shown_version(const struct cluster *cluster, int64_t behind_ms) {
    int64_t until_ms = cluster_shown_until(cluster, behind_ms);
    size_t i = cluster->count;
    while (i > 0 && cluster->changes[i - 1]->at_ms > until_ms) {
        i--;
    }
    return i == 0 ? 1 : cluster->changes[i - 1]->version;
}

uint64_t cluster_oldest(const struct cluster *cluster) {
    return cluster->oldest;
}

void cluster_compact(struct cluster *cluster) {
    cluster->oldest = cluster_version(cluster);
}

// ---- the cluster

struct cluster *cluster_create(const struct cluster_options *options) {
    struct error e;
    struct cluster *cluster = calloc(1, sizeof(*cluster));
    cluster->options = *options;
    const struct memory_api_options memory = {
        .now = tell_time,
        .allows = on_review,
        .changed = on_change,
        .removed = on_removal,
        .context = cluster,
        .has_namespaces = true,
    };
    (void)cluster_resource("Secret");
    must(memory_api_create(&memory, &cluster->memory, &e), &e);
    return cluster;
}

struct weather *cluster_weather(struct cluster *cluster) {
    return &cluster->weather;
}

static yyjson_doc *freeze(yyjson_mut_doc *document) {
    return yyjson_mut_doc_imut_copy(document, nullptr);
}

void cluster_put(struct cluster *cluster, const char *kind, yyjson_mut_doc *object) {
    struct error e;
    yyjson_doc *frozen = freeze(object);
    cluster->actor = BY_USER;
    must(memory_api_put(cluster->memory, cluster_resource(kind), yyjson_doc_get_root(frozen), &e), &e);
    yyjson_doc_free(frozen);
}

void cluster_remove(struct cluster *cluster, const char *kind, const char *namespace, const char *name) {
    struct error e;
    cluster->actor = BY_USER;
    bool done = memory_api_remove(cluster->memory, cluster_resource(kind),
                                  namespace[0] == '\0' ? nullptr : namespace, name, &e);
    must(done || e.class == ERROR_NOT_FOUND, &e);
}

void cluster_patch_status(struct cluster *cluster, const char *kind, const char *namespace, const char *name,
                          yyjson_mut_doc *patch) {
    struct error e;
    const struct api_request request = {.verb = API_PATCH,
                                        .resource = cluster_resource(kind),
                                        .namespace = namespace,
                                        .name = name,
                                        .subresource = "status",
                                        .body = patch};
    cluster->actor = BY_USER;
    bool done = api_call(memory_api_verbs(cluster->memory), &request, nullptr, &e);
    must(done || e.class == ERROR_NOT_FOUND, &e);
}

void cluster_collect(struct cluster *cluster) {
    struct error e;
    cluster->actor = BY_CLUSTER;
    must(memory_api_collect(cluster->memory, nullptr, &e), &e);
}

// ---- requests on their way

struct flight {
    struct flight *next;
    struct cluster *cluster;
    struct api_request request; // with texts of its own
    char *texts[6];
    yyjson_mut_doc *body;
    int64_t sent_ms;
    struct link *link;
    bool answered;
    bool done;
    yyjson_doc *answer;
    struct error error;
};

static const char *keep(struct flight *flight, size_t index, const char *text) {
    flight->texts[index] = text == nullptr ? nullptr : strdup(text);
    return flight->texts[index];
}

static struct flight *take_off(struct link *link, const struct api_request *request) {
    struct cluster *cluster = link->cluster;
    struct flight *flight = calloc(1, sizeof(*flight));
    flight->link = link;
    flight->cluster = cluster;
    flight->sent_ms = schedule_now_ms();
    flight->request = *request;
    flight->request.resource = cluster_resource(request->resource->kind);
    flight->request.namespace = keep(flight, 0, request->namespace);
    flight->request.name = keep(flight, 1, request->name);
    flight->request.subresource = keep(flight, 2, request->subresource);
    flight->request.resource_version = keep(flight, 3, request->resource_version);
    flight->request.field_selector = keep(flight, 4, request->field_selector);
    if (request->body != nullptr) {
        flight->body = yyjson_mut_doc_mut_copy((yyjson_mut_doc *)request->body, nullptr);
        flight->request.body = flight->body;
    }
    flight->next = cluster->flights;
    cluster->flights = flight;
    return flight;
}

static void flight_free(struct flight *flight) {
    for (size_t i = 0; i < sizeof(flight->texts) / sizeof(flight->texts[0]); i++) {
        free(flight->texts[i]);
    }
    yyjson_mut_doc_free(flight->body);
    json_free(flight->answer);
    free(flight);
}

static bool is_write(const struct api_request *request) {
    return request->verb != API_GET && request->verb != API_LIST &&
           strcmp(request->resource->group, kube_access_reviews.group) != 0;
}

static int64_t choose_latency(const struct cluster *cluster) {
    const struct weather *weather = &cluster->weather;
    return chance_of(weather->slow) ? chance_below(SLOW_MS) : 1 + chance_below(weather->latency_ms + 1);
}

// Of a version that a server has in its memory, which is not before what is asked for.
static bool read_stale(struct flight *flight) {
    const struct api_request *request = &flight->request;
    uint64_t wanted = strtoull(request->resource_version, nullptr, 10);
    uint64_t shown = cluster_shown_version(flight->cluster, flight->link->behind_ms);
    const struct change *change = cluster_change_of(flight->cluster, request->resource, request->namespace,
                                                    request->name, shown < wanted ? wanted : shown);
    if (change == nullptr || change->removed) {
        return error_set(&flight->error, ERROR_NOT_FOUND, "%s \"%s\" not found (HTTP status 404)",
                         request->resource->plural, request->name);
    }
    cleanup_json_mut yyjson_mut_doc *copy = nullptr;
    must(json_create(&copy, &flight->error), &flight->error);
    yyjson_mut_doc_set_root(copy, yyjson_val_mut_copy(copy, yyjson_doc_get_root(change->document)));
    return json_freeze(copy, &flight->answer, &flight->error);
}

// What was asked for by its name, without a version that would do.
struct live_read {
    struct live_read *next;
    const struct kube_resource *resource;
    char *namespace;
    char *name;
    int64_t at_ms;
    uint64_t version;
};

static struct live_read *find_live_read(const struct link *link, const struct kube_resource *resource,
                                        const char *namespace, const char *name) {
    struct live_read *read = link->live_reads;
    while (read != nullptr && (read->resource != resource || strcmp(read->namespace, namespace) != 0 ||
                               strcmp(read->name, name) != 0)) {
        read = read->next;
    }
    return read;
}

static void note_live_read(const struct flight *flight) {
    static const char selector[] = "metadata.name=";
    const struct api_request *request = &flight->request;
    struct link *link = flight->link;
    if (request->verb != API_LIST || request->field_selector == nullptr) {
        return;
    }
    const char *name = request->field_selector + strlen(selector);
    struct live_read *read = find_live_read(link, request->resource, request->namespace, name);
    if (read == nullptr) {
        read = calloc(1, sizeof(*read));
        read->next = link->live_reads;
        read->resource = request->resource;
        read->namespace = strdup(request->namespace);
        read->name = strdup(name);
        link->live_reads = read;
    }
    read->at_ms = schedule_now_ms();
    read->version = cluster_version(flight->cluster);
}

bool cluster_live_read(const struct link *link, const struct kube_resource *resource, const char *namespace,
                       const char *name, int64_t *ret_at_ms, uint64_t *ret_version) {
    const struct live_read *read = find_live_read(link, resource, namespace, name);
    if (read != nullptr) {
        *ret_at_ms = read->at_ms;
        *ret_version = read->version;
    }
    return read != nullptr;
}

void link_done(struct link *link) {
    while (link->live_reads != nullptr) {
        struct live_read *read = link->live_reads;
        link->live_reads = read->next;
        free(read->namespace);
        free(read->name);
        free(read);
    }
}

static bool carry_out(struct flight *flight) {
    const struct api_request *request = &flight->request;
    struct cluster *cluster = flight->cluster;
    if (request->verb == API_GET && request->resource_version != nullptr && !request->metadata_only &&
        strtoull(request->resource_version, nullptr, 10) <= cluster_version(cluster)) {
        return read_stale(flight);
    }
    note_live_read(flight);
    cluster->actor = BY_OPERATOR;
    cluster->sent_ms = flight->sent_ms;
    cluster->sent_by = flight->link;
    bool done = api_call(memory_api_verbs(cluster->memory), request, &flight->answer, &flight->error);
    cluster->sent_ms = 0;
    cluster->sent_by = nullptr;
    return done;
}

static bool refuse(struct flight *flight) {
    static const int statuses[] = {429, 500, 503};
    int status = statuses[chance_below(3)];
    error_set(&flight->error, ERROR_RETRYABLE, "the server is not well (HTTP status %d)", status);
    flight->error.retry_after_ms = status == 429 ? chance_below(3) * 1000 : 0;
    return false;
}

static void land(void *context) {
    struct flight *flight = context;
    flight->answered = true;
    schedule_signal(flight, true);
}

static void arrive(void *context) {
    struct flight *flight = context;
    struct cluster *cluster = flight->cluster;
    const struct weather *weather = &cluster->weather;
    if (chance_of(weather->lost) || flight->link->process->cut_off_until_ms > schedule_now_ms()) {
        flight->done = error_set(&flight->error, ERROR_IO, "the connection was reset");
    } else if (chance_of(weather->refused)) {
        flight->done = refuse(flight);
    } else if ((flight->request.verb == API_PATCH || flight->request.verb == API_UPDATE) &&
               chance_of(weather->conflicts)) {
        flight->done = error_set(&flight->error, ERROR_CONFLICT, "has been modified (HTTP status 409)");
    } else {
        flight->done = carry_out(flight);
        if (chance_of(weather->unanswered)) {
            flight->done = error_set(&flight->error, ERROR_IO, "the connection was reset");
        }
    }
    schedule_after(choose_latency(cluster), nullptr, land, flight);
}

static bool is_gone(const struct link *link, struct error *e) {
    return link->process->dead && !error_set(e, ERROR_IO, "the process has ended");
}

static bool may_crash(struct link *link) {
    if (link->crash != nullptr && chance_of(link->cluster->weather.crash)) {
        link->crash(link->owner);
    }
    return true;
}

static bool call(void *context, const struct api_request *request, yyjson_doc **ret_document,
                 struct error *e) {
    struct link *link = context;
    bool writes = is_write(request);
    if (is_gone(link, e) || (may_crash(link) && is_gone(link, e))) {
        return false;
    }
    if (writes && link->may_write != nullptr && !link->may_write(link->owner)) {
        return error_set(e, ERROR_IO, "another replica may lead");
    }
    *(writes ? &link->writes : &link->reads) += 1;
    struct flight *flight = take_off(link, request);
    schedule_after(choose_latency(link->cluster), nullptr, arrive, flight);
    (void)schedule_wait(flight,
                        schedule_now_ms() + (request->timeout_ms == 0 ? TIMEOUT_MS : request->timeout_ms));
    if (is_gone(link, e) || (may_crash(link) && is_gone(link, e))) {
        return false;
    }
    if (!flight->answered) {
        return error_set(e, ERROR_IO, "no answer in time");
    }
    if (!flight->done) {
        *e = flight->error;
        return false;
    }
    if (ret_document != nullptr) {
        *ret_document = flight->answer;
        flight->answer = nullptr;
    }
    return true;
}

struct api link_api(struct link *link) {
    return (struct api){.context = link, .call = call};
}

void cluster_free(struct cluster *cluster) {
    for (struct flight *flight = cluster->flights; flight != nullptr;) {
        struct flight *next = flight->next;
        flight_free(flight);
        flight = next;
    }
    for (size_t i = 0; i < cluster->count; i++) {
        yyjson_doc_free(cluster->changes[i]->document);
        free(cluster->changes[i]);
    }
    free(cluster->changes);
    memory_api_free(cluster->memory);
    free(cluster);
}
