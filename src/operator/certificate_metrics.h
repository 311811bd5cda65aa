// What is known of each certificate, as metrics like cert-manager's. They may be many: so they are written
// part by part out of what the watches have shown, and kept nowhere.
#pragma once

#include "reconcile/indexes.h"
#include "runtime/metrics.h"

struct certificate_metrics;

// NULL-terminated, in the order in which they are written.
extern const struct metric *const certificate_metrics_list[];

// Of all objects whose status says now when their output expires. *ret_all is owned; indexes is needed only
// during the call. Errors: NO_MEMORY. Any thread.
[[nodiscard]] bool certificate_metrics_create(const struct indexes *indexes,
                                              struct certificate_metrics **ret_all, struct error *e);

// Appends the next 64 KiB or a little more, in the Prometheus text format; nothing: that was all. Errors: as
// buffer_append.
[[nodiscard]] bool certificate_metrics_write(struct certificate_metrics *all, struct buffer *part,
                                             struct error *e);

void certificate_metrics_free(struct certificate_metrics *all); // takes all; NULL is allowed
