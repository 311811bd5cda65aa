// The public keys of a pair that is rotated, as a JSON Web Key Set (RFC 7517) of keys of type AKP (RFC 9964).
#include "crypto/encoding.h"
#include "kinds/key_pair.h"
#include "json/write.h"

enum { PUBLIC_KEY_TEXT_MAX = 16 * 1024 };

static bool add_key(const struct key_pair_spec *spec, const struct listed_version *version,
                    yyjson_mut_doc *document, yyjson_mut_val *key, struct error *e) {
    const struct secret *public_key;
    cleanup_buffer struct buffer text = buffer_create(PUBLIC_KEY_TEXT_MAX);
    if (!secret_data_require(version->data, "public_key", &public_key, e) ||
        !base64url_encode(secret_view(public_key), secret_length(public_key), &text, e)) {
        return false;
    }
    (void)yyjson_mut_obj_add_str(document, key, "kty", "AKP");
    (void)yyjson_mut_obj_add_str(document, key, "alg", spec->algorithm->name);
    (void)yyjson_mut_obj_add_str(document, key, "use",
                                 spec->algorithm->family == ALGORITHM_SIGNATURE ? "sig" : "enc");
    (void)yyjson_mut_obj_add_strcpy(document, key, "kid", version->digest);
    (void)yyjson_mut_obj_add_strcpy(document, key, "pub", buffer_text(&text));
    if (version->not_before != 0) {
        (void)yyjson_mut_obj_add_sint(document, key, "nbf", version->not_before);
    }
    return true;
}

static bool write_keys(const void *spec, const struct list_question *question, struct buffer *text,
                       struct error *e) {
    cleanup_json_mut yyjson_mut_doc *document = nullptr;
    if (!question->is_told) {
        return true;
    }
    if (!json_create(&document, e)) {
        return false;
    }
    yyjson_mut_val *keys = yyjson_mut_obj_add_arr(document, yyjson_mut_doc_get_root(document), "keys");
    for (size_t i = 0; i < question->count; i++) {
        yyjson_mut_val *key = yyjson_mut_arr_add_obj(document, keys);
        if (!add_key(spec, &question->versions[i], document, key, e)) {
            return false;
        }
    }
    return json_write(document, text, e);
}

const struct list_entry key_pair_lists[] = {{"public_keys.jwks", write_keys}, {nullptr, nullptr}};
