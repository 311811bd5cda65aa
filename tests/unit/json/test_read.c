#include "../base/check.h"
#include "../base/short_memory.h"

#include "json/read.h"

enum { TEXT_CAP = 64 * 1024 * 1024 };

static yyjson_doc *parse(const char *text) {
    struct error e;
    yyjson_doc *document = nullptr;
    must(json_parse(text, strlen(text), &document, &e), e);
    return document;
}

static void refuse_span(const char *text, size_t length, const char *part) {
    struct error e = {0};
    yyjson_doc *document = nullptr;
    if (json_parse(text, length, &document, &e)) {
        fail_msg("accepted: %.*s", (int)length, text);
    }
    assert_null(document);
    if (e.class != ERROR_INVALID_SPEC || strstr(e.message, part) == nullptr) {
        fail_msg("%.*s: %s, without \"%s\"", (int)length, text, e.message, part);
    }
}

static void refuse(const char *text, const char *part) {
    refuse_span(text, strlen(text), part);
}

static void good_texts_are_read(void **) {
    static const char *const texts[] = {
        "null",
        "true",
        "-0.5e-3",
        "\"\"",
        "[]",
        "{}",
        " \r\n\t{ } \n",
        "[1,2,3]",
        "{\"a\":{\"a\":{\"a\":1}}}",
        "\"\\u00e9\\ud83d\\udd11\\\"\\\\\\/\"",
        "[{\"a\":1},{\"a\":1}]",
        "{\"a\":1,\"A\":2,\"\":3,\"a \":4}",
        "18446744073709551615",
        "[\"[[[[\",\"}\",\"\\\\\",\"\\\"{\"]",
        "{\"\\u0000\":1,\"\":2}",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        json_free(parse(texts[i]));
    }
    json_free(nullptr);
}

static void bad_texts_are_refused(void **) {
    static const char *const texts[] = {
        "",
        " ",
        "nul",
        "tru e",
        "{",
        "}",
        "[",
        "]",
        "[}",
        "{]",
        "{\"a\"}",
        "{\"a\":}",
        "{a:1}",
        "{'a':1}",
        "[1,]",
        "{\"a\":1,}",
        "[,1]",
        "[1 2]",
        "{\"a\":1 \"b\":2}",
        "1 2",
        "{} {}",
        "[] x",
        "01",
        "1.",
        ".5",
        "+1",
        "- 1",
        "1e",
        "0x10",
        "NaN",
        "Infinity",
        "-Infinity",
        "1e999",
        "\"",
        "\"\\\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\ud800\"",
        "\"\\udc00\\ud800\"",
        "\"a\nb\"",
        "\"\t\"",
        "\xef\xbb\xbf{}",
        "\"\xff\"",
        "\"\xc0\x80\"",
        "\"\xed\xa0\x80\"",
        "\"\xf5\x80\x80\x80\"",
        "\"\xe2\x82\"",
        "// x\n1",
        "/* x */1",
        "\"a\" : 1",
        "[\"a\",\"\\",
        "{\"a\":\"\\\"}",
        "\x01",
        "[1]\x01",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        refuse(texts[i], "");
    }
    refuse_span("{}\0", 3, "");
    refuse_span("\"a\0b\"", 5, "");
    refuse("[1,2,x]", "byte 5");
}

static void text_after_the_length_is_not_looked_at(void **) {
    struct error e;
    cleanup_json yyjson_doc *document = nullptr;
    must(json_parse("12345", 2, &document, &e), e);
    assert_int_equal(json_integer(yyjson_doc_get_root(document), 0), 12);
}

// Nested depth times: [[[...]]] or {"a":{"a":...1}}.
static void nest(struct buffer *text, size_t depth, bool objects) {
    buffer_consume(text, text->length);
    for (size_t i = 0; i < depth; i++) {
        say(text, "%s", objects ? "{\"a\":" : "[");
    }
    say(text, "%s", objects ? "1" : "");
    for (size_t i = 0; i < depth; i++) {
        say(text, "%s", objects ? "}" : "]");
    }
}

static void nesting_has_a_limit(void **) {
    cleanup_buffer struct buffer text = buffer_create(TEXT_CAP);
    for (int objects = 0; objects < 2; objects++) {
        nest(&text, JSON_DEPTH_MAX, objects == 1);
        json_free(parse(buffer_text(&text)));
        nest(&text, JSON_DEPTH_MAX + 1, objects == 1);
        refuse(buffer_text(&text), "over 64 levels");
    }
}

static void only_nesting_counts(void **) {
    // Siblings, and brackets within strings (after escaped quotes too), are not depth.
    cleanup_buffer struct buffer text = buffer_create(TEXT_CAP);
    say(&text, "[");
    for (int i = 0; i < 1000; i++) {
        say(&text, "[{}],\"[\\\"[{\\\\\",");
    }
    say(&text, "0]");
    json_free(parse(buffer_text(&text)));
}

static void endless_nesting_is_refused_before_it_costs(void **) {
    enum { LENGTH = 4 * 1024 * 1024 };
    char *text = malloc(LENGTH);
    assert_non_null(text);
    memset(text, '[', LENGTH);
    memory_left = 0; // nothing is allocated for it
    refuse_span(text, LENGTH, "byte 64");
    memory_left = -1;
    free(text);
}

static void duplicate_keys_are_refused(void **) {
    refuse("{\"a\":1,\"a\":2}", "\"a\" twice");
    refuse("{\"a\":1,\"b\":{\"c\":1},\"a\":1}", "\"a\" twice");
    refuse("[0,{\"x\":[{\"k\":1,\"k\":1}]}]", "\"k\" twice");
    refuse("{\"a\":1,\"\\u0061\":2}", "\"a\" twice"); // as it is meant, not as it is written
    refuse("{\"\":1,\"\":2}", "\"\" twice");
}

// An object of count keys, with key number `again` written once more at the end (negative: none).
static struct buffer big_object(int count, int again) {
    struct buffer text = buffer_create(TEXT_CAP);
    say(&text, "{");
    for (int i = 0; i < count; i++) {
        say(&text, "%s\"key-%d\":%d", i == 0 ? "" : ",", i, i);
    }
    if (again >= 0) {
        say(&text, ",\"key-%d\":0", again);
    }
    say(&text, "}");
    return text;
}

static void duplicates_are_found_in_objects_of_any_size(void **) {
    for (int count = 1; count < 40; count++) {
        for (int again = -1; again < count; again++) {
            cleanup_buffer struct buffer text = big_object(count, again);
            if (again < 0) {
                json_free(parse(buffer_text(&text)));
            } else {
                refuse(buffer_text(&text), "twice");
            }
        }
    }
}

static void many_keys_are_no_burden(void **) {
    // With all pairs compared this would take minutes.
    cleanup_buffer struct buffer good = big_object(300000, -1);
    cleanup_json yyjson_doc *document = parse(buffer_text(&good));
    assert_int_equal(json_integer(json_find(yyjson_doc_get_root(document), "key-299999", nullptr), 0),
                     299999);
    cleanup_buffer struct buffer bad = big_object(300000, 150000);
    refuse(buffer_text(&bad), "\"key-150000\" twice");
}

static void a_long_key_is_cut_between_characters_in_the_message(void **) {
    cleanup_buffer struct buffer key = buffer_create(TEXT_CAP);
    cleanup_buffer struct buffer text = buffer_create(TEXT_CAP);
    say(&key, "x");
    for (int i = 0; i < 100; i++) {
        say(&key, "\xe2\x82\xac");
    }
    say(&text, "{\"%s\":1,\"%s\":2}", buffer_text(&key), buffer_text(&key));
    struct error e;
    yyjson_doc *document = nullptr;
    must_fail(json_parse(buffer_text(&text), text.length, &document, &e), e, ERROR_INVALID_SPEC, "twice");
    assert_non_null(strstr(e.message, "\xe2\x82\xac\" twice"));
    assert_in_range(strlen(e.message), 50, 250);
}

static void values_are_found_by_path(void **) {
    cleanup_json yyjson_doc *document =
        parse("{\"a\":{\"b\":{\"c\":\"deep\"},\"n\":null},\"t\":\"x\",\"i\":-3}");
    yyjson_val *root = yyjson_doc_get_root(document);
    assert_string_equal(json_text(json_find(root, "a", "b", "c", nullptr)), "deep");
    assert_ptr_equal(json_find(root, nullptr), root);
    assert_null(json_find(root, "a", "x", "c", nullptr));
    assert_null(json_find(root, "t", "x", nullptr));
    assert_null(json_find(root, "a", "b", "c", "d", nullptr));
    assert_null(json_find(nullptr, "a", nullptr));
    assert_string_equal(json_member_text(root, "t"), "x");
    assert_null(json_member_text(root, "i"));
    assert_null(json_member_text(root, "a"));
    assert_null(json_member_text(root, "none"));
    assert_null(json_member_text(nullptr, "t"));
    assert_null(json_text(json_find(root, "a", "n", nullptr)));
}

static void a_text_with_a_zero_in_it_is_no_c_string(void **) {
    cleanup_json yyjson_doc *document = parse("{\"name\":\"good\\u0000evil\",\"end\":\"x\\u0000\"}");
    yyjson_val *root = yyjson_doc_get_root(document);
    assert_null(json_member_text(root, "name"));
    assert_null(json_member_text(root, "end"));
    assert_int_equal(yyjson_get_len(json_find(root, "name", nullptr)), 9);
}

static void integers_have_a_range(void **) {
    static const struct {
        const char *text;
        int64_t value;
    } rows[] = {
        {"0", 0},
        {"-1", -1},
        {"9223372036854775807", INT64_MAX},
        {"-9223372036854775808", INT64_MIN},
        {"9223372036854775808", 42},
        {"18446744073709551616", 42},
        {"1.0", 42},
        {"1e2", 42},
        {"\"1\"", 42},
        {"null", 42},
        {"true", 42},
        {"[1]", 42},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cleanup_json yyjson_doc *document = parse(rows[i].text);
        assert_int_equal(json_integer(yyjson_doc_get_root(document), 42), rows[i].value);
    }
    assert_int_equal(json_integer(nullptr, 42), 42);
}

static void out_of_memory_is_an_error_and_leaks_nothing(void **) {
    cleanup_buffer struct buffer text = big_object(50, -1);
    struct error e;
    yyjson_doc *document = nullptr;
    long failures = 0;
    for (memory_left = 0; !json_parse(buffer_text(&text), text.length, &document, &e);
         memory_left = ++failures) {
        assert_int_equal(e.class, ERROR_NO_MEMORY);
        assert_null(document);
    }
    memory_left = -1;
    assert_in_range(failures, 2, 10);
    json_free(document);
}

// Every prefix and every one-byte change of a text is read or refused; what sanitizers would find is the
// point.
static void damaged_texts_do_no_harm(void **) {
    const char whole[] =
        "{\"metadata\":{\"name\":\"a\\u00e9\\n\",\"n\":[1,-2.5e3,true,null,{}]},\"x\":\"\xc3\xa9\"}";
    static const char replacements[] = "\"\\{}[],:0\x80\xff";
    for (size_t i = 0; i < sizeof(whole) - 1; i++) {
        refuse_span(whole, i, "");
        for (size_t j = 0; j < sizeof(replacements); j++) {
            char text[sizeof(whole)];
            memcpy(text, whole, sizeof(whole));
            text[i] = replacements[j];
            struct error e;
            yyjson_doc *document = nullptr;
            if (json_parse(text, sizeof(whole) - 1, &document, &e)) {
                json_free(document);
            } else {
                assert_int_equal(e.class, ERROR_INVALID_SPEC);
            }
        }
    }
}

static bool equal(const char *one_text, const char *other_text) {
    struct error e;
    cleanup_json yyjson_doc *one = nullptr;
    cleanup_json yyjson_doc *other = nullptr;
    must(json_parse(one_text, strlen(one_text), &one, &e), e);
    must(json_parse(other_text, strlen(other_text), &other, &e), e);
    bool there = json_equals(yyjson_doc_get_root(one), yyjson_doc_get_root(other));
    assert_int_equal(json_equals(yyjson_doc_get_root(other), yyjson_doc_get_root(one)), there);
    return there;
}

static void equal_values_are_such(void **) {
    static const char *const values[] = {
        "null",       "true",
        "false",      "1",
        "-1",         "1.5",
        "\"\"",       "\"a\"",
        "\"ab\"",     "[]",
        "{}",         "[1]",
        "[[1]]",      "[1,2]",
        "[2,1]",      "{\"a\":1}",
        "{\"a\":2}",  "{\"b\":1}",
        "[{}]",       "{\"a\":[]}",
        "{\"a\":{}}", "{\"a\":[1,{\"b\":\"c\"}]}",
    };
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        for (size_t j = 0; j < sizeof(values) / sizeof(values[0]); j++) {
            assert_int_equal(equal(values[i], values[j]), i == j);
        }
    }
    assert_true(equal("{\"a\":1,\"b\":{\"c\":2,\"d\":3}}", "{\"b\":{\"d\":3,\"c\":2},\"a\":1}"));
    assert_true(equal("\"a\\u0062\"", "\"ab\"")); // however it is written
    assert_true(json_equals(nullptr, nullptr));
}

// Members of an object, upwards or downwards; owned.
static char *many_members(int count, bool downwards) {
    struct error e;
    struct buffer text = buffer_create(8 * 1024 * 1024);
    must(buffer_append_text(&text, "{", &e), e);
    for (int i = 0; i < count; i++) {
        must(buffer_append_format(&text, &e, "%s\"%d\":0", i == 0 ? "" : ",", downwards ? count - 1 - i : i),
             e);
    }
    must(buffer_append_text(&text, "}", &e), e);
    return text.data;
}

// With the order of members left free it would take the square of their number: minutes, here.
static void a_large_object_in_another_order_is_another_one(void **) {
    cleanup_text char *upwards = many_members(300000, false);
    cleanup_text char *downwards = many_members(300000, true);
    assert_true(equal(upwards, upwards));
    assert_false(equal(upwards, downwards));
    cleanup_text char *few = many_members(500, false);
    cleanup_text char *few_downwards = many_members(500, true);
    assert_true(equal(few, few_downwards));
}

static void the_first_of_several_objects_is_measured(void **) {
    static const struct {
        const char *text;
        size_t length;
    } cases[] = {
        {"{}", 2},
        {"{} {}", 2},
        {"{\"a\":{\"b\":[{}]}}{", 16},
        {"{\"}\":\"\\\"}{\\\\\"}\n{}", 14},
        {"{\"0123456789}\":\"0123456789\\\"}\"}}", 31},
        {"{\"a\":{}", 7},
        {"{\"}", 3},
        {"{\"\\", 3},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(json_measure(cases[i].text, strlen(cases[i].text)), cases[i].length);
    }
    assert_int_equal(json_measure("{}", 1), 1);
    assert_int_equal(json_measure("", 0), 0);
}

static void shown(const char *json, const char *expected) {
    char text[JSON_SHOWN_SIZE];
    yyjson_doc *document = parse(json);
    json_show(yyjson_doc_get_root(document), text);
    assert_string_equal(text, expected);
    json_free(document);
}

static void a_text_is_shown_without_zeros_and_not_whole_when_it_is_long(void **) {
#define X21 "xxxxxxxxxxxxxxxxxxxxx"
    char text[JSON_SHOWN_SIZE];
    shown("\"a\\u0000b\"", "a\\u0000b");
    shown("\"\"", "");
    shown("5", "");
    shown("\"" X21 X21 X21 "x\"", X21 X21 X21 "x");
    shown("\"" X21 X21 X21 "xyz\"", X21 X21 X21 "x");
    shown("\"" X21 X21 X21 "\u00e9y\"", X21 X21 X21);
    json_show(nullptr, text);
    assert_string_equal(text, "");

    char zeros[6 * (JSON_SHOWN_MAX + 1) + 3] = "\"";
    for (size_t i = 0; i <= JSON_SHOWN_MAX; i++) {
        memcpy(zeros + 1 + 6 * i, "\\u0000", 6);
    }
    zeros[sizeof(zeros) - 2] = '"';
    zeros[sizeof(zeros) - 1] = '\0';
    yyjson_doc *document = parse(zeros);
    json_show(yyjson_doc_get_root(document), text);
    assert_int_equal(strlen(text), JSON_SHOWN_SIZE - 1);
    json_free(document);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_values_are_such),
        cmocka_unit_test(a_large_object_in_another_order_is_another_one),
        cmocka_unit_test(good_texts_are_read),
        cmocka_unit_test(bad_texts_are_refused),
        cmocka_unit_test(text_after_the_length_is_not_looked_at),
        cmocka_unit_test(nesting_has_a_limit),
        cmocka_unit_test(only_nesting_counts),
        cmocka_unit_test(endless_nesting_is_refused_before_it_costs),
        cmocka_unit_test(duplicate_keys_are_refused),
        cmocka_unit_test(duplicates_are_found_in_objects_of_any_size),
        cmocka_unit_test(many_keys_are_no_burden),
        cmocka_unit_test(a_long_key_is_cut_between_characters_in_the_message),
        cmocka_unit_test(values_are_found_by_path),
        cmocka_unit_test(a_text_with_a_zero_in_it_is_no_c_string),
        cmocka_unit_test(integers_have_a_range),
        cmocka_unit_test(out_of_memory_is_an_error_and_leaks_nothing),
        cmocka_unit_test(damaged_texts_do_no_harm),
        cmocka_unit_test(the_first_of_several_objects_is_measured),
        cmocka_unit_test(a_text_is_shown_without_zeros_and_not_whole_when_it_is_long),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
