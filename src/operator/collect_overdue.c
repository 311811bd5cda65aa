#include "operator/collect_overdue.h"

#include "operator/metrics_list.h"
#include "reconcile/rotation.h"
#include "reconcile/status_record.h"

#include <stdio.h>
#include <string.h>

enum { REASON_MAX = 64, LABELS_SIZE = 256 };

struct collection {
    int64_t now;
    struct metrics *metrics;
};

// Whoever may write to the status could have put anything there.
static bool is_reason(const char *text) {
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    return text != nullptr && text[0] != '\0' && strlen(text) <= REASON_MAX &&
           text[strspn(text, letters)] == '\0';
}

static void collect(void *context, const struct kind *kind, const struct kube_object *object) {
    const struct collection *collection = context;
    yyjson_val *ready = status_find_ready(yyjson_obj_get(object->root, "status"));
    int64_t since = status_time(ready, "lastTransitionTime");
    const char *reason = json_member_text(ready, "reason");
    char labels[LABELS_SIZE];
    if (since == 0 || collection->now - since <= OVERDUE_S) {
        return;
    }
    snprintf(labels, sizeof(labels), "kind=\"%s\",reason=\"%s\"", kind->kind,
             is_reason(reason) ? reason : "Unknown");
    metrics_add(collection->metrics, &metric_objects_overdue, labels, 1);
}

static void collect_rotation(void *context, const struct kind *kind, const struct kube_object *object) {
    const struct collection *collection = context;
    int64_t due = status_time(yyjson_obj_get(object->root, "status"), ROTATION_FIELD);
    char labels[LABELS_SIZE];
    if (due == 0 || collection->now - due <= ROTATION_OVERDUE_S) {
        return;
    }
    snprintf(labels, sizeof(labels), "kind=\"%s\"", kind->kind);
    metrics_add(collection->metrics, &metric_rotation_overdue, labels, 1);
}

void collect_overdue(const struct indexes *indexes, int64_t now, struct metrics *metrics) {
    struct collection collection = {now, metrics};
    metrics_clear(metrics, &metric_objects_overdue);
    indexes_visit_status(indexes, "Pending", collect, &collection);
    metrics_clear(metrics, &metric_rotation_overdue);
    indexes_visit(indexes, INDEX_ROTATED, collect_rotation, &collection);
}
