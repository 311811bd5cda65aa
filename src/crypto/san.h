// A subject alternative name (RFC 5280 section 4.2.1.6) from what a person writes: a host name, an address,
// an e-mail address or a URI, told apart by its form and brought to the one form that certificates hold.
#pragma once

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

enum san_type {
    SAN_DNS,   // dNSName
    SAN_IP,    // iPAddress
    SAN_EMAIL, // rfc822Name
    SAN_URI,   // uniformResourceIdentifier
};

enum { SAN_TEXT_MAX = 2048, SAN_BYTES_MAX = 16 };

struct san {
    enum san_type type;
    char *text; // owned; canonical ASCII: A-labels and lower case in host names; of an address its usual text
                // (RFC 5952)
    uint8_t bytes[SAN_BYTES_MAX]; // of an address: 4 or 16 of them
    size_t bytes_length;          // 0 unless it is an address
};

// Reads text, which is UTF-8. An IPv4 or IPv6 address is SAN_IP, and so is what looks like the latter; a text
// with a scheme ("spiffe://...", "urn:...") that is not a host and a port ("web:8443") is SAN_URI; one with
// an
// "@" is SAN_EMAIL; anything else is SAN_DNS. A prefix DNS:, IP:, email: or URI: says it instead.
// International labels become A-labels (IDNA 2008, RFC 9549). A wildcard may only be the whole leftmost
// label, before at least two more labels. What is accepted is read in the same way by Go's crypto/x509.
// Errors: INVALID_SPEC (says what is wrong and what is allowed; the caller names the field), NO_MEMORY.
[[nodiscard]] bool san_parse(const char *text, struct san *ret_san, struct error *e);

// Whether both are the same name.
bool san_equals(const struct san *one, const struct san *other);

void san_done(struct san *san); // what is in it; it may be zeroed
