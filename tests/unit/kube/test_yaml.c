#include "../base/check.h"

#include "kube/yaml.h"
#include "json/write.h"

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

// ---- streams and writing

static void a_stream_is_a_list_of_documents(void **) {
    struct error e;
    static const char text[] = "a: 1\n---\n# nothing\n---\n- x\n...\n--- text\n";
    cleanup_json yyjson_doc *stream = nullptr;
    must(yaml_parse_stream(text, strlen(text), &stream, &e), e);
    yyjson_val *root = yyjson_doc_get_root(stream);
    assert_int_equal(yyjson_arr_size(root), 4);
    assert_true(yyjson_is_obj(yyjson_arr_get(root, 0)));
    assert_true(yyjson_is_null(yyjson_arr_get(root, 1)));
    assert_true(yyjson_is_arr(yyjson_arr_get(root, 2)));
    assert_string_equal(yyjson_get_str(yyjson_arr_get(root, 3)), "text");
    yyjson_doc *none = nullptr;
    must(yaml_parse_stream("", 0, &none, &e), e);
    assert_int_equal(yyjson_arr_size(yyjson_doc_get_root(none)), 0);
    json_free(none);
    none = nullptr;
    must_fail(yaml_parse_stream("a: 1\n---\na: 1\na: 2\n", 19, &none, &e), e, ERROR_INVALID_SPEC,
              "line 4: the same key comes twice");
    assert_null(none);
}

static void assert_written(const char *json, const char *expected) {
    struct error e;
    cleanup_json yyjson_doc *document = nullptr;
    cleanup_json yyjson_doc *again = nullptr;
    cleanup_buffer struct buffer text = buffer_create(1 << 16);
    must(json_parse(json, strlen(json), &document, &e), e);
    must(yaml_write(yyjson_doc_get_root(document), &text, &e), e);
    if (expected != nullptr) {
        assert_string_equal(buffer_text(&text), expected);
    }
    must(yaml_parse(buffer_text(&text), text.length, &again, &e), e);
    if (!json_equals(yyjson_doc_get_root(document), yyjson_doc_get_root(again))) {
        fail_msg("%s is another value than %s", buffer_text(&text), json);
    }
}

static void what_is_written_is_read_as_the_same(void **) {
    assert_written(
        "{\"kind\":\"Secret\",\"metadata\":{\"labels\":{\"app.kubernetes.io/x\":\"z\"}},\"data\":{}}",
        "kind: Secret\nmetadata:\n  labels:\n    app.kubernetes.io/x: z\ndata: {}\n");
    assert_written("{\"a\":[{\"b\":1,\"c\":[true,null]},[[]],\"x y\"]}",
                   "a:\n  - b: 1\n    c:\n      - true\n      - null\n  - - []\n  - \"x y\"\n");
    assert_written("{\"pem\":\"-----BEGIN\\n\\nAA==\\n\"}", "pem: |\n  -----BEGIN\n\n  AA==\n");
    assert_written("[\"l\\n\\nm\\n\"]", "- |\n  l\n\n  m\n");
    assert_written("[]", "[]\n");
    assert_written("\"x\"", "x\n");
    static const char *const texts[] = {"",
                                        "~",
                                        "null",
                                        "Null",
                                        "true",
                                        "no",
                                        "Off",
                                        "y",
                                        "1",
                                        "1e3",
                                        "0x1",
                                        "-",
                                        "- a",
                                        "a: b",
                                        "a #b",
                                        " a",
                                        "a ",
                                        "\\n",
                                        "a\\n",
                                        "a\\n\\n",
                                        " a\\n",
                                        "a \\nb\\n",
                                        "a\\tb\\n",
                                        "\\u0000",
                                        "\\\"",
                                        "\\\\",
                                        "\u00fc",
                                        "\\u007f",
                                        "a\\u0085b",
                                        "a\\u2028b\\u2029",
                                        "\\ufffe",
                                        "\\u0080\\u009f",
                                        "x\\u00a0",
                                        "\\ufeff",
                                        "\\r\\n",
                                        "\\u001b",
                                        "\\ud83d\\ude00",
                                        "#",
                                        "&a",
                                        "*a",
                                        "!a",
                                        "%a",
                                        "@a",
                                        "`a",
                                        "{",
                                        "[",
                                        "|",
                                        ">",
                                        "'",
                                        "?",
                                        ".5",
                                        ".inf",
                                        "2026-01-02",
                                        "a,b",
                                        "a'b",
                                        "<<",
                                        "=",
                                        "---",
                                        "..."};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        char json[200];
        snprintf(json, sizeof(json), "{\"k\":\"%s\",\"%s\":[\"%s\",{\"%s\":0.5}]}", texts[i], texts[i],
                 texts[i], texts[i]);
        assert_written(json, nullptr);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_scalars_have_the_types_of_json),
        cmocka_unit_test(a_number_beyond_all_reals_is_a_text),
        cmocka_unit_test(a_key_that_comes_twice_is_refused),
        cmocka_unit_test(a_stream_is_a_list_of_documents),
        cmocka_unit_test(what_is_written_is_read_as_the_same),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
