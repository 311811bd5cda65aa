// The decoder of every kind, each given the same spec, and admission, which must say the same of it.
#include "fuzz.h"

#include "engine/decode.h"
#include "engine/spec_internal.h"
#include "kinds/table.h"
#include "webhook/admission.h"
#include "json/write.h"

enum { TEXT_MAX = 1024 * 1024 };

static void hear(void *context, enum spec_note note, const char *field, const char *message) {
    size_t *faults = context;
    CHECK(strncmp(field, "spec", 4) == 0 && (field[4] == '\0' || field[4] == '.'));
    CHECK(message[0] != '\0' && is_valid_text(field) && is_valid_text(message));
    *faults += note == SPEC_FAULT ? 1 : 0;
}

static bool decode(const struct kind *kind, yyjson_val *spec, struct decoded *decoded) {
    struct error e = {0};
    size_t faults = 0;
    bool good = decode_spec(kind, "name", spec, hear, &faults, decoded, &e);
    CHECK(good == (faults == 0));
    if (!good) {
        check_refusal(&e, ERROR_INVALID_SPEC);
    }
    return good;
}

// ---- what is accepted

// An object's name, or an address.
static bool is_name(const char *name, const struct input_source *sources) {
    return strcmp(sources->kind, "URL") == 0 ? strncmp(name, "http", 4) == 0 && strstr(name, "://") != nullptr
                                             : spec_is_dns_name(name);
}

// Only of what has versions one is named.
static void check_version(const struct input_request *request) {
    const struct reference *reference = &request->reference;
    bool has_versions = false;
    for (const struct input_source *source = request->sources; source->kind != nullptr; source++) {
        bool is_meant = reference->kind == nullptr || strcmp(reference->kind, source->kind) == 0;
        has_versions = has_versions || (is_meant && source->has_versions);
    }
    CHECK(reference->version >= 0 && reference->version <= SPEC_VERSION_MAX);
    CHECK(reference->version == 0 || has_versions);
}

static void check_reference(const struct input_request *request) {
    const struct reference *reference = &request->reference;
    CHECK(reference->name != nullptr && is_name(reference->name, request->sources));
    CHECK(reference->namespace == nullptr || spec_is_dns_name(reference->namespace));
    CHECK(reference->key == nullptr || spec_is_data_key(reference->key));
    check_version(request);
    bool known = false;
    for (const struct input_source *source = request->sources; source->kind != nullptr; source++) {
        known = known || reference->kind == nullptr || strcmp(reference->kind, source->kind) == 0;
    }
    CHECK(known);
}

// What can be asked for must be possible: names that the API server takes, inputs that can be looked for.
static void check_accepted(const struct decoded *decoded) {
    const struct kind *kind = decoded->kind;
    if (kind->entries != nullptr) {
        CHECK(decoded->secret_name[0] != '\0' && spec_is_dns_name(decoded->secret_name));
        for (size_t i = 0; kind_entry(kind, decoded->spec, i) != nullptr; i++) {
            CHECK(spec_is_data_key(kind_entry(kind, decoded->spec, i)));
        }
    }
    CHECK(decoded->request_count == 0 || spec_is_dns_name(decoded->service_account));
    for (size_t i = 0; i < decoded->request_count; i++) {
        check_reference(&decoded->requests[i]);
    }
}

static void check_same_fixed(const struct decoded *one, const struct decoded *other) {
    for (const struct spec_field *field = one->kind->fields; field->name != nullptr; field++) {
        CHECK(!spec_field_differs(field, one->spec, other->spec));
    }
}

static void check_same_parameters(const struct decoded *one, const struct decoded *other) {
    struct error e;
    cleanup_buffer struct buffer text = buffer_create(TEXT_MAX);
    cleanup_buffer struct buffer other_text = buffer_create(TEXT_MAX);
    if (one->kind->describe_parameters != nullptr) {
        MUST(one->kind->describe_parameters(one->spec, &text, &e), e);
        MUST(one->kind->describe_parameters(other->spec, &other_text, &e), e);
        CHECK(strcmp(buffer_text(&text), buffer_text(&other_text)) == 0);
    }
}

// ---- admission

// Asks about an object with that spec; with a change, it had the same spec before, spelled in the same way.
static bool admits(const struct kind *kind, yyjson_val *spec, bool change) {
    struct error e = {0};
    struct admission_outcome outcome;
    cleanup_json_mut yyjson_mut_doc *document = nullptr;
    cleanup_buffer struct buffer review = buffer_create(TEXT_MAX);
    cleanup_buffer struct buffer answer = buffer_create(TEXT_MAX);
    MUST(json_create(&document, &e), e);
    yyjson_mut_val *root = yyjson_mut_doc_get_root(document);
    yyjson_mut_obj_add_str(document, root, "apiVersion", "admission.k8s.io/v1");
    yyjson_mut_obj_add_str(document, root, "kind", "AdmissionReview");
    yyjson_mut_val *request = yyjson_mut_obj_add_obj(document, root, "request");
    yyjson_mut_obj_add_str(document, request, "uid", "u-1");
    yyjson_mut_obj_add_str(document, request, "name", "name");
    yyjson_mut_obj_add_str(document, request, "operation", change ? "UPDATE" : "CREATE");
    yyjson_mut_val *asked = yyjson_mut_obj_add_obj(document, request, "kind");
    yyjson_mut_obj_add_str(document, asked, "group", "qubesec.io");
    yyjson_mut_obj_add_str(document, asked, "version", "v1");
    yyjson_mut_obj_add_str(document, asked, "kind", kind->kind);
    yyjson_mut_val *object = yyjson_mut_obj_add_obj(document, request, "object");
    yyjson_mut_obj_add_val(document, object, "spec", yyjson_val_mut_copy(document, spec));
    if (change) {
        yyjson_mut_obj_add_val(document, request, "oldObject", yyjson_mut_val_mut_copy(document, object));
    }
    MUST(json_write(document, &review, &e), e);
    MUST(admission_review(kind_table, buffer_text(&review), review.length, &answer, &outcome, &e), e);
    CHECK(strcmp(outcome.kind, kind->kind) == 0);
    return outcome.allowed;
}

static void check_kind(const struct kind *kind, yyjson_val *spec, yyjson_val *copy) {
    cleanup_decoded struct decoded decoded = {0};
    cleanup_decoded struct decoded again = {0};
    bool good = decode(kind, spec, &decoded);
    CHECK(decode(kind, copy, &again) == good);
    CHECK(admits(kind, spec, false) == good);
    CHECK(admits(kind, spec, true)); // nobody can make a spec that is stored any better
    if (good) {
        check_accepted(&decoded);
        check_same_fixed(&decoded, &again);
        check_same_parameters(&decoded, &again);
    }
}

// spec written and read again, two objects deep as in a review; NULL: it is too deep for one.
static yyjson_doc *copy_of(yyjson_val *spec) {
    struct error e;
    yyjson_doc *copy = nullptr;
    size_t length;
    char *text = yyjson_val_write(spec, YYJSON_WRITE_ESCAPE_UNICODE, &length);
    cleanup_buffer struct buffer deep = buffer_create(TEXT_MAX);
    CHECK(text != nullptr);
    MUST(buffer_append_format(&deep, &e, "[[[%s]]]", text), e);
    bool fits = json_parse(buffer_text(&deep), deep.length, &copy, &e);
    json_free(copy);
    copy = nullptr;
    if (fits) {
        MUST(json_parse(text, length, &copy, &e), e);
    }
    free(text);
    return copy;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct error e;
    cleanup_json yyjson_doc *document = nullptr;
    start_crypto();
    if (!json_parse((const char *)data, size, &document, &e)) {
        return 0;
    }
    cleanup_json yyjson_doc *copy = copy_of(yyjson_doc_get_root(document));
    for (const struct kind *const *kind = kind_table; copy != nullptr && *kind != nullptr; kind++) {
        check_kind(*kind, yyjson_doc_get_root(document), yyjson_doc_get_root(copy));
    }
    return 0;
}
