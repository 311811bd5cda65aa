#include "../base/check.h"
#include "../kinds/short_secrets.h"

#include "engine/secret_data.h"

static struct secret *bytes_of(const char *text) {
    struct error e;
    struct secret *secret = nullptr;
    must(secret_copy(text, strlen(text), &secret, &e), e);
    return secret;
}

static void it_finds_what_was_added(void **) {
    struct error e;
    cleanup_secret_data struct secret_data data = {0};
    assert_null(secret_data_get(&data, "a"));
    must(secret_data_add(&data, "a", bytes_of("one"), &e), e);
    must(secret_data_add_text(&data, "b", "two", &e), e);
    must(secret_data_add_text(&data, "", "", &e), e);
    assert_int_equal(data.count, 3);
    assert_true(secret_equals(secret_data_get(&data, "a"), "one", 3));
    assert_true(secret_equals(secret_data_get(&data, "b"), "two", 3));
    assert_int_equal(secret_length(secret_data_get(&data, "")), 0);
    assert_null(secret_data_get(&data, "A"));
    assert_null(secret_data_get(&data, "ab"));
}

static void a_key_is_added_once(void **) {
    struct error e;
    cleanup_secret_data struct secret_data data = {0};
    must(secret_data_add_text(&data, "a", "first", &e), e);
    must_fail(secret_data_add(&data, "a", bytes_of("second"), &e), e, ERROR_INTERNAL, "another entry a");
    must_fail(secret_data_add_text(&data, "a", "third", &e), e, ERROR_INTERNAL, "another entry a");
    assert_int_equal(data.count, 1);
    assert_true(secret_equals(secret_data_get(&data, "a"), "first", 5));
}

static void it_holds_ten(void **) {
    static const char *const keys[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
    static_assert(sizeof(keys) / sizeof(keys[0]) == SECRET_DATA_MAX);
    struct error e;
    cleanup_secret_data struct secret_data data = {0};
    for (size_t i = 0; i < SECRET_DATA_MAX; i++) {
        must(secret_data_add_text(&data, keys[i], keys[i], &e), e);
    }
    must_fail(secret_data_add(&data, "more", bytes_of("more"), &e), e, ERROR_INTERNAL, "another entry more");
    for (size_t i = 0; i < SECRET_DATA_MAX; i++) {
        assert_true(secret_equals(secret_data_get(&data, keys[i]), keys[i], 1));
    }
}

static void what_is_required_must_be_there(void **) {
    struct error e;
    cleanup_secret_data struct secret_data data = {0};
    const struct secret *value = nullptr;
    must(secret_data_add_text(&data, "key", "12345", &e), e);
    must_fail(secret_data_require(&data, "other", &value, &e), e, ERROR_CRYPTO,
              "the Secret's entry other is missing");
    assert_null(value);
    must(secret_data_require(&data, "key", &value, &e), e);
    assert_ptr_equal(value, secret_data_get(&data, "key"));
}

static void what_is_required_must_have_its_length(void **) {
    struct error e;
    cleanup_secret_data struct secret_data data = {0};
    const struct secret *value = nullptr;
    must(secret_data_add_text(&data, "key", "12345", &e), e);
    must_fail(secret_data_require_length(&data, "other", 5, &value, &e), e, ERROR_CRYPTO,
              "the Secret's entry other is missing");
    must_fail(secret_data_require_length(&data, "key", 4, &value, &e), e, ERROR_CRYPTO,
              "the Secret's entry key has 5 bytes, not 4");
    must_fail(secret_data_require_length(&data, "key", 6, &value, &e), e, ERROR_CRYPTO,
              "the Secret's entry key has 5 bytes, not 6");
    assert_null(value);
    must(secret_data_require_length(&data, "key", 5, &value, &e), e);
    assert_ptr_equal(value, secret_data_get(&data, "key"));
}

static void it_is_empty_after_it_was_freed(void **) {
    struct error e;
    struct secret_data data = {0};
    secret_data_done(&data);
    must(secret_data_add_text(&data, "key", "12345", &e), e);
    secret_data_done(&data);
    assert_int_equal(data.count, 0);
    assert_null(secret_data_get(&data, "key"));
    must(secret_data_add_text(&data, "key", "again", &e), e);
    secret_data_done(&data);
}

static void out_of_memory_adds_nothing(void **) {
    struct error e;
    cleanup_secret_data struct secret_data data = {0};
    memory_left = 0;
    must_fail(secret_data_add_text(&data, "key", "12345", &e), e, ERROR_NO_MEMORY, "a secret");
    memory_left = -1;
    assert_int_equal(data.count, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_finds_what_was_added),
        cmocka_unit_test(a_key_is_added_once),
        cmocka_unit_test(it_holds_ten),
        cmocka_unit_test(what_is_required_must_be_there),
        cmocka_unit_test(what_is_required_must_have_its_length),
        cmocka_unit_test(it_is_empty_after_it_was_freed),
        cmocka_unit_test(out_of_memory_adds_nothing),
    };
    return cmocka_run_group_tests_name("kinds/secret_data", tests, nullptr, no_secret_is_left);
}
