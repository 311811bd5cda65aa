#include "engine/provenance.h"

#include "engine/versions.h"
#include "json/write.h"

#include <string.h>

enum { PROVENANCE_TEXT_MAX = 64 * 1024 };

// ---- writing

static void add_sizes(yyjson_mut_doc *document, yyjson_mut_val *root, const struct secret_data *data) {
    yyjson_mut_val *sizes = yyjson_mut_obj_add_obj(document, root, "sizes");
    for (size_t i = 0; i < data->count; i++) {
        const struct secret_entry *entry = &data->entries[i];
        (void)yyjson_mut_obj_add_uint(document, sizes, entry->key, secret_length(entry->value));
    }
}

// Of a digest that is brief itself, as that of an input which is not read again may be, all that is known.
static void add_short(yyjson_mut_doc *document, yyjson_mut_val *root, const char *field, const char *digest) {
    char fingerprint[FINGERPRINT_SIZE];
    if (strlen(digest) != DIGEST_TEXT_SIZE - 1) {
        json_add_text(document, root, field, digest);
        return;
    }
    fingerprint_of_digest(digest, fingerprint);
    json_add_text(document, root, field, fingerprint);
}

// The first ten digits of what the output was made from.
static void add_short_digests(yyjson_mut_doc *document, yyjson_mut_val *root,
                              const struct provenance *provenance) {
    add_short(document, root, "recipe", provenance->parameters);
    if (provenance->input_count == 0) {
        return;
    }
    yyjson_mut_val *inputs = yyjson_mut_obj_add_obj(document, root, "inputs");
    for (size_t i = 0; i < provenance->input_count; i++) {
        add_short(document, inputs, provenance->inputs[i].field, provenance->inputs[i].digest);
    }
}

static bool add_digests(yyjson_mut_doc *document, yyjson_mut_val *root, const struct provenance *provenance,
                        const struct secret_data *data, struct error *e) {
    yyjson_mut_val *digests = yyjson_mut_obj_add_obj(document, root, "digests");
    yyjson_mut_val *entries = yyjson_mut_obj_add_obj(document, digests, "entries");
    for (size_t i = 0; i < data->count; i++) {
        const struct secret_entry *entry = &data->entries[i];
        char digest[DIGEST_TEXT_SIZE];
        if (!digest_format(secret_view(entry->value), secret_length(entry->value), digest, e)) {
            return false;
        }
        (void)yyjson_mut_obj_add_strcpy(document, entries, entry->key, digest);
    }
    json_add_text(document, digests, "recipe", provenance->parameters);
    yyjson_mut_val *inputs = yyjson_mut_obj_add_obj(document, digests, "inputs");
    for (size_t i = 0; i < provenance->input_count; i++) {
        const struct provenance_input *input = &provenance->inputs[i];
        (void)yyjson_mut_obj_add_str(document, inputs, input->field, input->digest);
    }
    return true;
}

static void add_replaced(yyjson_mut_doc *document, yyjson_mut_val *root, const struct replaced *replaced) {
    if (replaced->reason[0] == '\0') {
        return;
    }
    yyjson_mut_val *own = yyjson_mut_obj_add_obj(document, root, "replaced");
    json_add_text(document, own, "fingerprint", replaced->fingerprint);
    json_add_text(document, own, "reason", replaced->reason);
}

bool provenance_store(const struct provenance *provenance, const char *key, struct secret_data *data,
                      struct error *e) {
    cleanup_json_mut yyjson_mut_doc *document = nullptr;
    if (!json_create(&document, e)) {
        return false;
    }
    yyjson_mut_val *root = yyjson_mut_doc_get_root(document);
    json_add_text(document, root, "algorithm", provenance->algorithm);
    json_add_text(document, root, "standard", provenance->standard);
    add_sizes(document, root, data);
    json_add_text(document, root, "fingerprint", provenance->fingerprint);
    json_add_text(document, root, "created", provenance->created);
    json_add_text(document, root, "generator", provenance->generator);
    add_short_digests(document, root, provenance);
    add_replaced(document, root, &provenance->replaced);
    json_add_text(document, root, "renewRequest", provenance->renew_request);
    json_add_text(document, root, "rotateRequest", provenance->rotate_request);
    cleanup_buffer struct buffer text = buffer_create(PROVENANCE_TEXT_MAX);
    return add_digests(document, root, provenance, data, e) &&
           (provenance->versions == nullptr || versions_store(provenance->versions, document, root, e)) &&
           json_write(document, &text, e) && secret_data_add_text(data, key, buffer_text(&text), e);
}

// ---- reading

static bool malformed(const char *field, struct error *e) {
    return error_set(e, ERROR_CRYPTO, "the Secret's metadata entry has no proper %s", field);
}

// None is empty, or so long that what was read could not be written again.
static bool load_text(yyjson_val *root, const char *field, const char **ret_text, struct error *e) {
    const char *text = json_member_text(root, field);
    if (text == nullptr || text[0] == '\0' || strlen(text) >= PROVENANCE_SENTENCE_SIZE) {
        return malformed(field, e);
    }
    *ret_text = text;
    return true;
}

// Copies an optional text of at most size - 1 bytes; absent is "".
static bool load_short(yyjson_val *object, const char *field, char *ret_text, size_t size, struct error *e) {
    return json_copy_text(object, field, ret_text, size) || malformed(field, e);
}

static bool load_created(yyjson_val *root, char ret_text[CLOCK_TEXT_SIZE], struct error *e) {
    int64_t ignored;
    return load_short(root, "created", ret_text, CLOCK_TEXT_SIZE, e) &&
           (clock_parse(ret_text, &ignored) || malformed("created", e));
}

// Whether it has no character that no digest has: it is cut when it is written again.
static bool is_of_digits(const char *text) {
    return text[strspn(text, "sha256:0123456789abcdef")] == '\0';
}

static bool load_inputs(yyjson_val *inputs, struct provenance *provenance, struct error *e) {
    if (inputs != nullptr && !yyjson_is_obj(inputs)) {
        return malformed("inputs", e);
    }
    yyjson_obj_iter members = yyjson_obj_iter_with(inputs);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&members)) != nullptr;) {
        yyjson_val *value = yyjson_obj_iter_get_val(key);
        const char *digest = json_text(value);
        const char *field = json_text(key);
        if (yyjson_obj_size(inputs) > PROVENANCE_INPUTS_MAX || field == nullptr ||
            strlen(field) >= PROVENANCE_WORD_SIZE || digest == nullptr ||
            strlen(digest) >= DIGEST_TEXT_SIZE || !is_of_digits(digest)) {
            return malformed("inputs", e);
        }
        struct provenance_input *input = &provenance->inputs[provenance->input_count++];
        input->field = field;
        memcpy(input->digest, digest, strlen(digest) + 1);
    }
    return true;
}

static bool load_replaced(yyjson_val *own, struct replaced *replaced, struct error *e) {
    return load_short(own, "fingerprint", replaced->fingerprint, sizeof(replaced->fingerprint), e) &&
           load_short(own, "reason", replaced->reason, sizeof(replaced->reason), e);
}

// What the output was made from, and what its entries were: in full, or as version 0.1.0 has it.
static bool load_digests(yyjson_val *root, struct provenance *provenance, struct error *e) {
    yyjson_val *digests = yyjson_obj_get(root, "digests");
    if (digests != nullptr && !yyjson_is_obj(digests)) {
        return malformed("digests", e);
    }
    provenance->is_brief = digests == nullptr;
    provenance->digests =
        provenance->is_brief ? yyjson_obj_get(root, "fingerprints") : yyjson_obj_get(digests, "entries");
    if (!provenance->is_brief && !yyjson_is_obj(provenance->digests)) {
        return malformed("digests", e);
    }
    yyjson_val *from = provenance->is_brief ? root : digests;
    return load_short(from, "recipe", provenance->parameters, sizeof(provenance->parameters), e) &&
           (is_of_digits(provenance->parameters) || malformed("recipe", e)) &&
           load_inputs(yyjson_obj_get(from, "inputs"), provenance, e);
}

bool provenance_load(const struct secret_data *data, const char *key, struct provenance *ret_provenance,
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
    struct provenance loaded = {.sizes = yyjson_obj_get(root, "sizes")};
    if (!load_text(root, "algorithm", &loaded.algorithm, e) ||
        !load_text(root, "standard", &loaded.standard, e) ||
        !load_text(root, "generator", &loaded.generator, e) || !load_created(root, loaded.created, e) ||
        !load_short(root, "fingerprint", loaded.fingerprint, sizeof(loaded.fingerprint), e) ||
        !load_replaced(yyjson_obj_get(root, "replaced"), &loaded.replaced, e) ||
        !load_short(root, "renewRequest", loaded.renew_request, sizeof(loaded.renew_request), e) ||
        !load_short(root, "rotateRequest", loaded.rotate_request, sizeof(loaded.rotate_request), e) ||
        !load_digests(root, &loaded, e)) {
        return false;
    }
    *ret_provenance = loaded;
    *ret_document = document;
    document = nullptr;
    return true;
}

// ---- comparing

bool provenance_same_digest(const char *one, const char *other) {
    enum { BRIEF = FINGERPRINT_SIZE - 1 };
    size_t length = strlen(one);
    size_t other_length = strlen(other);
    if (length == BRIEF && other_length == DIGEST_TEXT_SIZE - 1) {
        return strncmp(one, other + DIGEST_PREFIX_LENGTH, BRIEF) == 0;
    }
    if (other_length == BRIEF && length == DIGEST_TEXT_SIZE - 1) {
        return strncmp(other, one + DIGEST_PREFIX_LENGTH, BRIEF) == 0;
    }
    return strcmp(one, other) == 0;
}

bool provenance_compare_entry(const struct provenance *provenance, const char *key,
                              const struct secret *bytes, enum provenance_word *ret_word, struct error *e) {
    yyjson_val *value = yyjson_obj_get(provenance->digests, key);
    const char *stated = json_text(value);
    char digest[DIGEST_TEXT_SIZE];
    if (value == nullptr) {
        *ret_word = PROVENANCE_SILENT;
        return true;
    }
    if (!digest_format(secret_view(bytes), secret_length(bytes), digest, e)) {
        return false;
    }
    bool same = stated != nullptr && provenance_same_digest(stated, digest);
    *ret_word = same ? PROVENANCE_SAYS_SAME : PROVENANCE_SAYS_OTHER;
    return true;
}

bool provenance_check_entries(const struct provenance *provenance, const struct secret_data *data,
                              struct error *e) {
    for (size_t i = 0; i < data->count; i++) {
        const struct secret_entry *entry = &data->entries[i];
        enum provenance_word word;
        if (!provenance_compare_entry(provenance, entry->key, entry->value, &word, e)) {
            return false;
        }
        if (word == PROVENANCE_SAYS_OTHER) {
            return error_set(e, ERROR_CRYPTO,
                             "the Secret's entry %s is not the one that its metadata was written for",
                             entry->key);
        }
    }
    return true;
}

const char *provenance_find_input(const struct provenance *provenance, const char *field) {
    for (size_t i = 0; i < provenance->input_count; i++) {
        if (strcmp(provenance->inputs[i].field, field) == 0) {
            return provenance->inputs[i].digest;
        }
    }
    return "";
}

bool provenance_same_inputs(const struct provenance *a, const struct provenance *b) {
    if (a->input_count != b->input_count) {
        return false;
    }
    for (size_t i = 0; i < a->input_count; i++) {
        if (strcmp(a->inputs[i].field, b->inputs[i].field) != 0 ||
            !provenance_same_digest(a->inputs[i].digest, b->inputs[i].digest)) {
            return false;
        }
    }
    return true;
}
