// What the parts of the operator report of their work, turned into metrics. Any thread.
#pragma once

#include "reconcile/controller.h"

enum { MEASURE_LABELS_SIZE = 256 };

struct measure {
    struct metrics *metrics;
    const char *host; // of the API server
};

// Writes `controller="kind"` with the kind's name in lower case, as controller-runtime names controllers.
const char *measure_controller_label(const char *kind, char ret_labels[MEASURE_LABELS_SIZE]);

// The observer of the work queue; measure is borrowed by it.
struct queue_observer measure_queue(struct measure *measure);

// A kube_request_observer and an http_connection_observer; context is a struct measure.
void measure_request(void *context, const char *method, int code, double seconds);
void measure_connection(void *context, const char *group);

// How many workers the kind's controller may have.
void measure_workers(struct measure *measure, const struct kind *kind, unsigned count);

// A reconcile of that kind starts; it has ended.
void measure_start(struct measure *measure, const struct kind *kind);
void measure_end(struct measure *measure, const struct kind *kind, const struct verdict *verdict,
                 double seconds);

// A list or watch failed.
void measure_watch_failure(struct measure *measure, const struct kube_resource *resource,
                           const struct error *error);

// Sets the gauges that are looked up when somebody asks for them; started: when this program was, in seconds
// since 1970. Loop thread.
void measure_refresh(struct measure *measure, struct queue *queue, const struct watches *watches,
                     int64_t started);
