#include "../base/check.h"
#include "../base/short_memory.h"

#include "json/read.h"
#include "json/write.h"

enum { CAP = 1024 * 1024 };

static void a_new_document_is_an_empty_object(void **) {
    struct error e;
    cleanup_json_mut yyjson_mut_doc *document = nullptr;
    cleanup_buffer struct buffer buffer = buffer_create(CAP);
    must(json_create(&document, &e), e);
    must(json_write(document, &buffer, &e), e);
    assert_string_equal(buffer_text(&buffer), "{}");
    json_mut_free(nullptr);
}

static void it_is_written_compactly_after_what_is_there(void **) {
    struct error e;
    cleanup_json_mut yyjson_mut_doc *document = nullptr;
    cleanup_buffer struct buffer buffer = buffer_create(CAP);
    must(json_create(&document, &e), e);
    yyjson_mut_val *root = yyjson_mut_doc_get_root(document);
    yyjson_mut_obj_add_str(document, root, "text", "a\"\n\xc3\xa9");
    yyjson_mut_obj_add_int(document, root, "number", -5);
    yyjson_mut_val *list = yyjson_mut_obj_add_arr(document, root, "list");
    yyjson_mut_arr_add_bool(document, list, true);
    yyjson_mut_arr_add_null(document, list);
    must(buffer_append_text(&buffer, "body: ", &e), e);
    must(json_write(document, &buffer, &e), e);
    assert_string_equal(buffer_text(&buffer),
                        "body: {\"text\":\"a\\\"\\n\xc3\xa9\",\"number\":-5,\"list\":[true,null]}");
}

static void what_json_has_not_is_refused(void **) {
    struct error e;
    cleanup_buffer struct buffer buffer = buffer_create(CAP);
    for (int fault = 0; fault < 3; fault++) {
        cleanup_json_mut yyjson_mut_doc *document = nullptr;
        must(json_create(&document, &e), e);
        yyjson_mut_val *root = yyjson_mut_doc_get_root(document);
        if (fault == 0) {
            yyjson_mut_obj_add_str(document, root, "text", "\xff");
        } else if (fault == 1) {
            yyjson_mut_obj_add_real(document, root, "number", 1e308 * 10);
        } else {
            yyjson_mut_doc_set_root(document, nullptr);
        }
        must_fail(json_write(document, &buffer, &e), e, ERROR_INTERNAL, "");
    }
    assert_int_equal(buffer.length, 0);
}

static void the_cap_of_the_buffer_holds(void **) {
    struct error e;
    cleanup_json_mut yyjson_mut_doc *document = nullptr;
    cleanup_buffer struct buffer buffer = buffer_create(8);
    must(json_create(&document, &e), e);
    yyjson_mut_obj_add_str(document, yyjson_mut_doc_get_root(document), "k", "v");
    must(buffer_append_text(&buffer, "0", &e), e);
    must_fail(json_write(document, &buffer, &e), e, ERROR_INTERNAL, "limit of 8");
    assert_string_equal(buffer_text(&buffer), "0");
}

// Adds much, looking at no result.
static void build(yyjson_mut_doc *document) {
    yyjson_mut_val *root = yyjson_mut_doc_get_root(document);
    yyjson_mut_val *list = yyjson_mut_obj_add_arr(document, root, "list");
    for (int i = 0; i < 300; i++) {
        yyjson_mut_val *item = yyjson_mut_arr_add_obj(document, list);
        yyjson_mut_obj_add_strcpy(document, item, "key", "a copied text that takes some room in the pool");
    }
    yyjson_mut_obj_add_bool(document, root, "last", true);
}

static void memory_that_ran_out_while_building_is_remembered(void **) {
    struct error e;
    long failures = 0;
    for (bool complete = false; !complete; failures++) {
        cleanup_json_mut yyjson_mut_doc *document = nullptr;
        cleanup_buffer struct buffer buffer = buffer_create(CAP);
        cleanup_json yyjson_doc *frozen = nullptr;
        must(json_create(&document, &e), e);
        memory_left = failures;
        build(document);
        memory_left = -1;
        complete = json_write(document, &buffer, &e);
        if (complete) {
            assert_non_null(strstr(buffer_text(&buffer), "\"last\":true}"));
        } else {
            assert_int_equal(e.class, ERROR_NO_MEMORY);
            assert_int_equal(buffer.length, 0);
            must_fail(json_freeze(document, &frozen, &e), e, ERROR_NO_MEMORY, "");
            assert_null(frozen);
        }
    }
    assert_in_range(failures, 3, 50);
}

static void out_of_memory_is_an_error_and_leaks_nothing(void **) {
    struct error e;
    yyjson_doc *source = nullptr;
    must(json_parse("{\"a\":[1,\"b\",{\"c\":null}]}", 24, &source, &e), e);
    long failures = 0;
    bool complete = false;
    while (!complete) {
        yyjson_mut_doc *document = nullptr;
        yyjson_doc *frozen = nullptr;
        struct buffer buffer = buffer_create(CAP);
        e = (struct error){0};
        memory_left = failures++;
        if (json_create(&document, &e)) {
            yyjson_mut_doc_set_root(document, yyjson_val_mut_copy(document, yyjson_doc_get_root(source)));
            complete = json_freeze(document, &frozen, &e) && json_write(document, &buffer, &e);
        }
        memory_left = -1;
        assert_true(complete || e.class == ERROR_NO_MEMORY);
        json_free(frozen);
        json_mut_free(document);
        buffer_done(&buffer);
    }
    assert_in_range(failures, 6, 50);
    json_free(source);
}

static void a_frozen_document_stands_alone(void **) {
    struct error e;
    yyjson_mut_doc *document = nullptr;
    cleanup_json yyjson_doc *frozen = nullptr;
    must(json_create(&document, &e), e);
    yyjson_mut_val *root = yyjson_mut_doc_get_root(document);
    yyjson_mut_obj_add_str(document, root, "k", "v");
    must(json_freeze(document, &frozen, &e), e);
    yyjson_mut_obj_add_str(document, root, "later", "x");
    json_mut_free(document);
    assert_string_equal(json_member_text(yyjson_doc_get_root(frozen), "k"), "v");
    assert_int_equal(yyjson_obj_size(yyjson_doc_get_root(frozen)), 1);
}

static void a_text_is_copied_and_none_is_left_out(void **) {
    struct error e;
    char text[] = "v";
    cleanup_json_mut yyjson_mut_doc *document = nullptr;
    cleanup_json yyjson_doc *frozen = nullptr;
    must(json_create(&document, &e), e);
    yyjson_mut_val *root = yyjson_mut_doc_get_root(document);
    json_add_text(document, root, "k", text);
    json_add_text(document, root, "empty", "");
    json_add_text(document, root, "none", nullptr);
    text[0] = 'w';
    must(json_freeze(document, &frozen, &e), e);
    assert_string_equal(json_member_text(yyjson_doc_get_root(frozen), "k"), "v");
    assert_int_equal(yyjson_obj_size(yyjson_doc_get_root(frozen)), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_document_is_an_empty_object),
        cmocka_unit_test(it_is_written_compactly_after_what_is_there),
        cmocka_unit_test(what_json_has_not_is_refused),
        cmocka_unit_test(the_cap_of_the_buffer_holds),
        cmocka_unit_test(memory_that_ran_out_while_building_is_remembered),
        cmocka_unit_test(out_of_memory_is_an_error_and_leaks_nothing),
        cmocka_unit_test(a_frozen_document_stands_alone),
        cmocka_unit_test(a_text_is_copied_and_none_is_left_out),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
