// A short name for bytes, by which people recognize them. It is no proof that they are the same: other bytes
// of the same name can be searched for. digest.h has all digits. It reveals nothing about a secret that is
// too long to search.
#pragma once

#include "base/error.h"
#include "crypto/digest.h"

#include <stddef.h>

enum { FINGERPRINT_SIZE = 11 }; // ten digits and a NUL

// Writes the first 10 lower-case hex digits of SHA-256 (FIPS 180-4) of the bytes. Errors: CRYPTO, NO_MEMORY.
[[nodiscard]] bool fingerprint_compute(const void *bytes, size_t length, char ret_text[FINGERPRINT_SIZE],
                                       struct error *e);

// The same of bytes whose digest is known, as digest_format writes it.
void fingerprint_of_digest(const char digest[DIGEST_TEXT_SIZE], char ret_text[FINGERPRINT_SIZE]);

// For people: the fingerprint itself, or that there is none, where it is "".
const char *fingerprint_show(const char *fingerprint);
