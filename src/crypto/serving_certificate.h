// Certificates for an HTTPS server of ours that is called by programs without post-quantum signatures, such
// as the Go of kube-apiserver: a CA and its leaves with ECDSA P-256 and SHA-256 (FIPS 186-5, RFC 5758).
#pragma once

#include "base/error.h"
#include "base/secret.h"
#include "crypto/certificate.h"
#include "crypto/pkey.h"
#include "crypto/san.h"

#include <stddef.h>
#include <stdint.h>

enum {
    SERVING_LEAF_SECONDS = 90 * 24 * 3600,
    SERVING_CA_SECONDS = 5 * 365 * 24 * 3600,
    SERVING_BACKDATED_SECONDS = 300, // for clients whose clocks are behind
};

// A new P-256 key; it can be written as PEM (pkey_private_pem), and has no raw encodings. *ret_key is owned.
// Errors: CRYPTO, NO_MEMORY.
[[nodiscard]] bool serving_key_generate(struct pkey **ret_key, struct error *e);

// The P-256 key of an unencrypted PEM text. *ret_key is owned. Errors: INVALID_SPEC, NO_MEMORY.
[[nodiscard]] bool serving_key_read(const void *pem, size_t length, struct pkey **ret_key, struct error *e);

// A CA for leaves only, signed by its own key, valid from a little before now on. *ret_ca is owned. Errors:
// INVALID_SPEC (subject, as certificate_issue has it), CRYPTO, NO_MEMORY.
[[nodiscard]] bool serving_certificate_issue_ca(const struct certificate_subject *subject,
                                                const struct pkey *key, int64_t now,
                                                struct certificate **ret_ca, struct error *e);

// A server's certificate for names, of which there is at least one; it does not outlive its CA. *ret_leaf is
// owned. Errors: INVALID_SPEC (subject, as certificate_issue has it), CRYPTO, NO_MEMORY.
[[nodiscard]] bool serving_certificate_issue(const struct certificate_subject *subject,
                                             const struct san *names, size_t name_count,
                                             const struct pkey *key, const struct certificate *ca,
                                             const struct pkey *ca_key, int64_t now,
                                             struct certificate **ret_leaf, struct error *e);

// When a leaf is to be replaced: at two thirds of its life. Seconds since 1970.
int64_t serving_certificate_renewal(const struct certificate *leaf);
