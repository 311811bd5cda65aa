// What is asked of the API server itself, since a watch that has been cut off without a sign, or that is
// slow, shows what has changed since. Without the question whether the object is still there, what is made
// for one that is gone would be collected by Kubernetes, made again, and so on; and what is replaced because
// of an old view is lost.

#pragma once

#include "reconcile/reconcile.h"

// Asks the API server for r's object, and stores what it says. Errors: RETRYABLE (it is gone, is being
// deleted, was edited, or another one has its name), those of requests.
[[nodiscard]] bool recheck_object(struct reconcile *r, struct error *e);

// Asks the API server for r's object and for its inputs: whether they are those that r has read. Nothing that
// is there is replaced before. Errors: RETRYABLE (they are not; the news are stored), those of requests.
[[nodiscard]] bool recheck_all(struct reconcile *r, struct error *e);
