// What the two halves of a key exchange (QuantumEncapsulateSecret and QuantumDecapsulateSecret) share.
#pragma once

#include "crypto/pkey.h"
#include "kinds/kind.h"

// The algorithm to use: that of the resource which input came from, which must be wanted where spec names one
// (wanted NULL: it names none); *ret_algorithm stays NULL when neither says. Errors: INVALID_SPEC (they
// differ).
[[nodiscard]] bool exchange_choose_algorithm(const struct algorithm *wanted, const struct input *input,
                                             const struct algorithm **ret_algorithm, struct error *e);

// Checks a stored shared secret: its length and, where spec names one, its algorithm. Fills report's
// fingerprint and gives the algorithm that metadata names. Errors: CRYPTO.
[[nodiscard]] bool exchange_inspect(const struct algorithm *wanted, const struct secret_data *data,
                                    const struct metadata *metadata, struct report *report,
                                    const struct algorithm **ret_algorithm, struct error *e);
