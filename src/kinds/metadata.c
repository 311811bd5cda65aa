#include "kinds/metadata.h"

#include "json/write.h"

#include <string.h>

enum { METADATA_TEXT_MAX = 8 * 1024 };

static void add_sizes(yyjson_mut_doc *document, yyjson_mut_val *root, const struct secret_data *data) {
    yyjson_mut_val *sizes = yyjson_mut_obj_add_obj(document, root, "sizes");
    for (size_t i = 0; i < data->count; i++) {
        const struct secret_entry *entry = &data->entries[i];
        (void)yyjson_mut_obj_add_uint(document, sizes, entry->key, secret_length(entry->value));
    }
}

static bool add_fingerprints(yyjson_mut_doc *document, yyjson_mut_val *root, const struct secret_data *data,
                             struct error *e) {
    yyjson_mut_val *fingerprints = yyjson_mut_obj_add_obj(document, root, "fingerprints");
    for (size_t i = 0; i < data->count; i++) {
        const struct secret_entry *entry = &data->entries[i];
        char fingerprint[FINGERPRINT_SIZE];
        if (secret_length(entry->value) < FINGERPRINTED_BYTES_MIN) {
            continue;
        }
        if (!fingerprint_compute(secret_view(entry->value), secret_length(entry->value), fingerprint, e)) {
            return false;
        }
        (void)yyjson_mut_obj_add_strcpy(document, fingerprints, entry->key, fingerprint);
    }
    return true;
}

static void add_inputs(yyjson_mut_doc *document, yyjson_mut_val *root, const struct metadata *metadata) {
    if (metadata->input_count == 0) {
        return;
    }
    yyjson_mut_val *inputs = yyjson_mut_obj_add_obj(document, root, "inputs");
    for (size_t i = 0; i < metadata->input_count; i++) {
        const struct metadata_input *input = &metadata->inputs[i];
        (void)yyjson_mut_obj_add_str(document, inputs, input->field, input->fingerprint);
    }
}

static void add_text(yyjson_mut_doc *document, yyjson_mut_val *root, const char *field, const char *text) {
    if (text[0] != '\0') {
        (void)yyjson_mut_obj_add_str(document, root, field, text);
    }
}

bool metadata_store(const struct metadata *metadata, const char *key, struct secret_data *data,
                    struct error *e) {
    cleanup_json_mut yyjson_mut_doc *document = nullptr;
    if (!json_create(&document, e)) {
        return false;
    }
    yyjson_mut_val *root = yyjson_mut_doc_get_root(document);
    add_text(document, root, "algorithm", metadata->algorithm);
    add_text(document, root, "standard", metadata->standard);
    add_sizes(document, root, data);
    if (!add_fingerprints(document, root, data, e)) {
        return false;
    }
    add_text(document, root, "fingerprint", metadata->fingerprint);
    add_text(document, root, "created", metadata->created);
    add_text(document, root, "generator", metadata->generator);
    add_text(document, root, "recipe", metadata->recipe);
    add_inputs(document, root, metadata);
    cleanup_buffer struct buffer text = buffer_create(METADATA_TEXT_MAX);
    return json_write(document, &text, e) && secret_data_add_text(data, key, buffer_text(&text), e);
}

static bool malformed(const char *field, struct error *e) {
    return error_set(e, ERROR_CRYPTO, "the Secret's metadata entry has no proper %s", field);
}

static bool load_text(yyjson_val *root, const char *field, const char **ret_text, struct error *e) {
    const char *text = json_member_text(root, field);
    if (text == nullptr) {
        return malformed(field, e);
    }
    *ret_text = text;
    return true;
}

// Copies an optional text of at most size - 1 bytes; absent is "".
static bool load_short(yyjson_val *object, const char *field, char *ret_text, size_t size, struct error *e) {
    yyjson_val *value = yyjson_obj_get(object, field);
    const char *text = value == nullptr ? "" : json_text(value);
    if (text == nullptr || strlen(text) >= size) {
        return malformed(field, e);
    }
    memcpy(ret_text, text, strlen(text) + 1);
    return true;
}

static bool load_created(yyjson_val *root, char ret_text[CLOCK_TEXT_SIZE], struct error *e) {
    int64_t ignored;
    return load_short(root, "created", ret_text, CLOCK_TEXT_SIZE, e) &&
           (clock_parse(ret_text, &ignored) || malformed("created", e));
}

static bool load_inputs(yyjson_val *inputs, struct metadata *metadata, struct error *e) {
    if (inputs != nullptr && !yyjson_is_obj(inputs)) {
        return malformed("inputs", e);
    }
    size_t index;
    size_t count;
    yyjson_val *key;
    yyjson_val *value;
    yyjson_obj_foreach(inputs, index, count, key, value) {
        const char *fingerprint = json_text(value);
        if (count > METADATA_INPUTS_MAX || fingerprint == nullptr ||
            strlen(fingerprint) >= FINGERPRINT_SIZE) {
            return malformed("inputs", e);
        }
        struct metadata_input *input = &metadata->inputs[metadata->input_count++];
        input->field = yyjson_get_str(key);
        memcpy(input->fingerprint, fingerprint, strlen(fingerprint) + 1);
    }
    return true;
}

static bool check_entries(const struct secret_data *data, yyjson_val *fingerprints, struct error *e) {
    for (size_t i = 0; i < data->count; i++) {
        const struct secret_entry *entry = &data->entries[i];
        yyjson_val *stated = yyjson_obj_get(fingerprints, entry->key);
        char fingerprint[FINGERPRINT_SIZE];
        if (stated == nullptr) {
            continue;
        }
        if (!fingerprint_compute(secret_view(entry->value), secret_length(entry->value), fingerprint, e)) {
            return false;
        }
        if (!yyjson_equals_str(stated, fingerprint)) {
            return error_set(e, ERROR_CRYPTO,
                             "the Secret's entry %s is not the one that its metadata was written for",
                             entry->key);
        }
    }
    return true;
}

bool metadata_load(const struct secret_data *data, const char *key, struct metadata *ret_metadata,
                   yyjson_doc **ret_document, struct error *e) {
    const struct secret *entry;
    if (!secret_data_require(data, key, &entry, e)) {
        return false;
    }
    cleanup_json yyjson_doc *document = nullptr;
    if (!json_parse((const char *)secret_view(entry), secret_length(entry), &document, e)) {
        e->class = e->class == ERROR_NO_MEMORY ? ERROR_NO_MEMORY : ERROR_CRYPTO;
        return error_wrap(e, "the Secret's entry %s", key);
    }
    yyjson_val *root = yyjson_doc_get_root(document);
    struct metadata loaded = {0};
    if (!load_text(root, "algorithm", &loaded.algorithm, e) ||
        !load_text(root, "standard", &loaded.standard, e) ||
        !load_text(root, "generator", &loaded.generator, e) || !load_created(root, loaded.created, e) ||
        !load_short(root, "fingerprint", loaded.fingerprint, sizeof(loaded.fingerprint), e) ||
        !load_short(root, "recipe", loaded.recipe, sizeof(loaded.recipe), e) ||
        !load_inputs(yyjson_obj_get(root, "inputs"), &loaded, e) ||
        !check_entries(data, yyjson_obj_get(root, "fingerprints"), e)) {
        return false;
    }
    *ret_metadata = loaded;
    *ret_document = document;
    document = nullptr;
    return true;
}

const char *metadata_find_input(const struct metadata *metadata, const char *field) {
    for (size_t i = 0; i < metadata->input_count; i++) {
        if (strcmp(metadata->inputs[i].field, field) == 0) {
            return metadata->inputs[i].fingerprint;
        }
    }
    return "";
}

bool metadata_same_inputs(const struct metadata *a, const struct metadata *b) {
    if (a->input_count != b->input_count) {
        return false;
    }
    for (size_t i = 0; i < a->input_count; i++) {
        if (strcmp(a->inputs[i].field, b->inputs[i].field) != 0 ||
            strcmp(a->inputs[i].fingerprint, b->inputs[i].fingerprint) != 0) {
            return false;
        }
    }
    return true;
}
