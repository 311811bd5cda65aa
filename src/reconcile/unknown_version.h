// Versions that the output Secret holds, and that the object's status does not tell of: whoever may write the
// Secret, and not the status, can have put them there.
#pragma once

#include "reconcile/reconcile.h"

// Notes in r those that were read from the Secret as it was examined: is_good: it is sound. None where a step
// of rotation was to be expected by what the status and the object say: it may have been taken, and not told
// since the operator was ended, or the status could not be written.
void unknown_versions_note(struct reconcile *r, bool is_good);

// Records an Event for each of them, after the status was written: it is recorded from then on.
void unknown_versions_tell(const struct reconcile *r);
