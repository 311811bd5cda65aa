#include "operator/rotation_metrics.h"

#include "reconcile/rotation.h"
#include "reconcile/status_record.h"

#include <stdio.h>

enum { LABELS_SIZE = 1024 };

static const struct metric metric_rotation_next_timestamp_seconds = {
    "qubesec_rotation_next_timestamp_seconds", "When the object is to be rotated, in seconds since 1970",
    METRIC_GAUGE};
static const struct metric metric_rotation_oldest_version_timestamp_seconds = {
    "qubesec_rotation_oldest_version_timestamp_seconds",
    "When the oldest of the previous versions that are kept came into use, in seconds since 1970",
    METRIC_GAUGE};

static const struct metric *const list[] = {
    &metric_rotation_next_timestamp_seconds,
    &metric_rotation_oldest_version_timestamp_seconds,
    nullptr,
};

// 0: nothing is said of it.
static int64_t beginning_of(yyjson_val *version) {
    int64_t active = status_time(version, VERSION_ACTIVE_FIELD);
    return active != 0 ? active : status_time(version, VERSION_CREATED_FIELD);
}

// Of the previous versions; 0: none is kept.
static int64_t oldest_of(yyjson_val *versions) {
    size_t index;
    size_t count;
    yyjson_val *version;
    int64_t oldest = 0;
    yyjson_arr_foreach(versions, index, count, version) {
        int64_t beginning = beginning_of(version);
        bool is_kept = json_member_is(version, "state", VERSION_STATE_RETIRED);
        if (is_kept && beginning != 0 && (oldest == 0 || beginning < oldest)) {
            oldest = beginning;
        }
    }
    return oldest;
}

static bool write(struct object_metrics *all, const struct metric *metric, const struct kind *kind,
                  const struct kube_object *object, struct error *e) {
    char labels[LABELS_SIZE];
    yyjson_val *status = yyjson_obj_get(object->root, "status");
    int64_t seconds = metric == &metric_rotation_next_timestamp_seconds
                          ? status_time(status, ROTATION_FIELD)
                          : oldest_of(yyjson_obj_get(status, VERSIONS_FIELD));
    snprintf(labels, sizeof(labels), "name=\"%s\",namespace=\"%s\",kind=\"%s\"", object->name,
             object->namespace, kind->kind);
    return seconds == 0 || object_metrics_add(all, labels, (double)seconds, e);
}

const struct object_metrics_family rotation_metrics = {INDEX_ROTATED, list, write};
