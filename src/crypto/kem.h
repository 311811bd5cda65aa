// Key encapsulation: one side makes a shared secret and a ciphertext of it under a public key, the holder of
// the private key gets the same secret from the ciphertext (ML-KEM: FIPS 203).
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "base/secret.h"
#include "crypto/pkey.h"

#include <stddef.h>

// Appends a new ciphertext (ciphertext_size bytes) and gives its shared secret (shared_secret_size bytes),
// owned (FIPS 203 algorithm 20). Errors: CRYPTO, NO_MEMORY, as buffer_append.
[[nodiscard]] bool kem_encapsulate(const struct pkey *public_key, struct buffer *ciphertext,
                                   struct secret **ret_shared_secret, struct error *e);

// As kem_encapsulate with the 32 bytes m that it otherwise draws (FIPS 203 algorithm 17): for known answers
// only. Errors: also INVALID_SPEC (m has another length).
[[nodiscard]] bool kem_encapsulate_with(const struct pkey *public_key, const struct secret *m,
                                        struct buffer *ciphertext, struct secret **ret_shared_secret,
                                        struct error *e);

// The shared secret of a ciphertext, owned (FIPS 203 algorithm 21). A ciphertext of the right length always
// gives one: for another key's ciphertext, or a changed one, it is a different secret and not an error
// (implicit rejection, FIPS 203 section 3.2). Errors: INVALID_SPEC (wrong length), CRYPTO (also: a key
// without its private part), NO_MEMORY.
[[nodiscard]] bool kem_decapsulate(const struct pkey *private_key, const void *ciphertext, size_t length,
                                   struct secret **ret_shared_secret, struct error *e);

// The pairwise check: encapsulates under the public key and decapsulates with the private key. Errors: CRYPTO
// (the secrets differ; or a step failed), NO_MEMORY.
[[nodiscard]] bool kem_check_pair(const struct pkey *pkey, struct error *e);
