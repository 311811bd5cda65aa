#include "operator/metrics_list.h"

#include "reconcile/reconcile_metrics.h"
#include "runtime/leader_metrics.h"
#include "webhook/webhook_metrics.h"

const struct metric metric_reconcile_total = {"controller_runtime_reconcile_total",
                                              "Reconciliations by controller and result", METRIC_COUNTER};
const struct metric metric_reconcile_errors_total = {
    "controller_runtime_reconcile_errors_total", "Reconciliations that failed, by controller and error class",
    METRIC_COUNTER};
const struct metric metric_terminal_reconcile_errors_total = {
    "controller_runtime_terminal_reconcile_errors_total", "Reconciliations that failed and are not retried",
    METRIC_COUNTER};
const struct metric metric_reconcile_time_seconds = {"controller_runtime_reconcile_time_seconds",
                                                     "Length of a reconciliation", METRIC_HISTOGRAM};
const struct metric metric_max_concurrent_reconciles = {"controller_runtime_max_concurrent_reconciles",
                                                        "Number of workers", METRIC_GAUGE};
const struct metric metric_active_workers = {"controller_runtime_active_workers",
                                             "Workers that are reconciling", METRIC_GAUGE};
const struct metric metric_queue_depth = {"workqueue_depth", "Keys that wait for a worker", METRIC_GAUGE};
const struct metric metric_queue_adds_total = {"workqueue_adds_total", "Keys added to the queue",
                                               METRIC_COUNTER};
const struct metric metric_queue_duration_seconds = {"workqueue_queue_duration_seconds",
                                                     "How long a key waited for a worker", METRIC_HISTOGRAM};
const struct metric metric_queue_work_duration_seconds = {"workqueue_work_duration_seconds",
                                                          "How long a key was worked on", METRIC_HISTOGRAM};
const struct metric metric_queue_unfinished_work_seconds = {
    "workqueue_unfinished_work_seconds", "Sum of the ages of the reconciliations that run", METRIC_GAUGE};
const struct metric metric_queue_longest_running_seconds = {"workqueue_longest_running_processor_seconds",
                                                            "Age of the reconciliation that runs longest",
                                                            METRIC_GAUGE};
const struct metric metric_queue_retries_total = {"workqueue_retries_total", "Retries after a failure",
                                                  METRIC_COUNTER};
const struct metric metric_rest_requests_total = {"rest_client_requests_total",
                                                  "API requests by method and status code", METRIC_COUNTER};
const struct metric metric_rest_request_duration_seconds = {"rest_client_request_duration_seconds",
                                                            "Length of an API request", METRIC_HISTOGRAM};
const struct metric metric_tls_connections_total = {
    "qubesec_tls_connections_total", "TLS connections opened, by negotiated key exchange group",
    METRIC_COUNTER};
const struct metric metric_watch_failures_total = {
    "qubesec_watch_failures_total", "Lists and watches that failed, by resource", METRIC_COUNTER};
const struct metric metric_watch_silence_seconds = {
    "qubesec_watch_silence_seconds", "Time since the API server was last heard of on a watch", METRIC_GAUGE};
const struct metric metric_watch_up = {
    "qubesec_watch_up",
    "1 if the API server is heard of on a watch, 0 if it refuses or is silent; detail: what it said last",
    METRIC_GAUGE};
const struct metric metric_objects = {"qubesec_objects", "Objects by kind and status", METRIC_GAUGE};
const struct metric metric_objects_overdue = {
    "qubesec_objects_overdue",
    "Objects that are Pending, and have not been Ready for more than 15 minutes, by kind and reason",
    METRIC_GAUGE};
const struct metric metric_rotation_overdue = {
    "qubesec_rotation_overdue",
    "Objects that were to be rotated more than five minutes ago, and have not been, by kind", METRIC_GAUGE};
const struct metric metric_build_info = {"qubesec_build_info", "The program's version", METRIC_GAUGE};
const struct metric metric_process_cpu_seconds_total = {"process_cpu_seconds_total",
                                                        "CPU time used, of user and system", METRIC_COUNTER};
const struct metric metric_process_resident_memory_bytes = {"process_resident_memory_bytes",
                                                            "Memory that is in RAM", METRIC_GAUGE};
const struct metric metric_process_virtual_memory_bytes = {"process_virtual_memory_bytes",
                                                           "Memory that is mapped", METRIC_GAUGE};
const struct metric metric_process_open_fds = {"process_open_fds", "File descriptors that are open",
                                               METRIC_GAUGE};
const struct metric metric_process_max_fds = {"process_max_fds", "File descriptors that may be open",
                                              METRIC_GAUGE};
const struct metric metric_process_start_time_seconds = {
    "process_start_time_seconds", "When the process started, in seconds since 1970", METRIC_GAUGE};

const struct metric *const metrics_list[] = {&metric_reconcile_total,
                                             &metric_reconcile_errors_total,
                                             &metric_terminal_reconcile_errors_total,
                                             &metric_reconcile_time_seconds,
                                             &metric_max_concurrent_reconciles,
                                             &metric_active_workers,
                                             &metric_queue_depth,
                                             &metric_queue_adds_total,
                                             &metric_queue_duration_seconds,
                                             &metric_queue_work_duration_seconds,
                                             &metric_queue_unfinished_work_seconds,
                                             &metric_queue_longest_running_seconds,
                                             &metric_queue_retries_total,
                                             &metric_rest_requests_total,
                                             &metric_rest_request_duration_seconds,
                                             &metric_tls_connections_total,
                                             &metric_secrets_written_total,
                                             &metric_watch_failures_total,
                                             &metric_watch_silence_seconds,
                                             &metric_watch_up,
                                             &metric_objects,
                                             &metric_objects_overdue,
                                             &metric_rotation_overdue,
                                             &metric_certwatcher_reads_total,
                                             &metric_certwatcher_read_errors_total,
                                             &metric_webhook_certificate_expiration_timestamp_seconds,
                                             &metric_leader_status,
                                             &metric_leader_slowpath_total,
                                             &metric_webhook_requests_total,
                                             &metric_webhook_latency_seconds,
                                             &metric_webhook_requests_in_flight,
                                             &metric_admission_total,
                                             &metric_build_info,
                                             &metric_process_cpu_seconds_total,
                                             &metric_process_resident_memory_bytes,
                                             &metric_process_virtual_memory_bytes,
                                             &metric_process_open_fds,
                                             &metric_process_max_fds,
                                             &metric_process_start_time_seconds,
                                             nullptr};
