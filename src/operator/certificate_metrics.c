#include "operator/certificate_metrics.h"

#include "base/memory.h"
#include "reconcile/status_record.h"

#include <stdio.h>
#include <string.h>

enum { LABELS_SIZE = 1024, PART_SIZE = 64 * 1024, FIRST_ROOM = 64 };

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

const struct metric *const certificate_metrics_list[] = {
    &metric_certificate_expiration_timestamp_seconds,
    &metric_certificate_not_before_timestamp_seconds,
    &metric_certificate_renewal_timestamp_seconds,
    &metric_certificate_ready_status,
    nullptr,
};

struct certificate_metrics {
    struct kube_object **objects; // one count of each
    size_t count;
    size_t room;
    bool incomplete; // memory is out

    // How far it is written.
    const struct metric *const *metric;
    size_t next;     // object
    bool has_sample; // of metric
};

// ---- what there is

static bool make_room(struct certificate_metrics *all) {
    size_t room = all->room == 0 ? FIRST_ROOM : all->room * 2;
    if (all->count < all->room) {
        return true;
    }
    struct kube_object **objects = memory_resize(all->objects, room * sizeof(*objects));
    if (objects == nullptr) {
        return false;
    }
    all->objects = objects;
    all->room = room;
    return true;
}

static void collect(void *context, const struct kind *, const struct kube_object *object) {
    struct certificate_metrics *all = context;
    all->incomplete = all->incomplete || !make_room(all);
    if (!all->incomplete) {
        all->objects[all->count++] = kube_object_retain((struct kube_object *)object);
    }
}

bool certificate_metrics_create(const struct indexes *indexes, struct certificate_metrics **ret_all,
                                struct error *e) {
    struct certificate_metrics *all = memory_allocate_zeroed(1, sizeof(*all));
    if (all != nullptr) {
        all->metric = certificate_metrics_list;
        indexes_visit(indexes, INDEX_EXPIRING, collect, all);
    }
    if (all == nullptr || all->incomplete) {
        certificate_metrics_free(all);
        return error_no_memory(e, "the certificates' metrics");
    }
    *ret_all = all;
    return true;
}

void certificate_metrics_free(struct certificate_metrics *all) {
    if (all != nullptr) {
        for (size_t i = 0; i < all->count; i++) {
            kube_object_release(all->objects[i]);
        }
        memory_free(all->objects);
        memory_free(all);
    }
}

// ---- text

static bool write_sample(struct certificate_metrics *all, const char *labels, double value,
                         struct buffer *part, struct error *e) {
    bool headed = all->has_sample || metrics_write_head(*all->metric, part, e);
    all->has_sample = true;
    return headed && metrics_write_sample(*all->metric, labels, value, part, e);
}

static bool write_ready(struct certificate_metrics *all, const char *labels, yyjson_val *status,
                        struct buffer *part, struct error *e) {
    static const char *const states[] = {"True", "False", "Unknown"};
    const char *value = json_member_text(status_find_ready(status), "status");
    const char *ready = value != nullptr ? value : "Unknown";
    bool written = true;
    for (size_t i = 0; written && i < sizeof(states) / sizeof(states[0]); i++) {
        char with_state[LABELS_SIZE + 32];
        snprintf(with_state, sizeof(with_state), "condition=\"%s\",%s", states[i], labels);
        written = write_sample(all, with_state, strcmp(states[i], ready) == 0, part, e);
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

static bool write_object(struct certificate_metrics *all, const struct kube_object *object,
                         struct buffer *part, struct error *e) {
    char labels[LABELS_SIZE];
    yyjson_val *status = yyjson_obj_get(object->root, "status");
    const char *issuer = json_text(json_find(object->root, "spec", "parentCARef", "name", nullptr));
    const char *field = field_of(*all->metric);
    snprintf(labels, sizeof(labels), "name=\"%s\",namespace=\"%s\",issuer_name=\"%s\"", object->name,
             object->namespace, issuer == nullptr ? "" : issuer);
    if (field == nullptr) {
        return write_ready(all, labels, status, part, e);
    }
    int64_t seconds = status_time(status, field);
    return seconds == 0 || write_sample(all, labels, (double)seconds, part, e);
}

bool certificate_metrics_write(struct certificate_metrics *all, struct buffer *part, struct error *e) {
    while (*all->metric != nullptr && part->length < PART_SIZE) {
        if (all->next == all->count) {
            all->metric++;
            all->next = 0;
            all->has_sample = false;
        } else if (!write_object(all, all->objects[all->next++], part, e)) {
            return false;
        }
    }
    return true;
}
