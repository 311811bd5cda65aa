// The ConfigMap that has the public roots of a CA's output, for those who need no private key: kept as the
// output Secret is, and with what its entry holds. It comes after the Secret and before the status, so that
// what a crash has left in between is found by the next reconcile.
#pragma once

#include "reconcile/reconcile.h"

// Brings the ConfigMap that the spec asks for to what the output, which is good, has in its place, and
// deletes what is ours under any other name once that is done. What came of it is in r->bundle: what cannot
// be done is no failure of the output. Errors: those that may pass (RETRYABLE, IO, NO_MEMORY); it is to be
// tried again.
[[nodiscard]] bool trust_bundle_keep(struct reconcile *r, struct error *e);

// Whether nothing is to be done about it: it is what the status names, or still another's, and there is no
// other one.
bool trust_bundle_is_settled(const struct reconcile *r);

// Adds to status, an object of document, what r->bundle says.
void trust_bundle_report(const struct reconcile *r, yyjson_mut_doc *document, yyjson_mut_val *status);

// Tells what the status, before it was written, had not recorded of it.
void trust_bundle_tell(const struct reconcile *r);

void trust_bundle_done(struct reconcile *r);
