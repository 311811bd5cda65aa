#include "engine/input_entry.h"

#include "crypto/encoding.h"

enum { BUNDLE_MAX_BYTES = 4 * 1024 * 1024 };

bool input_entry_read_one(const char *key, yyjson_val *root, bool is_secret, struct secret **ret_bytes,
                          struct error *e) {
    yyjson_val *encoded = json_find(root, is_secret ? "data" : "binaryData", key, nullptr);
    if (yyjson_is_str(encoded)) {
        return base64_decode(yyjson_get_str(encoded), yyjson_get_len(encoded), ENCODING_ONE_LINE, ret_bytes,
                             e);
    }
    yyjson_val *text = json_find(root, "data", key, nullptr);
    if (!is_secret && yyjson_is_str(text)) {
        return secret_copy(yyjson_get_str(text), yyjson_get_len(text), ret_bytes, e);
    }
    return error_set(e, ERROR_NOT_FOUND, "has no entry %s; add it, or correct the reference's key", key);
}

// The first of the usual keys that is there, or else the only entry; NULL: none is the obvious one.
static const char *find_usual_key(const struct input_source *from, yyjson_val *root) {
    yyjson_val *maps[] = {yyjson_obj_get(root, "data"), yyjson_obj_get(root, "binaryData")};
    size_t count = yyjson_obj_size(maps[0]) + yyjson_obj_size(maps[1]);
    for (const char *const *key = from->usual_keys; *key != nullptr; key++) {
        if (yyjson_obj_get(maps[0], *key) != nullptr || yyjson_obj_get(maps[1], *key) != nullptr) {
            return *key;
        }
    }
    yyjson_obj_iter entries = yyjson_obj_iter_with(maps[yyjson_obj_size(maps[0]) > 0 ? 0 : 1]);
    return count == 1 ? yyjson_get_str(yyjson_obj_iter_next(&entries)) : nullptr;
}

// The entry and those that belong with it, one after the other.
static bool read_bundle(const struct input_source *from, const char *key, yyjson_val *root, bool is_secret,
                        struct secret **ret_bytes, struct error *e) {
    cleanup_buffer struct buffer bundle = buffer_create(BUNDLE_MAX_BYTES);
    for (const char *const *next = from->also; key != nullptr; key = *next++) {
        cleanup_secret struct secret *part = nullptr;
        if (!input_entry_read_one(key, root, is_secret, &part, e) ||
            !buffer_append(&bundle, secret_view(part), secret_length(part), e)) {
            return false;
        }
    }
    return secret_copy(bundle.data, bundle.length, ret_bytes, e);
}

bool input_entry_read(const struct input_source *from, const char *key, yyjson_val *root, bool is_secret,
                      struct secret **ret_bytes, struct error *e) {
    if (from->also != nullptr) {
        return read_bundle(from, key, root, is_secret, ret_bytes, e);
    }
    const char *chosen = key != nullptr ? key : find_usual_key(from, root);
    if (chosen == nullptr) {
        return error_set(
            e, ERROR_NOT_FOUND,
            "has neither an entry %s nor exactly one entry; name the entry in the reference's key",
            from->usual_keys[0]);
    }
    return input_entry_read_one(chosen, root, is_secret, ret_bytes, e);
}
