// The deterministic generator that NIST's known-answer test generator (PQCgenKAT's rng.c) uses: AES-256
// CTR_DRBG without a derivation function and without reseeding, SP 800-90A section 10.2.1. For test vectors:
// who knows the seed knows the output.
#pragma once

#include "base/error.h"
#include "base/secret.h"

#include <stddef.h>

enum {
    CTR_DRBG_ENTROPY_SIZE = 48,   // seedlen: a 256-bit key and a 128-bit counter block
    CTR_DRBG_REQUEST_MAX = 65536, // bytes that one generate call may give
};

// Instantiates with 48 bytes of entropy and 0 to 48 bytes of personalization (shorter is padded with zeros;
// NULL is none), and makes one generate call of length bytes, 1 to 65536; *ret_secret is owned. Errors:
// INVALID_SPEC (a length out of range), CRYPTO, NO_MEMORY.
[[nodiscard]] bool ctr_drbg_generate(const struct secret *entropy, const struct secret *personalization,
                                     size_t length, struct secret **ret_secret, struct error *e);
