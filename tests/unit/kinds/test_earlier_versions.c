#include "support.h"

#include "base/file.h"

// What earlier versions made is sound to this one, and what its spec asks for: tests/fixtures.

enum { FILE_MAX = 4 * 1024 * 1024 };

static const char *const versions[] = {"v0.1.0"};

static yyjson_doc *read_fixture(const char *version, const char *kind) {
    struct error e;
    char path[4096];
    yyjson_doc *document = nullptr;
    cleanup_buffer struct buffer text = buffer_create(FILE_MAX);
    snprintf(path, sizeof(path), "%s/%s/%s.json", QUBESEC_FIXTURES, version, kind);
    must(file_read(path, &text, &e), e);
    must(json_parse(buffer_text(&text), text.length, &document, &e), e);
    return document;
}

static const char *text_at(yyjson_val *object, const char *outer, const char *inner) {
    const char *text = json_text(json_find(object, outer, inner, nullptr));
    assert_non_null(text);
    return text;
}

static yyjson_val *find_secret(yyjson_val *secrets, const char *namespace, const char *name) {
    size_t index;
    size_t count;
    yyjson_val *secret;
    yyjson_arr_foreach(secrets, index, count, secret) {
        if (strcmp(text_at(secret, "metadata", "namespace"), namespace) == 0 &&
            strcmp(text_at(secret, "metadata", "name"), name) == 0) {
            return secret;
        }
    }
    fail_msg("there is no Secret %s", name);
    return nullptr;
}

static void take_encoded(struct subject *s, yyjson_val *secret, const char *key) {
    struct error e;
    struct secret *value = nullptr;
    const char *encoded = text_at(secret, "data", key);
    must(base64_decode(encoded, strlen(encoded), ENCODING_ONE_LINE, &value, &e), e);
    must(secret_data_add(&s->data, key, value, &e), e);
}

// The object with its Secret, as the operator that starts over them reads them.
static struct subject read_object(const struct kind *kind, yyjson_val *object, yyjson_val *secrets) {
    size_t length;
    char *spec = yyjson_val_write(yyjson_obj_get(object, "spec"), 0, &length);
    assert_non_null(spec);
    struct subject s = subject_read(kind, spec);
    free(spec);
    s.occasion.secret_name = json_text(json_find(object, "status", "secretRef", "name", nullptr));
    assert_non_null(s.occasion.secret_name);
    yyjson_val *secret =
        find_secret(secrets, text_at(object, "metadata", "namespace"), s.occasion.secret_name);
    const char *key;
    for (size_t i = 0; (key = kind_entry(kind, s.spec, i)) != nullptr; i++) {
        take_encoded(&s, secret, key);
    }
    take_encoded(&s, secret, kind_metadata_entry(kind));
    return s;
}

static void take_over(const struct kind *kind, yyjson_val *object, yyjson_val *secrets) {
    struct error e;
    cleanup_subject struct subject s = read_object(kind, object, secrets);
    if (!subject_judge(&s, &e)) {
        fail_msg("%s %s: %s", kind->kind, text_at(object, "metadata", "name"), e.message);
    }
    const char *fingerprint = json_text(json_find(object, "status", "fingerprint", nullptr));
    assert_string_equal(s.report.fingerprint, fingerprint == nullptr ? "" : fingerprint);
}

static void take_over_kind(const struct kind *kind, const char *version, yyjson_val *secrets) {
    cleanup_json yyjson_doc *document = read_fixture(version, kind->kind);
    yyjson_val *objects = yyjson_doc_get_root(document);
    size_t index;
    size_t count;
    yyjson_val *object;
    assert_in_range(yyjson_arr_size(objects), 1, 1000);
    yyjson_arr_foreach(objects, index, count, object) {
        take_over(kind, object, secrets);
    }
}

static void outputs_of_every_kind_are_taken_over(void **) {
    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
        cleanup_json yyjson_doc *secrets = read_fixture(versions[i], "Secret");
        for (const struct kind *const *kind = kind_table; *kind != nullptr; kind++) {
            if ((*kind)->entries != nullptr) {
                take_over_kind(*kind, versions[i], yyjson_doc_get_root(secrets));
            }
        }
    }
}

int main(void) {
    start_or_fail();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outputs_of_every_kind_are_taken_over),
    };
    return cmocka_run_group_tests_name("kinds/earlier_versions", tests, nullptr, no_secret_is_left);
}
