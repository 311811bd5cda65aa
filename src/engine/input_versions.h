// The versions of an input that comes from one of our own kinds.
#pragma once

#include "engine/kind.h"

// What is known of the version that is read, and of the others.
struct input_version {
    int64_t number;
    bool is_chosen;                  // it was asked for by its number, and is not the present one
    char made_for[DIGEST_TEXT_SIZE]; // of one that is_chosen: the digest of what it was made from; "": none
    struct versions *versions;       // owned, by input_versions_free; NULL: one was asked for
};

// Reads the versions of the entry key in root, the output Secret of a resource of ours, whose present one is
// *bytes. number: the one that is asked for, whose bytes then take the place of *bytes; 0: the present one.
// Errors: CRYPTO (the metadata cannot be read), NOT_FOUND (there is no such version), NO_MEMORY.
[[nodiscard]] bool input_versions_read(const struct input_source *from, const char *key, yyjson_val *root,
                                       int64_t number, struct secret **bytes,
                                       struct input_version *ret_version, struct error *e);

// Takes versions; NULL is allowed.
void input_versions_free(struct versions *versions);

// The bytes of one of an input's versions; NULL: it has none.
const struct secret *input_version_bytes(const struct version *version);
