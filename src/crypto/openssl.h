// OpenSSL as this program uses it: memory from the program's own heap, version 3.5 or later, and private keys
// written in the one form that every other implementation reads.
#pragma once

#include "base/buffer.h"
#include "base/error.h"

// Must be the first use of OpenSSL in the process, on the first thread, before any library that calls OpenSSL
// starts. Makes OpenSSL allocate from base/memory.h, and makes the default provider write ML-KEM and ML-DSA
// private keys as PKCS#8 with the seed only and read the three forms of RFC 9935 and RFC 9881 (seed,
// expandedKey, both). Calling it again does nothing. Errors: INTERNAL (OpenSSL was used before), CRYPTO
// (older than 3.5, or no default provider).
[[nodiscard]] bool crypto_start(struct error *e);

// The version of the OpenSSL that is loaded, "3.5.9"; static.
const char *crypto_version(void);

// Appends the providers that are loaded and active, each with its version, divided by commas, and whether
// only algorithms that are approved by FIPS 140 are fetched: "default 3.5.9, fips 3.1.2 (only FIPS)". Errors:
// CRYPTO (there is none), as buffer_append.
[[nodiscard]] bool crypto_describe_providers(struct buffer *text, struct error *e);

// Empties this thread's OpenSSL error queue into *e: the given text, then the reason that OpenSSL noted
// first. The class is the one given, or NO_MEMORY where OpenSSL ran out of memory. Always returns false, as
// error_set.
[[gnu::format(printf, 3, 4)]] bool crypto_error(struct error *e, enum error_class class, const char *format,
                                                ...);
