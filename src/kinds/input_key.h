// Keys among a kind's inputs: of which algorithm they are, and reading them.
#pragma once

#include "crypto/pkey.h"
#include "engine/kind.h"

// The algorithm of the resource that input came from; NULL: it came from none of ours.
const struct algorithm *input_key_algorithm(const struct input *input);

// The algorithm to use: that of the resource which input came from, which must be wanted where spec names one
// (wanted NULL: it names none); *ret_algorithm becomes NULL when neither says. Errors: INVALID_SPEC (they
// differ).
[[nodiscard]] bool input_key_choose_algorithm(const struct algorithm *wanted, const struct input *input,
                                              const struct algorithm **ret_algorithm, struct error *e);

// The same of a key pair of ours, which always says its algorithm. Errors: as before, and INTERNAL.
[[nodiscard]] bool input_key_require_algorithm(const struct algorithm *wanted, const struct input *input,
                                               const struct algorithm **ret_algorithm, struct error *e);

// Whether what input came from is of algorithm, which is that of spec's field of_field. Errors: INVALID_SPEC.
[[nodiscard]] bool input_key_check_algorithm(const struct input *input, const struct algorithm *algorithm,
                                             const char *of_field, struct error *e);

// The private key of an input, which is to be of algorithm: its handle, or read from its raw bytes. *ret_pkey
// is owned. Errors: INVALID_SPEC, NO_MEMORY.
[[nodiscard]] bool input_key_open_private(const struct algorithm *algorithm, const struct input *input,
                                          struct pkey **ret_pkey, struct error *e);

// The public key of an input: its handle, or read as one of the family, as what spec (wanted) and the
// resource that it came from say, or as whatever algorithm's it is; *ret_pkey is owned. Errors: INVALID_SPEC,
// NO_MEMORY.
[[nodiscard]] bool input_key_read_public(enum algorithm_family family, const struct algorithm *wanted,
                                         const struct input *input, struct pkey **ret_pkey, struct error *e);
