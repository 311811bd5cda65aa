// The versions of an input that comes from one of our own kinds.
#pragma once

#include "engine/kind.h"

// Reads the versions of the entry key in root, the output Secret of a resource of ours, whose present one is
// *bytes. number: the one that is asked for, whose bytes then take the place of *bytes; 0: the present one.
// *ret_versions is owned, by memory_free after versions_done, and has what is besides *bytes; NULL where one
// was asked for. *ret_version: the number of *bytes. Errors: CRYPTO (the metadata cannot be read), NOT_FOUND
// (there is no such version), NO_MEMORY.
[[nodiscard]] bool input_versions_read(const struct input_source *from, const char *key, yyjson_val *root,
                                       int64_t number, struct secret **bytes, struct versions **ret_versions,
                                       int64_t *ret_version, struct error *e);

// Takes versions; NULL is allowed.
void input_versions_free(struct versions *versions);

// The bytes of one of an input's versions; NULL: it has none.
const struct secret *input_version_bytes(const struct version *version);
