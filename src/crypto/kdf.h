// Deriving keys from shared secrets.
#pragma once

#include "base/error.h"
#include "base/secret.h"

#include <stddef.h>

enum {
    KDF_HKDF_SHA256_OUTPUT_MAX = 255 * 32, // bytes, RFC 5869 section 2.3
    KDF_HKDF_INFO_MAX = 32768,             // bytes, OpenSSL's limit
};

// HKDF with SHA-256 (RFC 5869), extract and expand: length bytes, 1 to 8160, from input (1 byte or more), an
// optional salt (0 bytes or more) and info (0 to 32768 bytes); either may be NULL when its length is 0.
// *ret_key is owned. Errors: INVALID_SPEC (a length out of range), CRYPTO, NO_MEMORY.
[[nodiscard]] bool kdf_hkdf_sha256(const struct secret *input, const void *salt, size_t salt_length,
                                   const void *info, size_t info_length, size_t length,
                                   struct secret **ret_key, struct error *e);
