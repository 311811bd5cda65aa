// The operator's own metrics, and the list of all.
#pragma once

#include "runtime/metrics.h"

extern const struct metric metric_reconcile_total;
extern const struct metric metric_reconcile_errors_total;
extern const struct metric metric_terminal_reconcile_errors_total;
extern const struct metric metric_reconcile_time_seconds;
extern const struct metric metric_max_concurrent_reconciles;
extern const struct metric metric_active_workers;
extern const struct metric metric_queue_depth;
extern const struct metric metric_queue_adds_total;
extern const struct metric metric_queue_duration_seconds;
extern const struct metric metric_queue_work_duration_seconds;
extern const struct metric metric_queue_unfinished_work_seconds;
extern const struct metric metric_queue_longest_running_seconds;
extern const struct metric metric_queue_retries_total;
extern const struct metric metric_rest_requests_total;
extern const struct metric metric_rest_request_duration_seconds;
extern const struct metric metric_tls_connections_total;
extern const struct metric metric_watch_failures_total;
extern const struct metric metric_watch_silence_seconds;
extern const struct metric metric_watch_up;
extern const struct metric metric_objects;
extern const struct metric metric_objects_overdue;
extern const struct metric metric_rotation_overdue;
extern const struct metric metric_build_info;
extern const struct metric metric_process_cpu_seconds_total;
extern const struct metric metric_process_resident_memory_bytes;
extern const struct metric metric_process_virtual_memory_bytes;
extern const struct metric metric_process_open_fds;
extern const struct metric metric_process_max_fds;
extern const struct metric metric_process_start_time_seconds;

// All metrics that this program counts, NULL-terminated, in the order in which they are written; those of
// single objects, operator/object_metrics.h, follow.
extern const struct metric *const metrics_list[];
