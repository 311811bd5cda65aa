// Kubernetes Events (events.k8s.io/v1): what `kubectl describe` shows under an object. Best effort: sent in
// the background, warnings first, dropped when too many wait.
#pragma once

#include "kube/api.h"
#include "kube/event_body.h"

struct event_recorder;

// How fast they are sent: one an interval (in milliseconds; 0: no limit), and so many ahead of that.
struct event_rate_limit {
    uint32_t interval_ms;
    uint32_t burst;
};

// What api is on is borrowed until event_recorder_free; source is copied, an instance that is too long is
// cut. Starts a thread of its own. *ret_recorder is owned. Errors: NO_MEMORY.
[[nodiscard]] bool event_recorder_create(struct api api, const struct event_source *source,
                                         const struct event_rate_limit *pace,
                                         struct event_recorder **ret_recorder, struct error *e);

// Sends what still waits for at most a second (a request that is under way may take its three), then takes
// recorder. NULL is allowed.
void event_recorder_free(struct event_recorder *recorder);

// Records an Event about object. The same (object, reason, note) again becomes a series (PATCH series.count,
// from 2 on) instead of a new Event, with the reconcile id of the first, until it has been quiet for twenty
// minutes, which is longer than the work queue ever waits to try again. Any thread; never waits for the
// network.
void event_record(struct event_recorder *recorder, const struct kube_resource *resource,
                  const struct kube_object *object, const struct event_content *words);
