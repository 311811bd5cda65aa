#include "operator/instrumentation.h"

#include "base/clock.h"
#include "base/log.h"
#include "operator/collect_objects.h"
#include "operator/collect_overdue.h"
#include "operator/collect_process.h"
#include "operator/metrics_list.h"

#include <ctype.h>
#include <stdio.h>

enum { RECONCILE_LABELS_SIZE = 2 * INSTRUMENT_LABELS_SIZE };

// There is one queue for all controllers.
static const char queue_label[] = "name=\"qubesec\"";

const char *instrument_controller_label(const char *kind, char ret_labels[INSTRUMENT_LABELS_SIZE]) {
    size_t used = (size_t)snprintf(ret_labels, INSTRUMENT_LABELS_SIZE, "controller=\"");
    for (; *kind != '\0' && *kind != '/' && used < INSTRUMENT_LABELS_SIZE - 2; kind++) {
        ret_labels[used++] = (char)tolower((unsigned char)*kind);
    }
    ret_labels[used++] = '"';
    ret_labels[used] = '\0';
    return ret_labels;
}

// ---- the queue

static void key_added(void *context, const struct object_key *) {
    metrics_add(((struct instrumentation *)context)->metrics, &metric_queue_adds_total, queue_label, 1);
}

static void key_retried(void *context, const struct object_key *) {
    metrics_add(((struct instrumentation *)context)->metrics, &metric_queue_retries_total, queue_label, 1);
}

static void key_started(void *context, const struct object_key *, double seconds) {
    metrics_observe(((struct instrumentation *)context)->metrics, &metric_queue_duration_seconds, queue_label,
                    seconds);
}

static void key_finished(void *context, const struct object_key *, double seconds) {
    metrics_observe(((struct instrumentation *)context)->metrics, &metric_queue_work_duration_seconds,
                    queue_label, seconds);
}

struct queue_observer instrument_queue(struct instrumentation *instrumentation) {
    return (struct queue_observer){instrumentation, key_added, key_retried, key_started, key_finished};
}

// ---- requests

void instrument_request(void *context, const char *method, int code, double seconds) {
    struct instrumentation *instrumentation = context;
    char labels[INSTRUMENT_LABELS_SIZE];
    char code_text[16];
    snprintf(code_text, sizeof(code_text), "%d", code);
    snprintf(labels, sizeof(labels), "code=\"%s\",host=\"%.128s\",method=\"%s\"",
             code == 0 ? "<error>" : code_text, instrumentation->host, method);
    metrics_add(instrumentation->metrics, &metric_rest_requests_total, labels, 1);
    snprintf(labels, sizeof(labels), "host=\"%.128s\",verb=\"%s\"", instrumentation->host, method);
    metrics_observe(instrumentation->metrics, &metric_rest_request_duration_seconds, labels, seconds);
}

void instrument_connection(void *context, const char *group) {
    struct instrumentation *instrumentation = context;
    char labels[INSTRUMENT_LABELS_SIZE];
    snprintf(labels, sizeof(labels), "group=\"%s\"", group);
    metrics_add(instrumentation->metrics, &metric_tls_connections_total, labels, 1);
    LOG(LOG_DEBUG, "TLS connection", {"group", group});
}

void instrument_watch_failure(struct instrumentation *instrumentation, const struct kube_resource *resource,
                              const struct error *error) {
    char labels[INSTRUMENT_LABELS_SIZE];
    snprintf(labels, sizeof(labels), "resource=\"%s\",class=\"%s\"", resource->plural,
             error_class_name(error->class));
    metrics_add(instrumentation->metrics, &metric_watch_failures_total, labels, 1);
}

// ---- reconciles

void instrument_workers(struct instrumentation *instrumentation, const struct kind *kind, unsigned count) {
    char labels[INSTRUMENT_LABELS_SIZE];
    metrics_set(instrumentation->metrics, &metric_max_concurrent_reconciles,
                instrument_controller_label(kind->kind, labels), count);
}

static void reconcile_started(void *context, const struct object_key *key) {
    char labels[INSTRUMENT_LABELS_SIZE];
    metrics_add(((struct instrumentation *)context)->metrics, &metric_active_workers,
                instrument_controller_label(key->resource->kind, labels), 1);
}

static const char *result_label(const struct outcome *outcome) {
    if (outcome->result == RESULT_OK) {
        return outcome->requeue_after_ms > 0 ? "requeue_after" : "success";
    }
    if (outcome->result == RESULT_LANE) {
        return "requeue";
    }
    if (outcome->result == RESULT_TERMINAL) {
        return "error";
    }
    return outcome->error.retry_after_ms > 0 ? "requeue_after" : "error";
}

static void reconcile_ended(void *context, const struct object_key *key, const struct outcome *outcome,
                            double seconds) {
    struct metrics *metrics = ((struct instrumentation *)context)->metrics;
    char labels[INSTRUMENT_LABELS_SIZE];
    char with_more[RECONCILE_LABELS_SIZE];
    instrument_controller_label(key->resource->kind, labels);
    metrics_add(metrics, &metric_active_workers, labels, -1);
    metrics_observe(metrics, &metric_reconcile_time_seconds, labels, seconds);
    snprintf(with_more, sizeof(with_more), "%s,result=\"%s\"", labels, result_label(outcome));
    metrics_add(metrics, &metric_reconcile_total, with_more, 1);
    if (outcome->result == RESULT_RETRY || outcome->result == RESULT_TERMINAL) {
        snprintf(with_more, sizeof(with_more), "%s,class=\"%s\"", labels,
                 error_class_name(outcome->error.class));
        metrics_add(metrics, &metric_reconcile_errors_total, with_more, 1);
    }
    if (outcome->result == RESULT_TERMINAL) {
        metrics_add(metrics, &metric_terminal_reconcile_errors_total, labels, 1);
    }
}

struct controller_observer instrument_controller(struct instrumentation *instrumentation) {
    return (struct controller_observer){instrumentation, reconcile_started, reconcile_ended};
}

// ---- gauges

void instrument_refresh(struct instrumentation *instrumentation, struct queue *queue,
                        const struct informers *informers, const struct indexes *indexes, int64_t started) {
    double unfinished;
    double longest = queue_longest_running(queue, &unfinished);
    metrics_set(instrumentation->metrics, &metric_queue_depth, queue_label, (double)queue_depth(queue));
    metrics_set(instrumentation->metrics, &metric_queue_longest_running_seconds, queue_label, longest);
    metrics_set(instrumentation->metrics, &metric_queue_unfinished_work_seconds, queue_label, unfinished);
    collect_objects(informers, indexes, instrumentation->metrics);
    collect_process(started, instrumentation->metrics);
    collect_overdue(indexes, clock_wall_seconds(), instrumentation->metrics);
}
