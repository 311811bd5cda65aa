// What is known of single objects, as metrics. They may be many: so they are written part by part out of what
// the watches have shown, and kept nowhere.
#pragma once

#include "reconcile/indexes.h"
#include "runtime/metrics.h"

struct object_metrics;

// Metrics of objects that are indexed alike.
struct object_metrics_family {
    const char *index;                // as reconcile/indexes.h names it
    const struct metric *const *list; // NULL-terminated, in the order in which they are written

    // Adds by object_metrics_add what object, of kind, has of metric. Errors: as that.
    bool (*write)(struct object_metrics *all, const struct metric *metric, const struct kind *kind,
                  const struct kube_object *object, struct error *e);
};

// Of the objects that each of families is about, which are NULL-terminated and borrowed until
// object_metrics_free. *ret_all is owned; indexes is needed only during the call. Errors: NO_MEMORY. Any
// thread.
[[nodiscard]] bool object_metrics_create(const struct indexes *indexes,
                                         const struct object_metrics_family *const *families,
                                         struct object_metrics **ret_all, struct error *e);

// Appends the next 64 KiB or a little more, in the Prometheus text format; nothing: that was all. Errors: as
// buffer_append.
[[nodiscard]] bool object_metrics_write(struct object_metrics *all, struct buffer *part, struct error *e);

// For a family's write: one sample of the metric that it was called for, and before the first what there is
// to say of the metric. Errors: as buffer_append.
[[nodiscard]] bool object_metrics_add(struct object_metrics *all, const char *labels, double value,
                                      struct error *e);

void object_metrics_free(struct object_metrics *all); // takes all; NULL is allowed
