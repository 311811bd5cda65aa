// The table of the algorithms that can be asked for: their names, their standard and their sizes. Adding an
// algorithm is adding a row.
#pragma once

#include "base/buffer.h"
#include "base/error.h"

#include <stddef.h>

enum algorithm_family {
    ALGORITHM_KEM,       // key encapsulation
    ALGORITHM_SIGNATURE, // digital signature
};

// All sizes are in bytes, of the encodings that the standard defines; 0 where the family has no such thing.
struct algorithm {
    const char *name;         // canonical, as status.algorithm shows it
    const char *openssl_name; // what OpenSSL fetches it by
    const char *standard;     // "FIPS 203"
    size_t public_key_size;
    size_t private_key_size; // the expanded key, not the seed
    size_t seed_size;        // what a key pair can be made from again
    size_t ciphertext_size;
    size_t shared_secret_size;
    size_t signature_size;
    const char *instead; // what to use where OpenSSL lacks this one; NULL: OpenSSL itself has it
    enum algorithm_family family;
    bool signature_varies;  // signature_size is the longest
    bool is_slow;           // signing takes seconds
    bool is_weak;           // sound, but weaker than what is usually taken
    const char *aliases[4]; // other accepted names, ending in NULL
};

// The row with that name or alias, spelled exactly so; static. NULL: the family has none.
const struct algorithm *algorithm_find(enum algorithm_family family, const char *name);

// The family's row number index, from 0; static. NULL: it has no more.
const struct algorithm *algorithm_at(enum algorithm_family family, size_t index);

// The row of any family with that name or alias; static. NULL: there is none.
const struct algorithm *algorithm_find_by_name(const char *name);

// Appends the names of the family's rows whose public keys have that size, divided by commas; nothing: none
// has. Errors: as buffer_append.
[[nodiscard]] bool algorithm_describe_sizes(enum algorithm_family family, size_t size, struct buffer *text,
                                            struct error *e);

// Whether the OpenSSL that is loaded can serve it. Errors: INVALID_SPEC (names one that it can).
[[nodiscard]] bool algorithm_check_available(const struct algorithm *algorithm, struct error *e);

// Appends for a message what the family has without a provider, by the usual names: "ML-KEM-512, ML-KEM-768,
// ML-KEM-1024".
// Errors: as buffer_append.
[[nodiscard]] bool algorithm_describe_names(enum algorithm_family family, struct buffer *text,
                                            struct error *e);
