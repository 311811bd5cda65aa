// Step 4 of a reconcile: the output Secret, found, seen to be ours, and examined.
#pragma once

#include "reconcile/reconcile.h"

// The store that has the metadata of the output Secret.
struct store *output_store(const struct reconcile *r);

// Looks at the output Secret: at what the watch says, and, where there is something to look at or the watch
// cannot tell, live. An
// adoptable Secret that is sound is good, too. *ret_damage: what is wrong, when it is damaged. Errors:
// CONFLICT (it is not ours), and those of requests.
[[nodiscard]] bool output_examine(struct reconcile *r, enum output_state *ret_state, struct error *ret_damage,
                                  struct error *e);

// As output_examine, live whatever the watch says.
[[nodiscard]] bool output_examine_live(struct reconcile *r, enum output_state *ret_state,
                                       struct error *ret_damage, struct error *e);

void output_done(struct reconcile *r);
