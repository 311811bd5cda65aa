// The metadata entry of an output Secret: what is read of it is written again as the same.
#include "answers.h"

#include "engine/provenance.h"

static const char key[] = "metadata";
static const char entry[] = "random";
static const char bytes[] = "some bytes that were made";

static struct secret_data data_with(const void *metadata, size_t size) {
    struct error e;
    struct secret_data data = {0};
    struct secret *value = nullptr;
    MUST(secret_data_add_text(&data, entry, bytes, &e), e);
    if (metadata != nullptr) {
        MUST(secret_copy(metadata, size, &value, &e) && secret_data_add(&data, key, value, &e), e);
    }
    return data;
}

static void check_loaded(const struct provenance *provenance) {
    int64_t ignored;
    CHECK(provenance->algorithm != nullptr && is_valid_text(provenance->algorithm));
    CHECK(provenance->standard != nullptr && is_valid_text(provenance->standard));
    CHECK(provenance->generator != nullptr && is_valid_text(provenance->generator));
    CHECK(clock_parse(provenance->created, &ignored));
    CHECK(provenance->input_count <= PROVENANCE_INPUTS_MAX);
    CHECK(provenance->replaced.cause[0] == '\0' && provenance->replaced.gone[0] == '\0');
    for (size_t i = 0; i < provenance->input_count; i++) {
        const struct provenance_input *input = &provenance->inputs[i];
        CHECK(strcmp(provenance_find_input(provenance, input->field), input->digest) == 0);
        CHECK(provenance_same_digest(input->digest, input->digest));
    }
    CHECK(provenance_same_inputs(provenance, provenance));
}

static void check_same(const struct provenance *one, const struct provenance *other) {
    CHECK(strcmp(one->algorithm, other->algorithm) == 0 && strcmp(one->standard, other->standard) == 0 &&
          strcmp(one->generator, other->generator) == 0 && strcmp(one->created, other->created) == 0 &&
          strcmp(one->fingerprint, other->fingerprint) == 0 &&
          strcmp(one->parameters, other->parameters) == 0);
    CHECK(one->input_count == other->input_count && provenance_same_inputs(one, other));
    for (size_t i = 0; i < one->input_count; i++) {
        CHECK(strcmp(one->inputs[i].digest, other->inputs[i].digest) == 0);
    }
    CHECK(strcmp(one->replaced.reason, other->replaced.reason) == 0);
    CHECK(one->replaced.reason[0] == '\0' ||
          strcmp(one->replaced.fingerprint, other->replaced.fingerprint) == 0);
}

// Version 0.1.0 reads ten digits, and compares them: whatever was known of a digest is still the same.
static void check_brief(const struct provenance *provenance, yyjson_val *written) {
    yyjson_val *inputs = yyjson_obj_get(written, "inputs");
    for (size_t i = 0; i < provenance->input_count; i++) {
        const struct provenance_input *input = &provenance->inputs[i];
        const char *brief = json_member_text(inputs, input->field);
        size_t length = strlen(input->digest);
        if (length == DIGEST_TEXT_SIZE - 1 || length == FINGERPRINT_SIZE - 1) {
            CHECK(brief != nullptr && provenance_same_digest(brief, input->digest));
        }
    }
}

static bool load(const struct secret_data *data, struct provenance *provenance, yyjson_doc **document) {
    struct error e = {0};
    *document = (yyjson_doc *)&e;
    *provenance = (struct provenance){.algorithm = e.message};
    if (provenance_load(data, key, provenance, document, &e)) {
        check_loaded(provenance);
        return true;
    }
    CHECK(*document == (yyjson_doc *)&e && provenance->algorithm == e.message);
    check_refusal(&e, ERROR_CRYPTO);
    return false;
}

// Whether the entry is the one that metadata was written for: a word of it must be the bytes' own.
static void check_entry(const struct provenance *provenance, const struct secret_data *data) {
    struct error e = {0};
    enum provenance_word word;
    MUST(provenance_compare_entry(provenance, entry, secret_data_get(data, entry), &word, &e), e);
    bool stated = yyjson_obj_get(provenance->digests, entry) != nullptr;
    CHECK(stated == (word != PROVENANCE_SILENT));
    if (!provenance_check_entries(provenance, data, &e)) {
        check_refusal(&e, ERROR_CRYPTO);
    } else {
        CHECK(word != PROVENANCE_SAYS_OTHER);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size) {
    struct error e;
    struct provenance provenance;
    struct provenance again;
    yyjson_doc *document;
    yyjson_doc *written;
    start_crypto();
    cleanup_secret_data struct secret_data data = data_with(input, size);
    if (!load(&data, &provenance, &document)) {
        return 0;
    }
    check_entry(&provenance, &data);
    cleanup_secret_data struct secret_data rewritten = data_with(nullptr, 0);
    MUST(provenance_store(&provenance, key, &rewritten, &e), e);
    CHECK(load(&rewritten, &again, &written));
    CHECK(!again.is_brief);
    check_same(&provenance, &again);
    check_brief(&provenance, yyjson_doc_get_root(written));
    MUST(provenance_check_entries(&again, &rewritten, &e), e);
    json_free(document);
    json_free(written);
    return 0;
}
