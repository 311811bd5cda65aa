#include "../base/check.h"
#include "../base/short_memory.h"

#include "operator/metrics_list.h"
#include "reconcile/reconcile_metrics.h"
#include "runtime/leader_metrics.h"
#include "webhook/webhook_metrics.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { TEXT_MAX = 1 << 20 };

static struct metrics *metrics;
static struct buffer text;

static int set_up(void **) {
    struct error e;
    text = buffer_create(TEXT_MAX);
    return metrics_create(metrics_list, &metrics, &e) ? 0 : -1;
}

static int tear_down(void **) {
    metrics_free(metrics);
    buffer_done(&text);
    return 0;
}

static void write_all(void) {
    struct error e;
    buffer_done(&text);
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
    metrics_set(metrics, &metric_objects, "kind=\"A\"", 1);
    metrics_set(metrics, &metric_objects, "kind=\"B\"", 2);
    metrics_set(metrics, &metric_build_info, "version=\"1\"", 1);
    metrics_clear(metrics, &metric_objects);
    assert_all("# HELP qubesec_build_info The program's version\n"
               "# TYPE qubesec_build_info gauge\n"
               "qubesec_build_info{version=\"1\"} 1\n");
    metrics_set(metrics, &metric_objects, "kind=\"B\"", 3);
    write_all();
    assert_line("qubesec_objects{kind=\"B\"} 3");
    assert_null(strstr(buffer_text(&text), "kind=\"A\""));
}

static void a_counter_is_added_up(void **) {
    metrics_add(metrics, &metric_queue_adds_total, "name=\"qubesec\"", 1);
    metrics_add(metrics, &metric_queue_adds_total, "name=\"qubesec\"", 2);
    assert_all("# HELP workqueue_adds_total Keys added to the queue\n"
               "# TYPE workqueue_adds_total counter\n"
               "workqueue_adds_total{name=\"qubesec\"} 3\n");
}

static void a_gauge_goes_up_and_down(void **) {
    metrics_set(metrics, &metric_queue_depth, "name=\"q\"", 1e15);
    metrics_set(metrics, &metric_queue_depth, "name=\"q\"", 7);
    metrics_add(metrics, &metric_queue_depth, "name=\"q\"", -9.5);
    assert_all("# HELP workqueue_depth Keys that wait for a worker\n"
               "# TYPE workqueue_depth gauge\n"
               "workqueue_depth{name=\"q\"} -2.5\n");
}

static void there_may_be_no_labels(void **) {
    metrics_set(metrics, &metric_build_info, "", 1);
    assert_all("# HELP qubesec_build_info The program's version\n"
               "# TYPE qubesec_build_info gauge\n"
               "qubesec_build_info{} 1\n");
}

static void each_label_set_is_counted_apart(void **) {
    metrics_add(metrics, &metric_reconcile_total, "controller=\"a\",result=\"success\"", 1);
    metrics_add(metrics, &metric_reconcile_total, "controller=\"b\",result=\"success\"", 2);
    metrics_add(metrics, &metric_reconcile_total, "controller=\"a\",result=\"error\"", 3);
    metrics_add(metrics, &metric_reconcile_total, "controller=\"a\",result=\"success\"", 10);
    metrics_add(metrics, &metric_reconcile_errors_total, "controller=\"a\",result=\"success\"", 5);
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
        metrics_observe(metrics, &metric_reconcile_time_seconds, "controller=\"a\"", seconds[i]);
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
    metrics_observe(metrics, &metric_rest_request_duration_seconds, "", 2);
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
        const struct metric *metric;
        const char *line;
    } names[] = {
        {&metric_reconcile_total, "# TYPE controller_runtime_reconcile_total counter"},
        {&metric_reconcile_errors_total, "# TYPE controller_runtime_reconcile_errors_total counter"},
        {&metric_terminal_reconcile_errors_total,
         "# TYPE controller_runtime_terminal_reconcile_errors_total counter"},
        {&metric_reconcile_time_seconds, "# TYPE controller_runtime_reconcile_time_seconds histogram"},
        {&metric_max_concurrent_reconciles, "# TYPE controller_runtime_max_concurrent_reconciles gauge"},
        {&metric_active_workers, "# TYPE controller_runtime_active_workers gauge"},
        {&metric_queue_depth, "# TYPE workqueue_depth gauge"},
        {&metric_queue_adds_total, "# TYPE workqueue_adds_total counter"},
        {&metric_queue_duration_seconds, "# TYPE workqueue_queue_duration_seconds histogram"},
        {&metric_queue_work_duration_seconds, "# TYPE workqueue_work_duration_seconds histogram"},
        {&metric_queue_unfinished_work_seconds, "# TYPE workqueue_unfinished_work_seconds gauge"},
        {&metric_queue_longest_running_seconds, "# TYPE workqueue_longest_running_processor_seconds gauge"},
        {&metric_queue_retries_total, "# TYPE workqueue_retries_total counter"},
        {&metric_rest_requests_total, "# TYPE rest_client_requests_total counter"},
        {&metric_rest_request_duration_seconds, "# TYPE rest_client_request_duration_seconds histogram"},
        {&metric_tls_connections_total, "# TYPE qubesec_tls_connections_total counter"},
        {&metric_secrets_written_total, "# TYPE qubesec_secrets_written_total counter"},
        {&metric_watch_failures_total, "# TYPE qubesec_watch_failures_total counter"},
        {&metric_watch_silence_seconds, "# TYPE qubesec_watch_silence_seconds gauge"},
        {&metric_watch_up, "# TYPE qubesec_watch_up gauge"},
        {&metric_objects, "# TYPE qubesec_objects gauge"},
        {&metric_objects_overdue, "# TYPE qubesec_objects_overdue gauge"},
        {&metric_rotation_overdue, "# TYPE qubesec_rotation_overdue gauge"},
        {&metric_certwatcher_reads_total, "# TYPE certwatcher_read_certificate_total counter"},
        {&metric_certwatcher_read_errors_total, "# TYPE certwatcher_read_certificate_errors_total counter"},
        {&metric_webhook_certificate_expiration_timestamp_seconds,
         "# TYPE qubesec_webhook_certificate_expiration_timestamp_seconds gauge"},
        {&metric_leader_status, "# TYPE leader_election_master_status gauge"},
        {&metric_leader_slowpath_total, "# TYPE leader_election_slowpath_total counter"},
        {&metric_webhook_requests_total, "# TYPE controller_runtime_webhook_requests_total counter"},
        {&metric_webhook_latency_seconds, "# TYPE controller_runtime_webhook_latency_seconds histogram"},
        {&metric_webhook_requests_in_flight, "# TYPE controller_runtime_webhook_requests_in_flight gauge"},
        {&metric_admission_total, "# TYPE qubesec_admission_total counter"},
        {&metric_build_info, "# TYPE qubesec_build_info gauge"},
        {&metric_process_cpu_seconds_total, "# TYPE process_cpu_seconds_total counter"},
        {&metric_process_resident_memory_bytes, "# TYPE process_resident_memory_bytes gauge"},
        {&metric_process_virtual_memory_bytes, "# TYPE process_virtual_memory_bytes gauge"},
        {&metric_process_open_fds, "# TYPE process_open_fds gauge"},
        {&metric_process_max_fds, "# TYPE process_max_fds gauge"},
        {&metric_process_start_time_seconds, "# TYPE process_start_time_seconds gauge"},
    };
    assert_null(metrics_list[sizeof(names) / sizeof(names[0])]);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strstr(names[i].line, " histogram") != nullptr) {
            metrics_observe(metrics, names[i].metric, "a=\"b\"", 1);
        } else {
            metrics_add(metrics, names[i].metric, "a=\"b\"", 1);
        }
    }
    write_all();
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_line(names[i].line);
    }
}

// Every line is a comment, or a name, labels and a number; HELP and TYPE come once, before their samples.
static void the_format_is_prometheus(void **) {
    char family[128] = "";
    size_t count = 0;
    for (const struct metric *const *each = metrics_list; *each != nullptr; each++) {
        metrics_add(metrics, *each, "a=\"1\"", 0.1);
        metrics_add(metrics, *each, "a=\"2\",b=\"x y\"", 1e-9);
        count++;
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
    assert_true(samples >= 2 * count);
}

static void *count_often(void *) {
    for (int i = 0; i < 1000; i++) {
        char labels[32];
        snprintf(labels, sizeof(labels), "n=\"%d\"", i % 10);
        metrics_add(metrics, &metric_rest_requests_total, labels, 1);
        metrics_observe(metrics, &metric_queue_duration_seconds, "", 0.25);
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
    metrics_add(metrics, &metric_queue_adds_total, "a=\"1\"", 1);
    for (long left = 0; left < 2; left++) {
        memory_left = left;
        metrics_add(metrics, &metric_queue_adds_total, "a=\"2\"", 1);
        metrics_set(metrics, &metric_queue_depth, "", 1);
        metrics_observe(metrics, &metric_queue_duration_seconds, "", 1);
        metrics_add(metrics, &metric_queue_adds_total, "a=\"1\"", 1); // what is there needs none
        memory_left = -1;
    }
    assert_all("# HELP workqueue_adds_total Keys added to the queue\n"
               "# TYPE workqueue_adds_total counter\n"
               "workqueue_adds_total{a=\"1\"} 3\n");
    buffer_done(&text);
    memory_left = 0;
    must_fail(metrics_write(metrics, &text, &e), e, ERROR_NO_MEMORY, "");
    struct metrics *none = nullptr;
    long rounds = 0;
    for (bool done = false; !done; rounds++) {
        memory_left = rounds;
        done = metrics_create(metrics_list, &none, &e);
        memory_left = -1;
        assert_true(done == (none != nullptr));
        assert_true(done || e.class == ERROR_NO_MEMORY);
    }
    assert_true(rounds > 30);
    metrics_free(none);
    metrics_free(nullptr);
}

static void a_full_buffer_is_an_error(void **) {
    struct error e;
    metrics_observe(metrics, &metric_queue_duration_seconds, "", 1);
    write_all();
    size_t whole = text.length;
    for (size_t cap = 0; cap < whole; cap++) {
        cleanup_buffer struct buffer small = buffer_create(cap);
        must_fail(metrics_write(metrics, &small, &e), e, ERROR_INTERNAL, "");
    }
    metrics_add(metrics, &metric_queue_adds_total, "", 1); // and nothing is locked
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
