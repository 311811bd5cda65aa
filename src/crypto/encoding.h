// Hexadecimal and base64 (RFC 4648 sections 8 and 4), read strictly. What is read may be a key, so it ends in
// a secret, and no message quotes any of it.
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "base/secret.h"

#include <stddef.h>

enum encoding_space {
    ENCODING_ONE_LINE,    // no space of any kind
    ENCODING_SKIP_SPACES, // spaces, tabs and line ends are skipped wherever they are, as in what people paste
};

// Appends length bytes as 2 * length lower-case digits. Errors: as buffer_append.
[[nodiscard]] bool hex_encode(const void *bytes, size_t length, struct buffer *text, struct error *e);

// Reads length characters of hex digits of either case, two for each byte; *ret_bytes is owned. Errors:
// INVALID_SPEC (an odd number of digits, or another character, at a position that is counted from 1),
// NO_MEMORY, INTERNAL (too large for a secret).
[[nodiscard]] bool hex_decode(const char *text, size_t length, enum encoding_space space,
                              struct secret **ret_bytes, struct error *e);

// Appends length bytes as base64 with padding, in one line. Errors: as buffer_append.
[[nodiscard]] bool base64_encode(const void *bytes, size_t length, struct buffer *text, struct error *e);

// The same as base64url (RFC 4648 section 5) without padding, as JSON Web Keys have it (RFC 7515).
[[nodiscard]] bool base64url_encode(const void *bytes, size_t length, struct buffer *text, struct error *e);

// Reads length characters of base64 with its padding; unused bits of the last digit must be zero, so that
// bytes have one spelling only. *ret_bytes is owned. Errors: INVALID_SPEC (a character that does not belong
// at its position, which is counted from 1; an incomplete group of four), NO_MEMORY, INTERNAL (too large for
// a secret).
[[nodiscard]] bool base64_decode(const char *text, size_t length, enum encoding_space space,
                                 struct secret **ret_bytes, struct error *e);
