// The envelopes of the pages of a list, a line each: a continue token goes into the next query as it came,
// and what cannot be used begins the list anew. Behind the last page each line is the answer to the question
// whether the server is behind what was seen.
#include "answers.h"

#include "kube/client.h"
#include "runtime/reflector.h"

enum { NOW_MS = 1000, PAGES_MAX = 16, WATCH_SECONDS = 300 };

struct listed {
    char *version; // that of the list which was finished, owned; NULL: none was
};

static bool replace(void *context, struct kube_object **objects, size_t count, const char *version,
                    struct error *e) {
    struct listed *listed = context;
    (void)objects;
    (void)e;
    CHECK(count == 0 && version[0] != '\0');
    memory_free(listed->version);
    listed->version = memory_copy_text(version);
    CHECK(listed->version != nullptr);
    return true;
}

static bool apply(void *context, struct kube_object *object, struct error *e) {
    (void)context;
    (void)object;
    (void)e;
    CHECK(false); // there are no events
    return false;
}

static void remove_object(void *context, struct kube_object *object) {
    (void)context;
    (void)object;
    CHECK(false);
}

static void advance(void *context, const char *version) {
    (void)context;
    (void)version;
    CHECK(false);
}

static bool wants(void *context, const struct kube_object *object) {
    (void)context;
    (void)object;
    return true;
}

static bool has(void *context, const char *key, const char *version) {
    (void)context;
    (void)key;
    (void)version;
    return false;
}

static double draw(void *context) {
    (void)context;
    return 0.5;
}

static void check_query(const char *query) {
    CHECK(query[strspn(query, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~%=&")] ==
          '\0');
}

// What is asked for next, waits passed over.
static void next(struct reflector *reflector, int64_t *now_ms, struct reflector_step *step) {
    reflector_next(reflector, *now_ms, step);
    if (step->action == REFLECTOR_WAIT) {
        CHECK(step->wait_ms > 0);
        *now_ms += step->wait_ms;
        reflector_next(reflector, *now_ms, step);
    }
    CHECK(step->action != REFLECTOR_WAIT);
    check_query(step->query);
}

// The text, encoded, ends the query.
static void check_ends(const char *query, const char *before, const char *text) {
    struct error e;
    cleanup_buffer struct buffer expected = buffer_create(1024 * 1024);
    MUST(buffer_append_text(&expected, before, &e) && kube_append_encoded(&expected, text, &e), e);
    size_t length = strlen(query);
    CHECK(length >= expected.length && strcmp(query + length - expected.length, expected.data) == 0);
}

// One page, and what is done after it. Whether the list goes on, or is begun anew.
static bool take_page(struct reflector *reflector, struct listed *listed, yyjson_val *page, int64_t *now_ms) {
    struct error e = {0};
    struct reflector_step step;
    const char *token = json_text(json_find(page, "metadata", "continue", nullptr));
    bool taken = reflector_page(reflector, *now_ms, page, &e);
    if (!taken) {
        check_refusal(&e, ERROR_IO);
        reflector_next(reflector, *now_ms, &step);
        CHECK(step.action == REFLECTOR_WAIT); // not again and again at once
        next(reflector, now_ms, &step);
        CHECK(step.action == REFLECTOR_LIST && strstr(step.query, "continue=") == nullptr);
        return true;
    }
    reflector_next(reflector, *now_ms, &step);
    if (token != nullptr && token[0] != '\0') {
        if (step.action == REFLECTOR_WAIT) { // longer than any query
            CHECK(strlen(token) > 16 * 1024);
            next(reflector, now_ms, &step);
            CHECK(step.action == REFLECTOR_LIST && strstr(step.query, "continue=") == nullptr);
            return true;
        }
        CHECK(step.action == REFLECTOR_LIST);
        check_query(step.query);
        check_ends(step.query, "limit=500&continue=", token);
        return true;
    }
    CHECK(step.action == REFLECTOR_WATCH && listed->version != nullptr);
    check_query(step.query);
    check_ends(step.query, "&resourceVersion=", listed->version);
    return false;
}

// A watch begins, and is cut off: whether the server is behind is asked before the next one.
static void cut_watch(struct reflector *reflector, int64_t *now_ms) {
    const struct error cut = {.class = ERROR_IO, .message = "cut off"};
    struct reflector_step step;
    reflector_failed(reflector, *now_ms, 0, &cut);
    next(reflector, now_ms, &step);
    CHECK(step.action == REFLECTOR_CHECK && strcmp(step.query, "limit=1&resourceVersion=") == 0);
}

// The answer to that. Whether the list is begun anew.
static bool take_check(struct reflector *reflector, const struct listed *listed, yyjson_val *page,
                       int64_t *now_ms) {
    struct error e = {0};
    struct reflector_step step;
    if (reflector_page(reflector, *now_ms, page, &e)) {
        reflector_next(reflector, *now_ms, &step);
        CHECK(step.action == REFLECTOR_WATCH);
        check_ends(step.query, "&resourceVersion=", listed->version);
        cut_watch(reflector, now_ms);
        return false;
    }
    check_refusal(&e, e.class == ERROR_GONE ? ERROR_GONE : ERROR_IO);
    next(reflector, now_ms, &step);
    CHECK(step.action == REFLECTOR_LIST && strstr(step.query, "continue=") == nullptr);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct listed listed = {0};
    const struct reflector_sink sink = {&listed, {}, replace, apply, remove_object, advance, wants, has};
    struct reflector *reflector;
    struct reflector_step step;
    struct error e;
    int64_t now_ms = NOW_MS;
    const char *text = (const char *)data;
    bool listing = true;
    MUST(reflector_create(&sink, WATCH_SECONDS, draw, nullptr, &reflector, &e), e);
    next(reflector, &now_ms, &step);
    for (size_t i = 0; i < PAGES_MAX && size > 0; i++) {
        const char *end = memchr(text, '\n', size);
        size_t length = end == nullptr ? size : (size_t)(end - text);
        cleanup_json yyjson_doc *page = json_of(text, length);
        if (page != nullptr && listing) {
            listing = take_page(reflector, &listed, yyjson_doc_get_root(page), &now_ms);
            if (!listing) {
                cut_watch(reflector, &now_ms);
            }
        } else if (page != nullptr) {
            listing = take_check(reflector, &listed, yyjson_doc_get_root(page), &now_ms);
        }
        size_t taken = length + (end == nullptr ? 0 : 1);
        text += taken;
        size -= taken;
    }
    reflector_free(reflector);
    memory_free(listed.version);
    return 0;
}
