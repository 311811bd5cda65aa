// Fields of a spec that no table of its kind has: typing errors, most of them.
#pragma once

#include "engine/kind.h"

enum { UNKNOWN_FIELD_SIZE = 2 * JSON_SHOWN_SIZE + 8 };

// Whether spec (NULL: there is none) has a member that its kind does not know, at any depth that the tables
// tell of; foreign fields are known, since whoever decodes the spec refuses them with advice. *ret_path: the
// first, as "spec.durationDay", each name as json_show writes it.
[[nodiscard]] bool unknown_field_find(const struct kind *kind, yyjson_val *spec,
                                      char ret_path[UNKNOWN_FIELD_SIZE]);
