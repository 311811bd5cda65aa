#include "feed.h"

#include "chance.h"
#include "kube/client.h"
#include "runtime/reflector.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WATCH_SECONDS = 600, BOOKMARK_MS = 60 * 1000, PAGES_OF_THREE = 200, DELIVERED_MAX = 3 };

struct feed {
    struct feed_options options;
    struct reflector *reflector;
    bool has_synced;
    // The exchange under way.
    struct reflector_step step;
    char query[512];
    unsigned exchange; // its number: what was to happen in an earlier one does not
    uint64_t cursor;   // of a watch: the version up to which all was shown
    size_t position;   // the same, in the cluster's changes
    bool delivery_due; // one is scheduled
    bool is_stalled;
    struct turn *turns; // that are still to come
};

// Something that is to happen in an exchange, if that still lasts then.
struct turn {
    struct feed *feed;
    unsigned exchange;
    void (*action)(struct feed *feed);
    struct turn *next;
};

static void next(struct feed *feed);

static void take_turn(void *context) {
    const struct turn turn = *(struct turn *)context;
    struct turn **place = &turn.feed->turns;
    while (*place != context) {
        place = &(*place)->next;
    }
    *place = turn.next;
    free(context);
    if (turn.feed->exchange == turn.exchange) {
        turn.action(turn.feed);
    }
}

static void later(struct feed *feed, int64_t delay_ms, void (*action)(struct feed *feed)) {
    struct turn *turn = malloc(sizeof(*turn));
    *turn = (struct turn){feed, feed->exchange, action, feed->turns};
    feed->turns = turn;
    schedule_after(delay_ms, feed->options.process, take_turn, turn);
}

// ---- the reflector's sink: the store

static bool sink_replace(void *context, struct kube_object **objects, size_t count,
                         const char *resource_version, struct error *e) {
    struct feed *feed = context;
    if (!store_replace(feed->options.store, objects, count, resource_version, e)) {
        return false;
    }
    if (!feed->has_synced) {
        feed->has_synced = true;
        feed->options.synced(feed->options.context);
    }
    return true;
}

static bool sink_apply(void *context, struct kube_object *object, struct error *e) {
    return store_apply(((struct feed *)context)->options.store, object, e);
}

static void sink_remove(void *context, struct kube_object *object) {
    store_remove(((struct feed *)context)->options.store, object);
}

static void sink_advance(void *context, const char *resource_version) {
    store_advance(((struct feed *)context)->options.store, resource_version);
}

static bool sink_wants(void *context, const struct kube_object *object) {
    return store_wants(((struct feed *)context)->options.store, object);
}

static bool sink_has(void *context, const char *key, const char *resource_version) {
    return store_has_version(((struct feed *)context)->options.store, key, resource_version);
}

// ---- exchanges

static struct weather *weather_of(const struct feed *feed) {
    return cluster_weather(feed->options.cluster);
}

static int64_t latency(const struct feed *feed) {
    return 1 + chance_below(weather_of(feed)->latency_ms + 1);
}

static void fail(struct feed *feed, int status, enum error_class class, const char *why) {
    struct error e;
    error_set(&e, class, "%s", why);
    reflector_failed(feed->reflector, schedule_now_ms(), status, &e);
    next(feed);
}

static bool is_cut_off(const struct feed *feed) {
    return feed->options.process->cut_off_until_ms > schedule_now_ms();
}

// Whether the exchange ends in a failure now.
static bool has_failed(struct feed *feed) {
    const struct weather *weather = weather_of(feed);
    if (chance_of(weather->lost) || is_cut_off(feed)) {
        fail(feed, 0, ERROR_IO, "the connection was reset");
        return true;
    }
    if (chance_of(weather->refused)) {
        static const int statuses[] = {429, 500, 503};
        fail(feed, statuses[chance_below(3)], ERROR_RETRYABLE, "the server is not well");
        return true;
    }
    return false;
}

// Writes the value of a parameter of the query; "": there is none.
static void find_parameter(const struct feed *feed, const char *name, char ret_value[64]) {
    ret_value[0] = '\0';
    size_t length = strlen(name);
    for (const char *at = feed->query; at != nullptr; at = strchr(at, '&')) {
        at += at[0] == '&' ? 1 : 0;
        if (strncmp(at, name, length) == 0 && at[length] == '=') {
            snprintf(ret_value, 64, "%.*s", (int)strcspn(at + length + 1, "&"), at + length + 1);
            return;
        }
    }
}

static bool is_shown(const struct feed *feed, const struct change *change) {
    return change->resource == feed->options.resource;
}

static void give_object(const struct feed *feed, const struct change *change, yyjson_mut_doc *document,
                        yyjson_mut_val **ret_object) {
    yyjson_val *root = yyjson_doc_get_root(change->document);
    if (!feed->options.kept.metadata_only) {
        *ret_object = yyjson_val_mut_copy(document, root);
        return;
    }
    *ret_object = yyjson_mut_obj(document);
    (void)yyjson_mut_obj_add_str(document, *ret_object, "apiVersion", "meta.k8s.io/v1");
    (void)yyjson_mut_obj_add_str(document, *ret_object, "kind", "PartialObjectMetadata");
    (void)yyjson_mut_obj_add_val(document, *ret_object, "metadata",
                                 yyjson_val_mut_copy(document, yyjson_obj_get(root, "metadata")));
}

// ---- lists

// The last change of each object up to version, if the object is there then, ordered by key: those from the
// one number from on, up to count. Whether there are more.
struct page {
    size_t from;
    size_t count;
    uint64_t version;
};

static int compare_keys(const void *a, const void *b) {
    const struct change *one = *(const struct change *const *)a;
    const struct change *other = *(const struct change *const *)b;
    int order = strcmp(one->namespace, other->namespace);
    return order != 0 ? order : strcmp(one->name, other->name);
}

// Owned list of what is there at that version.
static const struct change **list_at(const struct feed *feed, uint64_t version, size_t *ret_count) {
    size_t count;
    const struct change *const *changes = cluster_changes(feed->options.cluster, &count);
    const struct change **found = calloc(count + 1, sizeof(*found));
    size_t found_count = 0;
    for (size_t i = 0; i < count && changes[i]->version <= version; i++) {
        if (!is_shown(feed, changes[i])) {
            continue;
        }
        size_t place = 0;
        while (place < found_count && compare_keys(&found[place], &changes[i]) != 0) {
            place++;
        }
        found[place] = changes[i];
        found_count += place == found_count ? 1 : 0;
    }
    size_t kept = 0;
    for (size_t i = 0; i < found_count; i++) {
        if (!found[i]->removed) {
            found[kept++] = found[i];
        }
    }
    qsort(found, kept, sizeof(*found), compare_keys);
    *ret_count = kept;
    return found;
}

static bool give_item(struct feed *feed, const struct change *change) {
    struct error e;
    yyjson_mut_doc *document = yyjson_mut_doc_new(nullptr);
    yyjson_mut_val *object;
    give_object(feed, change, document, &object);
    yyjson_mut_doc_set_root(document, object);
    size_t length;
    char *text = yyjson_mut_write(document, 0, &length);
    bool done = reflector_item(feed->reflector, schedule_now_ms(), text, length, &e);
    free(text);
    yyjson_mut_doc_free(document);
    return done;
}

static void give_page(struct feed *feed, const struct page *page) {
    struct error e;
    size_t count;
    const struct change **found = list_at(feed, page->version, &count);
    size_t end = count < page->from + page->count ? count : page->from + page->count;
    bool done = true;
    for (size_t i = page->from; done && i < end; i++) {
        done = give_item(feed, found[i]);
    }
    free(found);
    if (done) {
        char version[32];
        char token[64];
        snprintf(version, sizeof(version), "%llu", (unsigned long long)page->version);
        snprintf(token, sizeof(token), "%llu-%zu", (unsigned long long)page->version, end);
        yyjson_mut_doc *document = yyjson_mut_doc_new(nullptr);
        yyjson_mut_val *root = yyjson_mut_obj(document);
        yyjson_mut_doc_set_root(document, root);
        yyjson_mut_val *metadata = yyjson_mut_obj_add_obj(document, root, "metadata");
        (void)yyjson_mut_obj_add_str(document, metadata, "resourceVersion", version);
        if (end < count) {
            (void)yyjson_mut_obj_add_str(document, metadata, "continue", token);
        }
        (void)yyjson_mut_obj_add_arr(document, root, "items");
        yyjson_doc *frozen = yyjson_mut_doc_imut_copy(document, nullptr);
        (void)reflector_page(feed->reflector, schedule_now_ms(), yyjson_doc_get_root(frozen), &e);
        yyjson_doc_free(frozen);
        yyjson_mut_doc_free(document);
    }
    next(feed);
}

static void answer_list(struct feed *feed) {
    char version[64];
    char token[64];
    char limit[64];
    struct cluster *cluster = feed->options.cluster;
    uint64_t newest = cluster_version(cluster);
    if (has_failed(feed)) {
        return;
    }
    find_parameter(feed, "resourceVersion", version);
    find_parameter(feed, "continue", token);
    find_parameter(feed, "limit", limit);
    struct page page = {0, limit[0] == '\0' ? SIZE_MAX : (size_t)strtoull(limit, nullptr, 10), newest};
    uint64_t wanted = strtoull(version, nullptr, 10);
    if (limit[0] != '\0' && page.count > 3 && chance_of(PAGES_OF_THREE)) {
        page.count = 3; // a server may give less than is asked for
    }
    if (token[0] != '\0') {
        char *dash;
        page.version = strtoull(token, &dash, 10);
        page.from = strtoull(dash + 1, nullptr, 10);
        if (page.version < cluster_oldest(cluster) || chance_of(weather_of(feed)->expired)) {
            fail(feed, 410, ERROR_GONE, "the provided continue parameter is too old");
            return;
        }
    } else if (wanted > newest) {
        fail(feed, 504, ERROR_GONE, "Too large resource version");
        return;
    } else if (version[0] != '\0') { // from the server's memory
        uint64_t stale = cluster_shown_version(cluster, feed->options.behind_ms);
        page.version = stale > wanted ? stale : wanted > 0 ? wanted : 1;
    }
    give_page(feed, &page);
}

// ---- watches

static void deliver(struct feed *feed);

static void plan_delivery(struct feed *feed) {
    if (!feed->delivery_due) {
        feed->delivery_due = true;
        later(feed, latency(feed), deliver);
    }
}

static bool give_line(struct feed *feed, const char *type, yyjson_mut_doc *document, yyjson_mut_val *object) {
    struct error e;
    yyjson_mut_val *event = yyjson_mut_obj(document);
    (void)yyjson_mut_obj_add_str(document, event, "type", type);
    (void)yyjson_mut_obj_add_val(document, event, "object", object);
    yyjson_mut_doc_set_root(document, event);
    size_t length;
    char *text = yyjson_mut_write(document, 0, &length);
    bool done = reflector_line(feed->reflector, schedule_now_ms(), text, length, &e);
    free(text);
    return done;
}

static bool give_change(struct feed *feed, const struct change *change) {
    yyjson_mut_doc *document = yyjson_mut_doc_new(nullptr);
    yyjson_mut_val *object;
    give_object(feed, change, document, &object);
    bool done = give_line(feed,
                          change->removed             ? "DELETED"
                          : change->before == nullptr ? "ADDED"
                                                      : "MODIFIED",
                          document, object);
    yyjson_mut_doc_free(document);
    return done;
}

static bool give_bookmark(struct feed *feed) {
    char version[32];
    yyjson_mut_doc *document = yyjson_mut_doc_new(nullptr);
    yyjson_mut_val *object = yyjson_mut_obj(document);
    snprintf(version, sizeof(version), "%llu", (unsigned long long)feed->cursor);
    (void)yyjson_mut_obj_add_strcpy(document, object, "kind", feed->options.resource->kind);
    yyjson_mut_val *metadata = yyjson_mut_obj_add_obj(document, object, "metadata");
    (void)yyjson_mut_obj_add_str(document, metadata, "resourceVersion", version);
    bool done = give_line(feed, "BOOKMARK", document, object);
    yyjson_mut_doc_free(document);
    return done;
}

static void end_in_order(struct feed *feed) {
    struct error e;
    if (!feed->is_stalled) {
        (void)reflector_ended(feed->reflector, schedule_now_ms(), &e);
        next(feed);
    }
}

static void pass_idle_deadline(struct feed *feed) {
    fail(feed, 200, ERROR_IO, "nothing was heard for too long");
}

// The server, or what is in between, has gone without a word.
static bool stall(struct feed *feed) {
    if (chance_of(weather_of(feed)->stalled)) {
        feed->is_stalled = true;
        later(feed, feed->step.idle_ms, pass_idle_deadline);
    }
    return feed->is_stalled;
}

static void deliver(struct feed *feed) {
    size_t count;
    const struct change *const *changes = cluster_changes(feed->options.cluster, &count);
    unsigned given = 0;
    feed->delivery_due = false;
    if (feed->is_stalled || stall(feed)) {
        return;
    }
    if (is_cut_off(feed) || chance_of(weather_of(feed)->cut)) {
        fail(feed, 200, ERROR_IO, "the connection was reset");
        return;
    }
    int64_t until_ms = cluster_shown_until(feed->options.cluster, feed->options.behind_ms);
    while (feed->position < count && changes[feed->position]->at_ms <= until_ms &&
           given <= chance_below(DELIVERED_MAX)) {
        const struct change *change = changes[feed->position++];
        if (change->version <= feed->cursor) {
            continue;
        }
        feed->cursor = change->version;
        if (is_shown(feed, change) && !chance_of(weather_of(feed)->dropped)) {
            given++;
            if (!give_change(feed, change)) {
                next(feed);
                return;
            }
        }
    }
    if (feed->position < count) {
        plan_delivery(feed);
    }
}

static void bookmark(struct feed *feed) {
    size_t count;
    (void)cluster_changes(feed->options.cluster, &count);
    if (feed->is_stalled) {
        return;
    }
    if (feed->position == count && !give_bookmark(feed)) {
        next(feed);
        return;
    }
    later(feed, BOOKMARK_MS, bookmark);
}

static void begin_watch(struct feed *feed) {
    char version[64];
    char seconds[64];
    if (has_failed(feed)) {
        return;
    }
    find_parameter(feed, "resourceVersion", version);
    find_parameter(feed, "timeoutSeconds", seconds);
    feed->cursor = strtoull(version, nullptr, 10);
    feed->position = 0;
    if (feed->cursor < cluster_oldest(feed->options.cluster) || chance_of(weather_of(feed)->expired)) {
        fail(feed, 410, ERROR_GONE, "too old resource version");
        return;
    }
    later(feed, (int64_t)strtoull(seconds, nullptr, 10) * 1000, end_in_order);
    later(feed, BOOKMARK_MS, bookmark);
    plan_delivery(feed);
}

void feed_wake(struct feed *feed) {
    if (feed->step.action == REFLECTOR_WATCH && feed->cursor > 0) {
        plan_delivery(feed);
    }
}

// ---- what is next

static void next(struct feed *feed) {
    static void (*const begin[])(struct feed *feed) = {
        [REFLECTOR_LIST] = answer_list,
        [REFLECTOR_CHECK] = answer_list,
        [REFLECTOR_WATCH] = begin_watch,
        [REFLECTOR_WAIT] = next,
    };
    feed->exchange++;
    feed->delivery_due = false;
    feed->is_stalled = false;
    feed->cursor = 0;
    reflector_next(feed->reflector, schedule_now_ms(), &feed->step);
    bool waits = feed->step.action == REFLECTOR_WAIT;
    snprintf(feed->query, sizeof(feed->query), "%s", waits ? "" : feed->step.query);
    later(feed, waits ? feed->step.wait_ms : latency(feed), begin[feed->step.action]);
}

struct feed *feed_create(const struct feed_options *options) {
    struct error e;
    struct feed *feed = calloc(1, sizeof(*feed));
    feed->options = *options;
    const struct reflector_sink sink = {feed,        options->kept, sink_replace, sink_apply,
                                        sink_remove, sink_advance,  sink_wants,   sink_has};
    if (!reflector_create(&sink, WATCH_SECONDS, chance_fraction, nullptr, &feed->reflector, &e)) {
        abort();
    }
    next(feed);
    return feed;
}

void feed_free(struct feed *feed) {
    if (feed != nullptr) {
        while (feed->turns != nullptr) {
            struct turn *turn = feed->turns;
            feed->turns = turn->next;
            free(turn);
        }
        reflector_free(feed->reflector);
        free(feed);
    }
}
