// The labels, annotations and owner of a good output: brought to what they should be, and left alone for a
// while when somebody else changes them again and again.
#pragma once

#include "reconcile/reconcile.h"

// Whether what output_keep_metadata would write is to be written now; is_needed: there is something. Sets
// what r says of the matter.
[[nodiscard]] bool upkeep_may_write(struct reconcile *r, bool is_needed);

// What upkeep_may_write allowed came to nothing: it was refused, or nobody answered.
void upkeep_take_back(const struct reconcile *r);
