// Step 3 of a reconcile: an object's inputs, found in the stores and read live.
#pragma once

#include "reconcile/reconcile.h"

// Whether one is fetched from a URL: somebody else's server, which may not answer. Known before they are
// resolved.
bool inputs_have_url(const struct reconcile *r);

// Finds each input and what the watch knows of it, with no request. Errors: NOT_FOUND (missing or not
// finished; the reason says what is waited for), FORBIDDEN (in another namespace), INVALID_SPEC, RETRYABLE
// (its owner is about to look at it again).
[[nodiscard]] bool inputs_resolve(struct reconcile *r, struct error *e);

// Reads all inputs but URLs, live, and brings them to their normal form. Errors: as inputs_resolve, and those
// of requests and of struct kind's normalize.
[[nodiscard]] bool inputs_load(struct reconcile *r, struct error *e);

// Reads what inputs_load left out. Errors: NOT_FOUND with a time to wait (the URL gave nothing), NO_MEMORY.
[[nodiscard]] bool inputs_load_urls(struct reconcile *r, struct error *e);

// The inputs as struct kind's functions take them, borrowed from r; one that is not loaded has no bytes.
void inputs_list(const struct reconcile *r, struct input ret_inputs[KIND_INPUTS_MAX]);

// Names the object in an error of a kind's about one of its inputs ("spec.publicKeyRef: not a public key"),
// and what to do.
void inputs_explain(const struct reconcile *r, struct error *e);

void inputs_done(struct reconcile *r);
