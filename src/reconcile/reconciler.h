// The reconciler: one for every kind, in the seven steps of docs/architecture.md.
#pragma once

#include "kube/access_review.h"
#include "kube/event_body.h"
#include "net/http_client.h"
#include "reconcile/indexes.h"
#include "reconcile/regenerate_backoff.h"
#include "runtime/controller.h"
#include "runtime/metrics.h"

// What it works with. All borrowed, and shared by all workers.
struct reconciler_parts {
    struct informers *informers;
    struct indexes *indexes;
    struct api api;
    struct http_client *http;
    // Records an Event; its texts are borrowed during the call.
    void (*record)(void *context, const struct kube_resource *resource, const struct kube_object *object,
                   const struct event_content *content);
    void *record_context;
    struct metrics *metrics;
    struct regenerate_backoff *backoff; // NULL: outputs are made anew without a wait
    struct access_reviewer *access;
    uint32_t grant_check_ms;              // how often it is asked whether a granted reference still is
    const char *const *seed_url_prefixes; // NULL-terminated: where spec.seedURI may point to
    int64_t started;                      // seconds since 1970: when this program began to work; 0: long ago
    int64_t started_ms;                   // the same by the monotonic clock
};

// The reconcile of a struct reconciler whose context is a struct reconciler_parts. key's resource is one that
// its indexes know.
void reconciler_reconcile(void *context, const struct object_key *key, const struct queue_attempt *attempt,
                          struct outcome *ret_outcome);
