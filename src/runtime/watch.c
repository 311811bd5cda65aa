#include "runtime/watch.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/rand.h"
#include "runtime/list_items.h"
#include "runtime/reflector.h"
#include "runtime/watch_lines.h"

#include <stdatomic.h>
#include <string.h>

enum {
    PATH_CAP = 2 * 1024,        // bytes of the collection's path
    REQUEST_CAP = 128 * 1024,   // bytes of path and query
    ERROR_BODY_MAX = 64 * 1024, // bytes of an error answer
    ENVELOPE_MAX = 64 * 1024,   // bytes of a list beside its items
    STATUS_OK = 200,
    STATUS_FAILED_MIN = 400,
    STATUS_NOT_FOUND = 404,
    STATUS_REQUEST_TIMEOUT = 408,
    STATUS_GONE = 410,
    STATUS_TOO_MANY_REQUESTS = 429,
    STATUS_INTERNAL_ERROR = 500,
    REFUSALS_MAX = 5, // a few come while a server starts
};

struct watch {
    struct kube_client *client;
    struct store *store;
    struct watch_options options; // its namespace is not used: it is in path
    struct reflector *reflector;
    struct buffer path;
    struct loop_timer *timer; // while no exchange runs: when to go on; while one runs: idle deadline
    atomic_bool has_synced;
    atomic_int_least64_t answered_ms; // when the server last said something of use (monotonic)
    bool failing;                     // the last that was told is a failure
    atomic_uint refusals;             // answers in a row that were errors, since a watch was last begun
    // The exchange under way; NULL: none.
    struct http_stream *stream;
    enum reflector_action action; // what it is
    bool refused;                 // the reflector wants no more of it
    int status;                   // HTTP; 0: not answered yet
    uint32_t retry_after_ms;
    int64_t started_ms;
    int64_t received_ms; // when its last bytes came
    uint32_t idle_ms;    // 0: no idle deadline
    struct buffer body;  // of an error
    struct list_items items;
    struct watch_lines lines;
};

static double draw(void *) {
    return rand_fraction();
}

// ---- the reflector's sink: the store

static bool sink_replace(void *context, struct kube_object **objects, size_t count,
                         const char *resource_version, struct error *e) {
    struct watch *watch = context;
    if (!store_replace(watch->store, objects, count, resource_version, e)) {
        return false;
    }
    if (!atomic_exchange(&watch->has_synced, true) && watch->options.synced != nullptr) {
        watch->options.synced(watch->options.context, watch->options.resource);
    }
    return true;
}

static bool sink_apply(void *context, struct kube_object *object, struct error *e) {
    struct watch *watch = context;
    return store_apply(watch->store, object, e);
}

static void sink_remove(void *context, struct kube_object *object) {
    struct watch *watch = context;
    store_remove(watch->store, object);
}

static void sink_advance(void *context, const char *resource_version) {
    struct watch *watch = context;
    store_advance(watch->store, resource_version);
}

static bool sink_wants(void *context, const struct kube_object *object) {
    struct watch *watch = context;
    return store_wants(watch->store, object);
}

static bool sink_has(void *context, const char *key, const char *resource_version) {
    struct watch *watch = context;
    return store_has_version(watch->store, key, resource_version);
}

// ---- one exchange

static bool is_streaming(const struct watch *watch) {
    return watch->action == REFLECTOR_WATCH;
}

// Ends the exchange, if it still runs, and has the timer ask what to do next.
static void finish(struct watch *watch) {
    kube_client_stream_ended(watch->client, watch->status, watch->started_ms);
    http_stream_close(watch->stream);
    watch->stream = nullptr;
    buffer_done(&watch->body);
    list_items_done(&watch->items);
    watch_lines_done(&watch->lines);
    loop_timer_start(watch->timer, 0);
}

static void report_failure(struct watch *watch, struct error *e) {
    watch->failing = true;
    if (watch->status == STATUS_NOT_FOUND) {
        error_set(
            e, ERROR_NOT_FOUND,
            "the API server has no such resource (HTTP status 404): is its CustomResourceDefinition gone?");
    }
    error_wrap(e, "%s %s", is_streaming(watch) ? "watching" : "listing", watch->options.resource->plural);
    if (watch->options.failed != nullptr) {
        watch->options.failed(watch->options.context, watch->options.resource, e);
    }
}

// A page, an event or a bookmark came.
static void report_success(struct watch *watch) {
    atomic_store(&watch->answered_ms, watch->received_ms);
    if (watch->failing && watch->options.recovered != nullptr) {
        watch->options.recovered(watch->options.context, watch->options.resource);
    }
    watch->failing = false;
}

// Whether a 500 may stay so for ever, as where an object cannot be decrypted. It has no reason where etcd is
// away, or says anything else that the API server has no name for; and a proxy's page has none either.
static bool is_lasting(const struct watch *watch, const struct error *error) {
    char reason[KUBE_REASON_SIZE];
    kube_status_reason(buffer_text(&watch->body), watch->body.length, reason);
    return error->retry_after_ms == 0 &&
           (strcmp(reason, "InternalError") == 0 || strcmp(reason, "StorageReadError") == 0);
}

// Whether the server has said no. That a version is too old is not meant so, nor that it is busy or away: to
// ask it for each object in place of a list would make that worse.
static bool is_refusal(const struct watch *watch, const struct error *error) {
    switch (watch->status) {
    case STATUS_REQUEST_TIMEOUT:
    case STATUS_GONE:
    case STATUS_TOO_MANY_REQUESTS:
        return false;
    case STATUS_INTERNAL_ERROR:
        return is_lasting(watch, error);
    default:
        return watch->status >= STATUS_FAILED_MIN && watch->status < STATUS_INTERNAL_ERROR;
    }
}

// Tells the reflector, too.
static void fail(struct watch *watch, struct error *e) {
    reflector_failed(watch->reflector, clock_monotonic_ms(), watch->status, e);
    if (is_refusal(watch, e)) {
        atomic_fetch_add(&watch->refusals, 1);
    }
    report_failure(watch, e);
}

static void on_status(void *context, int status, uint32_t retry_after_ms) {
    struct watch *watch = context;
    watch->status = status;
    watch->retry_after_ms = retry_after_ms;
    watch->received_ms = clock_monotonic_ms();
    if (status == STATUS_OK && is_streaming(watch)) {
        atomic_store(&watch->answered_ms, watch->received_ms);
        atomic_store(&watch->refusals, 0);
    }
}

static bool on_line(void *context, const char *text, size_t length, struct error *e) {
    struct watch *watch = context;
    if (!reflector_line(watch->reflector, watch->received_ms, text, length, e)) {
        watch->refused = true;
        return false;
    }
    report_success(watch);
    return true;
}

static bool on_item(void *context, const char *text, size_t length, struct error *e) {
    struct watch *watch = context;
    if (!reflector_item(watch->reflector, watch->received_ms, text, length, e)) {
        watch->refused = true;
        return false;
    }
    return true;
}

static bool take_bytes(struct watch *watch, const char *bytes, size_t length, struct error *e) {
    if (watch->status != STATUS_OK) {
        return buffer_append(&watch->body, bytes, length, e);
    }
    return is_streaming(watch) ? watch_lines_feed(&watch->lines, bytes, length, on_line, watch, e)
                               : list_items_feed(&watch->items, bytes, length, on_item, watch, e);
}

static bool on_data(void *context, const char *bytes, size_t length) {
    struct watch *watch = context;
    struct error e;
    watch->received_ms = clock_monotonic_ms();
    if (take_bytes(watch, bytes, length, &e)) {
        return true;
    }
    if (watch->refused) {
        report_failure(watch, &e);
    } else {
        fail(watch, &e);
    }
    finish(watch);
    return false;
}

// A complete answer to a list.
static void take_page(struct watch *watch) {
    struct error e;
    cleanup_json yyjson_doc *page = nullptr;
    const struct buffer *envelope = &watch->items.envelope;
    if (!json_parse(buffer_text(envelope), envelope->length, &page, &e)) {
        e.class = e.class == ERROR_INVALID_SPEC ? ERROR_IO : e.class; // the fault is no user's
        fail(watch, &e);
    } else if (!reflector_page(watch->reflector, clock_monotonic_ms(), yyjson_doc_get_root(page), &e)) {
        report_failure(watch, &e);
    } else if (watch->action == REFLECTOR_LIST) {
        report_success(watch);
    }
}

static void on_end(void *context, const struct error *error) {
    struct watch *watch = context;
    struct error e;
    if (watch->status >= STATUS_FAILED_MIN) {
        kube_status_error(watch->status, watch->retry_after_ms, buffer_text(&watch->body), watch->body.length,
                          &e);
        fail(watch, &e);
    } else if (error != nullptr) {
        e = *error;
        fail(watch, &e);
    } else if (watch->status != STATUS_OK) {
        error_set(&e, ERROR_IO, "an answer with the HTTP status %d", watch->status);
        fail(watch, &e);
    } else if (!is_streaming(watch)) {
        take_page(watch);
    } else if (!reflector_ended(watch->reflector, clock_monotonic_ms(), &e)) {
        report_failure(watch, &e);
    }
    finish(watch);
}

static bool open_exchange(struct watch *watch, const struct reflector_step *step, struct error *e) {
    static const struct http_stream_events events = {
        .on_status = on_status, .on_data = on_data, .on_end = on_end};
    watch->action = step->action;
    watch->refused = false;
    watch->status = 0;
    watch->retry_after_ms = 0;
    watch->started_ms = clock_monotonic_ms();
    watch->received_ms = watch->started_ms;
    watch->idle_ms = step->idle_ms;
    watch->body = buffer_create(ERROR_BODY_MAX);
    const char *accept = nullptr;
    if (watch->options.kept.metadata_only) {
        accept = is_streaming(watch) ? KUBE_METADATA_ONLY : KUBE_METADATA_LIST_ONLY;
    }
    cleanup_buffer struct buffer request = buffer_create(REQUEST_CAP);
    return buffer_append_format(&request, e, "%s?%s", buffer_text(&watch->path), step->query) &&
           kube_client_stream(watch->client, buffer_text(&request), accept, step->deadline_ms, &events, watch,
                              &watch->stream, e);
}

// ---- the timer

static void go_on(struct watch *watch) {
    for (;;) {
        struct reflector_step step;
        struct error e;
        reflector_next(watch->reflector, clock_monotonic_ms(), &step);
        if (step.action == REFLECTOR_WAIT) {
            loop_timer_start(watch->timer, step.wait_ms);
            return;
        }
        if (open_exchange(watch, &step, &e)) {
            if (step.idle_ms > 0) {
                loop_timer_start(watch->timer, step.idle_ms);
            }
            return;
        }
        fail(watch, &e); // so the next step is to wait
    }
}

static void check_idle(struct watch *watch) {
    int64_t silent_ms = clock_monotonic_ms() - watch->received_ms;
    if (silent_ms < watch->idle_ms) {
        loop_timer_start(watch->timer, (uint32_t)(watch->idle_ms - silent_ms));
        return;
    }
    struct error e;
    error_set(&e, ERROR_RETRYABLE, "nothing came for %u s, the connection seems dead", watch->idle_ms / 1000);
    fail(watch, &e);
    finish(watch);
}

static void on_timer(void *context) {
    struct watch *watch = context;
    if (watch->stream == nullptr) {
        go_on(watch);
    } else {
        check_idle(watch);
    }
}

// ---- public

static bool prepare(struct watch *watch, struct loop *loop, struct error *e) {
    const struct reflector_sink sink = {.context = watch,
                                        .kept = watch->options.kept,
                                        .replace = sink_replace,
                                        .apply = sink_apply,
                                        .remove = sink_remove,
                                        .advance = sink_advance,
                                        .wants = sink_wants,
                                        .has = sink_has};
    return reflector_create(&sink, watch->options.watch_seconds, draw, nullptr, &watch->reflector, e) &&
           loop_timer_create(loop, on_timer, watch, &watch->timer, e) &&
           kube_resource_path(watch->options.resource, watch->options.namespace, nullptr, nullptr,
                              &watch->path, e);
}

bool watch_create(struct loop *loop, struct kube_client *client, struct store *store,
                  const struct watch_options *options, struct watch **ret_watch, struct error *e) {
    struct watch *watch = memory_allocate_zeroed(1, sizeof(*watch));
    if (watch == nullptr) {
        return error_no_memory(e, "a watch");
    }
    watch->client = client;
    watch->store = store;
    watch->options = *options;
    watch->path = buffer_create(PATH_CAP);
    watch->items = list_items_create(ENVELOPE_MAX, WATCH_OBJECT_MAX);
    watch->lines = watch_lines_create(WATCH_OBJECT_MAX);
    atomic_init(&watch->answered_ms, clock_monotonic_ms());
    if (!prepare(watch, loop, e)) {
        watch_free(watch);
        return false;
    }
    watch->options.namespace = nullptr; // borrowed during this call only
    loop_timer_start(watch->timer, 0);
    *ret_watch = watch;
    return true;
}

void watch_free(struct watch *watch) {
    if (watch != nullptr) {
        http_stream_close(watch->stream);
        loop_timer_free(watch->timer);
        reflector_free(watch->reflector);
        buffer_done(&watch->path);
        buffer_done(&watch->body);
        list_items_done(&watch->items);
        watch_lines_done(&watch->lines);
        memory_free(watch);
    }
}

bool watch_has_synced(const struct watch *watch) {
    return atomic_load(&watch->has_synced);
}

bool watch_is_refused(const struct watch *watch) {
    return atomic_load(&watch->refusals) >= REFUSALS_MAX;
}

int watch_denial(const struct watch *watch) {
    return watch->status >= STATUS_FAILED_MIN ? watch->status : 0;
}

int64_t watch_silence_ms(const struct watch *watch) {
    return clock_monotonic_ms() - atomic_load(&watch->answered_ms);
}
