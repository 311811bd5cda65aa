// Rotation, as the reconciler sees it: what is due, and what is told of it. When, is decided in
// engine/rotation.h.
#pragma once

#include "reconcile/reconcile.h"

// Plans the next step from what was read or made of the output, into r->rotation. Errors: INVALID_SPEC, IO,
// NO_MEMORY.
[[nodiscard]] bool rotation_examine(struct reconcile *r, struct error *e);

// Whether what is made in place of r's output, since that is due or was asked for, is another version: it is
// rotated then, and not renewed.
bool rotation_takes_renewal(const struct reconcile *r);

// The same from what the status says, of an object at rest: whether there is a step to be taken now; else
// *ret_wait_ms: when to look again, 0: never.
bool rotation_is_due(const struct reconcile *r, uint32_t *ret_wait_ms);

// Whether the step of r->rotation leads to a version that the status does not tell of yet, which was
// published before, or comes with that of an input: it was held back there if it came too often.
bool rotation_is_news(const struct reconcile *r);

// Milliseconds until there is something to do after r->rotation; 0: nothing will be, or it was put off.
uint32_t rotation_wait_ms(const struct reconcile *r);

// Records the Events of the step that was taken.
void rotation_tell(const struct reconcile *r);

// When the present version is to be replaced; of what has been due for a while, since when; 0: never.
int64_t rotation_next_time(const struct reconcile *r);

// Adds to status what it says of versions: nothing for a kind that is not rotated.
void rotation_report(const struct reconcile *r, yyjson_mut_doc *document, yyjson_mut_val *status);
