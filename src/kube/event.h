// Kubernetes Events (events.k8s.io/v1): what `kubectl describe` shows under an object. Best effort: sent in
// the background, dropped when too many wait.
#pragma once

#include "kube/client.h"
#include "kube/object.h"

struct event_recorder;

// component: reporting controller ("qubesec.io/operator"); instance: this process, at most 128 bytes. client
// is borrowed until event_recorder_free; both texts are copied. Starts a thread of its own. *ret_recorder is
// owned.
[[nodiscard]] bool event_recorder_create(struct kube_client *client, const char *component,
                                         const char *instance, struct event_recorder **ret_recorder,
                                         struct error *e);

// Sends what still waits for at most a second (a request that is under way may take its three), then takes
// recorder. NULL is allowed.
void event_recorder_free(struct event_recorder *recorder);

// Records an Event about object. warning: type Warning, else Normal; reason and action: UpperCamelCase words
// of up to 128 bytes; note: a sentence, cut to 1024 bytes, never with key bytes in it. The same (object,
// reason, note) again becomes a series (PATCH series.count, from 2 on) instead of a new Event, until it has
// been quiet for six minutes. Any thread; never waits for the network.
void event_record(struct event_recorder *recorder, const struct kube_resource *resource,
                  const struct kube_object *object, bool warning, const char *reason, const char *action,
                  const char *note);
