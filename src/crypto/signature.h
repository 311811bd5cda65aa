// Digital signatures: ML-DSA (FIPS 204) and SLH-DSA (FIPS 205), both in their pure form, with a context.
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "crypto/pkey.h"

#include <stddef.h>

enum {
    SIGNATURE_CONTEXT_MAX = 255, // bytes; FIPS 204 section 5.2, FIPS 205 section 10.2
    SIGNATURE_MAX = 49856,       // bytes of the longest signature (SLH-DSA-*-256f)
};

// What is signed: a message, which may be empty, and a context, which is empty unless both sides agree on
// one.
struct signature_input {
    const void *message; // borrowed
    size_t message_length;
    const void *context; // borrowed
    size_t context_length;
};

// Appends a signature of at most algorithm->signature_size bytes, made with fresh randomness (hedged: FIPS
// 204 algorithm 2, FIPS 205 algorithm 22), and seen to verify. Errors: INVALID_SPEC (the context is too
// long), CRYPTO, NO_MEMORY, INTERNAL.
[[nodiscard]] bool signature_sign(const struct pkey *private_key, const struct signature_input *input,
                                  struct buffer *signature, struct error *e);

// The same without randomness, for known answers: the same input always gives the same signature.
[[nodiscard]] bool signature_sign_deterministic(const struct pkey *private_key,
                                                const struct signature_input *input, struct buffer *signature,
                                                struct error *e);

// Whether the signature is this key's over this input, through ret_valid; a wrong one is no error. Errors:
// INVALID_SPEC (not as long as a signature of the algorithm is, or the context is too long), NO_MEMORY,
// CRYPTO.
[[nodiscard]] bool signature_verify(const struct pkey *public_key, const struct signature_input *input,
                                    const void *signature, size_t length, bool *ret_valid, struct error *e);

// Checks that private and public key belong together: what one signs the other verifies; for SLH-DSA, which
// signs slowly, the public key is computed from the private one instead. Errors: CRYPTO (they do not),
// NO_MEMORY.
[[nodiscard]] bool signature_check_pair(const struct pkey *pkey, struct error *e);
