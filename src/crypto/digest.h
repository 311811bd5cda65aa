// SHA-256 (FIPS 180-4).
#pragma once

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

enum { DIGEST_SIZE = 32 }; // bytes

// Errors: CRYPTO, NO_MEMORY.
[[nodiscard]] bool digest_compute(const void *bytes, size_t length, uint8_t ret_digest[DIGEST_SIZE],
                                  struct error *e);
