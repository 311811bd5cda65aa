#include "operator/metrics.h"

#include "base/map.h"
#include "base/memory.h"

#include <pthread.h>

enum kind_of_metric { COUNTER, GAUGE, HISTOGRAM };

static const struct family {
    const char *name;
    const char *help;
    enum kind_of_metric kind;
} families[METRIC_COUNT] = {
    [METRIC_RECONCILE_TOTAL] = {"controller_runtime_reconcile_total",
                                "Reconciliations by controller and result", COUNTER},
    [METRIC_RECONCILE_ERRORS_TOTAL] = {"controller_runtime_reconcile_errors_total",
                                       "Reconciliations that failed, by controller and error class", COUNTER},
    [METRIC_TERMINAL_RECONCILE_ERRORS_TOTAL] = {"controller_runtime_terminal_reconcile_errors_total",
                                                "Reconciliations that failed and are not retried", COUNTER},
    [METRIC_RECONCILE_TIME_SECONDS] = {"controller_runtime_reconcile_time_seconds",
                                       "Length of a reconciliation", HISTOGRAM},
    [METRIC_MAX_CONCURRENT_RECONCILES] = {"controller_runtime_max_concurrent_reconciles", "Number of workers",
                                          GAUGE},
    [METRIC_ACTIVE_WORKERS] = {"controller_runtime_active_workers", "Workers that are reconciling", GAUGE},
    [METRIC_QUEUE_DEPTH] = {"workqueue_depth", "Keys that wait for a worker", GAUGE},
    [METRIC_QUEUE_ADDS_TOTAL] = {"workqueue_adds_total", "Keys added to the queue", COUNTER},
    [METRIC_QUEUE_DURATION_SECONDS] = {"workqueue_queue_duration_seconds",
                                       "How long a key waited for a worker", HISTOGRAM},
    [METRIC_QUEUE_WORK_DURATION_SECONDS] = {"workqueue_work_duration_seconds", "How long a key was worked on",
                                            HISTOGRAM},
    [METRIC_QUEUE_UNFINISHED_WORK_SECONDS] = {"workqueue_unfinished_work_seconds",
                                              "Sum of the ages of the reconciliations that run", GAUGE},
    [METRIC_QUEUE_LONGEST_RUNNING_SECONDS] = {"workqueue_longest_running_processor_seconds",
                                              "Age of the reconciliation that runs longest", GAUGE},
    [METRIC_QUEUE_RETRIES_TOTAL] = {"workqueue_retries_total", "Retries after a failure", COUNTER},
    [METRIC_REST_REQUESTS_TOTAL] = {"rest_client_requests_total", "API requests by method and status code",
                                    COUNTER},
    [METRIC_REST_REQUEST_DURATION_SECONDS] = {"rest_client_request_duration_seconds",
                                              "Length of an API request", HISTOGRAM},
    [METRIC_TLS_CONNECTIONS_TOTAL] = {"qubesec_tls_connections_total",
                                      "TLS connections opened, by negotiated key exchange group", COUNTER},
    [METRIC_SECRETS_WRITTEN_TOTAL] = {"qubesec_secrets_written_total", "Secrets created, remade or adopted",
                                      COUNTER},
    [METRIC_WATCH_FAILURES_TOTAL] = {"qubesec_watch_failures_total",
                                     "Lists and watches that failed, by resource", COUNTER},
    [METRIC_WATCH_SILENCE_SECONDS] = {"qubesec_watch_silence_seconds",
                                      "Time since the API server was last heard of on a watch", GAUGE},
    [METRIC_OBJECTS] = {"qubesec_objects", "Objects by kind and status", GAUGE},
    [METRIC_CERTIFICATE_EXPIRATION_TIMESTAMP_SECONDS] =
        {"qubesec_certificate_expiration_timestamp_seconds",
         "When the certificate expires, in seconds since 1970", GAUGE},
    [METRIC_CERTIFICATE_NOT_BEFORE_TIMESTAMP_SECONDS] =
        {"qubesec_certificate_not_before_timestamp_seconds",
         "From when on the certificate is valid, in seconds since 1970", GAUGE},
    [METRIC_CERTIFICATE_RENEWAL_TIMESTAMP_SECONDS] =
        {"qubesec_certificate_renewal_timestamp_seconds",
         "When the certificate is to be renewed, in seconds since 1970", GAUGE},
    [METRIC_CERTIFICATE_READY_STATUS] = {"qubesec_certificate_ready_status",
                                         "1 for the status that the certificate's Ready condition has",
                                         GAUGE},
    [METRIC_CERTWATCHER_READS_TOTAL] = {"certwatcher_read_certificate_total",
                                        "Times that the webhook's certificate was read", COUNTER},
    [METRIC_CERTWATCHER_READ_ERRORS_TOTAL] = {"certwatcher_read_certificate_errors_total",
                                              "Times that the webhook's certificate could not be read",
                                              COUNTER},
    [METRIC_WEBHOOK_CERTIFICATE_EXPIRATION_TIMESTAMP_SECONDS] =
        {"qubesec_webhook_certificate_expiration_timestamp_seconds",
         "When the certificate that the webhook serves expires, in seconds since 1970", GAUGE},
    [METRIC_LEADER_STATUS] = {"leader_election_master_status",
                              "1 on the replica that holds the lease, 0 on the others", GAUGE},
    [METRIC_LEADER_SLOWPATH_TOTAL] = {"leader_election_slowpath_total",
                                      "Renewals of the lease that needed a read before them", COUNTER},
    [METRIC_WEBHOOK_REQUESTS_TOTAL] = {"controller_runtime_webhook_requests_total",
                                       "Admission requests by HTTP status code", COUNTER},
    [METRIC_WEBHOOK_LATENCY_SECONDS] = {"controller_runtime_webhook_latency_seconds",
                                        "How long an admission request took to answer", HISTOGRAM},
    [METRIC_WEBHOOK_REQUESTS_IN_FLIGHT] = {"controller_runtime_webhook_requests_in_flight",
                                           "Admission requests that are being answered", GAUGE},
    [METRIC_ADMISSION_TOTAL] = {"qubesec_admission_total", "Admission reviews by kind and result", COUNTER},
    [METRIC_BUILD_INFO] = {"qubesec_build_info", "The program's version", GAUGE},
    [METRIC_PROCESS_CPU_SECONDS_TOTAL] = {"process_cpu_seconds_total", "CPU time used, of user and system",
                                          COUNTER},
    [METRIC_PROCESS_RESIDENT_MEMORY_BYTES] = {"process_resident_memory_bytes", "Memory that is in RAM",
                                              GAUGE},
    [METRIC_PROCESS_VIRTUAL_MEMORY_BYTES] = {"process_virtual_memory_bytes", "Memory that is mapped", GAUGE},
    [METRIC_PROCESS_OPEN_FDS] = {"process_open_fds", "File descriptors that are open", GAUGE},
    [METRIC_PROCESS_MAX_FDS] = {"process_max_fds", "File descriptors that may be open", GAUGE},
    [METRIC_PROCESS_START_TIME_SECONDS] = {"process_start_time_seconds",
                                           "When the process started, in seconds since 1970", GAUGE},
};

static const double bounds[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                0.5,   1,      2.5,   5,    10,    30,   60};
enum { BOUND_COUNT = sizeof(bounds) / sizeof(bounds[0]) };

struct series {
    double value;                // counter, gauge; a histogram's sum
    double count;                // a histogram's number of observations
    double buckets[BOUND_COUNT]; // observations up to and including each bound, not cumulated
};

struct metrics {
    pthread_mutex_t lock;
    struct map *series[METRIC_COUNT]; // labels -> struct series
};

bool metrics_create(struct metrics **ret_metrics, struct error *e) {
    struct metrics *metrics = memory_allocate_zeroed(1, sizeof(*metrics));
    if (metrics == nullptr) {
        return error_no_memory(e, "metrics");
    }
    pthread_mutex_init(&metrics->lock, nullptr);
    for (size_t i = 0; i < METRIC_COUNT; i++) {
        metrics->series[i] = map_create(memory_free);
        if (metrics->series[i] == nullptr) {
            metrics_free(metrics);
            return error_no_memory(e, "metrics");
        }
    }
    *ret_metrics = metrics;
    return true;
}

void metrics_free(struct metrics *metrics) {
    if (metrics != nullptr) {
        for (size_t i = 0; i < METRIC_COUNT; i++) {
            map_free(metrics->series[i]);
        }
        pthread_mutex_destroy(&metrics->lock);
        memory_free(metrics);
    }
}

// Under the lock; NULL: memory is out.
static struct series *find(struct metrics *metrics, enum metric metric, const char *labels) {
    struct series *series = map_get(metrics->series[metric], labels);
    if (series != nullptr) {
        return series;
    }
    series = memory_allocate_zeroed(1, sizeof(*series));
    if (series != nullptr && !map_put(metrics->series[metric], labels, series)) {
        memory_free(series);
        series = nullptr;
    }
    return series;
}

static void observe_bucket(struct series *series, double seconds) {
    series->count += 1;
    for (size_t i = 0; i < BOUND_COUNT; i++) {
        if (seconds <= bounds[i]) {
            series->buckets[i] += 1;
            return;
        }
    }
}

void metrics_add(struct metrics *metrics, enum metric metric, const char *labels, double amount) {
    pthread_mutex_lock(&metrics->lock);
    struct series *series = find(metrics, metric, labels);
    if (series != nullptr) {
        series->value += amount;
    }
    pthread_mutex_unlock(&metrics->lock);
}

void metrics_set(struct metrics *metrics, enum metric metric, const char *labels, double value) {
    pthread_mutex_lock(&metrics->lock);
    struct series *series = find(metrics, metric, labels);
    if (series != nullptr) {
        series->value = value;
    }
    pthread_mutex_unlock(&metrics->lock);
}

void metrics_clear(struct metrics *metrics, enum metric metric) {
    pthread_mutex_lock(&metrics->lock);
    size_t position = 0;
    const char *labels;
    void *value;
    while (map_next(metrics->series[metric], &position, &labels, &value)) {
        (void)map_remove(metrics->series[metric], labels);
    }
    pthread_mutex_unlock(&metrics->lock);
}

void metrics_observe(struct metrics *metrics, enum metric metric, const char *labels, double seconds) {
    pthread_mutex_lock(&metrics->lock);
    struct series *series = find(metrics, metric, labels);
    if (series != nullptr) {
        series->value += seconds;
        observe_bucket(series, seconds);
    }
    pthread_mutex_unlock(&metrics->lock);
}

static bool write_histogram(const struct family *family, const char *labels, const struct series *series,
                            struct buffer *text, struct error *e) {
    const char *comma = labels[0] == '\0' ? "" : ",";
    double cumulated = 0;
    for (size_t i = 0; i < BOUND_COUNT; i++) {
        cumulated += series->buckets[i];
        if (!buffer_append_format(text, e, "%s_bucket{%s%sle=\"%g\"} %.0f\n", family->name, labels, comma,
                                  bounds[i], cumulated)) {
            return false;
        }
    }
    return buffer_append_format(text, e,
                                "%s_bucket{%s%sle=\"+Inf\"} %.0f\n%s_sum{%s} %.15g\n%s_count{%s} %.0f\n",
                                family->name, labels, comma, series->count, family->name, labels,
                                series->value, family->name, labels, series->count);
}

static bool write_family(const struct family *family, const struct map *all, struct buffer *text,
                         struct error *e) {
    static const char *const types[] = {"counter", "gauge", "histogram"};
    if (map_count(all) == 0) {
        return true;
    }
    if (!buffer_append_format(text, e, "# HELP %s %s\n# TYPE %s %s\n", family->name, family->help,
                              family->name, types[family->kind])) {
        return false;
    }
    size_t position = 0;
    const char *labels;
    void *value;
    while (map_next(all, &position, &labels, &value)) {
        const struct series *series = value;
        bool written = family->kind == HISTOGRAM ? write_histogram(family, labels, series, text, e)
                                                 : buffer_append_format(text, e, "%s{%s} %.15g\n",
                                                                        family->name, labels, series->value);
        if (!written) {
            return false;
        }
    }
    return true;
}

bool metrics_write(struct metrics *metrics, struct buffer *text, struct error *e) {
    pthread_mutex_lock(&metrics->lock);
    bool written = true;
    for (size_t i = 0; i < METRIC_COUNT && written; i++) {
        written = write_family(&families[i], metrics->series[i], text, e);
    }
    pthread_mutex_unlock(&metrics->lock);
    return written;
}
