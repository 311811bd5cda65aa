#include "operator/collect_certificates.h"

#include "operator/metrics_list.h"
#include "reconcile/status_record.h"

#include <stdio.h>
#include <string.h>

enum { LABELS_SIZE = 1024 };

static void set_time(struct metrics *metrics, const struct metric *metric, const char *labels,
                     yyjson_val *status, const char *field) {
    int64_t seconds = status_time(status, field);
    if (seconds != 0) {
        metrics_set(metrics, metric, labels, (double)seconds);
    }
}

static void set_ready(struct metrics *metrics, const char *labels, yyjson_val *status) {
    const char *value = json_member_text(status_find_ready(status), "status");
    const char *ready = value != nullptr ? value : "Unknown";
    static const char *const states[] = {"True", "False", "Unknown"};
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        char with_state[LABELS_SIZE + 32];
        snprintf(with_state, sizeof(with_state), "condition=\"%s\",%s", states[i], labels);
        metrics_set(metrics, &metric_certificate_ready_status, with_state, strcmp(states[i], ready) == 0);
    }
}

static void collect(void *context, const struct kind *, const struct kube_object *object) {
    struct metrics *metrics = context;
    char labels[LABELS_SIZE];
    yyjson_val *status = yyjson_obj_get(object->root, "status");
    const char *issuer = json_text(json_find(object->root, "spec", "parentCARef", "name", nullptr));
    snprintf(labels, sizeof(labels), "name=\"%s\",namespace=\"%s\",issuer_name=\"%s\"", object->name,
             object->namespace, issuer == nullptr ? "" : issuer);
    set_time(metrics, &metric_certificate_expiration_timestamp_seconds, labels, status, RENEWAL_EXPIRY_FIELD);
    set_time(metrics, &metric_certificate_not_before_timestamp_seconds, labels, status, "notBefore");
    set_time(metrics, &metric_certificate_renewal_timestamp_seconds, labels, status, RENEWAL_FIELD);
    set_ready(metrics, labels, status);
}

void collect_certificates(const struct indexes *indexes, struct metrics *metrics) {
    static const struct metric *const gauges[] = {
        &metric_certificate_expiration_timestamp_seconds,
        &metric_certificate_not_before_timestamp_seconds,
        &metric_certificate_renewal_timestamp_seconds,
        &metric_certificate_ready_status,
    };
    for (size_t i = 0; i < sizeof(gauges) / sizeof(gauges[0]); i++) {
        metrics_clear(metrics, gauges[i]);
    }
    indexes_visit(indexes, INDEX_EXPIRING, collect, metrics);
}
