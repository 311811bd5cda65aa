// The kinds that the operator serves, one row each.
#pragma once

#include "engine/kind.h"

extern const struct kind kind_random_number;
extern const struct kind kind_kem_key_pair;
extern const struct kind kind_encapsulate_secret;
extern const struct kind kind_decapsulate_secret;
extern const struct kind kind_derived_key;
extern const struct kind kind_signature_key_pair;
extern const struct kind kind_sign_message;
extern const struct kind kind_verify_signature;
extern const struct kind kind_certificate;

// All of them, NULL-terminated.
extern const struct kind *const kind_table[];
