// What an API server says of an object's form before anything else looks at it: kubectl's strict validation,
// and what the entries of a Secret and a ConfigMap must be.
#pragma once

#include "engine/kind.h"

// object is of kind (NULL: a Secret or a ConfigMap), as manifests_read gives it. Errors: INVALID_SPEC (names
// the field that is unknown or of another type), NO_MEMORY.
[[nodiscard]] bool object_check(const struct kind *kind, yyjson_val *object, struct error *e);
