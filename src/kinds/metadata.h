// The metadata entry of an output Secret: JSON that says what the other entries are and what they were made
// from.
#pragma once

#include "base/clock.h"
#include "crypto/fingerprint.h"
#include "kinds/secret_data.h"
#include "json/read.h"

enum {
    METADATA_INPUTS_MAX = 4,
    // Of a shorter secret no fingerprint is made, nor is a key derived from one: it could be searched for.
    FINGERPRINTED_BYTES_MIN = 16,
};

struct metadata {
    const char *algorithm; // canonical name
    const char *standard;
    const char *generator;              // "qubesec/0.1.0"
    char created[CLOCK_TEXT_SIZE];      // RFC 3339
    char fingerprint[FINGERPRINT_SIZE]; // "": none
    char recipe[FINGERPRINT_SIZE];      // of struct kind's describe_recipe; "": the kind has none
    struct metadata_input {
        const char *field;
        char fingerprint[FINGERPRINT_SIZE]; // of the input's bytes
    } inputs[METADATA_INPUTS_MAX];
    size_t input_count;
};

// Adds the entry to data under key, which is static; the sizes and fingerprints that it states are those of
// data's entries. Errors: CRYPTO, NO_MEMORY, INTERNAL.
[[nodiscard]] bool metadata_store(const struct metadata *metadata, const char *key, struct secret_data *data,
                                  struct error *e);

// Reads data's entry of that key. The texts of *ret_metadata are borrowed from *ret_document, which is owned.
// Errors: CRYPTO (the entry is missing or is not what metadata_store writes, or another entry is not the one
// that it was written for), NO_MEMORY.
[[nodiscard]] bool metadata_load(const struct secret_data *data, const char *key,
                                 struct metadata *ret_metadata, yyjson_doc **ret_document, struct error *e);

// The fingerprint of the input of that field, borrowed from metadata; "": there is none.
const char *metadata_find_input(const struct metadata *metadata, const char *field);

// Whether both say that the output was made from the same inputs.
bool metadata_same_inputs(const struct metadata *a, const struct metadata *b);
