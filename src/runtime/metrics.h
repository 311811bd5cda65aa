// Prometheus metrics: counted here, named where they are measured, under the names that the dashboards and
// alerts of controller-runtime and client-go know.
#pragma once

#include "base/buffer.h"

struct metrics;

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

// A metric is a value that the room has which measures it: `const struct metric metric_x_total = {...}`.
struct metric {
    const char *name;
    const char *help;
    enum metric_type type;
};

// list: all that there may be, NULL-terminated, at least one, in the order in which they are written;
// borrowed. *ret_metrics is owned. Errors: NO_MEMORY.
[[nodiscard]] bool metrics_create(const struct metric *const *list, struct metrics **ret_metrics,
                                  struct error *e);
void metrics_free(struct metrics *metrics); // takes metrics; NULL is allowed

// Any thread. metric: one of the list. labels: as in the text format without braces,
// `controller="x",result="success"`, or "". A label set that memory has no room for is not counted.
void metrics_add(struct metrics *metrics, const struct metric *metric, const char *labels,
                 double amount); // counter, gauge
void metrics_set(struct metrics *metrics, const struct metric *metric, const char *labels,
                 double value); // gauge, or a counter that is counted elsewhere
void metrics_observe(struct metrics *metrics, const struct metric *metric, const char *labels,
                     double seconds); // histogram

// Drops all of metric's label sets, before those that still are get set anew.
void metrics_clear(struct metrics *metrics, const struct metric *metric);

// Of a metric that is kept elsewhere, and is not in the list: what comes before its samples, and one of them.
// Errors: as buffer_append.
[[nodiscard]] bool metrics_write_head(const struct metric *metric, struct buffer *text, struct error *e);
[[nodiscard]] bool metrics_write_sample(const struct metric *metric, const char *labels, double value,
                                        struct buffer *text, struct error *e);

// Appends all in the Prometheus text format, version 0.0.4. Errors: as buffer_append.
[[nodiscard]] bool metrics_write(struct metrics *metrics, struct buffer *text, struct error *e);
