#include "engine/secret_data.h"

#include "crypto/encoding.h"

#include <string.h>

bool secret_data_add(struct secret_data *data, const char *key, struct secret *value, struct error *e) {
    if (data->count == SECRET_DATA_MAX || secret_data_get(data, key) != nullptr) {
        secret_free(value);
        return error_set(e, ERROR_INTERNAL, "a Secret cannot hold another entry %s", key);
    }
    data->entries[data->count++] = (struct secret_entry){.key = key, .value = value};
    return true;
}

bool secret_data_add_text(struct secret_data *data, const char *key, const char *text, struct error *e) {
    struct secret *value;
    return secret_copy(text, strlen(text), &value, e) && secret_data_add(data, key, value, e);
}

void secret_data_remove(struct secret_data *data, const char *key) {
    for (size_t i = 0; i < data->count; i++) {
        if (strcmp(data->entries[i].key, key) == 0) {
            secret_free(data->entries[i].value);
            memmove(&data->entries[i], &data->entries[i + 1],
                    (data->count - i - 1) * sizeof(data->entries[0]));
            data->count--;
            return;
        }
    }
}

const struct secret *secret_data_get(const struct secret_data *data, const char *key) {
    for (size_t i = 0; i < data->count; i++) {
        if (strcmp(data->entries[i].key, key) == 0) {
            return data->entries[i].value;
        }
    }
    return nullptr;
}

bool secret_data_require(const struct secret_data *data, const char *key, const struct secret **ret_value,
                         struct error *e) {
    const struct secret *value = secret_data_get(data, key);
    if (value == nullptr) {
        return error_set(e, ERROR_CRYPTO, "the Secret's entry %s is missing", key);
    }
    *ret_value = value;
    return true;
}

bool secret_data_require_length(const struct secret_data *data, const char *key, size_t length,
                                const struct secret **ret_value, struct error *e) {
    const struct secret *value;
    if (!secret_data_require(data, key, &value, e)) {
        return false;
    }
    if (secret_length(value) != length) {
        return error_set(e, ERROR_CRYPTO, "the Secret's entry %s has %zu bytes, not %zu", key,
                         secret_length(value), length);
    }
    *ret_value = value;
    return true;
}

bool secret_data_read(struct secret_data *data, const char *key, yyjson_val *value, const char *name,
                      struct error *damage, struct error *e) {
    struct secret *bytes;
    struct error unreadable;
    if (!yyjson_is_str(value)) {
        return true;
    }
    if (base64_decode(yyjson_get_str(value), yyjson_get_len(value), ENCODING_ONE_LINE, &bytes, &unreadable)) {
        return secret_data_add(data, key, bytes, e);
    }
    if (unreadable.class != ERROR_INVALID_SPEC) {
        *e = unreadable;
        return false;
    }
    *damage = unreadable;
    (void)secret_data_damaged(name, damage);
    return true;
}

bool secret_data_damaged(const char *key, struct error *e) {
    e->class = e->class == ERROR_INVALID_SPEC ? ERROR_CRYPTO : e->class;
    return error_wrap(e, "the Secret's entry %s", key);
}

void secret_data_done(struct secret_data *data) {
    for (size_t i = 0; i < data->count; i++) {
        secret_free(data->entries[i].value);
    }
    *data = (struct secret_data){0};
}
