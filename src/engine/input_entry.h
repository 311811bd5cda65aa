// The entry of a Secret or ConfigMap that an input is: of one of our kinds' outputs, or of what others keep.
#pragma once

#include "engine/kind.h"
#include "json/read.h"

// Reads the bytes that from means out of root, a Secret or a ConfigMap: the entry of that key with those that
// belong with it, or, with key NULL, the one that from's usual keys name. A Secret's entries are base64, and
// so are those in binaryData of a ConfigMap; what is in its data is text. *ret_bytes is owned. Errors:
// NOT_FOUND (there is no such entry; the message goes on from a name, "has no entry ..."), INVALID_SPEC (no
// base64), NO_MEMORY.
[[nodiscard]] bool input_entry_read(const struct input_source *from, const char *key, yyjson_val *root,
                                    bool is_secret, struct secret **ret_bytes, struct error *e);

// The same of one entry by its key.
[[nodiscard]] bool input_entry_read_one(const char *key, yyjson_val *root, bool is_secret,
                                        struct secret **ret_bytes, struct error *e);
