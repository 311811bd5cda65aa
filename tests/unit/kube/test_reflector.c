// The traps are those of public reports on watches: see docs/develop.md. Each test plays the API server by hand.
#include "../base/check.h"
#include "../base/short_memory.h"

#include "base/buffer.h"
#include "kube/reflector.h"

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
};

static void note(struct fixture *fixture, const char *what, const char *name, const char *version) {
    struct error e;
    long left = memory_left;
    memory_left = -1;
    must(buffer_append_format(&fixture->log, &e, "%s %s@%s; ", what, name, version), e);
    memory_left = left;
}

static bool sink_result(struct fixture *fixture, struct error *e) {
    bool fails = fixture->sink_fails;
    fixture->sink_fails = false;
    return !fails || error_no_memory(e, "the sink");
}

static bool sink_replace(void *context, struct kube_object **objects, size_t count, const char *resource_version,
                         struct error *e) {
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

static bool sink_apply(void *context, struct kube_object *object, struct error *e) {
    struct fixture *fixture = context;
    if (!fixture->sink_fails) {
        note(fixture, "apply", object->name, object->resource_version);
    }
    kube_object_release(object);
    return sink_result(fixture, e);
}

static void sink_remove(void *context, struct kube_object *object) {
    note(context, "remove", object->name, object->resource_version);
    kube_object_release(object);
}

static void sink_advance(void *context, const char *resource_version) {
    note(context, "advance", "", resource_version);
}

static double draw(void *context) {
    return ((struct fixture *)context)->random;
}

static int set_up(void **state) {
    static struct fixture fixture;
    struct error e;
    memory_left = -1;
    fixture = (struct fixture){.now_ms = 1000000, .random = 0.5, .log = buffer_create(1 << 20)};
    const struct reflector_sink sink = {&fixture, sink_replace, sink_apply, sink_remove, sink_advance};
    must(reflector_create(&sink, draw, &fixture, &fixture.reflector, &e), e);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *fixture = *state;
    reflector_free(fixture->reflector);
    buffer_free(&fixture->log);
    return 0;
}

// ---- what the driver asks

static void expect_list(struct fixture *fixture, const char *query) {
    reflector_next(fixture->reflector, fixture->now_ms, &fixture->step);
    assert_int_equal(fixture->step.action, REFLECTOR_LIST);
    assert_string_equal(fixture->step.query, query);
}

static void expect_watch(struct fixture *fixture, const char *version) {
    char end[128];
    reflector_next(fixture->reflector, fixture->now_ms, &fixture->step);
    assert_int_equal(fixture->step.action, REFLECTOR_WATCH);
    snprintf(end, sizeof(end), "&resourceVersion=%s", version);
    const char *found = strstr(fixture->step.query, end);
    if (found == nullptr || strcmp(found, end) != 0) {
        fail_msg("\"%s\" does not end in \"%s\"", fixture->step.query, end);
    }
}

static void expect_wait(struct fixture *fixture, uint32_t wait_ms) {
    reflector_next(fixture->reflector, fixture->now_ms, &fixture->step);
    assert_int_equal(fixture->step.action, REFLECTOR_WAIT);
    assert_int_equal(fixture->step.wait_ms, wait_ms);
}

// Waits if that is the next step.
static void wait_out(struct fixture *fixture) {
    reflector_next(fixture->reflector, fixture->now_ms, &fixture->step);
    assert_int_equal(fixture->step.action, REFLECTOR_WAIT);
    fixture->now_ms += fixture->step.wait_ms;
}

static void expect_log(struct fixture *fixture, const char *expected) {
    assert_string_equal(buffer_text(&fixture->log), expected);
    buffer_consume(&fixture->log, fixture->log.length);
}

// ---- what the driver says

static bool give_page(struct fixture *fixture, const char *text, struct error *e) {
    struct error parse_error;
    cleanup_json yyjson_doc *document = nullptr;
    long left = memory_left;
    memory_left = -1;
    must(json_parse(text, strlen(text), &document, &parse_error), parse_error);
    memory_left = left;
    return reflector_page(fixture->reflector, fixture->now_ms, yyjson_doc_get_root(document), e);
}

static void page(struct fixture *fixture, const char *text) {
    struct error e;
    must(give_page(fixture, text, &e), e);
}

static bool give_line(struct fixture *fixture, const char *text, struct error *e) {
    return reflector_line(fixture->reflector, fixture->now_ms, text, strlen(text), e);
}

static void line(struct fixture *fixture, const char *text) {
    struct error e;
    must(give_line(fixture, text, &e), e);
}

static void end(struct fixture *fixture) {
    struct error e;
    must(reflector_ended(fixture->reflector, fixture->now_ms, &e), e);
}

static void fail_as(struct fixture *fixture, int status, enum error_class class, uint32_t retry_after_ms,
                    const char *message) {
    struct error e;
    (void)error_set(&e, class, "%s", message);
    e.retry_after_ms = retry_after_ms;
    reflector_failed(fixture->reflector, fixture->now_ms, status, &e);
}

#define ITEM(name, version)                                                                                            \
    "{\"metadata\":{\"name\":\"" name "\",\"namespace\":\"d\",\"uid\":\"u\",\"resourceVersion\":\"" version "\"}}"
#define LIST(version, items) "{\"metadata\":{\"resourceVersion\":\"" version "\"},\"items\":[" items "]}"
#define LIST_PAGE(version, token, items)                                                                               \
    "{\"metadata\":{\"resourceVersion\":\"" version "\",\"continue\":\"" token "\"},\"items\":[" items "]}"
#define EVENT(type, object) "{\"type\":\"" type "\",\"object\":" object "}"
#define BOOKMARK(version) EVENT("BOOKMARK", "{\"metadata\":{\"resourceVersion\":\"" version "\"}}")
#define STATUS_EVENT(code, reason, message)                                                                            \
    EVENT("ERROR", "{\"kind\":\"Status\",\"code\":" code ",\"reason\":\"" reason "\",\"message\":\"" message "\"}")
#define GONE_EVENT STATUS_EVENT("410", "Expired", "too old resource version: 1 (100)")

#define FIRST_LIST "limit=500&resourceVersion=0"
#define NEWEST_LIST "limit=500&resourceVersion="

// Lists one object at version 100, and watches.
static void begin_watch(struct fixture *fixture) {
    expect_list(fixture, FIRST_LIST);
    page(fixture, LIST("100", ITEM("a", "7")));
    expect_watch(fixture, "100");
    expect_log(fixture, "list a@7; replace @100; ");
}

// ---- the way of things

static void it_lists_then_watches_and_goes_on(void **state) {
    struct fixture *fixture = *state;
    begin_watch(fixture);
    line(fixture, EVENT("ADDED", ITEM("b", "101")));
    line(fixture, EVENT("MODIFIED", ITEM("a", "102")));
    line(fixture, EVENT("DELETED", ITEM("b", "103")));
    fixture->now_ms += 7 * MINUTE;
    end(fixture);
    expect_watch(fixture, "103");
    expect_log(fixture, "apply b@101; apply a@102; remove b@103; ");
}

static void an_empty_list_is_a_list(void **state) {
    struct fixture *fixture = *state;
    expect_list(fixture, FIRST_LIST);
    page(fixture, "{\"metadata\":{\"resourceVersion\":\"5\",\"continue\":\"\"},\"items\":null}");
    expect_watch(fixture, "5");
    expect_log(fixture, "replace @5; ");
}

static void pages_are_put_together(void **state) {
    struct fixture *fixture = *state;
    expect_list(fixture, FIRST_LIST);
    page(fixture, LIST_PAGE("100", "to+ken/1=&", ITEM("a", "1") "," ITEM("b", "2")));
    expect_list(fixture, "limit=500&continue=to%2Bken%2F1%3D%26");
    expect_log(fixture, "");
    page(fixture, LIST_PAGE("103", "t2", ""));
    expect_list(fixture, "limit=500&continue=t2");
    page(fixture, LIST("105", ITEM("c", "3"))); // all are as of the first, or else nothing is missed from there
    expect_watch(fixture, "100");
    expect_log(fixture, "list a@1; list b@2; list c@3; replace @100; ");
}

static void each_page_has_tries_of_its_own(void **state) {
    struct fixture *fixture = *state;
    expect_list(fixture, FIRST_LIST);
    page(fixture, LIST_PAGE("100", "t", ITEM("a", "1")));
    for (int i = 0; i < 9; i++) {
        for (int j = 0; j < 4; j++) {
            expect_list(fixture, "limit=500&continue=t");
            fail_as(fixture, 500, ERROR_RETRYABLE, 0, "something broke");
            wait_out(fixture);
        }
        expect_list(fixture, "limit=500&continue=t");
        page(fixture, LIST_PAGE("100", "t", ""));
    }
    expect_list(fixture, "limit=500&continue=t");
    page(fixture, LIST("100", ""));
    expect_log(fixture, "list a@1; replace @100; ");
}

static void a_failed_page_is_asked_for_again(void **state) {
    struct fixture *fixture = *state;
    expect_list(fixture, FIRST_LIST);
    page(fixture, LIST_PAGE("100", "t", ITEM("a", "1")));
    for (int i = 0; i < 20; i++) { // the network is down for long
        expect_list(fixture, "limit=500&continue=t");
        fail_as(fixture, 0, ERROR_RETRYABLE, 0, "connection reset");
        wait_out(fixture);
    }
    for (int i = 0; i < 4; i++) {
        expect_list(fixture, "limit=500&continue=t");
        fail_as(fixture, 500, ERROR_RETRYABLE, 0, "something broke");
        wait_out(fixture);
    }
    expect_list(fixture, "limit=500&continue=t");
    fail_as(fixture, 500, ERROR_RETRYABLE, 0, "something broke");
    wait_out(fixture);
    expect_list(fixture, FIRST_LIST); // this page will not come: from the start
    page(fixture, LIST("100", ITEM("a", "1")));
    expect_log(fixture, "list a@1; replace @100; ");
}

// ---- traps 1 to 18

static void trap_1_a_dead_watch_has_deadlines_of_our_own(void **state) {
    struct fixture *fixture = *state;
    begin_watch(fixture);
    for (int i = 0; i < 3; i++) {
        static const double draws[] = {0, 0.5, 0.999999};
        static const uint32_t seconds[] = {300, 450, 599};
        char expected[128];
        fixture->random = draws[i];
        fixture->now_ms += MINUTE;
        end(fixture);
        expect_watch(fixture, "100");
        snprintf(expected, sizeof(expected), "timeoutSeconds=%u&", seconds[i]);
        assert_non_null(strstr(fixture->step.query, expected));
        assert_int_equal(fixture->step.deadline_ms, (seconds[i] + 10) * SECOND);
        // Bookmarks come each minute: one may be missing. Below what load balancers cut off (240 s).
        assert_in_range(fixture->step.idle_ms, 121 * SECOND, 230 * SECOND);
    }
    fixture->random = 0.5;
    fail_as(fixture, 200, ERROR_RETRYABLE, 0, "nothing came for 150 s");
    expect_wait(fixture, 401);
    fixture->now_ms += 401;
    expect_watch(fixture, "100");
    fail_as(fixture, 0, ERROR_RETRYABLE, 0, "no answer");
    wait_out(fixture);
    expect_watch(fixture, "100");
}

static void a_list_has_a_deadline(void **state) {
    struct fixture *fixture = *state;
    expect_list(fixture, FIRST_LIST);
    assert_in_range(fixture->step.deadline_ms, 60 * SECOND, 5 * MINUTE);
}

static void trap_3_gone_within_a_watch_lists_the_newest_at_once(void **state) {
    struct fixture *fixture = *state;
    struct error e;
    begin_watch(fixture);
    must_fail(give_line(fixture, GONE_EVENT, &e), e, ERROR_GONE, "too old resource version");
    expect_list(fixture, NEWEST_LIST);
    page(fixture, LIST("200", ""));
    expect_watch(fixture, "200");
    expect_log(fixture, "replace @200; ");
}

static void trap_4_gone_as_an_answer_lists_the_newest_at_once(void **state) {
    struct fixture *fixture = *state;
    begin_watch(fixture);
    fail_as(fixture, 410, ERROR_GONE, 0, "too old resource version");
    expect_list(fixture, NEWEST_LIST);
    page(fixture, LIST("200", ""));
    expect_watch(fixture, "200");
}

static void trap_4_gone_by_reason_alone_is_gone(void **state) {
    struct fixture *fixture = *state;
    begin_watch(fixture);
    fail_as(fixture, 500, ERROR_GONE, 0, "Expired");
    expect_list(fixture, NEWEST_LIST);
}

static void trap_5_an_expired_page_lists_anew_in_one_piece(void **state) {
    struct fixture *fixture = *state;
    expect_list(fixture, FIRST_LIST);
    page(fixture, LIST_PAGE("100", "t", ITEM("a", "1")));
    expect_list(fixture, "limit=500&continue=t");
    fail_as(fixture, 410, ERROR_GONE, 0, "The provided continue parameter is too old");
    expect_list(fixture, "resourceVersion=");
    page(fixture, LIST("200", ITEM("b", "2")));
    expect_watch(fixture, "200");
    expect_log(fixture, "list b@2; replace @200; "); // nothing of the old page
    fixture->now_ms += 12 * HOUR;
    end(fixture);
    expect_list(fixture, NEWEST_LIST); // in pages again
}

static void trap_6_error_events_retry_the_version_then_list(void **state) {
    struct fixture *fixture = *state;
    struct error e;
    begin_watch(fixture);
    line(fixture, EVENT("ADDED", ITEM("b", "101")));
    for (int i = 0; i < 5; i++) {
        must_fail(give_line(fixture, STATUS_EVENT("500", "InternalError", "etcd event received with PrevKv=nil"), &e),
                  e, ERROR_RETRYABLE, "PrevKv=nil");
        wait_out(fixture);
        if (i < 4) {
            expect_watch(fixture, "101");
        }
    }
    expect_list(fixture, "resourceVersion=101"); // no limit: the server's cache may answer
    page(fixture, LIST("120", ""));
    expect_watch(fixture, "120");
}

static void trap_6_an_event_between_errors_counts_as_progress(void **state) {
    struct fixture *fixture = *state;
    struct error e;
    begin_watch(fixture);
    for (int i = 101; i < 120; i++) {
        char event[256];
        snprintf(event, sizeof(event),
                 "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"%d\"}}}", i);
        line(fixture, event);
        must_fail(give_line(fixture, STATUS_EVENT("401", "Unauthorized", "expired token"), &e), e, ERROR_RETRYABLE,
                  "expired token");
        wait_out(fixture);
        snprintf(event, sizeof(event), "%d", i);
        expect_watch(fixture, event);
    }
}

static void trap_6_an_error_event_without_sense_is_an_error(void **state) {
    struct fixture *fixture = *state;
    struct error e;
    static const char *const lines[] = {
        "{\"type\":\"ERROR\"}",
        "{\"type\":\"ERROR\",\"object\":null}",
        "{\"type\":\"ERROR\",\"object\":{\"code\":200}}",
        "{\"type\":\"ERROR\",\"object\":{\"code\":\"410\"}}",
    };
    begin_watch(fixture);
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        must_fail(give_line(fixture, lines[i], &e), e, ERROR_RETRYABLE, "the server ended the watch");
        wait_out(fixture);
        expect_watch(fixture, "100");
    }
}

static void trap_7_the_version_is_the_lists_own(void **state) {
    struct fixture *fixture = *state;
    expect_list(fixture, FIRST_LIST);
    page(fixture, LIST("100", ITEM("a", "900") "," ITEM("z", "3"))); // neither of the items'
    expect_watch(fixture, "100");
}

static void trap_8_bookmarks_move_the_version(void **state) {
    struct fixture *fixture = *state;
    begin_watch(fixture);
    line(fixture, BOOKMARK("150"));
    assert_non_null(strstr(fixture->step.query, "allowWatchBookmarks=true"));
    fixture->now_ms += 5 * MINUTE;
    end(fixture);
    expect_watch(fixture, "150");
    expect_log(fixture, "advance @150; ");
}

static void trap_9_a_too_large_version_lists_the_newest_at_once(void **state) {
    struct fixture *fixture = *state;
    struct error e;
    begin_watch(fixture);
    fixture->sink_fails = true; // so that it lists what was seen at least
    must_fail(give_line(fixture, EVENT("ADDED", ITEM("b", "101")), &e), e, ERROR_NO_MEMORY, "");
    wait_out(fixture);
    expect_list(fixture, "resourceVersion=100");
    fail_as(fixture, 504, ERROR_RETRYABLE, 1000, "Timeout: Too large resource version: 100, current: 9");
    expect_list(fixture, NEWEST_LIST);
    page(fixture, LIST("9", ""));
    expect_watch(fixture, "9");
}

static void trap_9_a_watch_from_a_too_large_version_lists_too(void **state) {
    struct fixture *fixture = *state;
    struct error e;
    begin_watch(fixture);
    must_fail(give_line(fixture, STATUS_EVENT("504", "Timeout", "Too large resource version: 100, current: 9"), &e), e,
              ERROR_RETRYABLE, "Too large");
    expect_list(fixture, NEWEST_LIST);
}

static void trap_10_it_lists_the_newest_every_ten_hours(void **state) {
    struct fixture *fixture = *state;
    fixture->random = 0.25;
    begin_watch(fixture);
    fixture->now_ms += 10 * HOUR + 14 * MINUTE;
    end(fixture);
    expect_watch(fixture, "100");
    fixture->now_ms += 1 * MINUTE;
    end(fixture);
    expect_list(fixture, NEWEST_LIST);
    page(fixture, LIST("90", "")); // the server went back in time
    expect_watch(fixture, "90");
    fixture->now_ms += 9 * HOUR;
    end(fixture);
    expect_watch(fixture, "90");
}

static void trap_11_a_watch_that_ends_at_once_is_a_failure(void **state) {
    struct fixture *fixture = *state;
    struct error e;
    begin_watch(fixture);
    for (int i = 0; i < 5; i++) {
        fixture->now_ms += 999;
        must_fail(reflector_ended(fixture->reflector, fixture->now_ms, &e), e, ERROR_RETRYABLE, "at once");
        wait_out(fixture);
        if (i < 4) {
            expect_watch(fixture, "100");
        }
    }
    expect_list(fixture, "resourceVersion=100"); // it may be that it never answers to this version
}

static void trap_11_a_short_watch_with_an_event_is_none(void **state) {
    struct fixture *fixture = *state;
    begin_watch(fixture);
    line(fixture, BOOKMARK("101"));
    end(fixture);
    expect_watch(fixture, "101");
    fixture->now_ms += 1000;
    end(fixture);
    expect_watch(fixture, "101");
}

static void trap_12_a_list_replaces_all_at_once(void **state) {
    struct fixture *fixture = *state;
    expect_list(fixture, FIRST_LIST);
    page(fixture, LIST_PAGE("100", "t", ITEM("a", "1")));
    expect_list(fixture, "limit=500&continue=t");
    fail_as(fixture, 500, ERROR_RETRYABLE, 0, "broken off");
    expect_log(fixture, ""); // never a part of a list
    wait_out(fixture);
    expect_list(fixture, "limit=500&continue=t");
    page(fixture, LIST("100", ITEM("b", "2")));
    expect_log(fixture, "list a@1; list b@2; replace @100; ");
}

static void traps_13_and_14_no_streaming_list_is_asked_for(void **state) {
    struct fixture *fixture = *state;
    begin_watch(fixture);
    assert_null(strstr(fixture->step.query, "sendInitialEvents"));
    assert_null(strstr(fixture->step.query, "resourceVersionMatch"));
    assert_non_null(strstr(fixture->step.query, "watch=1&"));
    line(fixture, EVENT("BOOKMARK", "{\"metadata\":{\"resourceVersion\":\"101\",\"annotations\":"
                                    "{\"k8s.io/initial-events-end\":\"true\"}}}"));
    expect_log(fixture, "advance @101; ");
}

static void trap_16_too_many_requests_is_waited_out(void **state) {
    struct fixture *fixture = *state;
    begin_watch(fixture);
    for (int i = 0; i < 20; i++) {
        fail_as(fixture, 429, ERROR_RETRYABLE, 17 * SECOND, "too many requests");
        expect_wait(fixture, 17 * SECOND); // all draws are below it: a floor
        fixture->now_ms += 17 * SECOND;
        expect_watch(fixture, "100"); // never a list, which would make it worse
    }
}

static void trap_16_retry_after_is_a_floor_only(void **state) {
    struct fixture *fixture = *state;
    begin_watch(fixture);
    for (int i = 0; i < 10; i++) {
        fail_as(fixture, 429, ERROR_RETRYABLE, 1 * SECOND, "too many requests");
        wait_out(fixture);
        expect_watch(fixture, "100");
    }
    fail_as(fixture, 429, ERROR_RETRYABLE, 1 * SECOND, "too many requests");
    expect_wait(fixture, 15001);
}

static void trap_16_too_many_requests_within_a_watch(void **state) {
    struct fixture *fixture = *state;
    struct error e;
    begin_watch(fixture);
    for (int i = 0; i < 20; i++) {
        must_fail(give_line(fixture,
                            EVENT("ERROR", "{\"kind\":\"Status\",\"code\":429,\"message\":\"busy\","
                                           "\"details\":{\"retryAfterSeconds\":40}}"),
                            &e),
                  e, ERROR_RETRYABLE, "busy");
        expect_wait(fixture, 40 * SECOND);
        fixture->now_ms += 40 * SECOND;
        expect_watch(fixture, "100");
    }
}

static void trap_16_too_many_requests_on_a_list(void **state) {
    struct fixture *fixture = *state;
    for (int i = 0; i < 20; i++) {
        expect_list(fixture, FIRST_LIST);
        fail_as(fixture, 429, ERROR_RETRYABLE, 3 * MINUTE, "too many requests");
        expect_wait(fixture, 3 * MINUTE);
        fixture->now_ms += 3 * MINUTE;
    }
}

static void trap_17_a_forbidden_or_absent_resource_is_tried_for_ever(void **state) {
    struct fixture *fixture = *state;
    for (int i = 0; i < 40; i++) {
        expect_list(fixture, FIRST_LIST);
        fail_as(fixture, i % 2 == 0 ? 403 : 404, i % 2 == 0 ? ERROR_FORBIDDEN : ERROR_NOT_FOUND, 0, "no");
        wait_out(fixture);
    }
}

static void trap_18_waits_are_random_and_double(void **state) {
    static const double draws[] = {0, 0.5, 0.999999};
    static const uint32_t limits[] = {800, 1600, 3200, 6400, 12800, 25600, 30000, 30000, 30000};
    struct fixture *fixture = *state;
    for (size_t d = 0; d < sizeof(draws) / sizeof(draws[0]); d++) {
        fixture->random = draws[d];
        fixture->now_ms += 3 * MINUTE; // starts from the shortest again
        for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
            expect_list(fixture, FIRST_LIST);
            fail_as(fixture, 0, ERROR_RETRYABLE, 0, "connection refused");
            expect_wait(fixture, 1 + (uint32_t)(draws[d] * limits[i]));
            fixture->now_ms += fixture->step.wait_ms;
        }
    }
}

static void the_backoff_starts_anew_after_two_good_minutes(void **state) {
    struct fixture *fixture = *state;
    begin_watch(fixture);
    for (int i = 0; i < 10; i++) {
        fail_as(fixture, 0, ERROR_RETRYABLE, 0, "connection reset");
        wait_out(fixture);
        expect_watch(fixture, "100");
    }
    fixture->now_ms += 2 * MINUTE - 15001 - 1; // counted from the last failure
    fail_as(fixture, 0, ERROR_RETRYABLE, 0, "connection reset");
    expect_wait(fixture, 15001);
    fixture->now_ms += 15001;
    expect_watch(fixture, "100");
    fixture->now_ms += 2 * MINUTE - 15001;
    fail_as(fixture, 0, ERROR_RETRYABLE, 0, "connection reset");
    expect_wait(fixture, 401);
}

static void a_refused_connection_never_costs_a_list(void **state) {
    struct fixture *fixture = *state;
    begin_watch(fixture);
    for (int i = 0; i < 50; i++) {
        fail_as(fixture, 0, i % 2 == 0 ? ERROR_RETRYABLE : ERROR_IO, 0, "connection refused, or a bad certificate");
        wait_out(fixture);
        expect_watch(fixture, "100");
    }
}

static void a_watch_refused_for_a_reason_lists_in_the_end(void **state) {
    struct fixture *fixture = *state;
    begin_watch(fixture);
    for (int i = 0; i < 4; i++) {
        fail_as(fixture, i == 0 ? 400 : 503, ERROR_RETRYABLE, 0, "no");
        wait_out(fixture);
        expect_watch(fixture, "100");
    }
    fail_as(fixture, 200, ERROR_IO, 0, "a line is longer than can be");
    wait_out(fixture);
    expect_list(fixture, "resourceVersion=100");
}

static void gone_twice_with_nothing_between_waits(void **state) {
    struct fixture *fixture = *state;
    begin_watch(fixture);
    fail_as(fixture, 410, ERROR_GONE, 0, "too old");
    for (int i = 0; i < 5; i++) {
        expect_list(fixture, NEWEST_LIST);
        page(fixture, LIST("200", ""));
        expect_watch(fixture, "200");
        fail_as(fixture, 410, ERROR_GONE, 0, "too old"); // a broken server must not be hammered
        wait_out(fixture);
    }
    expect_list(fixture, NEWEST_LIST);
    fail_as(fixture, 410, ERROR_GONE, 0, "too old");
    wait_out(fixture);
    expect_list(fixture, NEWEST_LIST);
    page(fixture, LIST("200", ""));
    expect_watch(fixture, "200");
    line(fixture, BOOKMARK("201"));
    fail_as(fixture, 410, ERROR_GONE, 0, "too old");
    expect_list(fixture, NEWEST_LIST); // at once, since something was learned
}

// ---- what cannot be used

static void a_malformed_list_is_a_failure(void **state) {
    struct fixture *fixture = *state;
    static const char *const pages[] = {
        "null",
        "[]",
        "{}",
        "{\"kind\":\"Status\",\"metadata\":{},\"items\":[]}",
        "{\"metadata\":{\"resourceVersion\":\"\"},\"items\":[]}",
        "{\"metadata\":{\"resourceVersion\":5},\"items\":[]}",
        "{\"metadata\":[],\"items\":[]}",
        "{\"metadata\":{\"resourceVersion\":\"5\"}}",
        "{\"metadata\":{\"resourceVersion\":\"5\"},\"items\":{}}",
        LIST("5", "null"),
        LIST("5", "{\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"1\"}}"),
        LIST("5", ITEM("a", "1") ",{\"metadata\":null}"),
    };
    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        struct error e;
        expect_list(fixture, FIRST_LIST);
        must_fail(give_page(fixture, pages[i], &e), e, ERROR_IO, "the list cannot be used");
        wait_out(fixture);
    }
    expect_list(fixture, FIRST_LIST);
    page(fixture, LIST_PAGE("100", "t", ITEM("a", "1")));
    expect_list(fixture, "limit=500&continue=t");
    struct error e;
    must_fail(give_page(fixture, "{}", &e), e, ERROR_IO, "items");
    wait_out(fixture);
    expect_list(fixture, FIRST_LIST);
    expect_log(fixture, "");
}

static void a_malformed_event_is_a_failure(void **state) {
    static const char *const lines[] = {
        "",
        "{",
        "null",
        "[]",
        "{\"type\":\"ADDED\"}{}",
        "{\"object\":{}}",
        "{\"type\":null,\"object\":" ITEM("b", "101") "}",
        "{\"type\":\"ADDED\"}",
        EVENT("ADDED", "null"),
        EVENT("ADDED", "[]"),
        EVENT("ADDED", "{\"metadata\":null}"),
        EVENT("ADDED", "{\"metadata\":{\"resourceVersion\":\"101\"}}"),
        EVENT("DELETED", "{\"metadata\":{\"name\":\"a\",\"uid\":\"u\"}}"),
        EVENT("BOOKMARK", "{\"metadata\":{}}"),
        EVENT("BOOKMARK", "{\"metadata\":{\"resourceVersion\":101}}"),
        EVENT("ADDED", "{\"metadata\":{\"name\":\"a\",\"name\":\"b\",\"uid\":\"u\",\"resourceVersion\":\"101\"}}"),
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct error e;
        struct fixture *fixture = *state;
        begin_watch(fixture);
        must_fail(give_line(fixture, lines[i], &e), e, ERROR_IO, "");
        wait_out(fixture);
        expect_list(fixture, "resourceVersion=100"); // lest something was missed
        tear_down(state);
        set_up(state);
    }
}

static void an_unknown_event_is_ignored(void **state) {
    struct fixture *fixture = *state;
    begin_watch(fixture);
    line(fixture, EVENT("SPARKLED", "{\"metadata\":{\"resourceVersion\":\"900\"}}"));
    line(fixture, "{\"type\":\"added\",\"object\":null}");
    fixture->now_ms += MINUTE;
    end(fixture);
    expect_watch(fixture, "100");
    expect_log(fixture, "");
}

static void a_sink_without_memory_loses_nothing(void **state) {
    struct fixture *fixture = *state;
    struct error e;
    expect_list(fixture, FIRST_LIST);
    fixture->sink_fails = true;
    must_fail(give_page(fixture, LIST("100", ITEM("a", "1")), &e), e, ERROR_NO_MEMORY, "the sink");
    wait_out(fixture);
    expect_list(fixture, FIRST_LIST);
    page(fixture, LIST("100", ITEM("a", "1")));
    expect_watch(fixture, "100");
    line(fixture, EVENT("ADDED", ITEM("b", "101")));
    fixture->sink_fails = true;
    must_fail(give_line(fixture, EVENT("ADDED", ITEM("c", "102")), &e), e, ERROR_NO_MEMORY, "the sink");
    wait_out(fixture);
    expect_list(fixture, "resourceVersion=101"); // not 102, which was not stored
    expect_log(fixture, "list a@1; replace @100; apply b@101; ");
}

// One life: two pages, an event of each type, an error. With so much memory, until something fails.
static bool live(struct fixture *fixture, struct error *e) {
    struct reflector *reflector = fixture->reflector;
    static const char *const lines[] = {EVENT("ADDED", ITEM("c", "101")), EVENT("DELETED", ITEM("c", "102")),
                                        BOOKMARK("103")};
    reflector_next(reflector, fixture->now_ms, &fixture->step);
    if (fixture->step.action != REFLECTOR_LIST || !give_page(fixture, LIST_PAGE("100", "t", ITEM("a", "1")), e)) {
        return false;
    }
    reflector_next(reflector, fixture->now_ms, &fixture->step);
    if (fixture->step.action != REFLECTOR_LIST || !give_page(fixture, LIST("100", ITEM("b", "2")), e)) {
        return false;
    }
    reflector_next(reflector, fixture->now_ms, &fixture->step);
    if (fixture->step.action != REFLECTOR_WATCH) {
        return false;
    }
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        if (!give_line(fixture, lines[i], e)) {
            return false;
        }
    }
    return true;
}

static void memory_that_runs_out_anywhere_is_waited_out(void **state) {
    long failures = 0;
    for (bool done = false; !done; failures++) {
        struct fixture *fixture = *state;
        struct error e = {0};
        memory_left = failures;
        done = live(fixture, &e);
        memory_left = -1;
        if (!done) {
            assert_true(e.class == ERROR_NONE || e.class == ERROR_NO_MEMORY);
            wait_out(fixture);
            reflector_next(fixture->reflector, fixture->now_ms, &fixture->step); // and goes on
            assert_int_not_equal(fixture->step.action, REFLECTOR_WAIT);
        }
        tear_down(state);
        set_up(state);
    }
    assert_in_range(failures, 20, 200);
    struct error e;
    struct reflector *reflector = nullptr;
    const struct reflector_sink sink = {0};
    memory_left = 0;
    must_fail(reflector_create(&sink, draw, nullptr, &reflector, &e), e, ERROR_NO_MEMORY, "");
    memory_left = -1;
    assert_null(reflector);
    reflector_free(nullptr);
}

static void an_unbelievable_token_is_a_failure(void **state) {
    enum { LENGTH = 70000 };
    struct fixture *fixture = *state;
    static char text[LENGTH + 200];
    int used = sprintf(text, "{\"metadata\":{\"resourceVersion\":\"5\",\"continue\":\"");
    memset(text + used, 'x', LENGTH);
    strcpy(text + used + LENGTH, "\"},\"items\":[]}");
    expect_list(fixture, FIRST_LIST);
    page(fixture, text);
    wait_out(fixture);
    expect_list(fixture, FIRST_LIST);
}

#define scripted(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        scripted(it_lists_then_watches_and_goes_on),
        scripted(an_empty_list_is_a_list),
        scripted(pages_are_put_together),
        scripted(each_page_has_tries_of_its_own),
        scripted(a_failed_page_is_asked_for_again),
        scripted(trap_1_a_dead_watch_has_deadlines_of_our_own),
        scripted(a_list_has_a_deadline),
        scripted(trap_3_gone_within_a_watch_lists_the_newest_at_once),
        scripted(trap_4_gone_as_an_answer_lists_the_newest_at_once),
        scripted(trap_4_gone_by_reason_alone_is_gone),
        scripted(trap_5_an_expired_page_lists_anew_in_one_piece),
        scripted(trap_6_error_events_retry_the_version_then_list),
        scripted(trap_6_an_event_between_errors_counts_as_progress),
        scripted(trap_6_an_error_event_without_sense_is_an_error),
        scripted(trap_7_the_version_is_the_lists_own),
        scripted(trap_8_bookmarks_move_the_version),
        scripted(trap_9_a_too_large_version_lists_the_newest_at_once),
        scripted(trap_9_a_watch_from_a_too_large_version_lists_too),
        scripted(trap_10_it_lists_the_newest_every_ten_hours),
        scripted(trap_11_a_watch_that_ends_at_once_is_a_failure),
        scripted(trap_11_a_short_watch_with_an_event_is_none),
        scripted(trap_12_a_list_replaces_all_at_once),
        scripted(traps_13_and_14_no_streaming_list_is_asked_for),
        scripted(trap_16_too_many_requests_is_waited_out),
        scripted(trap_16_retry_after_is_a_floor_only),
        scripted(trap_16_too_many_requests_within_a_watch),
        scripted(trap_16_too_many_requests_on_a_list),
        scripted(trap_17_a_forbidden_or_absent_resource_is_tried_for_ever),
        scripted(trap_18_waits_are_random_and_double),
        scripted(the_backoff_starts_anew_after_two_good_minutes),
        scripted(a_refused_connection_never_costs_a_list),
        scripted(a_watch_refused_for_a_reason_lists_in_the_end),
        scripted(gone_twice_with_nothing_between_waits),
        scripted(a_malformed_list_is_a_failure),
        scripted(a_malformed_event_is_a_failure),
        scripted(an_unknown_event_is_ignored),
        scripted(a_sink_without_memory_loses_nothing),
        scripted(memory_that_runs_out_anywhere_is_waited_out),
        scripted(an_unbelievable_token_is_a_failure),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
