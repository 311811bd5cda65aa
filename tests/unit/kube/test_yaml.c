#include "../base/check.h"

#include "kube/yaml.h"

static yyjson_doc *parse(const char *text) {
    struct error e;
    yyjson_doc *document = nullptr;
    must(yaml_parse(text, strlen(text), &document, &e), e);
    return document;
}

static void plain_scalars_have_the_types_of_json(void **) {
    cleanup_json yyjson_doc *document = parse("[1, -2, 1.5, 1e3, true, ~, x, '1', 1e, 0x10, .inf]");
    yyjson_val *root = yyjson_doc_get_root(document);
    static const char *const types[] = {"sint",   "sint",   "real",   "real",   "true",  "null",
                                        "string", "string", "string", "string", "string"};
    assert_int_equal(yyjson_arr_size(root), sizeof(types) / sizeof(types[0]));
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        assert_string_equal(yyjson_get_type_desc(yyjson_arr_get(root, i)), types[i]);
    }
}

// As in Go, whose parser takes it for a text too; JSON has no infinity.
static void a_number_beyond_all_reals_is_a_text(void **) {
    cleanup_json yyjson_doc *document = parse("a: 1e999\nb: -1e999\n");
    assert_string_equal(json_member_text(yyjson_doc_get_root(document), "a"), "1e999");
    assert_string_equal(json_member_text(yyjson_doc_get_root(document), "b"), "-1e999");
}

static void a_key_that_comes_twice_is_refused(void **) {
    static const char *const texts[] = {"a: 1\na: 2\n", "a: 1\n'a': 2\n", "\"a\\0b\": 1\n\"a\\0b\": 2\n"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct error e;
        yyjson_doc *document = nullptr;
        must_fail(yaml_parse(texts[i], strlen(texts[i]), &document, &e), e, ERROR_INVALID_SPEC, "twice");
        assert_null(document);
    }
    cleanup_json yyjson_doc *unlike = parse("\"a\\0b\": 1\n\"a\\0c\": 2\n\"a\": 3\n");
    assert_int_equal(yyjson_obj_size(yyjson_doc_get_root(unlike)), 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_scalars_have_the_types_of_json),
        cmocka_unit_test(a_number_beyond_all_reals_is_a_text),
        cmocka_unit_test(a_key_that_comes_twice_is_refused),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
