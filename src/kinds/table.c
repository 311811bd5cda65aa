#include "kinds/table.h"

const struct kind *const kind_table[] = {
    &kind_random_number,      &kind_kem_key_pair,
    &kind_encapsulate_secret, &kind_decapsulate_secret,
    &kind_derived_key,        &kind_signature_key_pair,
    &kind_sign_message,       &kind_verify_signature,
    &kind_certificate,        nullptr,
};
