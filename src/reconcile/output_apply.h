// What follows from the state of the output: it is created, kept, put right, renewed, or made anew; and what
// is told of that.
#pragma once

#include "reconcile/reconcile.h"

// Does what follows from the state of the output that was examined; damage: as output_examine gives it.
// Errors: those of output_make and output_repair, KEY_LOST and KEY_MISMATCH (nothing was written), CONFLICT,
// RETRYABLE, CRYPTO (later: it comes too often).
[[nodiscard]] bool output_apply(struct reconcile *r, enum output_state state, const struct error *damage,
                                struct error *e);
