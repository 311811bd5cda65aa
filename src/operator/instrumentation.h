// What the parts of the operator report of their work, turned into metrics. Any thread.
#pragma once

#include "reconcile/indexes.h"
#include "runtime/controller.h"
#include "runtime/metrics.h"

enum { INSTRUMENT_LABELS_SIZE = 256 };

struct instrumentation {
    struct metrics *metrics;
    const char *host; // of the API server
};

// Writes `controller="kind"` with the kind's name in lower case, as controller-runtime names controllers.
const char *instrument_controller_label(const char *kind, char ret_labels[INSTRUMENT_LABELS_SIZE]);

// The observers of the work queue and of the controller loop; instrumentation is borrowed by them.
struct queue_observer instrument_queue(struct instrumentation *instrumentation);
struct controller_observer instrument_controller(struct instrumentation *instrumentation);

// A kube_request_observer and an http_connection_observer; context is a struct instrumentation.
void instrument_request(void *context, const char *method, int code, double seconds);
void instrument_connection(void *context, const char *group);

// How many workers the kind's controller may have.
void instrument_workers(struct instrumentation *instrumentation, const struct kind *kind, unsigned count);

// A list or watch failed.
void instrument_watch_failure(struct instrumentation *instrumentation, const struct kube_resource *resource,
                              const struct error *error);

// Sets the gauges that are looked up when somebody asks for them; started: when this program was, in seconds
// since 1970. Loop thread.
void instrument_refresh(struct instrumentation *instrumentation, struct queue *queue,
                        const struct informers *informers, const struct indexes *indexes, int64_t started);
