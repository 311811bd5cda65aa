#include "engine/input.h"

bool input_is_loaded(const struct input *input) {
    return input->bytes != nullptr || input->key != nullptr;
}

bool input_digest(const struct input *input, char ret_digest[DIGEST_TEXT_SIZE], struct error *e) {
    if (input->bytes != nullptr) {
        return digest_format(secret_view(input->bytes), secret_length(input->bytes), ret_digest, e);
    }
    cleanup_buffer struct buffer raw = buffer_create(pkey_algorithm(input->key)->public_key_size);
    return pkey_public(input->key, &raw, e) && digest_format(raw.data, raw.length, ret_digest, e);
}
