// What is told when an output is not the one that it was.
#pragma once

#include "reconcile/reconcile.h"

// Notes what the output to be made takes the place of, and why. reason: of the Event. cause: a few words.
void replacement_note(struct reconcile *r, const char *reason, const char *cause);

// Records an Event if the output is not the one that the status has recorded: made by r, by a reconcile that
// was broken off before it could say so, or by somebody else.
void replacement_tell(const struct reconcile *r);
