// The private key of a certificate: kept from one certificate to the next, found in a damaged Secret, or
// made.
#pragma once

#include "kinds/certificate_spec.h"

// The key that a certificate's Secret holds; *ret_pkey is owned. Errors: as of salvage_choose; of two keys
// the message says which one the certificate is for.
[[nodiscard]] bool certificate_key_find(const struct certificate_spec *spec,
                                        const struct secret_data *previous, struct pkey **ret_pkey,
                                        struct error *e);

// Reads the certificate, and what stands above it, from the first of its entries that can be read. ret_chain
// is to be freed by the caller. False: there is none.
bool certificate_key_read_certificate(const struct secret_data *data, struct certificate_chain *ret_chain);

// Whether the certificate in previous is of another subject than spec's.
bool certificate_key_is_renamed(const struct certificate_spec *spec, const struct secret_data *previous);

// The key for a new certificate: the previous one, unless there was none, or spec wants another one each
// time, or it is lost and context allows that; of another version of a root the previous one where only the
// name is another. *ret_pkey is owned. Errors: as of certificate_key_find,
// INVALID_SPEC (the algorithm is not available), CRYPTO, NO_MEMORY.
[[nodiscard]] bool certificate_key_choose(const struct certificate_spec *spec,
                                          const struct produce_context *context, struct pkey **ret_pkey,
                                          struct error *e);
