#include "check.h"
#include "short_memory.h"

#include "base/buffer.h"

static void it_is_a_string_from_the_start(void **) {
    cleanup_buffer struct buffer buffer = buffer_create(10);
    struct error e;
    assert_string_equal(buffer_text(&buffer), "");
    must(buffer_append(&buffer, nullptr, 0, &e), e);
    assert_string_equal(buffer_text(&buffer), "");
    must(buffer_append_text(&buffer, "abc", &e), e);
    assert_string_equal(buffer_text(&buffer), "abc");
    assert_int_equal(buffer.length, 3);
}

static void it_grows_to_its_cap_and_not_over(void **) {
    cleanup_buffer struct buffer buffer = buffer_create(1000);
    struct error e;
    for (int i = 0; i < 100; i++) {
        must(buffer_append(&buffer, "0123456789", 10, &e), e);
    }
    must(buffer_append(&buffer, "", 0, &e), e);
    must_fail(buffer_append(&buffer, "x", 1, &e), e, ERROR_INTERNAL, "limit of 1000");
    must_fail(buffer_append(&buffer, "x", SIZE_MAX, &e), e, ERROR_INTERNAL, "limit");
    assert_int_equal(buffer.length, 1000);
    assert_int_equal(strlen(buffer_text(&buffer)), 1000);
}

static void what_does_not_fit_is_not_begun(void **) {
    cleanup_buffer struct buffer buffer = buffer_create(5);
    struct error e;
    must(buffer_append_text(&buffer, "abc", &e), e);
    must_fail(buffer_append_text(&buffer, "def", &e), e, ERROR_INTERNAL, "6 bytes");
    must_fail(buffer_append_format(&buffer, &e, "%d", 123), e, ERROR_INTERNAL, "6 bytes");
    assert_string_equal(buffer_text(&buffer), "abc");
    must(buffer_append_format(&buffer, &e, "%d", 12), e);
    assert_string_equal(buffer_text(&buffer), "abc12");
}

static void it_holds_bytes_of_any_value(void **) {
    cleanup_buffer struct buffer buffer = buffer_create(100);
    struct error e;
    must(buffer_append(&buffer, "a\0b", 3, &e), e);
    must(buffer_append(&buffer, "\xff", 1, &e), e);
    assert_int_equal(buffer.length, 4);
    assert_memory_equal(buffer.data, "a\0b\xff\0", 5);
}

static void room_is_written_and_then_counted(void **) {
    cleanup_buffer struct buffer buffer = buffer_create(100);
    struct error e;
    char *room;
    must(buffer_append_text(&buffer, "x", &e), e);
    must(buffer_reserve(&buffer, 50, &room, &e), e);
    memcpy(room, "reserved", 8);
    assert_int_equal(buffer.length, 1);
    buffer_advance(&buffer, 8);
    assert_string_equal(buffer_text(&buffer), "xreserved");
    char *untouched = room;
    must_fail(buffer_reserve(&buffer, 92, &room, &e), e, ERROR_INTERNAL, "limit");
    assert_ptr_equal(room, untouched);
}

static void the_front_is_consumed(void **) {
    cleanup_buffer struct buffer buffer = buffer_create(100);
    struct error e;
    buffer_consume(&buffer, 0);
    must(buffer_append_text(&buffer, "headtail", &e), e);
    buffer_consume(&buffer, 4);
    assert_string_equal(buffer_text(&buffer), "tail");
    must(buffer_append_text(&buffer, "s", &e), e);
    assert_string_equal(buffer_text(&buffer), "tails");
    buffer_consume(&buffer, 5);
    assert_string_equal(buffer_text(&buffer), "");
    assert_int_equal(buffer.length, 0);
}

static void it_is_usable_after_it_was_freed(void **) {
    struct buffer buffer = buffer_create(3);
    struct error e;
    must(buffer_append_text(&buffer, "abc", &e), e);
    buffer_done(&buffer);
    assert_string_equal(buffer_text(&buffer), "");
    must(buffer_append_text(&buffer, "xyz", &e), e);
    must_fail(buffer_append_text(&buffer, "1", &e), e, ERROR_INTERNAL, "limit of 3");
    buffer_done(&buffer);
    buffer_done(&buffer);
}

static void out_of_memory_leaves_it_as_it_was(void **) {
    cleanup_buffer struct buffer buffer = buffer_create(1000);
    struct error e;
    memory_left = 0;
    must_fail(buffer_append_text(&buffer, "abc", &e), e, ERROR_NO_MEMORY, "");
    memory_left = -1;
    assert_string_equal(buffer_text(&buffer), "");
    must(buffer_append_text(&buffer, "abc", &e), e);
    memory_left = 0;
    must_fail(buffer_append_format(&buffer, &e, "%500d", 1), e, ERROR_NO_MEMORY, "");
    memory_left = -1;
    assert_string_equal(buffer_text(&buffer), "abc");
}

static void clearing_keeps_little_memory(void **) {
    struct error e;
    cleanup_buffer struct buffer buffer = buffer_create(100);
    buffer_clear(&buffer, 10);
    must(buffer_append_text(&buffer, "some text", &e), e);
    size_t capacity = buffer.capacity;
    buffer_clear(&buffer, capacity);
    assert_string_equal(buffer_text(&buffer), "");
    assert_int_equal(buffer.capacity, capacity);
    buffer_clear(&buffer, capacity - 1);
    assert_null(buffer.data);
    must(buffer_append_text(&buffer, "more", &e), e);
    assert_string_equal(buffer_text(&buffer), "more");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_a_string_from_the_start),
        cmocka_unit_test(it_grows_to_its_cap_and_not_over),
        cmocka_unit_test(what_does_not_fit_is_not_begun),
        cmocka_unit_test(it_holds_bytes_of_any_value),
        cmocka_unit_test(room_is_written_and_then_counted),
        cmocka_unit_test(the_front_is_consumed),
        cmocka_unit_test(it_is_usable_after_it_was_freed),
        cmocka_unit_test(out_of_memory_leaves_it_as_it_was),
        cmocka_unit_test(clearing_keeps_little_memory),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
