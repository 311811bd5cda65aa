// What the two halves of a key exchange (QuantumEncapsulateSecret and QuantumDecapsulateSecret) share.
#pragma once

#include "crypto/pkey.h"
#include "engine/kind.h"

// Checks a stored shared secret: its length and, where spec names one, its algorithm. Fills report's
// fingerprint and gives the algorithm that metadata names. Errors: CRYPTO.
[[nodiscard]] bool kem_secret_inspect(const struct algorithm *wanted, const struct secret_data *data,
                                      const struct provenance *provenance, struct report *report,
                                      const struct algorithm **ret_algorithm, struct error *e);
