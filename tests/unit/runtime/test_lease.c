// Each test plays the API server by hand, with clocks that it sets.
#include "../base/check.h"
#include "../base/short_memory.h"

#include "runtime/lease.h"

#include <stdio.h>

enum { SECOND = 1000 };

static const int64_t wall_us = INT64_C(1767323045000006); // 2026-01-02T03:04:05.000006Z

struct fixture {
    struct lease *lease;
    struct lease_step step;
    int64_t now_ms;
    double random; // what every draw gives
};

static double draw(void *context) {
    return ((struct fixture *)context)->random;
}

static const struct lease_timing usual = {15000, 10000, 2000};

static int set_up(void **state) {
    static struct fixture fixture;
    struct error e;
    memory_left = -1;
    fixture = (struct fixture){.now_ms = 1000000, .random = 0.5};
    const struct lease_options options = {"ns", "it", "me", usual, draw, &fixture};
    must(lease_create(&options, &fixture.lease, &e), e);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state) {
    lease_free(((struct fixture *)*state)->lease);
    return 0;
}

#define scripted(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

// ---- what it asks for

static void next(struct fixture *f, enum lease_action action) {
    lease_next(f->lease, f->now_ms, wall_us, &f->step);
    assert_int_equal(f->step.action, action);
}

// A request with that body, as JSON.
static void expect(struct fixture *f, enum lease_action action, const char *body) {
    struct error e;
    cleanup_buffer struct buffer text = buffer_create(4096);
    next(f, action);
    must(json_write(f->step.body, &text, &e), e);
    assert_string_equal(buffer_text(&text), body);
}

static void expect_wait(struct fixture *f, uint32_t wait_ms) {
    next(f, LEASE_WAIT);
    assert_int_equal(f->step.wait_ms, wait_ms);
}

static void wait_out(struct fixture *f) {
    next(f, LEASE_WAIT);
    f->now_ms += f->step.wait_ms;
}

// ---- what it is told

static bool give(struct fixture *f, const char *text, struct error *e) {
    struct error parse_error;
    yyjson_doc *document;
    long left = memory_left;
    memory_left = -1;
    must(json_parse(text, strlen(text), &document, &parse_error), parse_error);
    memory_left = left;
    return lease_answered(f->lease, f->now_ms, document, e);
}

static void answer(struct fixture *f, const char *text) {
    struct error e;
    must(give(f, text, &e), e);
}

static void fail_as(struct fixture *f, enum error_class class) {
    struct error e;
    (void)error_set(&e, class, "no");
    lease_failed(f->lease, f->now_ms, &e);
}

#define LEASE(version, holder, seconds, renewed)                                                             \
    "{\"metadata\":{\"name\":\"it\",\"uid\":\"u\",\"resourceVersion\":\"" version "\"},\"spec\":{"           \
    "\"holderIdentity\":\"" holder "\",\"leaseDurationSeconds\":" seconds ",\"leaseTransitions\":7,"         \
    "\"acquireTime\":\"2025-01-01T00:00:00.000000Z\",\"renewTime\":\"" renewed "\"}}"
#define OTHERS(version, renewed) LEASE(version, "other", "15", renewed)
#define MINE(version) LEASE(version, "me", "15", "2026-01-02T03:04:05.000006Z")

#define NOW "2026-01-02T03:04:05.000006Z"
#define TAKE(version, transitions)                                                                           \
    "{\"metadata\":{\"resourceVersion\":\"" version "\"},\"spec\":{\"holderIdentity\":\"me\","               \
    "\"leaseDurationSeconds\":15,\"renewTime\":\"" NOW "\",\"acquireTime\":\"" NOW                           \
    "\",\"leaseTransitions\":" transitions "}}"
#define RENEW(version)                                                                                       \
    "{\"metadata\":{\"resourceVersion\":\"" version "\"},\"spec\":{\"holderIdentity\":\"me\","               \
    "\"leaseDurationSeconds\":15,\"renewTime\":\"" NOW "\"}}"
#define GIVE_BACK(version)                                                                                   \
    "{\"metadata\":{\"resourceVersion\":\"" version "\"},\"spec\":{\"holderIdentity\":\"\","                 \
    "\"leaseDurationSeconds\":1,\"renewTime\":\"" NOW "\",\"acquireTime\":\"" NOW                            \
    "\",\"leaseTransitions\":7}}"

static void expect_leading(const struct fixture *f, bool leading) {
    assert_int_equal(lease_held_until(f->lease) > f->now_ms, leading);
    if (!leading) {
        assert_true(lease_held_until(f->lease) == INT64_MIN);
    }
}

// Leads from now on, by the record of version 2.
static void lead(struct fixture *f) {
    next(f, LEASE_GET);
    answer(f, LEASE("1", "", "1", "then"));
    next(f, LEASE_UPDATE);
    answer(f, MINE("2"));
    expect_leading(f, true);
}

// ---- acquiring

static void a_missing_lease_is_created(void **state) {
    struct fixture *f = *state;
    next(f, LEASE_GET);
    assert_null(f->step.body);
    fail_as(f, ERROR_NOT_FOUND);
    expect_leading(f, false);
    expect(f, LEASE_CREATE,
           "{\"apiVersion\":\"coordination.k8s.io/v1\",\"kind\":\"Lease\",\"metadata\":{\"name\":\"it\","
           "\"namespace\":\"ns\"},\"spec\":{\"holderIdentity\":\"me\",\"leaseDurationSeconds\":15,"
           "\"renewTime\":\"" NOW "\",\"acquireTime\":\"" NOW "\",\"leaseTransitions\":0}}");
    answer(f, MINE("1"));
    expect_leading(f, true);
    assert_string_equal(lease_holder(f->lease), "me");
    expect_wait(f, 2000);
}

static void a_create_that_comes_second_looks_again(void **state) {
    struct fixture *f = *state;
    next(f, LEASE_GET);
    fail_as(f, ERROR_NOT_FOUND);
    next(f, LEASE_CREATE);
    fail_as(f, ERROR_CONFLICT);
    expect_leading(f, false);
    expect_wait(f, 1500);
    wait_out(f);
    next(f, LEASE_GET);
    answer(f, OTHERS("9", "1"));
    expect_wait(f, 1500);
}

static void an_empty_holder_is_followed_at_once(void **state) {
    struct fixture *f = *state;
    next(f, LEASE_GET);
    answer(f, LEASE("41", "", "3600", "2099-01-01T00:00:00.000000Z"));
    expect(f, LEASE_UPDATE, TAKE("41", "8"));
    assert_false(f->step.slow);
    answer(f, MINE("42"));
    expect_leading(f, true);
}

static void a_lease_without_a_record_is_free(void **state) {
    struct fixture *f = *state;
    next(f, LEASE_GET);
    answer(f, "{\"metadata\":{\"resourceVersion\":\"5\"}}");
    assert_string_equal(lease_holder(f->lease), "");
    expect(f, LEASE_UPDATE, TAKE("5", "1"));
}

// Whatever the clocks of those say who wrote it: only how long it has been seen to stay the same counts.
static void test_trap_40_a_record_that_stays_the_same_runs_out(void **state) {
    static const char *const records[] = {
        OTHERS("1", "1970-01-01T00:00:00.000000Z"),
        OTHERS("1", "2099-01-01T00:00:00.000000Z"),
        OTHERS("1", "no time at all"),
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
        next(f, LEASE_GET);
        answer(f, records[i]);
        int64_t seen_ms = f->now_ms;
        f->now_ms = seen_ms + 15 * SECOND - 1;
        next(f, LEASE_GET);
        answer(f, records[i]);
        f->now_ms = seen_ms + 15 * SECOND - 1;
        next(f, LEASE_WAIT); // a moment too early
        wait_out(f);
        next(f, LEASE_GET);
        answer(f, records[i]);
        expect(f, LEASE_UPDATE, TAKE("1", "8"));
        fail_as(f, ERROR_CONFLICT); // and on to the next one
        wait_out(f);
    }
}

static void exactly_the_duration_is_enough(void **state) {
    struct fixture *f = *state;
    next(f, LEASE_GET);
    answer(f, OTHERS("1", "1"));
    f->now_ms += 15 * SECOND;
    next(f, LEASE_GET);
    answer(f, OTHERS("1", "1"));
    next(f, LEASE_UPDATE);
}

// What was written while the answer was on its way may be newer, so the wait for it does not count.
static void the_time_that_an_answer_takes_does_not_count(void **state) {
    struct fixture *f = *state;
    next(f, LEASE_GET);
    answer(f, OTHERS("1", "1"));
    f->now_ms += 15 * SECOND - 1;
    next(f, LEASE_GET);
    f->now_ms += 3 * SECOND;
    answer(f, OTHERS("1", "1"));
    next(f, LEASE_WAIT);
}

static void test_trap_40_every_change_of_the_record_counts_as_life(void **state) {
    static const char *const records[] = {
        OTHERS("1", "a"),
        OTHERS("2", "b"),
        OTHERS("3", "not a time"),
        OTHERS("4", "2000-01-01T00:00:00Z"),
        LEASE("5", "third", "15", "2000-01-01T00:00:00Z"),
        OTHERS("6", ""),
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
        next(f, LEASE_GET);
        answer(f, records[i]);
        next(f, LEASE_WAIT);
        f->now_ms += 14 * SECOND;
    }
}

// An annotation, say: it says nothing of the leader.
static void a_change_of_anything_else_does_not(void **state) {
    struct fixture *f = *state;
    next(f, LEASE_GET);
    answer(f, OTHERS("1", "a"));
    f->now_ms += 14 * SECOND;
    next(f, LEASE_GET);
    answer(f, OTHERS("2", "a"));
    f->now_ms += 14 * SECOND;
    next(f, LEASE_GET);
    answer(f, OTHERS("3", "a"));
    expect(f, LEASE_UPDATE, TAKE("3", "8"));
}

static void test_trap_40_the_duration_is_the_records_own(void **state) {
    struct fixture *f = *state;
    next(f, LEASE_GET);
    answer(f, LEASE("1", "other", "60", "a"));
    f->now_ms += 60 * SECOND - 1;
    next(f, LEASE_GET);
    answer(f, LEASE("1", "other", "60", "a"));
    next(f, LEASE_WAIT);
    f->now_ms += 10 * SECOND;
    next(f, LEASE_GET);
    answer(f, LEASE("2", "other", "3", "a"));
    f->now_ms += 4 * SECOND;
    next(f, LEASE_GET);
    answer(f, LEASE("2", "other", "3", "a"));
    next(f, LEASE_UPDATE);
}

static void without_a_duration_it_is_as_ours(void **state) {
    static const char record[] =
        "{\"metadata\":{\"resourceVersion\":\"1\"},\"spec\":{\"holderIdentity\":\"other\"}}";
    struct fixture *f = *state;
    next(f, LEASE_GET);
    answer(f, record);
    f->now_ms += 15 * SECOND - 1;
    next(f, LEASE_GET);
    answer(f, record);
    next(f, LEASE_WAIT);
    f->now_ms += 5 * SECOND;
    next(f, LEASE_GET);
    answer(f, record);
    next(f, LEASE_UPDATE);
}

static void an_update_that_comes_second_starts_anew(void **state) {
    struct fixture *f = *state;
    next(f, LEASE_GET);
    answer(f, LEASE("1", "", "1", "a"));
    next(f, LEASE_UPDATE);
    fail_as(f, ERROR_CONFLICT);
    expect_leading(f, false);
    wait_out(f);
    next(f, LEASE_GET);
    answer(f, OTHERS("2", "b"));
    next(f, LEASE_WAIT);
}

// The answer was lost, and the update was not.
static void an_unanswered_update_is_found_to_be_ours(void **state) {
    struct fixture *f = *state;
    next(f, LEASE_GET);
    answer(f, LEASE("1", "", "1", "a"));
    next(f, LEASE_UPDATE);
    fail_as(f, ERROR_RETRYABLE);
    expect_leading(f, false);
    wait_out(f);
    next(f, LEASE_GET);
    answer(f, MINE("2"));
    expect_leading(f, false);
    expect(f, LEASE_UPDATE, RENEW("2"));
    answer(f, MINE("3"));
    expect_leading(f, true);
}

static void contenders_spread(void **state) {
    static const struct {
        double random;
        uint32_t wait_ms;
    } draws[] = {{0, 1000}, {0.25, 1250}, {0.999999, 1999}};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(draws) / sizeof(draws[0]); i++) {
        f->random = draws[i].random;
        next(f, LEASE_GET);
        answer(f, OTHERS("1", "a"));
        expect_wait(f, draws[i].wait_ms);
        wait_out(f);
        next(f, LEASE_GET);
        fail_as(f, ERROR_FORBIDDEN);
        expect_wait(f, draws[i].wait_ms);
        wait_out(f);
    }
}

// Renewed for the last time just after a look.
static void a_dead_leader_is_replaced_within_a_duration_and_a_retry_period(void **state) {
    struct fixture *f = *state;
    f->random = 0.999999;
    next(f, LEASE_GET);
    answer(f, OTHERS("1", "a"));
    int64_t renewed_ms = f->now_ms;
    int looks = 0;
    do {
        wait_out(f);
        next(f, LEASE_GET);
        answer(f, OTHERS("2", "b"));
        assert_in_range(++looks, 1, 10);
        lease_next(f->lease, f->now_ms, wall_us, &f->step);
    } while (f->step.action == LEASE_WAIT);
    assert_int_equal(f->step.action, LEASE_UPDATE);
    assert_in_range(f->now_ms - renewed_ms, 15 * SECOND, 17 * SECOND);
}

// Not a moment before it, and not half a retry period after it.
static void a_contender_is_there_when_the_record_runs_out(void **state) {
    struct fixture *f = *state;
    next(f, LEASE_GET);
    answer(f, LEASE("1", "other", "2", "a"));
    expect_wait(f, 1500);
    wait_out(f);
    next(f, LEASE_GET);
    answer(f, LEASE("1", "other", "2", "a"));
    expect_wait(f, 500);
    wait_out(f);
    next(f, LEASE_GET);
    answer(f, LEASE("1", "other", "2", "a"));
    next(f, LEASE_UPDATE);
}

static void a_busy_server_is_left_alone_as_long_as_it_asks(void **state) {
    struct fixture *f = *state;
    struct error e;
    next(f, LEASE_GET);
    (void)error_set(&e, ERROR_RETRYABLE, "busy");
    e.retry_after_ms = 30 * SECOND;
    lease_failed(f->lease, f->now_ms, &e);
    expect_wait(f, 30 * SECOND);
}

// ---- leading

static void a_leader_renews_without_a_read(void **state) {
    struct fixture *f = *state;
    lead(f);
    for (int i = 0; i < 5; i++) {
        expect_wait(f, 2000);
        f->now_ms += 1500;
        expect_wait(f, 500);
        f->now_ms += 500;
        expect(f, LEASE_UPDATE, RENEW("2")); // acquireTime and leaseTransitions stay
        assert_false(f->step.slow);
        f->now_ms += 100;
        answer(f, MINE("2"));
        assert_int_equal(lease_held_until(f->lease), f->now_ms - 100 + 10 * SECOND); // from the start
    }
}

static void a_failed_renewal_is_looked_into_at_once(void **state) {
    static const enum error_class classes[] = {ERROR_CONFLICT, ERROR_RETRYABLE, ERROR_FORBIDDEN,
                                               ERROR_NOT_FOUND};
    struct fixture *f = *state;
    lead(f);
    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
        wait_out(f);
        next(f, LEASE_UPDATE);
        fail_as(f, classes[i]);
        expect_leading(f, true);
        next(f, LEASE_GET);
        answer(f, MINE("77")); // somebody has put a label on it
        expect(f, LEASE_UPDATE, RENEW("77"));
        assert_true(f->step.slow);
        answer(f, MINE("78"));
        expect_wait(f, 2000);
    }
}

static void a_leader_whose_lease_is_another_s_has_lost(void **state) {
    struct fixture *f = *state;
    lead(f);
    wait_out(f);
    next(f, LEASE_UPDATE);
    fail_as(f, ERROR_CONFLICT);
    next(f, LEASE_GET);
    answer(f, OTHERS("3", "a"));
    expect_leading(f, false);
    next(f, LEASE_LOST);
    f->now_ms += 3600 * SECOND;
    next(f, LEASE_LOST); // for good
    lease_release(f->lease);
    next(f, LEASE_LOST);
}

static void so_has_one_who_was_taken_out_of_it(void **state) {
    struct fixture *f = *state;
    lead(f);
    wait_out(f);
    next(f, LEASE_UPDATE);
    fail_as(f, ERROR_CONFLICT);
    next(f, LEASE_GET);
    answer(f, LEASE("3", "", "15", "a"));
    next(f, LEASE_LOST);
}

static void a_deleted_lease_is_made_anew(void **state) {
    struct fixture *f = *state;
    lead(f);
    wait_out(f);
    next(f, LEASE_UPDATE);
    fail_as(f, ERROR_NOT_FOUND);
    next(f, LEASE_GET);
    fail_as(f, ERROR_NOT_FOUND);
    next(f, LEASE_CREATE);
    answer(f, MINE("1"));
    expect_leading(f, true);
    expect_wait(f, 2000);
}

// From the start of the last request that succeeded, to the millisecond.
// Somebody between us and the server has changed what was sent.
static void a_leader_whose_renewal_names_another_has_lost(void **state) {
    struct fixture *f = *state;
    struct error e;
    lead(f);
    wait_out(f);
    next(f, LEASE_UPDATE);
    must_fail(give(f, OTHERS("3", "a"), &e), e, ERROR_IO, "names other");
    expect_leading(f, false);
    next(f, LEASE_LOST);
}

// The API takes them from 0 on and of 32 bits, and an update that names no version is no condition.
static void what_no_server_says_is_not_repeated(void **state) {
    static const struct {
        const char *said;
        const char *written;
    } transitions[] = {{"-5", "1"},
                       {"2147483646", "2147483647"},
                       {"2147483647", "2147483647"},
                       {"9223372036854775807", "2147483647"}};
    struct error e;
    for (size_t i = 0; i < sizeof(transitions) / sizeof(transitions[0]); i++) {
        char text[256];
        char body[64];
        (void)snprintf(text, sizeof(text),
                       "{\"metadata\":{\"resourceVersion\":\"1\"},\"spec\":{\"holderIdentity\":\"\","
                       "\"leaseTransitions\":%s}}",
                       transitions[i].said);
        (void)snprintf(body, sizeof(body), "\"leaseTransitions\":%s}", transitions[i].written);
        assert_int_equal(set_up(state), 0);
        struct fixture *f = *state;
        cleanup_buffer struct buffer written = buffer_create(4096);
        next(f, LEASE_GET);
        answer(f, text);
        next(f, LEASE_UPDATE);
        must(json_write(f->step.body, &written, &e), e);
        assert_non_null(strstr(buffer_text(&written), body));
        (void)tear_down(state);
    }
    assert_int_equal(set_up(state), 0);
    next(*state, LEASE_GET);
    must_fail(give(*state, LEASE("", "", "15", "a"), &e), e, ERROR_IO, "no metadata.resourceVersion");
    next(*state, LEASE_WAIT);
    (void)tear_down(state);
}

static void leadership_is_lost_after_the_deadline(void **state) {
    struct fixture *f = *state;
    lead(f);
    int64_t renewed_ms = f->now_ms;
    wait_out(f);
    next(f, LEASE_UPDATE);
    fail_as(f, ERROR_RETRYABLE);
    next(f, LEASE_GET);
    fail_as(f, ERROR_RETRYABLE);
    expect_wait(f, 2000);
    f->now_ms = renewed_ms + 9 * SECOND;
    next(f, LEASE_GET);
    assert_int_equal(f->step.timeout_ms, 1000); // no longer than it can matter
    f->now_ms += 300;
    fail_as(f, ERROR_RETRYABLE);
    expect_wait(f, 700); // the deadline comes before the next try
    f->now_ms = renewed_ms + 10 * SECOND - 1;
    expect_leading(f, true);
    expect_wait(f, 1);
    f->now_ms++;
    next(f, LEASE_LOST);
    expect_leading(f, false);
}

static void one_success_in_time_is_enough(void **state) {
    struct fixture *f = *state;
    lead(f);
    f->now_ms += 9999;
    next(f, LEASE_UPDATE);
    assert_int_equal(f->step.timeout_ms, 1);
    answer(f, MINE("3"));
    f->now_ms += 9999;
    next(f, LEASE_UPDATE);
}

static void an_answer_after_the_deadline_is_none(void **state) {
    struct fixture *f = *state;
    next(f, LEASE_GET);
    answer(f, LEASE("1", "", "1", "a"));
    next(f, LEASE_UPDATE);
    f->now_ms += 10 * SECOND; // the process was stopped meanwhile
    answer(f, MINE("2"));
    assert_true(lease_held_until(f->lease) <= f->now_ms);
    next(f, LEASE_LOST);
}

static void test_trap_41_requests_are_given_less_than_half_of_the_deadline(void **state) {
    struct fixture *f = *state;
    next(f, LEASE_GET);
    assert_in_range(f->step.timeout_ms, 1000, 4999);
    answer(f, LEASE("1", "", "1", "a"));
    next(f, LEASE_UPDATE);
    assert_in_range(f->step.timeout_ms, 1000, 4999);
}

// ---- releasing

static void a_leader_gives_the_lease_back(void **state) {
    struct fixture *f = *state;
    lead(f);
    lease_release(f->lease);
    expect_leading(f, false); // before anybody is told
    expect(f, LEASE_UPDATE, GIVE_BACK("2"));
    answer(f, LEASE("3", "", "1", "a"));
    next(f, LEASE_RELEASED);
    next(f, LEASE_RELEASED);
}

static void who_never_led_has_nothing_to_give_back(void **state) {
    struct fixture *f = *state;
    next(f, LEASE_GET);
    answer(f, OTHERS("1", "a"));
    lease_release(f->lease);
    next(f, LEASE_RELEASED);
}

static void what_became_another_s_is_not_given_back(void **state) {
    struct fixture *f = *state;
    lead(f);
    lease_release(f->lease);
    next(f, LEASE_UPDATE);
    fail_as(f, ERROR_CONFLICT);
    next(f, LEASE_GET);
    answer(f, OTHERS("3", "a"));
    next(f, LEASE_RELEASED);
}

static void a_release_that_fails_is_tried_again(void **state) {
    struct fixture *f = *state;
    lead(f);
    lease_release(f->lease);
    next(f, LEASE_UPDATE);
    fail_as(f, ERROR_CONFLICT);
    next(f, LEASE_GET);
    answer(f, MINE("3"));
    expect(f, LEASE_UPDATE, GIVE_BACK("3"));
    assert_false(f->step.slow);
    answer(f, LEASE("4", "", "1", "a"));
    next(f, LEASE_RELEASED);
}

static void a_release_is_not_tried_for_ever(void **state) {
    struct fixture *f = *state;
    lead(f);
    lease_release(f->lease);
    next(f, LEASE_UPDATE);
    fail_as(f, ERROR_RETRYABLE);
    next(f, LEASE_GET);
    fail_as(f, ERROR_RETRYABLE);
    next(f, LEASE_GET);
    fail_as(f, ERROR_RETRYABLE);
    next(f, LEASE_RELEASED);
}

// It may have arrived, although no answer did.
static void an_unanswered_claim_is_given_back(void **state) {
    struct fixture *f = *state;
    next(f, LEASE_GET);
    answer(f, LEASE("1", "", "1", "a"));
    next(f, LEASE_UPDATE);
    fail_as(f, ERROR_RETRYABLE);
    lease_release(f->lease);
    next(f, LEASE_GET);
    answer(f, MINE("2"));
    expect(f, LEASE_UPDATE, GIVE_BACK("2"));
    answer(f, LEASE("3", "", "1", "a"));
    next(f, LEASE_RELEASED);
}

static void what_is_free_is_not_taken_while_releasing(void **state) {
    struct fixture *f = *state;
    next(f, LEASE_GET);
    answer(f, LEASE("1", "", "1", "a"));
    next(f, LEASE_UPDATE);
    fail_as(f, ERROR_RETRYABLE);
    lease_release(f->lease);
    next(f, LEASE_GET);
    answer(f, LEASE("1", "", "1", "a"));
    next(f, LEASE_RELEASED);
}

static void nor_is_a_missing_one_made(void **state) {
    struct fixture *f = *state;
    lead(f);
    lease_release(f->lease);
    next(f, LEASE_UPDATE);
    fail_as(f, ERROR_NOT_FOUND);
    next(f, LEASE_GET);
    fail_as(f, ERROR_NOT_FOUND);
    next(f, LEASE_RELEASED);
}

// ---- what cannot be used

static void an_answer_that_is_no_lease_is_a_failure(void **state) {
    static const char *const texts[] = {"null", "{}", "{\"metadata\":{\"resourceVersion\":5}}"};
    struct fixture *f = *state;
    struct error e;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        next(f, LEASE_GET);
        must_fail(give(f, texts[i], &e), e, ERROR_IO, "no metadata.resourceVersion");
        expect_wait(f, 1500);
        wait_out(f);
    }
}

static void a_write_that_was_changed_on_its_way_is_none(void **state) {
    struct fixture *f = *state;
    struct error e;
    next(f, LEASE_GET);
    answer(f, LEASE("1", "", "1", "a"));
    next(f, LEASE_UPDATE);
    must_fail(give(f, OTHERS("2", "a"), &e), e, ERROR_IO, "names other");
    expect_leading(f, false);
    expect_wait(f, 1500);
}

static void records_that_make_no_sense_do_no_harm(void **state) {
    static const char *const specs[] = {
        "null",
        "[]",
        "7",
        "{\"holderIdentity\":5,\"leaseDurationSeconds\":\"x\",\"leaseTransitions\":\"many\"}",
        "{\"holderIdentity\":null,\"leaseDurationSeconds\":9223372036854775807}",
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
        char text[256];
        snprintf(text, sizeof(text), "{\"metadata\":{\"resourceVersion\":\"1\"},\"spec\":%s}", specs[i]);
        next(f, LEASE_GET);
        answer(f, text);
        expect(f, LEASE_UPDATE, TAKE("1", "1"));
        fail_as(f, ERROR_INVALID_SPEC);
        wait_out(f);
    }
    next(f, LEASE_GET);
    answer(f, LEASE("2", "other", "9223372036854775807", "a"));
    f->now_ms += INT64_C(1000) * 3600 * SECOND;
    next(f, LEASE_GET);
    answer(f, LEASE("2", "other", "9223372036854775807", "a"));
    next(f, LEASE_WAIT);
    wait_out(f);
    next(f, LEASE_GET);
    answer(f, LEASE("3", "other", "-1", "a"));
    next(f, LEASE_UPDATE);
}

static void memory_that_runs_out_is_waited_out(void **state) {
    struct fixture *f = *state;
    next(f, LEASE_GET);
    answer(f, LEASE("1", "", "1", "a"));
    for (long left = 0;; left++) {
        memory_left = left;
        lease_next(f->lease, f->now_ms, wall_us, &f->step);
        memory_left = -1;
        if (f->step.action == LEASE_UPDATE) {
            assert_true(left > 0);
            break;
        }
        assert_int_equal(f->step.action, LEASE_WAIT);
        f->now_ms += f->step.wait_ms;
    }
    answer(f, MINE("2"));
    expect_leading(f, true);
    struct error e;
    struct lease *lease = nullptr;
    const struct lease_options options = {"ns", "it", "me", usual, draw, f};
    for (memory_left = 0; memory_left < 4; memory_left = memory_left + 1) {
        long left = memory_left;
        must_fail(lease_create(&options, &lease, &e), e, ERROR_NO_MEMORY, "");
        memory_left = left;
    }
    memory_left = -1;
}

// ---- settings

static void timing_must_leave_room(void **) {
    static const struct {
        struct lease_timing timing;
        const char *said;
    } bad[] = {
        {{10000, 10000, 2000},
         "the lease duration (10000 ms) must be greater than the renew deadline (10000"},
        {{9000, 10000, 2000}, "must be greater than the renew deadline"},
        {{15000, 10000, 9000}, "the renew deadline (10000 ms) must be greater than 1.2 retry periods (9000"},
        {{15000, 2400, 2000}, "must be greater than 1.2 retry periods"},
        {{15000, 10000, 0}, "the retry period must not be 0"},
        {{1500, 1000, 100}, "the lease duration (1500 ms) must be whole seconds"},
        {{0, 0, 0}, "at least one"},
    };
    struct error e;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct lease *lease = nullptr;
        const struct lease_options options = {"ns", "it", "me", bad[i].timing, draw, nullptr};
        must_fail(lease_check_timing(&bad[i].timing, &e), e, ERROR_INVALID_SPEC, bad[i].said);
        must_fail(lease_create(&options, &lease, &e), e, ERROR_INVALID_SPEC, bad[i].said);
    }
    must(lease_check_timing(&usual, &e), e);
    must(lease_check_timing(&(struct lease_timing){15000, 2401, 2000}, &e), e);
    must(lease_check_timing(&(struct lease_timing){1000, 999, 1}, &e), e);
    lease_free(nullptr);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        scripted(a_missing_lease_is_created),
        scripted(a_create_that_comes_second_looks_again),
        scripted(an_empty_holder_is_followed_at_once),
        scripted(a_lease_without_a_record_is_free),
        scripted(test_trap_40_a_record_that_stays_the_same_runs_out),
        scripted(exactly_the_duration_is_enough),
        scripted(the_time_that_an_answer_takes_does_not_count),
        scripted(test_trap_40_every_change_of_the_record_counts_as_life),
        scripted(a_change_of_anything_else_does_not),
        scripted(test_trap_40_the_duration_is_the_records_own),
        scripted(without_a_duration_it_is_as_ours),
        scripted(an_update_that_comes_second_starts_anew),
        scripted(an_unanswered_update_is_found_to_be_ours),
        scripted(contenders_spread),
        scripted(a_dead_leader_is_replaced_within_a_duration_and_a_retry_period),
        scripted(a_contender_is_there_when_the_record_runs_out),
        scripted(a_busy_server_is_left_alone_as_long_as_it_asks),
        scripted(a_leader_renews_without_a_read),
        scripted(a_failed_renewal_is_looked_into_at_once),
        scripted(a_leader_whose_lease_is_another_s_has_lost),
        scripted(a_leader_whose_renewal_names_another_has_lost),
        cmocka_unit_test(what_no_server_says_is_not_repeated),
        scripted(so_has_one_who_was_taken_out_of_it),
        scripted(a_deleted_lease_is_made_anew),
        scripted(leadership_is_lost_after_the_deadline),
        scripted(one_success_in_time_is_enough),
        scripted(an_answer_after_the_deadline_is_none),
        scripted(test_trap_41_requests_are_given_less_than_half_of_the_deadline),
        scripted(a_leader_gives_the_lease_back),
        scripted(who_never_led_has_nothing_to_give_back),
        scripted(what_became_another_s_is_not_given_back),
        scripted(a_release_that_fails_is_tried_again),
        scripted(a_release_is_not_tried_for_ever),
        scripted(an_unanswered_claim_is_given_back),
        scripted(what_is_free_is_not_taken_while_releasing),
        scripted(nor_is_a_missing_one_made),
        scripted(an_answer_that_is_no_lease_is_a_failure),
        scripted(a_write_that_was_changed_on_its_way_is_none),
        scripted(records_that_make_no_sense_do_no_harm),
        scripted(memory_that_runs_out_is_waited_out),
        cmocka_unit_test(timing_must_leave_room),
    };
    return cmocka_run_group_tests_name("kube/lease", tests, nullptr, nullptr);
}
