#include "runtime/reflector.h"

#include "base/buffer.h"
#include "base/memory.h"
#include "kube/client.h"
#include "json/allocator.h"

#include <string.h>

enum {
    PAGE_SIZE = 500, // objects

    LIST_DEADLINE_MS = 90 * 1000, // the API server gives up after 60 s

    WATCH_MARGIN_MS = 10 * 1000,
    // Bookmarks come about every minute on a quiet watch, so two in a row are missing: the connection is most
    // likely dead. Where a server sends none, a watch is made anew after so long, which costs it next to
    // nothing.
    WATCH_IDLE_MS = 150 * 1000,
    WATCH_SHORT_MS = 1000,

    BACKOFF_FIRST_MS = 800,
    BACKOFF_MAX_MS = 30 * 1000,
    BACKOFF_RESET_MS = 120 * 1000,

    ANSWERED_FAILURES_MAX = 5,

    RELIST_MS = 10 * 3600 * 1000,
    RELIST_JITTER_MS = 3600 * 1000,

    STATUS_TOO_MANY_REQUESTS = 429,
    STATUS_GONE = 410,
    STATUS_SERVER_ERROR = 500,
    STATUS_FAILED_MIN = 400, // from here on an HTTP status says that the request failed

    QUERY_CAP = 64 * 1024, // bytes; a continue token has some hundred
};

enum state { WANT_LIST, LISTING, WANT_CHECK, CHECKING, WANT_WATCH, WATCHING };

enum version { ANY, SEEN, NEWEST }; // what a list asks for

struct reflector {
    struct reflector_sink sink;
    reflector_random *random;
    void *random_context;
    uint32_t watch_seconds; // what is asked of the server: up to this, from half of it on
    enum state state;
    char *seen;          // the last resourceVersion of a list, event or bookmark; NULL: none yet
    struct buffer query; // of the step last given out
    // The list that is wanted or under way.
    enum version version;
    bool in_one_piece;
    char *token;                  // of the next page; NULL: the first page is next
    char *list_version;           // said by the first page
    struct kube_object **objects; // that are wanted, of the pages so far, each a count of its own
    size_t object_count;
    size_t page_begin; // how many of them are of whole pages
    size_t object_room;
    // The watch under way.
    int64_t watch_started_ms;
    bool received; // an event or bookmark came
    // Failures.
    int64_t wait_until_ms;
    int64_t last_failure_ms;
    uint32_t backoff_ms;        // the longest that the next wait may be
    unsigned answered_failures; // in a row
    bool restarted;             // listed anew at once, and nothing has come since
    int64_t relist_at_ms;
};

bool reflector_create(const struct reflector_sink *sink, uint32_t watch_seconds, reflector_random *random,
                      void *random_context, struct reflector **ret_reflector, struct error *e) {
    struct reflector *reflector = memory_allocate_zeroed(1, sizeof(*reflector));
    if (reflector == nullptr) {
        return error_no_memory(e, "a reflector");
    }
    reflector->sink = *sink;
    reflector->watch_seconds = watch_seconds;
    reflector->random = random;
    reflector->random_context = random_context;
    reflector->backoff_ms = BACKOFF_FIRST_MS;
    reflector->query = buffer_create(QUERY_CAP);
    *ret_reflector = reflector;
    return true;
}

static void replace_text(char **text, char *taken) {
    memory_free(*text);
    *text = taken;
}

// What came of a page whose end did not.
static void drop_begun_page(struct reflector *reflector) {
    while (reflector->object_count > reflector->page_begin) {
        kube_object_release(reflector->objects[--reflector->object_count]);
    }
}

static void drop_pages(struct reflector *reflector) {
    reflector->page_begin = 0;
    drop_begun_page(reflector);
    memory_free(reflector->objects);
    reflector->objects = nullptr;
    reflector->object_room = 0;
    replace_text(&reflector->token, nullptr);
    replace_text(&reflector->list_version, nullptr);
}

void reflector_free(struct reflector *reflector) {
    if (reflector != nullptr) {
        drop_pages(reflector);
        buffer_done(&reflector->query);
        memory_free(reflector->seen);
        memory_free(reflector);
    }
}

// ---- failures

static uint32_t random_below(struct reflector *reflector, uint32_t limit) {
    return (uint32_t)(reflector->random(reflector->random_context) * limit);
}

static void back_off(struct reflector *reflector, int64_t now_ms, uint32_t floor_ms) {
    if (now_ms - reflector->last_failure_ms >= BACKOFF_RESET_MS) {
        reflector->backoff_ms = BACKOFF_FIRST_MS;
    }
    uint32_t wait_ms = 1 + random_below(reflector, reflector->backoff_ms);
    reflector->wait_until_ms = now_ms + (wait_ms < floor_ms ? floor_ms : wait_ms);
    reflector->last_failure_ms = now_ms;
    reflector->backoff_ms =
        reflector->backoff_ms * 2 < BACKOFF_MAX_MS ? reflector->backoff_ms * 2 : BACKOFF_MAX_MS;
}

// From the first page.
static void want_list(struct reflector *reflector, enum version version) {
    drop_pages(reflector);
    reflector->state = WANT_LIST;
    reflector->version = version == SEEN && reflector->seen == nullptr ? ANY : version;
    reflector->answered_failures = 0;
}

// Something came that shows progress.
static void note_progress(struct reflector *reflector) {
    reflector->restarted = false;
    reflector->answered_failures = 0;
}

// What was seen, or the token of the next page, means nothing to the server (any more).
static bool is_version_refused(int status, const struct error *error) {
    return status == STATUS_GONE || error->class == ERROR_GONE;
}

static void restart(struct reflector *reflector, int64_t now_ms, const struct error *error) {
    reflector->in_one_piece = reflector->in_one_piece || reflector->token != nullptr;
    want_list(reflector, NEWEST);
    if (reflector->restarted) {
        back_off(reflector, now_ms, error->retry_after_ms);
    }
    reflector->restarted = true;
}

// Whether the server gave a reason, or an answer that is none, which may stay so for ever for this version or
// token; unlike what the network or an overloaded server does. A 503 is such a reason, too: where it is only
// watches that are answered so, as a proxy may do, lists are all that is left.
static bool is_answered(int status, const struct error *error) {
    return status >= STATUS_FAILED_MIN ? status != STATUS_TOO_MANY_REQUESTS
                                       : status != 0 && error->class == ERROR_IO;
}

void reflector_failed(struct reflector *reflector, int64_t now_ms, int status, const struct error *error) {
    if (is_version_refused(status, error)) {
        restart(reflector, now_ms, error);
        return;
    }
    bool listing = reflector->state == LISTING;
    drop_begun_page(reflector);
    reflector->state = listing ? WANT_LIST : WANT_CHECK;
    if (is_answered(status, error) && ++reflector->answered_failures >= ANSWERED_FAILURES_MAX) {
        want_list(reflector, listing ? reflector->version : SEEN);
    }
    back_off(reflector, now_ms, error->retry_after_ms);
}

// An answer that should not be, or a failed sink: what is stored may be wrong. Always returns false.
static bool force_relist(struct reflector *reflector, int64_t now_ms) {
    want_list(reflector, reflector->state == LISTING ? reflector->version : SEEN);
    back_off(reflector, now_ms, 0);
    return false;
}

// ---- queries

static bool build_list(struct reflector *reflector, struct error *e) {
    struct buffer *query = &reflector->query;
    if (reflector->token != nullptr) {
        return buffer_append_format(query, e, "limit=%d&continue=", PAGE_SIZE) &&
               kube_append_encoded(query, reflector->token, e);
    }
    switch (reflector->version) {
    case ANY: // the limit counts only where the server has no cache to answer from
        return buffer_append_format(query, e, "limit=%d&resourceVersion=0", PAGE_SIZE);
    case SEEN: // without limit, since a limit would keep the server from answering from its cache
        return buffer_append_text(query, "resourceVersion=", e) &&
               kube_append_encoded(query, reflector->seen, e);
    case NEWEST:
        break;
    }
    return reflector->in_one_piece ? buffer_append_text(query, "resourceVersion=", e)
                                   : buffer_append_format(query, e, "limit=%d&resourceVersion=", PAGE_SIZE);
}

static bool build_watch(struct reflector *reflector, uint32_t *ret_seconds, struct error *e) {
    uint32_t least = reflector->watch_seconds / 2;
    uint32_t seconds = least + random_below(reflector, reflector->watch_seconds - least);
    if (!buffer_append_format(&reflector->query, e, "watch=1&allowWatchBookmarks=true&timeoutSeconds=%u",
                              seconds) ||
        !buffer_append_text(&reflector->query, "&resourceVersion=", e) ||
        !kube_append_encoded(&reflector->query, reflector->seen, e)) {
        return false;
    }
    *ret_seconds = seconds;
    return true;
}

// False: no memory for the query, or it is too long.
static bool start(struct reflector *reflector, int64_t now_ms, struct reflector_step *ret_step) {
    struct error e;
    buffer_done(&reflector->query);
    if (reflector->state == WANT_LIST) {
        if (!build_list(reflector, &e)) {
            return false;
        }
        *ret_step = (struct reflector_step){.action = REFLECTOR_LIST, .deadline_ms = LIST_DEADLINE_MS};
        reflector->state = LISTING;
    } else if (reflector->state == WANT_CHECK) {
        if (!buffer_append_text(&reflector->query, "limit=1&resourceVersion=", &e)) {
            return false;
        }
        *ret_step = (struct reflector_step){.action = REFLECTOR_CHECK, .deadline_ms = LIST_DEADLINE_MS};
        reflector->state = CHECKING;
    } else {
        uint32_t seconds;
        if (!build_watch(reflector, &seconds, &e)) {
            return false;
        }
        *ret_step = (struct reflector_step){.action = REFLECTOR_WATCH,
                                            .deadline_ms = seconds * 1000 + WATCH_MARGIN_MS,
                                            .idle_ms = WATCH_IDLE_MS};
        reflector->state = WATCHING;
        reflector->watch_started_ms = now_ms;
        reflector->received = false;
    }
    ret_step->query = buffer_text(&reflector->query);
    return true;
}

void reflector_next(struct reflector *reflector, int64_t now_ms, struct reflector_step *ret_step) {
    if (reflector->wait_until_ms <= now_ms) {
        if (reflector->state == WANT_CHECK && now_ms >= reflector->relist_at_ms) {
            want_list(reflector, NEWEST);
        }
        if (start(reflector, now_ms, ret_step)) {
            return;
        }
        if (reflector->state == WANT_LIST) {
            want_list(reflector, reflector->version); // it may be that the token is too long
        }
        back_off(reflector, now_ms, 0);
    }
    *ret_step = (struct reflector_step){.action = REFLECTOR_WAIT,
                                        .wait_ms = (uint32_t)(reflector->wait_until_ms - now_ms)};
}

// ---- lists

// Takes object, but not on failure.
static bool append_object(struct reflector *reflector, struct kube_object *object, struct error *e) {
    if (reflector->object_count == reflector->object_room) {
        size_t room = reflector->object_room == 0 ? PAGE_SIZE : reflector->object_room * 2;
        struct kube_object **objects = memory_resize(reflector->objects, room * sizeof(*objects));
        if (objects == nullptr) {
            return error_no_memory(e, "a list");
        }
        reflector->objects = objects;
        reflector->object_room = room;
    }
    reflector->objects[reflector->object_count++] = object;
    return true;
}

// A copy of text; a list or an event without it is malformed.
static bool copy_needed(const char *text, const char *what, char **ret_copy, struct error *e) {
    if (text == nullptr || text[0] == '\0') {
        return error_set(e, ERROR_IO, "it has no %s", what);
    }
    char *copy = memory_copy_text(text);
    if (copy == nullptr) {
        return error_no_memory(e, what);
    }
    *ret_copy = copy;
    return true;
}

static bool read_page(struct reflector *reflector, yyjson_val *page, struct error *e) {
    yyjson_val *metadata = yyjson_obj_get(page, "metadata");
    const char *version = json_member_text(metadata, "resourceVersion");
    yyjson_val *items = yyjson_obj_get(page, "items");
    if (!yyjson_is_arr(items) && !yyjson_is_null(items)) { // null is what an empty list of Go may become
        return error_set(e, ERROR_IO, "it has no items");
    }
    if (yyjson_arr_size(items) != 0) {
        return error_set(e, ERROR_IO, "its key \"items\" is not written so");
    }
    if (reflector->list_version == nullptr &&
        !copy_needed(version, "metadata.resourceVersion", &reflector->list_version, e)) {
        return false;
    }
    reflector->page_begin = reflector->object_count;
    const char *token = json_member_text(metadata, "continue");
    replace_text(&reflector->token, nullptr);
    return token == nullptr || token[0] == '\0' ||
           copy_needed(token, "metadata.continue", &reflector->token, e);
}

static bool finish_list(struct reflector *reflector, int64_t now_ms, struct error *e) {
    struct reflector_sink *sink = &reflector->sink;
    size_t count = reflector->object_count;
    reflector->object_count = 0; // they are taken
    reflector->page_begin = 0;
    if (!sink->replace(sink->context, reflector->objects, count, reflector->list_version, e)) {
        return false;
    }
    replace_text(&reflector->seen, reflector->list_version);
    reflector->list_version = nullptr;
    drop_pages(reflector);
    reflector->state = WANT_WATCH;
    reflector->in_one_piece = false;
    reflector->relist_at_ms = now_ms + RELIST_MS + random_below(reflector, RELIST_JITTER_MS);
    return true;
}

// What is malformed is the server's or the network's fault, and no user's. Always returns false.
static bool wrap_malformed(struct error *e, const char *what) {
    if (e->class == ERROR_INVALID_SPEC) {
        e->class = ERROR_IO;
    }
    return error_wrap(e, "%s", what);
}

// The newest version that there is, said by a list of one object.
static bool take_check(struct reflector *reflector, int64_t now_ms, yyjson_val *page, struct error *e) {
    const char *version = json_member_text(yyjson_obj_get(page, "metadata"), "resourceVersion");
    if (version == nullptr) {
        error_set(e, ERROR_IO, "the list cannot be used: it has no metadata.resourceVersion");
        return force_relist(reflector, now_ms);
    }
    if (kube_compare_versions(version, reflector->seen) < 0) {
        error_set(e, ERROR_GONE,
                  "the API server's newest resourceVersion is %.20s, and %.20s was seen before: it was "
                  "restored from a backup, so all is listed anew",
                  version, reflector->seen);
        restart(reflector, now_ms, e);
        return false;
    }
    reflector->state = WANT_WATCH;
    return true;
}

// Of what nobody wants nothing is left when the next item comes.
static bool read_item(struct reflector *reflector, const char *text, size_t length, struct error *e) {
    struct reflector_sink *sink = &reflector->sink;
    cleanup_json yyjson_doc *item = nullptr;
    cleanup_object struct kube_object *object = nullptr;
    if (!json_parse(text, length, &item, e) ||
        !kube_object_create(yyjson_doc_get_root(item), &sink->kept, &object, e)) {
        return false;
    }
    if (!sink->wants(sink->context, object)) {
        return true;
    }
    if (!append_object(reflector, object, e)) {
        return false;
    }
    object = nullptr;
    return true;
}

bool reflector_item(struct reflector *reflector, int64_t now_ms, const char *text, size_t length,
                    struct error *e) {
    if (reflector->state == CHECKING || read_item(reflector, text, length, e)) {
        return true;
    }
    wrap_malformed(e, "the list cannot be used");
    if (e->class == ERROR_NO_MEMORY) { // which is no fault of the pages so far
        reflector_failed(reflector, now_ms, 0, e);
        return false;
    }
    return force_relist(reflector, now_ms);
}

bool reflector_page(struct reflector *reflector, int64_t now_ms, yyjson_val *page, struct error *e) {
    if (reflector->state == CHECKING) {
        return take_check(reflector, now_ms, page, e);
    }
    if (!read_page(reflector, page, e)) {
        wrap_malformed(e, "the list cannot be used");
        return force_relist(reflector, now_ms);
    }
    reflector->answered_failures = 0;
    if (reflector->token != nullptr) {
        reflector->state = WANT_LIST;
        return true;
    }
    return finish_list(reflector, now_ms, e) || force_relist(reflector, now_ms);
}

// ---- watches

static bool is_known(const struct reflector *reflector, yyjson_val *value, const char *version) {
    yyjson_val *metadata = yyjson_obj_get(value, "metadata");
    const char *namespace = json_member_text(metadata, "namespace");
    const char *name = json_member_text(metadata, "name");
    char key[KUBE_KEY_SIZE];
    kube_format_key(namespace == nullptr ? "" : namespace, name == nullptr ? "" : name, key);
    return reflector->sink.has(reflector->sink.context, key, version);
}

static bool change_object(struct reflector *reflector, yyjson_val *value, bool deleted, struct error *e) {
    struct reflector_sink *sink = &reflector->sink;
    struct kube_object *object;
    if (!kube_object_create(value, &sink->kept, &object, e)) {
        return wrap_malformed(e, "an event of the watch cannot be used");
    }
    if (deleted) {
        sink->remove(sink->context, object);
        return true;
    }
    return sink->apply(sink->context, object, e);
}

// An event, or a bookmark (which has a version and little else).
static bool take_event(struct reflector *reflector, const char *type, yyjson_val *object, struct error *e) {
    cleanup_text char *version = nullptr;
    const char *text = json_member_text(yyjson_obj_get(object, "metadata"), "resourceVersion");
    if (!copy_needed(text, "metadata.resourceVersion", &version, e)) {
        return wrap_malformed(e, "an event of the watch cannot be used");
    }
    bool deleted = strcmp(type, "DELETED") == 0;
    if (strcmp(type, "BOOKMARK") == 0 || (!deleted && is_known(reflector, object, version))) {
        reflector->sink.advance(reflector->sink.context, version);
    } else if (!change_object(reflector, object, deleted, e)) {
        return false;
    }
    replace_text(&reflector->seen, version);
    version = nullptr;
    reflector->received = true;
    note_progress(reflector);
    return true;
}

// An ERROR event, whose object is a metav1.Status: as if the request had been answered so. Always returns
// false.
static bool take_error(struct reflector *reflector, int64_t now_ms, yyjson_val *status, struct error *e) {
    int64_t code = json_integer(yyjson_obj_get(status, "code"), 0);
    if (code < STATUS_FAILED_MIN || code > 599) {
        code = STATUS_SERVER_ERROR;
    }
    size_t length = 0;
    cleanup_text char *text =
        yyjson_val_write_opts(status, YYJSON_WRITE_NOFLAG, &json_allocator, &length, nullptr);
    kube_status_error((int)code, 0, text == nullptr ? "" : text, length, e);
    reflector_failed(reflector, now_ms, (int)code, e);
    return error_wrap(e, "the server ended the watch");
}

static bool is_object_event(const char *type) {
    static const char *const types[] = {"ADDED", "MODIFIED", "DELETED", "BOOKMARK"};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (strcmp(type, types[i]) == 0) {
            return true;
        }
    }
    return false;
}

bool reflector_line(struct reflector *reflector, int64_t now_ms, const char *text, size_t length,
                    struct error *e) {
    cleanup_json yyjson_doc *document = nullptr;
    if (!json_parse(text, length, &document, e)) {
        wrap_malformed(e, "a line of the watch cannot be used");
        return force_relist(reflector, now_ms);
    }
    yyjson_val *event = yyjson_doc_get_root(document);
    yyjson_val *object = yyjson_obj_get(event, "object");
    const char *type = json_member_text(event, "type");
    if (type == nullptr) {
        error_set(e, ERROR_IO, "a line of the watch is no event");
        return force_relist(reflector, now_ms);
    }
    if (strcmp(type, "ERROR") == 0) {
        return take_error(reflector, now_ms, object, e);
    }
    // An unknown type is of a later version of the protocol, and not for us.
    return !is_object_event(type) || take_event(reflector, type, object, e) ||
           force_relist(reflector, now_ms);
}

bool reflector_ended(struct reflector *reflector, int64_t now_ms, struct error *e) {
    if (reflector->received || now_ms - reflector->watch_started_ms >= WATCH_SHORT_MS) {
        note_progress(reflector);
        reflector->state = WANT_CHECK;
        return true;
    }
    error_set(e, ERROR_RETRYABLE, "the server ended the watch at once, without an event");
    reflector_failed(reflector, now_ms, STATUS_SERVER_ERROR, e);
    return false;
}
