// A watch: the same bytes mean the same lines and the same events however the network cuts them.
#include "fuzz.h"

#include "runtime/reflector.h"
#include "runtime/watch_lines.h"

enum {
    TOLD_MAX = 16 * 1024 * 1024,
    NOW_MS = 1000,
    WATCH_SECONDS = 600,
    SHORT_LINE_MAX = 64,
    LONG_LINE_MAX = 8 * 1024 * 1024
};

static void tell(struct buffer *told, const char *what, const char *text) {
    struct error e;
    MUST(buffer_append_format(told, &e, "%s %s\n", what, text), e);
}

// Feeds all of it; whether all was taken.
static bool feed(struct watch_lines *lines, enum pieces pieces, const uint8_t *data, size_t size,
                 bool (*line)(void *context, const char *text, size_t length, struct error *e), void *context,
                 struct error *e) {
    struct cutter cutter = cutter_create(data, size);
    bool taken = true;
    while (taken && size > 0) {
        size_t length;
        char *bytes = cutter_take(&cutter, pieces, &data, &size, &length);
        taken = watch_lines_feed(lines, bytes, length, line, context, e);
        memory_free(bytes);
    }
    return taken;
}

// ---- lines

static bool tell_line(void *context, const char *text, size_t length, struct error *e) {
    CHECK(length > 0 && memchr(text, '\n', length) == nullptr);
    return buffer_append(context, text, length, e) && buffer_append_text(context, "\n", e);
}

// The same by the simplest means.
static bool expect_lines(const uint8_t *data, size_t size, size_t cap, struct buffer *told) {
    struct error e;
    while (size > 0) {
        const uint8_t *newline = memchr(data, '\n', size);
        size_t length = newline == nullptr ? size : (size_t)(newline - data);
        if (length > cap) {
            return false;
        }
        MUST(newline == nullptr || length == 0 || tell_line(told, (const char *)data, length, &e), e);
        data += newline == nullptr ? length : length + 1;
        size -= newline == nullptr ? length : length + 1;
    }
    return true;
}

static void check_lines(const uint8_t *data, size_t size, size_t cap) {
    cleanup_buffer struct buffer expected = buffer_create(TOLD_MAX);
    bool fits = expect_lines(data, size, cap, &expected);
    for (enum pieces pieces = 0; pieces < PIECES_COUNT; pieces++) {
        struct error e = {0};
        cleanup_buffer struct buffer told = buffer_create(TOLD_MAX);
        struct watch_lines lines = watch_lines_create(cap);
        CHECK(feed(&lines, pieces, data, size, tell_line, &told, &e) == fits);
        CHECK(told.length == expected.length &&
              memcmp(buffer_text(&told), buffer_text(&expected), told.length) == 0);
        if (!fits) {
            check_refusal(&e, ERROR_IO);
        }
        watch_lines_done(&lines);
    }
}

// ---- events

static bool replace(void *context, struct kube_object **objects, size_t count, const char *version,
                    struct error *e) {
    (void)e;
    CHECK(count == 0 && objects == nullptr);
    tell(context, "list", version);
    return true;
}

static void tell_object(struct buffer *told, const char *what, struct kube_object *object) {
    CHECK(object->name[0] != '\0' && object->uid[0] != '\0' && object->resource_version[0] != '\0');
    tell(told, what, object->key);
    tell(told, object->deleting ? "deleting" : "version", object->resource_version);
    kube_object_release(object);
}

static bool apply(void *context, struct kube_object *object, struct error *e) {
    (void)e;
    tell_object(context, "apply", object);
    return true;
}

static void remove_object(void *context, struct kube_object *object) {
    tell_object(context, "remove", object);
}

static void advance(void *context, const char *version) {
    CHECK(version[0] != '\0');
    tell(context, "advance", version);
}

static double draw(void *context) {
    (void)context;
    return 0.5;
}

static bool wants(void *context, const struct kube_object *object) {
    (void)context;
    (void)object;
    return true;
}

static bool has(void *context, const char *key, const char *resource_version) {
    (void)context;
    return strcmp(key, "/") != 0 && strcmp(resource_version, "7") == 0;
}

// What is done next; a query is one that a request line can hold.
static enum reflector_action tell_next(struct reflector *reflector, struct buffer *told) {
    struct reflector_step step;
    reflector_next(reflector, NOW_MS, &step);
    if (step.action == REFLECTOR_WAIT) {
        CHECK(step.wait_ms > 0 && step.query == nullptr);
        reflector_next(reflector, NOW_MS + step.wait_ms, &step);
        CHECK(step.action != REFLECTOR_WAIT);
    }
    CHECK(step.query[strspn(
              step.query, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~%=&")] == '\0');
    tell(told,
         step.action == REFLECTOR_WATCH  ? "then watch"
         : step.action == REFLECTOR_LIST ? "then list"
                                         : "then check",
         step.query);
    return step.action;
}

static bool take_line(void *context, const char *text, size_t length, struct error *e) {
    return reflector_line(context, NOW_MS, text, length, e);
}

// A list of nothing, then a watch of these bytes to its end, all of which is told.
static void run(enum pieces pieces, const uint8_t *data, size_t size, struct buffer *told) {
    static const char page[] = "{\"metadata\":{\"resourceVersion\":\"1\"},\"items\":[]}";
    const struct reflector_sink sink = {told, {}, replace, apply, remove_object, advance, wants, has};
    struct error e = {0};
    struct reflector *reflector;
    struct watch_lines lines = watch_lines_create(LONG_LINE_MAX);
    cleanup_json yyjson_doc *list = nullptr;
    MUST(reflector_create(&sink, WATCH_SECONDS, draw, nullptr, &reflector, &e), e);
    MUST(json_parse(page, sizeof(page) - 1, &list, &e), e);
    CHECK(tell_next(reflector, told) == REFLECTOR_LIST);
    MUST(reflector_page(reflector, NOW_MS, yyjson_doc_get_root(list), &e), e);
    CHECK(tell_next(reflector, told) == REFLECTOR_WATCH);
    e = (struct error){0};
    bool taken = feed(&lines, pieces, data, size, take_line, reflector, &e);
    if (!taken || !reflector_ended(reflector, NOW_MS, &e)) {
        CHECK(e.class != ERROR_NONE && e.class != ERROR_INVALID_SPEC && e.message[0] != '\0');
        tell(told, error_class_name(e.class), e.message);
    }
    (void)tell_next(reflector, told);
    reflector_free(reflector);
    watch_lines_done(&lines);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    cleanup_buffer struct buffer expected = buffer_create(TOLD_MAX);
    check_lines(data, size, LONG_LINE_MAX);
    check_lines(data, size, SHORT_LINE_MAX);
    run(IN_ONE_PIECE, data, size, &expected);
    for (enum pieces pieces = IN_SOME_PIECES; pieces < PIECES_COUNT; pieces++) {
        cleanup_buffer struct buffer told = buffer_create(TOLD_MAX);
        run(pieces, data, size, &told);
        CHECK(strcmp(buffer_text(&told), buffer_text(&expected)) == 0);
    }
    return 0;
}
