#include "repair.h"

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

// All that one version's cluster had, by their kinds.
struct world {
    const char *version;
    yyjson_doc *of_kinds[16]; // owned
    const char *names[16];
    size_t count;
};

static void world_free(struct world *world) {
    for (size_t i = 0; i < world->count; i++) {
        json_free(world->of_kinds[i]);
    }
}
#define cleanup_world [[gnu::cleanup(world_free)]]

static yyjson_val *all_of(struct world *world, const char *kind) {
    for (size_t i = 0; i < world->count; i++) {
        if (strcmp(world->names[i], kind) == 0) {
            return yyjson_doc_get_root(world->of_kinds[i]);
        }
    }
    assert_in_range(world->count, 0, 15);
    world->names[world->count] = kind;
    world->of_kinds[world->count] = read_fixture(world->version, kind);
    return yyjson_doc_get_root(world->of_kinds[world->count++]);
}

static yyjson_val *find_object(struct world *world, const char *kind, const char *namespace,
                               const char *name) {
    size_t index;
    size_t count;
    yyjson_val *object;
    yyjson_arr_foreach(all_of(world, kind), index, count, object) {
        if (strcmp(text_at(object, "metadata", "namespace"), namespace) == 0 &&
            strcmp(text_at(object, "metadata", "name"), name) == 0) {
            return object;
        }
    }
    fail_msg("there is no %s %s", kind, name);
    return nullptr;
}

static void take_encoded(struct subject *s, yyjson_val *secret, const char *key) {
    struct error e;
    struct secret *value = nullptr;
    const char *encoded = text_at(secret, "data", key);
    must(base64_decode(encoded, strlen(encoded), ENCODING_ONE_LINE, &value, &e), e);
    must(secret_data_add(&s->data, key, value, &e), e);
}

// Appends an entry of a Secret or ConfigMap; false: it has none of that name.
static bool append_entry(yyjson_val *object, const char *key, struct buffer *bytes) {
    struct error e;
    const char *text = json_text(json_find(object, "data", key, nullptr));
    const char *binary = json_text(json_find(object, "binaryData", key, nullptr));
    bool is_encoded = binary != nullptr || json_find(object, "type", nullptr) != nullptr; // of a Secret
    cleanup_secret struct secret *decoded = nullptr;
    if (text == nullptr && binary == nullptr) {
        return false;
    }
    text = text == nullptr ? binary : text;
    if (!is_encoded) {
        must(buffer_append_text(bytes, text, &e), e);
        return true;
    }
    must(base64_decode(text, strlen(text), ENCODING_ONE_LINE, &decoded, &e), e);
    must(buffer_append(bytes, secret_view(decoded), secret_length(decoded), &e), e);
    return true;
}

static void append_input(const struct input_request *request, const struct input_source *source,
                         yyjson_val *object, struct buffer *bytes) {
    const char *key = source->data_key != nullptr ? source->data_key : request->reference.key;
    if (key != nullptr) {
        if (!append_entry(object, key, bytes)) {
            fail_msg("%s: there is no entry %s", request->field, key);
        }
        for (size_t i = 0; source->also != nullptr && source->also[i] != nullptr; i++) {
            assert_true(append_entry(object, source->also[i], bytes));
        }
        return;
    }
    for (size_t i = 0; source->usual_keys[i] != nullptr; i++) {
        if (append_entry(object, source->usual_keys[i], bytes)) {
            return;
        }
    }
    yyjson_obj_iter entries = yyjson_obj_iter_with(yyjson_obj_get(object, "data"));
    assert_true(append_entry(object, yyjson_get_str(yyjson_obj_iter_next(&entries)), bytes));
}

// One input, as status.inputs says where it was found, in the form that its digest is of.
static void give_input(struct subject *s, size_t index, struct world *world, yyjson_val *recorded) {
    struct error e;
    char upstream[64];
    const struct input_source *source = s->decoded.requests[index].sources;
    const char *from = json_member_text(recorded, "from"); // "Kind/name" of one of ours
    const char *kind = json_member_text(recorded, "kind");
    const char *namespace = json_member_text(recorded, "namespace");
    cleanup_buffer struct buffer bytes = buffer_create(FILE_MAX);
    cleanup_secret struct secret *normal = nullptr;
    const char *algorithm = nullptr;
    if (strcmp(kind, "URL") == 0) {
        return; // which is not read again
    }
    snprintf(upstream, sizeof(upstream), "%.*s", from == nullptr ? 0 : (int)strcspn(from, "/"),
             from == nullptr ? "" : from);
    while (strcmp(source->kind, from == nullptr ? kind : upstream) != 0) {
        source++;
        assert_non_null(source->kind);
    }
    append_input(&s->decoded.requests[index], source,
                 find_object(world, kind, namespace, json_member_text(recorded, "name")), &bytes);
    if (from != nullptr) {
        yyjson_val *owner = find_object(world, source->kind, namespace, strchr(from, '/') + 1);
        algorithm = text_at(owner, "status", "algorithm");
    }
    subject_give(s, index, algorithm, bytes.data, bytes.length);
    must(kind_normalize(s->kind, s->decoded.spec, s->inputs, index, &normal, &e), e);
    if (normal != nullptr) {
        subject_give_secret(s, index, algorithm, normal);
    }
}

// The object with its inputs and its Secret, as the operator that starts over them reads them.
static struct subject read_object(const struct kind *kind, yyjson_val *object, struct world *world) {
    size_t length;
    char *spec = yyjson_val_write(yyjson_obj_get(object, "spec"), 0, &length);
    assert_non_null(spec);
    struct subject s = subject_read(kind, spec);
    free(spec);
    s.context.secret_name = json_text(json_find(object, "status", "secretRef", "name", nullptr));
    assert_non_null(s.context.secret_name);
    yyjson_val *recorded = json_find(object, "status", "inputs", nullptr);
    assert_int_equal(yyjson_arr_size(recorded), s.decoded.request_count);
    for (size_t i = 0; i < s.decoded.request_count; i++) {
        give_input(&s, i, world, yyjson_arr_get(recorded, i));
    }
    yyjson_val *secret =
        find_object(world, "Secret", text_at(object, "metadata", "namespace"), s.context.secret_name);
    const char *key;
    for (size_t i = 0; (key = kind_entry(kind, s.decoded.spec, i)) != nullptr; i++) {
        take_encoded(&s, secret, key);
    }
    take_encoded(&s, secret, kind_metadata_entry(kind));
    return s;
}

static const char *text_or_nothing(yyjson_val *status, const char *field) {
    const char *text = json_member_text(status, field);
    return text == nullptr ? "" : text;
}

static void take_over(const struct kind *kind, yyjson_val *object, struct world *world) {
    struct error e;
    yyjson_val *status = yyjson_obj_get(object, "status");
    const char *name = text_at(object, "metadata", "name");
    cleanup_subject struct subject s = read_object(kind, object, world);
    if (!subject_examine(&s, &e)) {
        fail_msg("%s %s: %s", kind->kind, name, e.message);
    }
    assert_string_equal(s.report.fingerprint, text_or_nothing(status, "fingerprint"));
    assert_true(s.provenance.is_brief); // and is not stale, or it would not be good
    if (kind->repair == nullptr) {
        return;
    }
    // Its metadata is removed: all that its status tells is what an earlier version has written there.
    cleanup_secret_data struct secret_data whole = {0};
    copy_data(&s.data, &whole);
    s.context.record = (struct record){
        .fingerprint = text_or_nothing(status, "fingerprint"),
        .digest = "",
        .public_key_digest = "",
        .ciphertext = text_or_nothing(status, "ciphertext"),
        .public_key_pem = text_or_nothing(status, "publicKeyPEM"),
        .renew_request = "",
        .is_current = true,
    };
    s.context.previous_is_current = true;
    secret_free(remove_entry(&s, kind_metadata_entry(kind)));
    if (!subject_try_repair(&s, false, &e)) {
        fail_msg("%s %s: %s", kind->kind, name, e.message);
    }
    assert_sound(&s);
    const char *key;
    for (size_t i = 0; (key = kind_entry(kind, s.decoded.spec, i)) != nullptr; i++) {
        assert_true(entry_is(&s, key, secret_data_get(&whole, key)));
    }
}

static void take_over_kind(const struct kind *kind, struct world *world) {
    yyjson_val *objects = all_of(world, kind->kind);
    size_t index;
    size_t count;
    yyjson_val *object;
    assert_in_range(yyjson_arr_size(objects), 1, 1000);
    yyjson_arr_foreach(objects, index, count, object) {
        take_over(kind, object, world);
    }
}

static void outputs_of_every_kind_are_taken_over(void **) {
    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
        cleanup_world struct world world = {.version = versions[i]};
        for (const struct kind *const *kind = kind_table; *kind != nullptr; kind++) {
            if ((*kind)->entries != nullptr) {
                take_over_kind(*kind, &world);
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
