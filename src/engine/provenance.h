// The metadata entry of an output Secret: JSON that says what the other entries are and what they were made
// from.
#pragma once

#include "base/clock.h"
#include "crypto/fingerprint.h"
#include "engine/secret_data.h"
#include "json/read.h"

enum {
    PROVENANCE_INPUTS_MAX = 4,
    PROVENANCE_WORD_SIZE = 64,
    PROVENANCE_SENTENCE_SIZE = 256,
    // Of a shorter secret no fingerprint is made, nor is a key derived from one: it could be searched for.
    FINGERPRINTED_BYTES_MIN = 16,
};

// Digests are as digest_format writes them. Version 0.1.0 kept no more than the first ten digits of each:
// what it wrote is brief, and its digests are those ten digits.
struct versions;

struct provenance {
    const char *algorithm; // canonical name
    const char *standard;
    const char *generator;              // "qubesec/0.1.0"
    char created[CLOCK_TEXT_SIZE];      // RFC 3339
    char fingerprint[FINGERPRINT_SIZE]; // "": none
    char parameters[DIGEST_TEXT_SIZE];  // of struct kind's describe_parameters; "": the kind has none
    struct provenance_input {
        const char *field;
        char digest[DIGEST_TEXT_SIZE]; // of the input's bytes
    } inputs[PROVENANCE_INPUTS_MAX];
    size_t input_count;
    // The last ones that there were when it was made; "": none. Of a kind that is only rotated the first is
    // that for a rotation.
    char renew_request[PROVENANCE_SENTENCE_SIZE];
    char rotate_request[PROVENANCE_SENTENCE_SIZE];

    // What this output took the place of; all "": of nothing.
    struct replaced {
        char fingerprint[FINGERPRINT_SIZE];
        char reason[PROVENANCE_WORD_SIZE]; // of the Event that tells of it
        // Not stored: others may write to the Secret, and what they write is told by nobody.
        char cause[PROVENANCE_SENTENCE_SIZE]; // why, in a few words: "spec.messageRef has changed"
        char gone[PROVENANCE_WORD_SIZE]; // what can be had from nowhere any more: "private key"; "": nothing
    } replaced;

    // The versions of which the output is the present one, which are stored beside it and not read here;
    // borrowed. NULL: there are no others.
    const struct versions *versions;

    // Only of what was read; borrowed from the document.
    bool is_brief;
    yyjson_val *digests; // of the entries, by their keys
    yyjson_val *sizes;   // the same
};

// Adds the entry to data under key, which is static; the sizes and digests that it states are those of data's
// entries. The first ten digits of each digest are written too, as version 0.1.0 reads them. Errors: CRYPTO,
// NO_MEMORY, INTERNAL.
[[nodiscard]] bool provenance_store(const struct provenance *provenance, const char *key,
                                    struct secret_data *data, struct error *e);

// Reads data's entry of that key. The texts of *ret_provenance are borrowed from *ret_document, which is
// owned. Errors: CRYPTO (the entry is missing or is not what provenance_store or version 0.1.0 writes),
// NO_MEMORY.
[[nodiscard]] bool provenance_load(const struct secret_data *data, const char *key,
                                   struct provenance *ret_provenance, yyjson_doc **ret_document,
                                   struct error *e);

enum provenance_word { PROVENANCE_SILENT, PROVENANCE_SAYS_SAME, PROVENANCE_SAYS_OTHER };

// Whether bytes are those of the entry of that key when metadata was written. Errors: CRYPTO, NO_MEMORY.
[[nodiscard]] bool provenance_compare_entry(const struct provenance *provenance, const char *key,
                                            const struct secret *bytes, enum provenance_word *ret_word,
                                            struct error *e);

// Whether no entry of data is another than it was when metadata was written. Errors: CRYPTO (names the
// entry), NO_MEMORY.
[[nodiscard]] bool provenance_check_entries(const struct provenance *provenance,
                                            const struct secret_data *data, struct error *e);

// The digest of the input of that field, borrowed from metadata; "": there is none.
const char *provenance_find_input(const struct provenance *provenance, const char *field);

// Whether two digests are the same, as far as a brief one tells.
bool provenance_same_digest(const char *one, const char *other);

// Whether both say that the output was made from the same inputs.
bool provenance_same_inputs(const struct provenance *a, const struct provenance *b);
