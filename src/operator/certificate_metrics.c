#include "operator/certificate_metrics.h"

#include "reconcile/status_record.h"

#include <stdio.h>
#include <string.h>

enum { LABELS_SIZE = 1024 };

static const struct metric metric_certificate_expiration_timestamp_seconds = {
    "qubesec_certificate_expiration_timestamp_seconds", "When the certificate expires, in seconds since 1970",
    METRIC_GAUGE};
static const struct metric metric_certificate_not_before_timestamp_seconds = {
    "qubesec_certificate_not_before_timestamp_seconds",
    "From when on the certificate is valid, in seconds since 1970", METRIC_GAUGE};
static const struct metric metric_certificate_renewal_timestamp_seconds = {
    "qubesec_certificate_renewal_timestamp_seconds",
    "When the certificate is to be renewed, in seconds since 1970", METRIC_GAUGE};
static const struct metric metric_certificate_ready_status = {
    "qubesec_certificate_ready_status", "1 for the status that the certificate's Ready condition has",
    METRIC_GAUGE};

static const struct metric *const list[] = {
    &metric_certificate_expiration_timestamp_seconds,
    &metric_certificate_not_before_timestamp_seconds,
    &metric_certificate_renewal_timestamp_seconds,
    &metric_certificate_ready_status,
    nullptr,
};

static bool write_ready(struct object_metrics *all, const char *labels, yyjson_val *status, struct error *e) {
    static const char *const states[] = {"True", "False", "Unknown"};
    const char *value = json_member_text(status_find_ready(status), "status");
    const char *ready = value != nullptr ? value : "Unknown";
    bool written = true;
    for (size_t i = 0; written && i < sizeof(states) / sizeof(states[0]); i++) {
        char with_state[LABELS_SIZE + 32];
        snprintf(with_state, sizeof(with_state), "condition=\"%s\",%s", states[i], labels);
        written = object_metrics_add(all, with_state, strcmp(states[i], ready) == 0, e);
    }
    return written;
}

// The field of the status that a metric shows; NULL: it is the Ready condition.
static const char *field_of(const struct metric *metric) {
    return metric == &metric_certificate_expiration_timestamp_seconds   ? RENEWAL_EXPIRY_FIELD
           : metric == &metric_certificate_not_before_timestamp_seconds ? "notBefore"
           : metric == &metric_certificate_renewal_timestamp_seconds    ? RENEWAL_FIELD
                                                                        : nullptr;
}

static bool write(struct object_metrics *all, const struct metric *metric, const struct kind *,
                  const struct kube_object *object, struct error *e) {
    char labels[LABELS_SIZE];
    yyjson_val *status = yyjson_obj_get(object->root, "status");
    const char *issuer = json_text(json_find(object->root, "spec", "parentCARef", "name", nullptr));
    const char *field = field_of(metric);
    snprintf(labels, sizeof(labels), "name=\"%s\",namespace=\"%s\",issuer_name=\"%s\"", object->name,
             object->namespace, issuer == nullptr ? "" : issuer);
    if (field == nullptr) {
        return write_ready(all, labels, status, e);
    }
    int64_t seconds = status_time(status, field);
    return seconds == 0 || object_metrics_add(all, labels, (double)seconds, e);
}

const struct object_metrics_family certificate_metrics = {INDEX_EXPIRING, list, write};
