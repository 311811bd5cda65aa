// A short name for bytes that people compare by eye; it reveals nothing about a secret that is too long to
// search.
#pragma once

#include "base/error.h"

#include <stddef.h>

enum { FINGERPRINT_SIZE = 11 }; // ten digits and a NUL

// Writes the first 10 lower-case hex digits of SHA-256 (FIPS 180-4) of the bytes. Errors: CRYPTO, NO_MEMORY.
[[nodiscard]] bool fingerprint_compute(const void *bytes, size_t length, char ret_text[FINGERPRINT_SIZE],
                                       struct error *e);
