// Step 7 of a reconcile: the status, compared with what is there and patched where it differs.
#pragma once

#include "reconcile/reconcile.h"

enum phase { PHASE_PENDING, PHASE_SUCCESS, PHASE_FAILED };

// Patches the status where it differs, and records an Event if its Ready condition changed, or if r is
// retried: the same failure again continues the Event's series, and is the same although the server's words
// for it vary. message: for people.
[[nodiscard]] bool status_publish(struct reconcile *r, enum phase phase, const char *reason,
                                  const char *message, struct error *e);
