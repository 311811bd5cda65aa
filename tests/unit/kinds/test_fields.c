// What follows from the tables of all kinds' fields: bad values are refused by the field's name, and
// immutable fields stay.
#include "support.h"

#include "engine/decode.h"
#include "tools/crd/bad_specs.h"

static void read_document(const struct kind *kind, const yyjson_mut_doc *spec, yyjson_doc **ret_frozen,
                          struct decoded *decoded, struct error *e) {
    must(json_freeze(spec, ret_frozen, e), *e);
    *e = (struct error){0};
    bool good = decode_spec(kind, "object", yyjson_doc_get_root(*ret_frozen), nullptr, nullptr, decoded, e);
    assert_int_equal(good, e->class == ERROR_NONE);
}

static void what_they_differ_from_is_good(void **) {
    for (const struct kind *const *kind = kind_table; *kind != nullptr; kind++) {
        struct error e;
        cleanup_json_mut yyjson_mut_doc *spec = nullptr;
        cleanup_json yyjson_doc *frozen = nullptr;
        cleanup_decoded struct decoded decoded = {0};
        must(bad_specs_good_one(*kind, &spec, &e), e);
        read_document(*kind, spec, &frozen, &decoded, &e);
        must(e.class == ERROR_NONE, e);
    }
}

static void is_refused(void *count, const struct bad_spec *bad) {
    struct error e;
    char start[100];
    cleanup_json yyjson_doc *frozen = nullptr;
    cleanup_decoded struct decoded decoded = {0};
    read_document(bad->kind, bad->spec, &frozen, &decoded, &e);
    snprintf(start, sizeof(start), "spec.%s: ", bad->field);
    if (e.class != ERROR_INVALID_SPEC || strstr(e.message, start) == nullptr) {
        fail_msg("%s of a %s, %s: \"%s\"", bad->field, bad->kind->kind, bad->what, e.message);
    }
    (*(size_t *)count)++;
}

static void bad_values_are_refused(void **) {
    for (const struct kind *const *kind = kind_table; *kind != nullptr; kind++) {
        size_t count = 0;
        bad_specs_list(*kind, is_refused, &count);
        assert_true(count >= 20);
    }
}

struct edits {
    const struct kind *kind;
    size_t count;
};

static void is_a_change(void *context, const struct bad_edit *edit) {
    struct edits *edits = context;
    struct error e;
    cleanup_json yyjson_doc *before_frozen = nullptr;
    cleanup_json yyjson_doc *after_frozen = nullptr;
    cleanup_decoded struct decoded before = {0};
    cleanup_decoded struct decoded after = {0};
    read_document(edits->kind, edit->before, &before_frozen, &before, &e);
    must(e.class == ERROR_NONE, e);
    read_document(edits->kind, edit->after, &after_frozen, &after, &e);
    must(e.class == ERROR_NONE, e);
    bool is_common = edit->field == &spec_common_fields[0];
    const void *one = is_common ? (const void *)&before.common : before.spec;
    const void *other = is_common ? (const void *)&after.common : after.spec;
    assert_true(spec_field_differs(edit->field, one, other));
    assert_false(spec_field_differs(edit->field, one, one));
    edits->count++;
}

static void immutable_fields_differ_where_they_are_edited(void **) {
    size_t count = 0;
    for (const struct kind *const *kind = kind_table; *kind != nullptr; kind++) {
        struct edits edits = {.kind = *kind};
        bad_edits_list(*kind, is_a_change, &edits);
        count += edits.count;
    }
    assert_int_equal(count, 23);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_they_differ_from_is_good),
        cmocka_unit_test(bad_values_are_refused),
        cmocka_unit_test(immutable_fields_differ_where_they_are_edited),
    };
    return cmocka_run_group_tests_name("kinds/fields", tests, nullptr, nullptr);
}
