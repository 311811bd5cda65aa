#include "check.h"

static void a_set_error_has_its_class_and_message(void **) {
    struct error e = {.retry_after_ms = 5};
    assert_false(error_set(&e, ERROR_CONFLICT, "%s is taken by %d", "name", 7));
    assert_int_equal(e.class, ERROR_CONFLICT);
    assert_int_equal(e.retry_after_ms, 0);
    assert_string_equal(e.message, "name is taken by 7");
}

static void wrapping_puts_text_in_front_and_keeps_the_rest(void **) {
    struct error e;
    (void)error_set(&e, ERROR_GONE, "too old");
    e.retry_after_ms = 9;
    assert_false(error_wrap(&e, "listing %s", "secrets"));
    assert_int_equal(e.class, ERROR_GONE);
    assert_int_equal(e.retry_after_ms, 9);
    assert_string_equal(e.message, "listing secrets: too old");
}

static void a_message_may_be_made_of_itself(void **) {
    struct error e;
    (void)error_set(&e, ERROR_IO, "inner");
    (void)error_set(&e, ERROR_INTERNAL, "outer (%s)", e.message);
    assert_string_equal(e.message, "outer (inner)");
    (void)error_wrap(&e, "%s", e.message);
    assert_string_equal(e.message, "outer (inner): outer (inner)");
}

static void a_long_message_is_cut_with_dots(void **) {
    char text[2 * ERROR_MESSAGE_SIZE];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    struct error e;
    (void)error_set(&e, ERROR_IO, "%s", text);
    assert_int_equal(strlen(e.message), ERROR_MESSAGE_SIZE - 1);
    assert_string_equal(e.message + ERROR_MESSAGE_SIZE - 5, "x...");
    (void)error_wrap(&e, "doing");
    assert_memory_equal(e.message, "doing: xxx", 10);
    assert_string_equal(e.message + ERROR_MESSAGE_SIZE - 5, "x...");
    (void)error_wrap(&e, "%s", text);
    assert_int_equal(e.message[0], 'x');
    assert_string_equal(e.message + ERROR_MESSAGE_SIZE - 5, "x...");
}

static void a_long_message_is_cut_between_characters(void **) {
    for (size_t shift = 0; shift < 4; shift++) {
        cleanup_buffer struct buffer text = buffer_create(SIZE_MAX / 2);
        say(&text, "%.*s", (int)shift, "xxxx");
        while (text.length < ERROR_MESSAGE_SIZE + 10) {
            say(&text, "\xf0\x9f\x94\x91"); // one character of four bytes
        }
        struct error e;
        (void)error_set(&e, ERROR_IO, "%s", buffer_text(&text));
        size_t length = strlen(e.message);
        assert_in_range(length, ERROR_MESSAGE_SIZE - 4, ERROR_MESSAGE_SIZE - 1);
        assert_string_equal(e.message + length - 3, "...");
        assert_int_equal((length - 3 - shift) % 4, 0);
    }
}

static void each_class_has_a_name(void **) {
    for (int i = 0; i < ERROR_CLASS_COUNT; i++) {
        assert_non_null(error_class_name((enum error_class)i));
        assert_string_not_equal(error_class_name((enum error_class)i), "unknown");
    }
    assert_string_equal(error_class_name(ERROR_NO_MEMORY), "no_memory");
    assert_string_equal(error_class_name(ERROR_KEY_LOST), "key_lost");
    assert_string_equal(error_class_name(ERROR_KEY_MISMATCH), "key_mismatch");
    assert_string_equal(error_class_name((enum error_class)ERROR_CLASS_COUNT), "unknown");
    assert_string_equal(error_class_name((enum error_class) - 1), "unknown");
}

static void no_memory_says_what_for(void **) {
    struct error e;
    assert_false(error_no_memory(&e, "a queue"));
    assert_int_equal(e.class, ERROR_NO_MEMORY);
    assert_non_null(strstr(e.message, "a queue"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_set_error_has_its_class_and_message),
        cmocka_unit_test(wrapping_puts_text_in_front_and_keeps_the_rest),
        cmocka_unit_test(a_message_may_be_made_of_itself),
        cmocka_unit_test(a_long_message_is_cut_with_dots),
        cmocka_unit_test(a_long_message_is_cut_between_characters),
        cmocka_unit_test(each_class_has_a_name),
        cmocka_unit_test(no_memory_says_what_for),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
