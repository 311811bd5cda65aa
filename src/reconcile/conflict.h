// What is told of a Secret that is in the way: whose it is, that nothing was touched, and what to do that
// destroys nothing. spec.outputSecretName cannot be edited.
#pragma once

#include "reconcile/reconcile.h"

// It is somebody else's; metadata is the Secret's.
bool conflict_with_foreign(const struct reconcile *r, yyjson_val *metadata, struct error *e);

// It could be adopted, but for why.
bool conflict_with_left(const struct reconcile *r, const char *why, struct error *e);
