// The generic controller: one reconcile for every kind, in the seven steps of docs/architecture.md.
#pragma once

#include "kube/access_review.h"
#include "net/http_client.h"
#include "reconcile/failing.h"
#include "reconcile/remakes.h"
#include "reconcile/watches.h"
#include "runtime/event.h"
#include "runtime/metrics.h"

// All borrowed, and shared by all workers.
struct controller {
    struct watches *watches;
    struct api api;
    struct http_client *http;
    struct event_recorder *recorder;
    struct metrics *metrics;
    struct remakes *remakes;
    struct failing *failing;
    struct access_reviewer *access;
    uint32_t grant_check_ms;              // how often it is asked whether a granted reference still is
    const char *const *seed_url_prefixes; // NULL-terminated: where spec.seedURI may point to
    int64_t started;                      // seconds since 1970: when this program began to work
};

enum verdict_kind {
    VERDICT_DONE,
    VERDICT_TERMINAL, // failed, and only a change can help
    VERDICT_RETRY,
    VERDICT_SLOW, // nothing was done: a worker that may do work that takes seconds is to take it
};

struct verdict {
    enum verdict_kind kind;
    struct error error;    // why, unless DONE
    uint32_t retry_max_ms; // RETRY: the longest time to wait for it; 0: as long as usual
    uint32_t again_ms;     // DONE: when the object is to be looked at again; 0: when something changes
};

// Reconciles the object of kind under key ("namespace/name"). Blocks; worker threads only. id: the
// reconcile's, for logs, Events and the status that it writes. may_be_slow: this worker may do work that
// takes seconds.
void controller_reconcile(struct controller *controller, const struct kind *kind,
                          const struct kube_resource *resource, const char *key, const char *id,
                          bool may_be_slow, struct verdict *ret_verdict);
