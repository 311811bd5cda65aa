#include "reflector_fixture.h"

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
    page(fixture,
         LIST("105", ITEM("c", "3"))); // all are as of the first, or else nothing is missed from there
    expect_watch(fixture, "100");
    expect_log(fixture, "list a@1; list b@2; list c@3; replace @100; ");
}

static void test_trap_20_of_a_list_only_what_is_wanted_is_held(void **state) {
    struct fixture *fixture = *state;
    fixture->unwanted = "other";
    expect_list(fixture, FIRST_LIST);
    page(fixture, LIST_PAGE("100", "t", ITEM("other-1", "1") "," ITEM("a", "7")));
    expect_list(fixture, "limit=500&continue=t");
    page(fixture, LIST("100", ITEM("other-2", "8")));
    expect_log(fixture, "list a@7; replace @100; ");
    expect_watch(fixture, "100");
    // What comes in a watch may be stored, and not be wanted any more.
    line(fixture, EVENT("MODIFIED", ITEM("other-1", "101")));
    expect_log(fixture, "apply other-1@101; ");
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

// What came of it may be gone by the time that the page comes whole.
static void a_page_that_is_cut_off_counts_nothing(void **state) {
    struct fixture *fixture = *state;
    struct error e;
    static const char item[] = ITEM("gone", "2");
    expect_list(fixture, FIRST_LIST);
    page(fixture, LIST_PAGE("100", "t", ITEM("a", "1")));
    expect_list(fixture, "limit=500&continue=t");
    must(reflector_item(fixture->reflector, fixture->now_ms, item, sizeof(item) - 1, &e), e);
    fail_as(fixture, 200, ERROR_RETRYABLE, 0, "connection reset");
    wait_out(fixture);
    expect_list(fixture, "limit=500&continue=t");
    page(fixture, LIST("100", ITEM("b", "3")));
    expect_log(fixture, "list a@1; list b@3; replace @100; ");
}

static void test_trap_29_an_event_of_a_known_version_only_moves_the_watch_on(void **state) {
    struct fixture *fixture = *state;
    begin_watch(fixture);
    fixture->known = "d/b";
    fixture->known_version = "102";
    line(fixture, EVENT("ADDED", ITEM("b", "101"))); // somebody else's, on the way when ours was made
    line(fixture, EVENT("MODIFIED", ITEM("b", "102")));
    expect_log(fixture, "advance @101; advance @102; ");
    line(fixture, EVENT("MODIFIED", ITEM("b", "103")));
    line(fixture, EVENT("MODIFIED", ITEM("a", "104")));
    line(fixture, EVENT("DELETED", ITEM("b", "102"))); // an end is always told
    expect_log(fixture, "apply b@103; apply a@104; remove b@102; ");
}

// ---- a server that was restored

static void a_version_from_before_the_last_seen_lists_anew(void **state) {
    struct fixture *fixture = *state;
    struct error e;
    begin_watch(fixture);
    line(fixture, EVENT("ADDED", ITEM("b", "1005")));
    fail_as(fixture, 0, ERROR_RETRYABLE, 0, "connection reset");
    wait_out(fixture);
    expect_version_check(fixture);
    must_fail(give_page(fixture, LIST("999", ITEM("a", "7")), &e), e, ERROR_GONE, "999, and 1005 was seen");
    expect_list(fixture, NEWEST_LIST); // at once
    page(fixture, LIST("999", ITEM("a", "7")));
    expect_log(fixture, "apply b@1005; list a@7; replace @999; ");
    expect_watch(fixture, "999");
    fixture->now_ms += MINUTE;
    end(fixture);
    expect_version_check(fixture); // after an orderly end as well
    page(fixture, LIST("1200", ITEM("c", "1200")));
    expect_watch(fixture, "999"); // what a check shows of objects counts nothing
    expect_log(fixture, "");
}

static void a_server_that_goes_back_again_and_again_is_not_hammered(void **state) {
    struct fixture *fixture = *state;
    struct error e;
    begin_watch(fixture);
    for (int i = 0; i < 5; i++) {
        fixture->now_ms += MINUTE;
        fail_as(fixture, 0, ERROR_RETRYABLE, 0, "connection reset");
        wait_out(fixture);
        expect_version_check(fixture);
        must_fail(give_page(fixture, LIST("99", ""), &e), e, ERROR_GONE, "restored");
        if (i > 0) {
            wait_out(fixture);
        }
        expect_list(fixture, NEWEST_LIST);
        page(fixture, LIST("100", ""));
        expect_watch(fixture, "100");
    }
}

static void a_check_that_fails_is_made_again(void **state) {
    struct fixture *fixture = *state;
    struct error e;
    begin_watch(fixture);
    fixture->now_ms += MINUTE;
    end(fixture);
    for (int i = 0; i < 20; i++) {
        expect_version_check(fixture);
        fail_as(fixture, i % 2 == 0 ? 0 : 429, ERROR_RETRYABLE, 0, "down, or busy");
        wait_out(fixture);
    }
    for (int i = 0; i < 5; i++) {
        expect_version_check(fixture);
        fail_as(fixture, 500, ERROR_RETRYABLE, 0, "something broke");
        wait_out(fixture);
    }
    expect_list(fixture, "resourceVersion=100");
    page(fixture, LIST("100", ""));
    expect_watch(fixture, "100");
    fixture->now_ms += MINUTE;
    end(fixture);
    expect_version_check(fixture);
    must_fail(give_page(fixture, "{\"items\":[]}", &e), e, ERROR_IO, "resourceVersion");
    wait_out(fixture);
    expect_list(fixture, "resourceVersion=100");
}

// ---- failures

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
        fail_as(fixture, 0, i % 2 == 0 ? ERROR_RETRYABLE : ERROR_IO, 0,
                "connection refused, or a bad certificate");
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
        EVENT("ADDED",
              "{\"metadata\":{\"name\":\"a\",\"name\":\"b\",\"uid\":\"u\",\"resourceVersion\":\"101\"}}"),
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
    if (fixture->step.action != REFLECTOR_LIST ||
        !give_page(fixture, LIST_PAGE("100", "t", ITEM("a", "1")), e)) {
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
    must_fail(reflector_create(&sink, 600, draw, nullptr, &reflector, &e), e, ERROR_NO_MEMORY, "");
    memory_left = -1;
    assert_null(reflector);
    reflector_free(nullptr);
}

static void an_unbelievable_token_is_a_failure(void **state) {
    struct fixture *fixture = *state;
    cleanup_buffer struct buffer text = buffer_create(1 << 20);
    say(&text, "{\"metadata\":{\"resourceVersion\":\"5\",\"continue\":\"%070000d\"},\"items\":[]}", 1);
    expect_list(fixture, FIRST_LIST);
    page(fixture, buffer_text(&text));
    wait_out(fixture);
    expect_list(fixture, FIRST_LIST);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        scripted(it_lists_then_watches_and_goes_on),
        scripted(an_empty_list_is_a_list),
        scripted(pages_are_put_together),
        scripted(test_trap_20_of_a_list_only_what_is_wanted_is_held),
        scripted(each_page_has_tries_of_its_own),
        scripted(a_failed_page_is_asked_for_again),
        scripted(a_page_that_is_cut_off_counts_nothing),
        scripted(test_trap_29_an_event_of_a_known_version_only_moves_the_watch_on),
        scripted(a_version_from_before_the_last_seen_lists_anew),
        scripted(a_server_that_goes_back_again_and_again_is_not_hammered),
        scripted(a_check_that_fails_is_made_again),
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
