// The ways in which watches of smaller clients fail, each from a public report. The numbers only keep the
// tests apart.
#include "reflector_fixture.h"

// kubernetes/client-go#374, kube-rs PR 1945: nobody notices a dead connection.
static void test_trap_01_a_dead_watch_has_deadlines_of_our_own(void **state) {
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

static void test_trap_01_watches_can_be_shorter_than_a_load_balancer_allows(void **state) {
    struct fixture *fixture = *state;
    struct error e;
    const struct reflector_sink sink = {fixture,     {},           sink_replace, sink_apply,
                                        sink_remove, sink_advance, sink_wants,   sink_has};
    reflector_free(fixture->reflector);
    must(reflector_create(&sink, 45, draw, fixture, &fixture->reflector, &e), e);
    fixture->random = 0;
    begin_watch(fixture);
    assert_non_null(strstr(fixture->step.query, "timeoutSeconds=22&"));
    fixture->now_ms += 22 * SECOND;
    end(fixture);
    fixture->random = 0.999999;
    expect_watch(fixture, "100");
    assert_non_null(strstr(fixture->step.query, "timeoutSeconds=44&"));
    assert_int_equal(fixture->step.deadline_ms, (44 + 10) * SECOND);
}

static void a_list_has_a_deadline(void **state) {
    struct fixture *fixture = *state;
    expect_list(fixture, FIRST_LIST);
    assert_in_range(fixture->step.deadline_ms, 60 * SECOND, 5 * MINUTE);
}

// kopf PR 8, python-base#57: 410 comes as an event of a 200 answer.
static void test_trap_03_gone_within_a_watch_lists_the_newest_at_once(void **state) {
    struct fixture *fixture = *state;
    struct error e;
    begin_watch(fixture);
    must_fail(give_line(fixture, GONE_EVENT, &e), e, ERROR_GONE, "too old resource version");
    expect_list(fixture, NEWEST_LIST);
    page(fixture, LIST("200", ""));
    expect_watch(fixture, "200");
    expect_log(fixture, "replace @200; ");
}

// dotnet-operator-sdk#724: 410 comes as the HTTP status.
static void test_trap_04_gone_as_an_answer_lists_the_newest_at_once(void **state) {
    struct fixture *fixture = *state;
    begin_watch(fixture);
    fail_as(fixture, 410, ERROR_GONE, 0, "too old resource version");
    expect_list(fixture, NEWEST_LIST);
    page(fixture, LIST("200", ""));
    expect_watch(fixture, "200");
}

static void test_trap_04_gone_by_reason_alone_is_gone(void **state) {
    struct fixture *fixture = *state;
    begin_watch(fixture);
    fail_as(fixture, 500, ERROR_GONE, 0, "Expired");
    expect_list(fixture, NEWEST_LIST);
}

// fluent-bit#9309, kubernetes PR 67284: 410 on a page of a list.
static void test_trap_05_an_expired_page_lists_anew_in_one_piece(void **state) {
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

// client-go's reflector.go: ERROR events other than 410.
static void test_trap_06_error_events_retry_the_version_then_list(void **state) {
    struct fixture *fixture = *state;
    struct error e;
    begin_watch(fixture);
    line(fixture, EVENT("ADDED", ITEM("b", "101")));
    for (int i = 0; i < 5; i++) {
        must_fail(give_line(fixture,
                            STATUS_EVENT("500", "InternalError", "etcd event received with PrevKv=nil"), &e),
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

static void test_trap_06_an_event_between_errors_counts_as_progress(void **state) {
    struct fixture *fixture = *state;
    struct error e;
    begin_watch(fixture);
    for (int i = 101; i < 120; i++) {
        char event[256];
        snprintf(event, sizeof(event),
                 "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"%d\"}}}", i);
        line(fixture, event);
        must_fail(give_line(fixture, STATUS_EVENT("401", "Unauthorized", "expired token"), &e), e,
                  ERROR_RETRYABLE, "expired token");
        wait_out(fixture);
        snprintf(event, sizeof(event), "%d", i);
        expect_watch(fixture, event);
    }
}

static void test_trap_06_an_error_event_without_sense_is_an_error(void **state) {
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

// kopf (zalando)#42: the version of the last item instead of the list's own.
static void test_trap_07_the_version_is_the_lists_own(void **state) {
    struct fixture *fixture = *state;
    expect_list(fixture, FIRST_LIST);
    page(fixture, LIST("100", ITEM("a", "900") "," ITEM("z", "3"))); // neither of the items'
    expect_watch(fixture, "100");
}

// kube-rs#1615: on a quiet resource the version grows too old.
static void test_trap_08_bookmarks_move_the_version(void **state) {
    struct fixture *fixture = *state;
    begin_watch(fixture);
    line(fixture, BOOKMARK("150"));
    assert_non_null(strstr(fixture->step.query, "allowWatchBookmarks=true"));
    fixture->now_ms += 5 * MINUTE;
    end(fixture);
    expect_watch(fixture, "150");
    expect_log(fixture, "advance @150; ");
}

// kubernetes#107133: after a restored backup the version is of the future.
static void test_trap_09_a_too_large_version_lists_the_newest_at_once(void **state) {
    struct fixture *fixture = *state;
    struct error e;
    begin_watch(fixture);
    fixture->sink_fails = true; // so that it lists what was seen at least
    must_fail(give_line(fixture, EVENT("ADDED", ITEM("b", "101")), &e), e, ERROR_NO_MEMORY, "");
    wait_out(fixture);
    expect_list(fixture, "resourceVersion=100");
    fail_as(fixture, 504, ERROR_GONE, 1000, "Timeout: Too large resource version: 100, current: 9");
    expect_list(fixture, NEWEST_LIST);
    page(fixture, LIST("9", ""));
    expect_watch(fixture, "9");
}

static void test_trap_09_a_watch_from_a_too_large_version_lists_too(void **state) {
    struct fixture *fixture = *state;
    struct error e;
    begin_watch(fixture);
    must_fail(
        give_line(fixture, STATUS_EVENT("504", "Timeout", "Too large resource version: 100, current: 9"), &e),
        e, ERROR_GONE, "Too large");
    expect_list(fixture, NEWEST_LIST);
}

// kubernetes#107457, etcd#16028: a restored backup that has overtaken the version seen.
static void test_trap_10_it_lists_the_newest_every_ten_hours(void **state) {
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

// kubernetes#104171: a watch that is answered with nothing makes a busy loop.
static void test_trap_11_a_watch_that_ends_at_once_is_a_failure(void **state) {
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

static void test_trap_11_a_short_watch_with_an_event_is_none(void **state) {
    struct fixture *fixture = *state;
    begin_watch(fixture);
    line(fixture, BOOKMARK("101"));
    end(fixture);
    expect_watch(fixture, "101");
    fixture->now_ms += 1000;
    end(fixture);
    expect_watch(fixture, "101");
}

// half a list, or one that is not compared, leaves ghosts.
static void test_trap_12_a_list_replaces_all_at_once(void **state) {
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

// kubernetes PR 115402, cozystack PR 2786: streaming lists that are asked for wrongly, or never end.
static void test_trap_13_14_no_streaming_list_is_asked_for(void **state) {
    struct fixture *fixture = *state;
    begin_watch(fixture);
    assert_null(strstr(fixture->step.query, "sendInitialEvents"));
    assert_null(strstr(fixture->step.query, "resourceVersionMatch"));
    assert_non_null(strstr(fixture->step.query, "watch=1&"));
    line(fixture, EVENT("BOOKMARK", "{\"metadata\":{\"resourceVersion\":\"101\",\"annotations\":"
                                    "{\"k8s.io/initial-events-end\":\"true\"}}}"));
    expect_log(fixture, "advance @101; ");
}

// kopf#962, pepr#3178: 429 ends the watcher.
static void test_trap_16_too_many_requests_is_waited_out(void **state) {
    struct fixture *fixture = *state;
    begin_watch(fixture);
    for (int i = 0; i < 20; i++) {
        fail_as(fixture, 429, ERROR_RETRYABLE, 17 * SECOND, "too many requests");
        expect_wait(fixture, 17 * SECOND); // all draws are below it: a floor
        fixture->now_ms += 17 * SECOND;
        expect_watch(fixture, "100"); // never a list, which would make it worse
    }
}

static void test_trap_16_retry_after_is_a_floor_only(void **state) {
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

static void test_trap_16_too_many_requests_within_a_watch(void **state) {
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

static void test_trap_16_too_many_requests_on_a_list(void **state) {
    struct fixture *fixture = *state;
    for (int i = 0; i < 20; i++) {
        expect_list(fixture, FIRST_LIST);
        fail_as(fixture, 429, ERROR_RETRYABLE, 3 * MINUTE, "too many requests");
        expect_wait(fixture, 3 * MINUTE);
        fixture->now_ms += 3 * MINUTE;
    }
}

// controller-runtime#1653: 403 on one resource.
static void test_trap_17_a_forbidden_or_absent_resource_is_tried_for_ever(void **state) {
    struct fixture *fixture = *state;
    for (int i = 0; i < 40; i++) {
        expect_list(fixture, FIRST_LIST);
        fail_as(fixture, i % 2 == 0 ? 403 : 404, i % 2 == 0 ? ERROR_FORBIDDEN : ERROR_NOT_FOUND, 0, "no");
        wait_out(fixture);
    }
}

// kubernetes#79805: all clients come back at once.
static void test_trap_18_waits_are_random_and_double(void **state) {
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

int main(void) {
    const struct CMUnitTest tests[] = {
        scripted(test_trap_01_a_dead_watch_has_deadlines_of_our_own),
        scripted(test_trap_01_watches_can_be_shorter_than_a_load_balancer_allows),
        scripted(a_list_has_a_deadline),
        scripted(test_trap_03_gone_within_a_watch_lists_the_newest_at_once),
        scripted(test_trap_04_gone_as_an_answer_lists_the_newest_at_once),
        scripted(test_trap_04_gone_by_reason_alone_is_gone),
        scripted(test_trap_05_an_expired_page_lists_anew_in_one_piece),
        scripted(test_trap_06_error_events_retry_the_version_then_list),
        scripted(test_trap_06_an_event_between_errors_counts_as_progress),
        scripted(test_trap_06_an_error_event_without_sense_is_an_error),
        scripted(test_trap_07_the_version_is_the_lists_own),
        scripted(test_trap_08_bookmarks_move_the_version),
        scripted(test_trap_09_a_too_large_version_lists_the_newest_at_once),
        scripted(test_trap_09_a_watch_from_a_too_large_version_lists_too),
        scripted(test_trap_10_it_lists_the_newest_every_ten_hours),
        scripted(test_trap_11_a_watch_that_ends_at_once_is_a_failure),
        scripted(test_trap_11_a_short_watch_with_an_event_is_none),
        scripted(test_trap_12_a_list_replaces_all_at_once),
        scripted(test_trap_13_14_no_streaming_list_is_asked_for),
        scripted(test_trap_16_too_many_requests_is_waited_out),
        scripted(test_trap_16_retry_after_is_a_floor_only),
        scripted(test_trap_16_too_many_requests_within_a_watch),
        scripted(test_trap_16_too_many_requests_on_a_list),
        scripted(test_trap_17_a_forbidden_or_absent_resource_is_tried_for_ever),
        scripted(test_trap_18_waits_are_random_and_double),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
