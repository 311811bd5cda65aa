// What admission says of an edit of an object that is kept.
#pragma once

#include "engine/kind.h"

// Whether object may take the place of kept, an earlier one of kind and of its name, as an earlier run has
// left it. A spec that was good may become neither another in what is immutable nor a bad one, after which
// nothing could be compared with it. One that is bad, of which something was made (status.secretRef), may be
// corrected, and is immutable in the same, as it is written; where that itself is at fault, it may become
// what was made, as far as the status says. Errors: INVALID_SPEC (names the field), NO_MEMORY.
[[nodiscard]] bool edit_check(const struct kind *kind, yyjson_val *kept, yyjson_val *object, struct error *e);
