// What an API server says of an object's form before anything else looks at it: kubectl's strict validation,
// the types of what is there besides the spec, labels, annotations, and the names of a Secret's and a
// ConfigMap's entries.
#pragma once

#include "kube/resource.h"

#include "json/read.h"

// object is of resource, as it was written: stringData is still there. null is as good as absent, and in a
// map of texts an empty text. Errors: INVALID_SPEC (names the member that is unknown, of another type or not
// of its form, and what is allowed).
[[nodiscard]] bool object_check(const struct kube_resource *resource, yyjson_val *object, struct error *e);
