// Prometheus metrics, under the names that controller-runtime's and client-go's dashboards and alerts know.
#pragma once

#include "base/buffer.h"

struct metrics;

enum metric {
    METRIC_RECONCILE_TOTAL,
    METRIC_RECONCILE_ERRORS_TOTAL,
    METRIC_TERMINAL_RECONCILE_ERRORS_TOTAL,
    METRIC_RECONCILE_TIME_SECONDS,
    METRIC_MAX_CONCURRENT_RECONCILES,
    METRIC_ACTIVE_WORKERS,
    METRIC_QUEUE_DEPTH,
    METRIC_QUEUE_ADDS_TOTAL,
    METRIC_QUEUE_DURATION_SECONDS,
    METRIC_QUEUE_WORK_DURATION_SECONDS,
    METRIC_QUEUE_UNFINISHED_WORK_SECONDS,
    METRIC_QUEUE_LONGEST_RUNNING_SECONDS,
    METRIC_QUEUE_RETRIES_TOTAL,
    METRIC_REST_REQUESTS_TOTAL,
    METRIC_REST_REQUEST_DURATION_SECONDS,
    METRIC_TLS_CONNECTIONS_TOTAL,
    METRIC_SECRETS_WRITTEN_TOTAL,
    METRIC_WATCH_FAILURES_TOTAL,
    METRIC_WATCH_SILENCE_SECONDS,
    METRIC_OBJECTS,
    METRIC_CERTIFICATE_EXPIRATION_TIMESTAMP_SECONDS,
    METRIC_CERTIFICATE_NOT_BEFORE_TIMESTAMP_SECONDS,
    METRIC_CERTIFICATE_RENEWAL_TIMESTAMP_SECONDS,
    METRIC_CERTIFICATE_READY_STATUS,
    METRIC_CERTWATCHER_READS_TOTAL,
    METRIC_CERTWATCHER_READ_ERRORS_TOTAL,
    METRIC_WEBHOOK_CERTIFICATE_EXPIRATION_TIMESTAMP_SECONDS,
    METRIC_LEADER_STATUS,
    METRIC_LEADER_SLOWPATH_TOTAL,
    METRIC_WEBHOOK_REQUESTS_TOTAL,
    METRIC_WEBHOOK_LATENCY_SECONDS,
    METRIC_WEBHOOK_REQUESTS_IN_FLIGHT,
    METRIC_ADMISSION_TOTAL,
    METRIC_BUILD_INFO,
    METRIC_PROCESS_CPU_SECONDS_TOTAL,
    METRIC_PROCESS_RESIDENT_MEMORY_BYTES,
    METRIC_PROCESS_VIRTUAL_MEMORY_BYTES,
    METRIC_PROCESS_OPEN_FDS,
    METRIC_PROCESS_MAX_FDS,
    METRIC_PROCESS_START_TIME_SECONDS,
    METRIC_COUNT,
};

// *ret_metrics is owned. Errors: NO_MEMORY.
[[nodiscard]] bool metrics_create(struct metrics **ret_metrics, struct error *e);
void metrics_free(struct metrics *metrics); // takes metrics; NULL is allowed

// Any thread. labels: as in the text format without braces, `controller="x",result="success"`, or "". A label
// set that memory has no room for is not counted.
void metrics_add(struct metrics *metrics, enum metric metric, const char *labels,
                 double amount); // counter, gauge
void metrics_set(struct metrics *metrics, enum metric metric, const char *labels,
                 double value); // gauge, or a counter that is counted elsewhere
void metrics_observe(struct metrics *metrics, enum metric metric, const char *labels,
                     double seconds); // histogram

// Drops all of metric's label sets, before those that still are get set anew.
void metrics_clear(struct metrics *metrics, enum metric metric);

// Appends all in the Prometheus text format, version 0.0.4. Errors: as buffer_append.
[[nodiscard]] bool metrics_write(struct metrics *metrics, struct buffer *text, struct error *e);
