#include "../kinds/support.h"

#include "engine/input_entry.h"

static const char *const usual[] = {"message", "content", nullptr};
static const char *const also[] = {"tls.crt", "ca.crt", nullptr};
static const struct input_source plain = {.kind = "Secret", .usual_keys = usual};
static const struct input_source bundle = {.kind = "QuantumCertificate", .data_key = "tls.key", .also = also};

static void assert_read(const struct input_source *from, const char *key, const char *object, bool is_secret,
                        const char *expected) {
    struct error e;
    cleanup_json yyjson_doc *document = parse_quoted(object);
    cleanup_secret struct secret *bytes = nullptr;
    must(input_entry_read(from, key, yyjson_doc_get_root(document), is_secret, &bytes, &e), e);
    assert_true(secret_equals(bytes, expected, strlen(expected)));
}

static void assert_not_read(const struct input_source *from, const char *key, const char *object,
                            bool is_secret, enum error_class class, const char *message) {
    struct error e;
    cleanup_json yyjson_doc *document = parse_quoted(object);
    struct secret *bytes = nullptr;
    must_fail(input_entry_read(from, key, yyjson_doc_get_root(document), is_secret, &bytes, &e), e, class,
              message);
    assert_null(bytes);
}

static void an_entry_is_base64_in_a_secret_and_text_in_a_config_map(void **) {
    assert_read(&plain, "k", "{'data':{'k':'YWJj'}}", true, "abc");
    assert_read(&plain, "k", "{'data':{'k':''}}", true, "");
    assert_read(&plain, "k", "{'data':{'k':'YWJj'}}", false, "YWJj");
    assert_read(&plain, "k", "{'binaryData':{'k':'YWJj'}}", false, "abc");
    assert_not_read(&plain, "k", "{'binaryData':{'k':'YWJj'}}", true, ERROR_NOT_FOUND, "has no entry k;");
    assert_not_read(&plain, "k", "{'data':{'k':'?'}}", true, ERROR_INVALID_SPEC, "");
    assert_not_read(&plain, "k", "{'data':{'k':5}}", true, ERROR_NOT_FOUND, "has no entry k;");
    assert_not_read(&plain, "k", "{}", false, ERROR_NOT_FOUND, "has no entry k;");
}

static void without_a_key_the_obvious_entry_is_meant(void **) {
    assert_read(&plain, nullptr, "{'data':{'content':'Yg==','message':'YQ==','x':'eA=='}}", true, "a");
    assert_read(&plain, nullptr, "{'data':{'content':'Yg==','x':'eA=='}}", true, "b");
    assert_read(&plain, nullptr, "{'data':{'x':'eA=='}}", true, "x");
    assert_read(&plain, nullptr, "{'binaryData':{'x':'eA=='}}", false, "x");
    assert_not_read(&plain, nullptr, "{'data':{'x':'eA==','y':'eQ=='}}", true, ERROR_NOT_FOUND,
                    "has neither an entry message nor exactly one entry;");
    assert_not_read(&plain, nullptr, "{'data':{'x':'1'},'binaryData':{'y':'eQ=='}}", false, ERROR_NOT_FOUND,
                    "has neither an entry message");
    assert_not_read(&plain, nullptr, "{}", true, ERROR_NOT_FOUND, "has neither an entry message");
}

static void what_belongs_together_is_read_together(void **) {
    assert_read(&bundle, "tls.key", "{'data':{'ca.crt':'Yw==','tls.crt':'Yg==','tls.key':'YQ=='}}", true,
                "abc");
    assert_not_read(&bundle, "tls.key", "{'data':{'tls.crt':'Yg==','tls.key':'YQ=='}}", true, ERROR_NOT_FOUND,
                    "has no entry ca.crt;");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entry_is_base64_in_a_secret_and_text_in_a_config_map),
        cmocka_unit_test(without_a_key_the_obvious_entry_is_meant),
        cmocka_unit_test(what_belongs_together_is_read_together),
    };
    return cmocka_run_group_tests_name("engine/input_entry", tests, nullptr, nullptr);
}
