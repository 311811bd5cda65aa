// The root certificates that a certificate is trusted by: of its CA all that are valid now, so that whoever
// has the bundle of one certificate can verify every other one, while the CA changes its key or its name,
// too.
#pragma once

#include "crypto/certificate.h"
#include "engine/kind.h"

// As struct kind's lists: ca.crt, and cross.crt, by which each of a root CA's certificates is certified by
// the one before it and the one after it, where these are of other keys.
extern const struct list_entry certificate_lists[];

// certificate_verify or certificate_verify_leniently.
typedef bool certificate_verifier(const struct certificate *leaf, struct certificate *const *intermediates,
                                  size_t count, const struct certificate *root, unsigned purposes,
                                  int64_t now, struct error *e);

// Finds which of the roots verifies the chain, leaf first and without the root, for purposes and at a time as
// near to now as can be. *ret_root: the first that does, borrowed from roots. Errors: CRYPTO (none; says why
// not the last), NO_MEMORY.
[[nodiscard]] bool certificate_roots_find(const struct certificate_chain *chain,
                                          const struct certificate_chain *roots, certificate_verifier *verify,
                                          unsigned purposes, int64_t now, const struct certificate **ret_root,
                                          struct error *e);

// As struct kind's normalize of the CA that issues, number 0: all that it gives, with the one root that it is
// verified by in the place of all.
[[nodiscard]] bool certificate_roots_normalize(const void *spec, const struct input *inputs, size_t index,
                                               struct secret **ret_bytes, struct error *e);
