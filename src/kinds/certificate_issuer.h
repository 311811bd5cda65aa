// The CA that issues a certificate, from its Secret, and what it allows to be issued.
#pragma once

#include "crypto/certificate.h"
#include "kinds/certificate_spec.h"

struct issuer {
    struct pkey *key;               // owned
    struct certificate_chain chain; // the issuer, those above it, and the root (of a root, itself twice)
    struct certificate_chain roots; // empty: it has told of no other
};

// Reads the issuer out of the input of spec.parentCARef into a zeroed struct, which may be half filled after
// a failure. Errors: INVALID_SPEC, NOT_FOUND (it is not the certificate that the CA has verified), INTERNAL,
// NO_MEMORY.
[[nodiscard]] bool issuer_read(const struct input *parent, struct issuer *issuer, struct error *e);

// Frees what is in it.
void issuer_done(struct issuer *issuer);
#define cleanup_issuer [[gnu::cleanup(issuer_done)]]

// Borrowed until issuer_done.
const struct certificate *issuer_certificate(const struct issuer *issuer);
const struct certificate *issuer_root(const struct issuer *issuer);

// All roots that are valid with it: what it issues is trusted by each of them. Borrowed until issuer_done.
const struct certificate_chain *issuer_roots(const struct issuer *issuer);

// How many certificates stand between what it issues and the root.
size_t issuer_intermediates(const struct issuer *issuer);

// Whether it may issue at that place in the chain (RFC 5280 section 6.1.4). *ret_length: the path length of
// what is issued. Errors: INVALID_SPEC.
[[nodiscard]] bool issuer_check_path(const struct certificate_spec *spec, const struct issuer *issuer,
                                     int *ret_length, struct error *e);

// A CA whose extended key usages are limited issues for these only, and so do all CAs below it. Errors:
// INVALID_SPEC.
[[nodiscard]] bool issuer_check_purposes(const struct certificate_spec *spec, const struct issuer *issuer,
                                         struct error *e);

// A CA that cannot issue at the time now (seconds since 1970) is waited for: the certificate is looked at
// again when the CA's is re-issued, or when it becomes valid. Errors: NOT_FOUND, with a time to wait.
[[nodiscard]] bool issuer_check_times(const struct certificate *issuer, int64_t now, struct error *e);
