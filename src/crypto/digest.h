// SHA-256 (FIPS 180-4).
#pragma once

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

enum {
    DIGEST_SIZE = 32,                                              // bytes
    DIGEST_PREFIX_LENGTH = 7,                                      // of "sha256:"
    DIGEST_TEXT_SIZE = DIGEST_PREFIX_LENGTH + 2 * DIGEST_SIZE + 1, // with its NUL
};

// Errors: CRYPTO, NO_MEMORY.
[[nodiscard]] bool digest_compute(const void *bytes, size_t length, uint8_t ret_digest[DIGEST_SIZE],
                                  struct error *e);

// Writes the digest as "sha256:" and 64 lower-case hex digits. Errors: as digest_compute.
[[nodiscard]] bool digest_format(const void *bytes, size_t length, char ret_text[DIGEST_TEXT_SIZE],
                                 struct error *e);
