#include "../base/check.h"
#include "../base/short_memory.h"

#include "operator/metrics.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { TEXT_MAX = 1 << 20 };

static struct metrics *metrics;
static struct buffer text;

static int set_up(void **) {
    struct error e;
    text = buffer_create(TEXT_MAX);
    return metrics_create(&metrics, &e) ? 0 : -1;
}

static int tear_down(void **) {
    metrics_free(metrics);
    buffer_free(&text);
    return 0;
}

static void write_all(void) {
    struct error e;
    buffer_free(&text);
    must(metrics_write(metrics, &text, &e), e);
}

static void assert_all(const char *expected) {
    write_all();
    assert_string_equal(buffer_text(&text), expected);
}

// The text has that line, whole and once.
static void assert_line(const char *line) {
    char framed[300];
    snprintf(framed, sizeof(framed), "\n%s\n", line);
    const char *found = strstr(buffer_text(&text), framed);
    if (found == nullptr) {
        fail_msg("no line %s in\n%s", line, buffer_text(&text));
        return;
    }
    assert_null(strstr(found + 1, framed));
}

static void what_never_happened_is_not_written(void **) {
    assert_all("");
}

static void a_cleared_metric_is_not_written(void **) {
    metrics_set(metrics, METRIC_OBJECTS, "kind=\"A\"", 1);
    metrics_set(metrics, METRIC_OBJECTS, "kind=\"B\"", 2);
    metrics_set(metrics, METRIC_BUILD_INFO, "version=\"1\"", 1);
    metrics_clear(metrics, METRIC_OBJECTS);
    assert_all("# HELP qubesec_build_info The program's version\n"
               "# TYPE qubesec_build_info gauge\n"
               "qubesec_build_info{version=\"1\"} 1\n");
    metrics_set(metrics, METRIC_OBJECTS, "kind=\"B\"", 3);
    write_all();
    assert_line("qubesec_objects{kind=\"B\"} 3");
    assert_null(strstr(buffer_text(&text), "kind=\"A\""));
}

static void a_counter_is_added_up(void **) {
    metrics_add(metrics, METRIC_QUEUE_ADDS_TOTAL, "name=\"qubesec\"", 1);
    metrics_add(metrics, METRIC_QUEUE_ADDS_TOTAL, "name=\"qubesec\"", 2);
    assert_all("# HELP workqueue_adds_total Keys added to the queue\n"
               "# TYPE workqueue_adds_total counter\n"
               "workqueue_adds_total{name=\"qubesec\"} 3\n");
}

static void a_gauge_goes_up_and_down(void **) {
    metrics_set(metrics, METRIC_QUEUE_DEPTH, "name=\"q\"", 1e15);
    metrics_set(metrics, METRIC_QUEUE_DEPTH, "name=\"q\"", 7);
    metrics_add(metrics, METRIC_QUEUE_DEPTH, "name=\"q\"", -9.5);
    assert_all("# HELP workqueue_depth Keys that wait for a worker\n"
               "# TYPE workqueue_depth gauge\n"
               "workqueue_depth{name=\"q\"} -2.5\n");
}

static void there_may_be_no_labels(void **) {
    metrics_set(metrics, METRIC_BUILD_INFO, "", 1);
    assert_all("# HELP qubesec_build_info The program's version\n"
               "# TYPE qubesec_build_info gauge\n"
               "qubesec_build_info{} 1\n");
}

static void each_label_set_is_counted_apart(void **) {
    metrics_add(metrics, METRIC_RECONCILE_TOTAL, "controller=\"a\",result=\"success\"", 1);
    metrics_add(metrics, METRIC_RECONCILE_TOTAL, "controller=\"b\",result=\"success\"", 2);
    metrics_add(metrics, METRIC_RECONCILE_TOTAL, "controller=\"a\",result=\"error\"", 3);
    metrics_add(metrics, METRIC_RECONCILE_TOTAL, "controller=\"a\",result=\"success\"", 10);
    metrics_add(metrics, METRIC_RECONCILE_ERRORS_TOTAL, "controller=\"a\",result=\"success\"", 5);
    write_all();
    assert_line("# TYPE controller_runtime_reconcile_total counter");
    assert_line("controller_runtime_reconcile_total{controller=\"a\",result=\"success\"} 11");
    assert_line("controller_runtime_reconcile_total{controller=\"b\",result=\"success\"} 2");
    assert_line("controller_runtime_reconcile_total{controller=\"a\",result=\"error\"} 3");
    assert_line("controller_runtime_reconcile_errors_total{controller=\"a\",result=\"success\"} 5");
}

static void a_histogram_is_cumulated(void **) {
    static const double seconds[] = {0, 0.001, 0.0010001, 0.3, 0.5, 60, 60.5, 1000};
    for (size_t i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++) {
        metrics_observe(metrics, METRIC_RECONCILE_TIME_SECONDS, "controller=\"a\"", seconds[i]);
    }
    assert_all("# HELP controller_runtime_reconcile_time_seconds Length of a reconciliation\n"
               "# TYPE controller_runtime_reconcile_time_seconds histogram\n"
               "controller_runtime_reconcile_time_seconds_bucket{controller=\"a\",le=\"0.001\"} 2\n"
               "controller_runtime_reconcile_time_seconds_bucket{controller=\"a\",le=\"0.0025\"} 3\n"
               "controller_runtime_reconcile_time_seconds_bucket{controller=\"a\",le=\"0.005\"} 3\n"
               "controller_runtime_reconcile_time_seconds_bucket{controller=\"a\",le=\"0.01\"} 3\n"
               "controller_runtime_reconcile_time_seconds_bucket{controller=\"a\",le=\"0.025\"} 3\n"
               "controller_runtime_reconcile_time_seconds_bucket{controller=\"a\",le=\"0.05\"} 3\n"
               "controller_runtime_reconcile_time_seconds_bucket{controller=\"a\",le=\"0.1\"} 3\n"
               "controller_runtime_reconcile_time_seconds_bucket{controller=\"a\",le=\"0.25\"} 3\n"
               "controller_runtime_reconcile_time_seconds_bucket{controller=\"a\",le=\"0.5\"} 5\n"
               "controller_runtime_reconcile_time_seconds_bucket{controller=\"a\",le=\"1\"} 5\n"
               "controller_runtime_reconcile_time_seconds_bucket{controller=\"a\",le=\"2.5\"} 5\n"
               "controller_runtime_reconcile_time_seconds_bucket{controller=\"a\",le=\"5\"} 5\n"
               "controller_runtime_reconcile_time_seconds_bucket{controller=\"a\",le=\"10\"} 5\n"
               "controller_runtime_reconcile_time_seconds_bucket{controller=\"a\",le=\"30\"} 5\n"
               "controller_runtime_reconcile_time_seconds_bucket{controller=\"a\",le=\"60\"} 6\n"
               "controller_runtime_reconcile_time_seconds_bucket{controller=\"a\",le=\"+Inf\"} 8\n"
               "controller_runtime_reconcile_time_seconds_sum{controller=\"a\"} 1121.3020001\n"
               "controller_runtime_reconcile_time_seconds_count{controller=\"a\"} 8\n");
}

static void a_histogram_may_have_no_labels(void **) {
    metrics_observe(metrics, METRIC_REST_REQUEST_DURATION_SECONDS, "", 2);
    write_all();
    assert_line("rest_client_request_duration_seconds_bucket{le=\"1\"} 0");
    assert_line("rest_client_request_duration_seconds_bucket{le=\"2.5\"} 1");
    assert_line("rest_client_request_duration_seconds_bucket{le=\"+Inf\"} 1");
    assert_line("rest_client_request_duration_seconds_sum{} 2");
    assert_line("rest_client_request_duration_seconds_count{} 1");
}

// The names that dashboards and alerts for controller-runtime and client-go know, and our own.
static void the_names_are_the_known_ones(void **) {
    static const struct {
        enum metric metric;
        const char *line;
    } names[METRIC_COUNT] = {
        {METRIC_RECONCILE_TOTAL, "# TYPE controller_runtime_reconcile_total counter"},
        {METRIC_RECONCILE_ERRORS_TOTAL, "# TYPE controller_runtime_reconcile_errors_total counter"},
        {METRIC_TERMINAL_RECONCILE_ERRORS_TOTAL,
         "# TYPE controller_runtime_terminal_reconcile_errors_total counter"},
        {METRIC_RECONCILE_TIME_SECONDS, "# TYPE controller_runtime_reconcile_time_seconds histogram"},
        {METRIC_MAX_CONCURRENT_RECONCILES, "# TYPE controller_runtime_max_concurrent_reconciles gauge"},
        {METRIC_ACTIVE_WORKERS, "# TYPE controller_runtime_active_workers gauge"},
        {METRIC_QUEUE_DEPTH, "# TYPE workqueue_depth gauge"},
        {METRIC_QUEUE_ADDS_TOTAL, "# TYPE workqueue_adds_total counter"},
        {METRIC_QUEUE_DURATION_SECONDS, "# TYPE workqueue_queue_duration_seconds histogram"},
        {METRIC_QUEUE_WORK_DURATION_SECONDS, "# TYPE workqueue_work_duration_seconds histogram"},
        {METRIC_QUEUE_UNFINISHED_WORK_SECONDS, "# TYPE workqueue_unfinished_work_seconds gauge"},
        {METRIC_QUEUE_LONGEST_RUNNING_SECONDS, "# TYPE workqueue_longest_running_processor_seconds gauge"},
        {METRIC_QUEUE_RETRIES_TOTAL, "# TYPE workqueue_retries_total counter"},
        {METRIC_REST_REQUESTS_TOTAL, "# TYPE rest_client_requests_total counter"},
        {METRIC_REST_REQUEST_DURATION_SECONDS, "# TYPE rest_client_request_duration_seconds histogram"},
        {METRIC_TLS_CONNECTIONS_TOTAL, "# TYPE qubesec_tls_connections_total counter"},
        {METRIC_SECRETS_WRITTEN_TOTAL, "# TYPE qubesec_secrets_written_total counter"},
        {METRIC_WATCH_FAILURES_TOTAL, "# TYPE qubesec_watch_failures_total counter"},
        {METRIC_WATCH_SILENCE_SECONDS, "# TYPE qubesec_watch_silence_seconds gauge"},
        {METRIC_OBJECTS, "# TYPE qubesec_objects gauge"},
        {METRIC_CERTIFICATE_EXPIRATION_TIMESTAMP_SECONDS,
         "# TYPE qubesec_certificate_expiration_timestamp_seconds gauge"},
        {METRIC_CERTIFICATE_NOT_BEFORE_TIMESTAMP_SECONDS,
         "# TYPE qubesec_certificate_not_before_timestamp_seconds gauge"},
        {METRIC_CERTIFICATE_RENEWAL_TIMESTAMP_SECONDS,
         "# TYPE qubesec_certificate_renewal_timestamp_seconds gauge"},
        {METRIC_CERTIFICATE_READY_STATUS, "# TYPE qubesec_certificate_ready_status gauge"},
        {METRIC_CERTWATCHER_READS_TOTAL, "# TYPE certwatcher_read_certificate_total counter"},
        {METRIC_CERTWATCHER_READ_ERRORS_TOTAL, "# TYPE certwatcher_read_certificate_errors_total counter"},
        {METRIC_WEBHOOK_CERTIFICATE_EXPIRATION_TIMESTAMP_SECONDS,
         "# TYPE qubesec_webhook_certificate_expiration_timestamp_seconds gauge"},
        {METRIC_LEADER_STATUS, "# TYPE leader_election_master_status gauge"},
        {METRIC_LEADER_SLOWPATH_TOTAL, "# TYPE leader_election_slowpath_total counter"},
        {METRIC_WEBHOOK_REQUESTS_TOTAL, "# TYPE controller_runtime_webhook_requests_total counter"},
        {METRIC_WEBHOOK_LATENCY_SECONDS, "# TYPE controller_runtime_webhook_latency_seconds histogram"},
        {METRIC_WEBHOOK_REQUESTS_IN_FLIGHT, "# TYPE controller_runtime_webhook_requests_in_flight gauge"},
        {METRIC_ADMISSION_TOTAL, "# TYPE qubesec_admission_total counter"},
        {METRIC_BUILD_INFO, "# TYPE qubesec_build_info gauge"},
        {METRIC_PROCESS_CPU_SECONDS_TOTAL, "# TYPE process_cpu_seconds_total counter"},
        {METRIC_PROCESS_RESIDENT_MEMORY_BYTES, "# TYPE process_resident_memory_bytes gauge"},
        {METRIC_PROCESS_VIRTUAL_MEMORY_BYTES, "# TYPE process_virtual_memory_bytes gauge"},
        {METRIC_PROCESS_OPEN_FDS, "# TYPE process_open_fds gauge"},
        {METRIC_PROCESS_MAX_FDS, "# TYPE process_max_fds gauge"},
        {METRIC_PROCESS_START_TIME_SECONDS, "# TYPE process_start_time_seconds gauge"},
    };
    for (size_t i = 0; i < METRIC_COUNT; i++) {
        assert_non_null(names[i].line);
        if (strstr(names[i].line, " histogram") != nullptr) {
            metrics_observe(metrics, names[i].metric, "a=\"b\"", 1);
        } else {
            metrics_add(metrics, names[i].metric, "a=\"b\"", 1);
        }
    }
    write_all();
    for (size_t i = 0; i < METRIC_COUNT; i++) {
        assert_line(names[i].line);
    }
}

// Every line is a comment, or a name, labels and a number; HELP and TYPE come once, before their samples.
static void the_format_is_prometheus(void **) {
    char family[128] = "";
    for (int metric = 0; metric < METRIC_COUNT; metric++) {
        metrics_add(metrics, (enum metric)metric, "a=\"1\"", 0.1);
        metrics_add(metrics, (enum metric)metric, "a=\"2\",b=\"x y\"", 1e-9);
    }
    write_all();
    size_t samples = 0;
    for (char *rest = text.data, *line; (line = strsep(&rest, "\n")) != nullptr && *line != '\0';) {
        size_t name = strspn(line, "abcdefghijklmnopqrstuvwxyz_");
        if (strncmp(line, "# HELP ", 7) == 0) {
            snprintf(family, sizeof(family), "%.*s", (int)strcspn(line + 7, " "), line + 7);
            char type[160];
            snprintf(type, sizeof(type), "# TYPE %s ", family);
            assert_memory_equal(rest, type, strlen(type));
        } else if (strncmp(line, "# TYPE ", 7) != 0) {
            char *end;
            char *brace = strrchr(line, '}');
            assert_true(name >= strlen(family));
            assert_memory_equal(line, family, strlen(family));
            assert_int_equal(line[name], '{');
            assert_non_null(brace);
            assert_int_equal(brace[1], ' ');
            (void)strtod(brace + 2, &end);
            assert_true(end != brace + 2 && *end == '\0');
            samples++;
        }
    }
    assert_true(samples >= 2 * METRIC_COUNT);
}

static void *count_often(void *) {
    for (int i = 0; i < 1000; i++) {
        char labels[32];
        snprintf(labels, sizeof(labels), "n=\"%d\"", i % 10);
        metrics_add(metrics, METRIC_REST_REQUESTS_TOTAL, labels, 1);
        metrics_observe(metrics, METRIC_QUEUE_DURATION_SECONDS, "", 0.25);
    }
    return nullptr;
}

static void threads_count_together(void **) {
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], nullptr, count_often, nullptr), 0);
    }
    write_all(); // while they count
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], nullptr), 0);
    }
    write_all();
    for (int i = 0; i < 10; i++) {
        char line[100];
        snprintf(line, sizeof(line), "rest_client_requests_total{n=\"%d\"} 400", i);
        assert_line(line);
    }
    assert_line("workqueue_queue_duration_seconds_sum{} 1000");
    assert_line("workqueue_queue_duration_seconds_count{} 4000");
}

static void what_there_is_no_memory_for_is_not_counted(void **) {
    struct error e;
    metrics_add(metrics, METRIC_QUEUE_ADDS_TOTAL, "a=\"1\"", 1);
    for (long left = 0; left < 2; left++) {
        memory_left = left;
        metrics_add(metrics, METRIC_QUEUE_ADDS_TOTAL, "a=\"2\"", 1);
        metrics_set(metrics, METRIC_QUEUE_DEPTH, "", 1);
        metrics_observe(metrics, METRIC_QUEUE_DURATION_SECONDS, "", 1);
        metrics_add(metrics, METRIC_QUEUE_ADDS_TOTAL, "a=\"1\"", 1); // what is there needs none
        memory_left = -1;
    }
    assert_all("# HELP workqueue_adds_total Keys added to the queue\n"
               "# TYPE workqueue_adds_total counter\n"
               "workqueue_adds_total{a=\"1\"} 3\n");
    buffer_free(&text);
    memory_left = 0;
    must_fail(metrics_write(metrics, &text, &e), e, ERROR_NO_MEMORY, "");
    struct metrics *none = nullptr;
    long rounds = 0;
    for (bool done = false; !done; rounds++) {
        memory_left = rounds;
        done = metrics_create(&none, &e);
        memory_left = -1;
        assert_true(done == (none != nullptr));
        assert_true(done || e.class == ERROR_NO_MEMORY);
    }
    assert_true(rounds > METRIC_COUNT);
    metrics_free(none);
    metrics_free(nullptr);
}

static void a_full_buffer_is_an_error(void **) {
    struct error e;
    metrics_observe(metrics, METRIC_QUEUE_DURATION_SECONDS, "", 1);
    write_all();
    size_t whole = text.length;
    for (size_t cap = 0; cap < whole; cap++) {
        cleanup_buffer struct buffer small = buffer_create(cap);
        must_fail(metrics_write(metrics, &small, &e), e, ERROR_INTERNAL, "");
    }
    metrics_add(metrics, METRIC_QUEUE_ADDS_TOTAL, "", 1); // and nothing is locked
    write_all();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_never_happened_is_not_written, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_cleared_metric_is_not_written, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_counter_is_added_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_gauge_goes_up_and_down, set_up, tear_down),
        cmocka_unit_test_setup_teardown(there_may_be_no_labels, set_up, tear_down),
        cmocka_unit_test_setup_teardown(each_label_set_is_counted_apart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_histogram_is_cumulated, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_histogram_may_have_no_labels, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_names_are_the_known_ones, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_format_is_prometheus, set_up, tear_down),
        cmocka_unit_test_setup_teardown(threads_count_together, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_there_is_no_memory_for_is_not_counted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_buffer_is_an_error, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("operator/metrics", tests, nullptr, nullptr);
}
