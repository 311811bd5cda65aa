// Host names in the one form that certificates hold: ASCII, lower case, international labels as A-labels.
#pragma once

#include "base/error.h"

#include <stddef.h>

enum { HOSTNAME_SIZE = 254 }; // 253 characters (RFC 1035 section 2.3.4) and a NUL

enum hostname_form {
    HOSTNAME_PLAIN,
    HOSTNAME_WILDCARD, // the whole leftmost label may be "*", before two more labels
};

// Brings length bytes of UTF-8 to that form: labels by IDNA 2008 (RFC 5891, RFC 9549), each of 1 to 63
// letters, digits and inner hyphens. Errors: INVALID_SPEC (says what is wrong), NO_MEMORY.
[[nodiscard]] bool hostname_canonicalize(const char *text, size_t length, enum hostname_form form,
                                         char ret_name[HOSTNAME_SIZE], struct error *e);
