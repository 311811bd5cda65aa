// The end of a certificate, and the time at which it ought to have been renewed, while it is not.
#include "cluster.h"

static int64_t time_at(const char *object, const char *path) {
    int64_t seconds = 0;
    assert_true(clock_parse(text_at(object, path), &seconds));
    return seconds;
}

static bool says_ended(void) {
    return strstr(text_at("qc it", "status conditions 0 message"), "its certificate ended at") != nullptr;
}

static void wait_for_hours(int count) {
    for (int i = 0; i < count; i++) {
        clock_ms += HOUR;
        run();
    }
}

static void make_leaf(int days) {
    make("qc root", "spec: {certType: ca, commonName: Root, algorithm: ML-DSA-44, durationDays: 365}");
    make("qc it",
         "spec: {certType: server, domain: a.example, algorithm: ML-DSA-44, durationDays: %d, "
         "parentCARef: {name: root}}",
         days);
}

static void make_waiting_leaf(void) {
    make_leaf(90);
    take_away("qc root");
    collect();
    run();
    forget();
}

// ---- clocks

static void what_a_wrong_clock_has_said_is_taken_back(void **) {
    make_waiting_leaf();
    wall_ahead_s = 200 * (DAY / 1000);
    put("qc it", "metadata: {labels: {a: b}}");
    run();
    assert_true(says_ended());
    wall_ahead_s = 0;
    wait_for_hours(1);
    assert_false(says_ended());
}

// While a machine sleeps its monotonic clock, by which timers run, stands still.
static void an_end_that_was_slept_through_is_seen_within_an_hour(void **) {
    make_waiting_leaf();
    wait_for_hours(1);
    wall_ahead_s = 100 * (DAY / 1000);
    wait_for_hours(1);
    assert_true(says_ended());
    told_is("!CertificateExpired qc it; ");
    wait_for_hours(24);
    told_is("");
}

// ---- a renewal that is overdue

static void who_may_not_read_is_told_when_a_renewal_is_overdue(void **) {
    make_leaf(30);
    int64_t due = time_at("qc it", "status renewalTime");
    fault((struct fault){.request = "get secret",
                         .class = ERROR_FORBIDDEN,
                         .message = "may not get secrets",
                         .count = FOREVER});
    while (clock_wall_seconds() < due + 50 * 60) {
        clock_ms += 10 * MINUTE;
        run();
    }
    is_served("qc it");
    wait_for_hours(1);
    status_is("qc it", "Pending Retrying", "may not get secrets");
    cluster.fault_count = 0;
    pass(2 * MINUTE);
    is_served("qc it");
    assert_true(time_at("qc it", "status renewalTime") > due);
}

// What is not to be renewed does not say so, however long.
static void what_is_not_due_stands(void **) {
    make_leaf(300);
    fault((struct fault){.request = "get secret",
                         .class = ERROR_FORBIDDEN,
                         .message = "may not get secrets",
                         .count = FOREVER});
    put("qc it", "metadata: {labels: {a: b}}");
    put("secret it-secret", "metadata: {labels: {a: b}}");
    wait_for_hours(100);
    is_served("qc it");
    assert_true(find_told("Retrying qc it")->warning);
}

// ---- one that is renewed so often that it slows down

static void none_is_ready_and_has_ended(void **) {
    make("qc it", "spec: {commonName: x, algorithm: ML-DSA-44, duration: 10m, renewBefore: '99%%'}");
    const char *last = entry("secret it-secret", "tls.crt");
    int issued = 0;
    for (int i = 0; i < 2 * 3600; i++) {
        clock_ms += SECOND;
        run();
        const char *now = entry("secret it-secret", "tls.crt");
        bool has_ended = clock_wall_seconds() >= time_at("qc it", "status notAfter");
        if (has_ended && json_member_is(ready_of("qc it"), "status", "True")) {
            fail_msg("it ended at %s and is Ready", text_at("qc it", "status notAfter"));
        }
        issued += strcmp(now, last) == 0 ? 0 : 1;
        last = now;
        forget();
    }
    assert_in_range(issued, 12, 30); // they slow down
}

int main(void) {
    const struct CMUnitTest tests[] = {
        in_cluster(what_a_wrong_clock_has_said_is_taken_back),
        in_cluster(an_end_that_was_slept_through_is_seen_within_an_hour),
        in_cluster(who_may_not_read_is_told_when_a_renewal_is_overdue),
        in_cluster(what_is_not_due_stands),
        in_cluster(none_is_ready_and_has_ended),
    };
    return cmocka_run_group_tests_name("reconcile/expiry", tests, nullptr, nullptr);
}
