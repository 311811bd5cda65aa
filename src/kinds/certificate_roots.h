// The root certificates that a certificate is trusted by: of its CA all that are valid now, so that whoever
// has the bundle of one certificate can verify every other one, while the CA changes its key or its name,
// too.
#pragma once

#include "crypto/certificate.h"
#include "engine/kind.h"

// As struct kind's lists: ca.crt, and cross.crt, by which each of a root CA's certificates is certified by
// the one before it and the one after it, where these are of other keys.
extern const struct list_entry certificate_lists[];

// Finds which of the roots the chain, leaf first and without the root, ends in. *ret_index: of the first that
// it does. Errors: CRYPTO (in none; says why not in the last), NO_MEMORY.
[[nodiscard]] bool certificate_roots_find(const struct certificate_chain *chain,
                                          const struct certificate_chain *roots, size_t *ret_index,
                                          struct error *e);

// As struct kind's normalize of the CA that issues, number 0: all that it gives, with the one root that it is
// verified by in the place of all.
[[nodiscard]] bool certificate_roots_normalize(const void *spec, const struct input *inputs, size_t index,
                                               struct secret **ret_bytes, struct error *e);

// A time at which all of the chain and root are valid, as near to now as can be: a certificate that has
// expired is due for renewal, not damaged.
int64_t certificate_roots_choose_time(const struct certificate_chain *chain, const struct certificate *root,
                                      int64_t now);
