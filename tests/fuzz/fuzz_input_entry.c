// A Secret or ConfigMap of others, from which inputs are read, with every place that an input may come from:
// what is read is what an entry holds, or several in their order, and nothing else.
#include "answers.h"

#include "crypto/encoding.h"
#include "engine/decode.h"
#include "engine/input_entry.h"
#include "kinds/table.h"

static const struct {
    const struct kind *kind;
    const char *spec;
} readers[] = {
    {&kind_encapsulate_secret, "{\"publicKeyRef\":{\"name\":\"a\"}}"},
    {&kind_decapsulate_secret, "{\"privateKeyRef\":{\"name\":\"a\"},\"ciphertextRef\":{\"name\":\"b\"}}"},
    {&kind_derived_key, "{\"sharedSecretRef\":{\"name\":\"a\"}}"},
    {&kind_sign_message, "{\"privateKeyRef\":{\"name\":\"a\"},\"messageRef\":{\"name\":\"b\"}}"},
    {&kind_verify_signature, "{\"publicKeyRef\":{\"name\":\"a\"},\"messageRef\":{\"name\":\"b\"},"
                             "\"signatureRef\":{\"name\":\"c\"}}"},
    {&kind_certificate, "{\"certType\":\"server\",\"subjectAltNames\":[\"a.example.com\"],"
                        "\"parentCARef\":{\"name\":\"a\"}}"},
};

// Appends what the entry of that key holds; false: there is none, or it is no base64.
static bool append_entry(yyjson_val *root, const char *key, bool is_secret, struct buffer *bytes) {
    struct error e;
    yyjson_val *value = json_find(root, is_secret ? "data" : "binaryData", key, nullptr);
    bool is_encoded = yyjson_is_str(value);
    cleanup_secret struct secret *decoded = nullptr;
    if (!is_encoded && !is_secret) {
        value = json_find(root, "data", key, nullptr);
    }
    if (!yyjson_is_str(value) || (is_encoded && !base64_decode(yyjson_get_str(value), yyjson_get_len(value),
                                                               ENCODING_ONE_LINE, &decoded, &e))) {
        return false;
    }
    const void *part = is_encoded ? (const void *)secret_view(decoded) : yyjson_get_str(value);
    MUST(buffer_append(bytes, part, is_encoded ? secret_length(decoded) : yyjson_get_len(value), &e), e);
    return true;
}

static bool is_entry(yyjson_val *root, const char *key, const char *const *also, bool is_secret,
                     const struct secret *read) {
    cleanup_buffer struct buffer bytes = buffer_create(DOCUMENT_TEXT_MAX);
    for (; key != nullptr; key = also == nullptr || *also == nullptr ? nullptr : *also++) {
        if (!append_entry(root, key, is_secret, &bytes)) {
            return false;
        }
    }
    return secret_equals(read, buffer_text(&bytes), bytes.length);
}

static bool is_any_entry(yyjson_val *root, bool is_secret, const struct secret *read) {
    static const char *const maps[] = {"data", "binaryData"};
    bool found = false;
    for (size_t i = 0; i < 2; i++) {
        yyjson_obj_iter members = yyjson_obj_iter_with(yyjson_obj_get(root, maps[i]));
        for (yyjson_val *key; (key = yyjson_obj_iter_next(&members)) != nullptr;) {
            found = found || is_entry(root, yyjson_get_str(key), nullptr, is_secret, read);
        }
    }
    return found;
}

static void read_entry(const struct input_source *from, const char *key, yyjson_val *root, bool is_secret) {
    struct error e = {0};
    struct secret *untouched = (struct secret *)&e;
    struct secret *bytes = untouched;
    if (!input_entry_read(from, key, root, is_secret, &bytes, &e)) {
        CHECK(bytes == untouched);
        check_refusal(&e, e.class == ERROR_NOT_FOUND ? ERROR_NOT_FOUND : ERROR_INVALID_SPEC);
        return;
    }
    CHECK(key == nullptr ? is_any_entry(root, is_secret, bytes)
                         : is_entry(root, key, from->also, is_secret, bytes));
    secret_free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    cleanup_json yyjson_doc *document = json_of(data, size);
    yyjson_val *root = yyjson_doc_get_root(document);
    for (size_t i = 0; document != nullptr && i < sizeof(readers) / sizeof(readers[0]); i++) {
        struct error e;
        cleanup_json yyjson_doc *spec = json_of(readers[i].spec, strlen(readers[i].spec));
        cleanup_decoded struct decoded decoded = {0};
        MUST(decode_spec(readers[i].kind, "it", yyjson_doc_get_root(spec), nullptr, nullptr, &decoded, &e),
             e);
        for (size_t j = 0; j < decoded.request_count; j++) {
            for (const struct input_source *from = decoded.requests[j].sources; from->kind != nullptr;
                 from++) {
                const char *key = from->data_key != nullptr     ? from->data_key
                                  : from->usual_keys != nullptr ? nullptr
                                                                : "key";
                read_entry(from, key, root, true);
                read_entry(from, key, root, false);
                read_entry(from, "chosen", root, true);
            }
        }
    }
    return 0;
}
