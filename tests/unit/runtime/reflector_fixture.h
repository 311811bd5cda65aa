// The traps are those of public reports on watches. Each test plays the API server by hand.
#include "../base/check.h"
#include "../base/short_memory.h"

#include "runtime/list_items.h"
#include "runtime/reflector.h"

#include <stdio.h>

enum {
    SECOND = 1000,
    MINUTE = 60 * SECOND,
    HOUR = 60 * MINUTE,
};

struct fixture {
    struct reflector *reflector;
    struct reflector_step step;
    int64_t now_ms;
    double random;     // what every draw gives
    bool sink_fails;   // replace and apply fail once
    struct buffer log; // what the sink got
    const char *known; // key of an object that the sink has in known_version
    const char *known_version;
    const char *unwanted; // the beginning of the names of objects that are not; NULL: all are
};

[[maybe_unused]] static void note(struct fixture *fixture, const char *what, const char *name,
                                  const char *version) {
    struct error e;
    long left = memory_left;
    memory_left = -1;
    must(buffer_append_format(&fixture->log, &e, "%s %s@%s; ", what, name, version), e);
    memory_left = left;
}

[[maybe_unused]] static bool sink_result(struct fixture *fixture, struct error *e) {
    bool fails = fixture->sink_fails;
    fixture->sink_fails = false;
    return !fails || error_no_memory(e, "the sink");
}

[[maybe_unused]] static bool sink_replace(void *context, struct kube_object **objects, size_t count,
                                          const char *resource_version, struct error *e) {
    struct fixture *fixture = context;
    bool fails = fixture->sink_fails;
    for (size_t i = 0; i < count; i++) {
        if (!fails) {
            note(fixture, "list", objects[i]->name, objects[i]->resource_version);
        }
        kube_object_release(objects[i]);
    }
    if (!fails) {
        note(fixture, "replace", "", resource_version);
    }
    return sink_result(fixture, e);
}

[[maybe_unused]] static bool sink_apply(void *context, struct kube_object *object, struct error *e) {
    struct fixture *fixture = context;
    if (!fixture->sink_fails) {
        note(fixture, "apply", object->name, object->resource_version);
    }
    kube_object_release(object);
    return sink_result(fixture, e);
}

[[maybe_unused]] static void sink_remove(void *context, struct kube_object *object) {
    note(context, "remove", object->name, object->resource_version);
    kube_object_release(object);
}

[[maybe_unused]] static void sink_advance(void *context, const char *resource_version) {
    note(context, "advance", "", resource_version);
}

[[maybe_unused]] static bool sink_has(void *context, const char *key, const char *resource_version) {
    const struct fixture *fixture = context;
    return fixture->known != nullptr && strcmp(key, fixture->known) == 0 &&
           kube_compare_versions(resource_version, fixture->known_version) <= 0;
}

[[maybe_unused]] static bool sink_wants(void *context, const struct kube_object *object) {
    const struct fixture *fixture = context;
    return fixture->unwanted == nullptr ||
           strncmp(object->name, fixture->unwanted, strlen(fixture->unwanted)) != 0;
}

[[maybe_unused]] static double draw(void *context) {
    return ((struct fixture *)context)->random;
}

[[maybe_unused]] static int set_up(void **state) {
    static struct fixture fixture;
    struct error e;
    memory_left = -1;
    fixture = (struct fixture){.now_ms = 1000000, .random = 0.5, .log = buffer_create(1 << 20)};
    const struct reflector_sink sink = {&fixture,    {},           sink_replace, sink_apply,
                                        sink_remove, sink_advance, sink_wants,   sink_has};
    must(reflector_create(&sink, 600, draw, &fixture, &fixture.reflector, &e), e);
    *state = &fixture;
    return 0;
}

[[maybe_unused]] static int tear_down(void **state) {
    struct fixture *fixture = *state;
    reflector_free(fixture->reflector);
    buffer_done(&fixture->log);
    return 0;
}

// ---- what the driver asks

[[maybe_unused]] static void expect_list(struct fixture *fixture, const char *query) {
    reflector_next(fixture->reflector, fixture->now_ms, &fixture->step);
    assert_int_equal(fixture->step.action, REFLECTOR_LIST);
    assert_string_equal(fixture->step.query, query);
}

[[maybe_unused]] static void page(struct fixture *fixture, const char *text);

[[maybe_unused]] static void expect_version_check(struct fixture *fixture) {
    reflector_next(fixture->reflector, fixture->now_ms, &fixture->step);
    assert_int_equal(fixture->step.action, REFLECTOR_CHECK);
    assert_string_equal(fixture->step.query, "limit=1&resourceVersion=");
}

// A check that comes before it is answered as a server does on which nothing has happened since.
[[maybe_unused]] static void expect_watch(struct fixture *fixture, const char *version) {
    char end[128];
    reflector_next(fixture->reflector, fixture->now_ms, &fixture->step);
    if (fixture->step.action == REFLECTOR_CHECK) {
        snprintf(end, sizeof(end), "{\"metadata\":{\"resourceVersion\":\"%s\"},\"items\":[]}", version);
        page(fixture, end);
        reflector_next(fixture->reflector, fixture->now_ms, &fixture->step);
    }
    assert_int_equal(fixture->step.action, REFLECTOR_WATCH);
    snprintf(end, sizeof(end), "&resourceVersion=%s", version);
    const char *found = strstr(fixture->step.query, end);
    if (found == nullptr || strcmp(found, end) != 0) {
        fail_msg("\"%s\" does not end in \"%s\"", fixture->step.query, end);
    }
}

[[maybe_unused]] static void expect_wait(struct fixture *fixture, uint32_t wait_ms) {
    reflector_next(fixture->reflector, fixture->now_ms, &fixture->step);
    assert_int_equal(fixture->step.action, REFLECTOR_WAIT);
    assert_int_equal(fixture->step.wait_ms, wait_ms);
}

// Waits if that is the next step.
[[maybe_unused]] static void wait_out(struct fixture *fixture) {
    reflector_next(fixture->reflector, fixture->now_ms, &fixture->step);
    assert_int_equal(fixture->step.action, REFLECTOR_WAIT);
    fixture->now_ms += fixture->step.wait_ms;
}

[[maybe_unused]] static void expect_log(struct fixture *fixture, const char *expected) {
    assert_string_equal(buffer_text(&fixture->log), expected);
    buffer_consume(&fixture->log, fixture->log.length);
}

// ---- what the driver says

struct page_receiver {
    struct fixture *fixture;
    long memory_left; // for the reflector; the rest of this never lacks any
    bool refused;
};

[[maybe_unused]] static bool give_item(void *context, const char *text, size_t length, struct error *e) {
    struct page_receiver *receiver = context;
    memory_left = receiver->memory_left;
    receiver->refused =
        !reflector_item(receiver->fixture->reflector, receiver->fixture->now_ms, text, length, e);
    receiver->memory_left = memory_left;
    memory_left = -1;
    return !receiver->refused;
}

[[maybe_unused]] static bool give_page(struct fixture *fixture, const char *text, struct error *e) {
    struct page_receiver receiver = {fixture, memory_left, false};
    struct list_items items = list_items_create(1 << 20, 1 << 16);
    cleanup_json yyjson_doc *document = nullptr;
    struct error parse_error;
    memory_left = -1;
    bool done = list_items_feed(&items, text, strlen(text), give_item, &receiver, e);
    assert_int_equal(done, !receiver.refused);
    if (done) {
        must(json_parse(buffer_text(&items.envelope), items.envelope.length, &document, &parse_error),
             parse_error);
    }
    list_items_done(&items);
    memory_left = receiver.memory_left;
    return done && reflector_page(fixture->reflector, fixture->now_ms, yyjson_doc_get_root(document), e);
}

[[maybe_unused]] static void page(struct fixture *fixture, const char *text) {
    struct error e;
    must(give_page(fixture, text, &e), e);
}

[[maybe_unused]] static bool give_line(struct fixture *fixture, const char *text, struct error *e) {
    return reflector_line(fixture->reflector, fixture->now_ms, text, strlen(text), e);
}

[[maybe_unused]] static void line(struct fixture *fixture, const char *text) {
    struct error e;
    must(give_line(fixture, text, &e), e);
}

[[maybe_unused]] static void end(struct fixture *fixture) {
    struct error e;
    must(reflector_ended(fixture->reflector, fixture->now_ms, &e), e);
}

[[maybe_unused]] static void fail_as(struct fixture *fixture, int status, enum error_class class,
                                     uint32_t retry_after_ms, const char *message) {
    struct error e;
    (void)error_set(&e, class, "%s", message);
    e.retry_after_ms = retry_after_ms;
    reflector_failed(fixture->reflector, fixture->now_ms, status, &e);
}

#define ITEM(name, version)                                                                                  \
    "{\"metadata\":{\"name\":\"" name "\",\"namespace\":\"d\",\"uid\":\"u\",\"resourceVersion\":\"" version  \
    "\"}}"
#define LIST(version, items) "{\"metadata\":{\"resourceVersion\":\"" version "\"},\"items\":[" items "]}"
#define LIST_PAGE(version, token, items)                                                                     \
    "{\"metadata\":{\"resourceVersion\":\"" version "\",\"continue\":\"" token "\"},\"items\":[" items "]}"
#define EVENT(type, object) "{\"type\":\"" type "\",\"object\":" object "}"
#define BOOKMARK(version) EVENT("BOOKMARK", "{\"metadata\":{\"resourceVersion\":\"" version "\"}}")
#define STATUS_EVENT(code, reason, message)                                                                  \
    EVENT("ERROR",                                                                                           \
          "{\"kind\":\"Status\",\"code\":" code ",\"reason\":\"" reason "\",\"message\":\"" message "\"}")
#define GONE_EVENT STATUS_EVENT("410", "Expired", "too old resource version: 1 (100)")

#define FIRST_LIST "limit=500&resourceVersion=0"
#define NEWEST_LIST "limit=500&resourceVersion="

// Lists one object at version 100, and watches.
[[maybe_unused]] static void begin_watch(struct fixture *fixture) {
    expect_list(fixture, FIRST_LIST);
    page(fixture, LIST("100", ITEM("a", "7")));
    expect_watch(fixture, "100");
    expect_log(fixture, "list a@7; replace @100; ");
}

#define scripted(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
