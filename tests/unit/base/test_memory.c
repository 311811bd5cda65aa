#include "check.h"

#include "base/memory.h"

#include <malloc.h>
#include <stdlib.h>

// Whether pattern is in the bytes of a block that was freed. The block's first words may hold the allocator's
// links, and reading it at all is what a sanitizer forbids, so this test looks at blocks through a second
// pointer only where the allocator is the C library's own.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define CAN_LOOK_AT_FREED_BLOCKS 1
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#undef CAN_LOOK_AT_FREED_BLOCKS
#endif
#endif
#endif

enum { SIZE = 4000, LINKS = 64 };

#ifdef CAN_LOOK_AT_FREED_BLOCKS
static void fill(char *block, size_t size) {
    memset(block, 0x5a, size);
}

// Read behind the compiler's back, which knows that the block is freed.
static bool is_cleansed(uintptr_t address, size_t size) {
    const volatile unsigned char *bytes;
    __asm__("" : "=r"(bytes) : "0"(address));
    for (size_t i = LINKS; i < size; i++) {
        if (bytes[i] == 0x5a) {
            return false;
        }
    }
    return true;
}
#endif

static void a_freed_block_is_cleansed(void **) {
#ifdef CAN_LOOK_AT_FREED_BLOCKS
    char *block = memory_allocate(SIZE);
    char *guard = memory_allocate(SIZE); // so that block does not melt into the free space at the heap's end
    assert_non_null(block);
    fill(block, malloc_usable_size(block));
    uintptr_t address = (uintptr_t)block;
    assert_false(is_cleansed(address, SIZE));
    memory_free(block);
    assert_true(is_cleansed(address, SIZE));
    memory_free(guard);
#else
    skip();
#endif
}

static void a_block_that_moves_is_cleansed(void **) {
#ifdef CAN_LOOK_AT_FREED_BLOCKS
    char *block = memory_allocate(SIZE);
    char *guard = memory_allocate(SIZE);
    assert_non_null(block);
    fill(block, SIZE);
    uintptr_t address = (uintptr_t)block;
    char *moved = memory_resize(block, 10 * SIZE);
    assert_non_null(moved);
    assert_ptr_not_equal((void *)address, moved);
    assert_true(is_cleansed(address, SIZE));
    for (size_t i = 0; i < SIZE; i++) {
        assert_int_equal(moved[i], 0x5a);
    }
    memory_free(moved);
    memory_free(guard);
#else
    skip();
#endif
}

static void resizing_keeps_the_content(void **) {
    char *block = nullptr;
    for (size_t size = 1; size <= 3000; size++) {
        block = memory_resize(block, size);
        assert_non_null(block);
        block[size - 1] = (char)(size % 97);
    }
    for (size_t size = 3000; size > 0; size -= 7) {
        block = memory_resize(block, size);
        assert_non_null(block);
        for (size_t i = 0; i < size; i++) {
            assert_int_equal(block[i], (char)((i + 1) % 97));
        }
        if (size < 8) {
            break;
        }
    }
    assert_null(memory_resize(block, 0));
}

static void zeroed_blocks_are_zero(void **) {
    for (int round = 0; round < 10; round++) {
        unsigned char *block = memory_allocate_zeroed(16, 33);
        assert_non_null(block);
        for (size_t i = 0; i < 16 * 33; i++) {
            assert_int_equal(block[i], 0);
        }
        memset(block, 0xff, 16 * 33);
        memory_free(block);
    }
}

static void copies_of_texts_stand_alone(void **) {
    char text[] = "some text";
    cleanup_text char *copy = memory_copy_text(text);
    cleanup_text char *span = memory_copy_span(text, 4);
    cleanup_text char *empty = memory_copy_span(nullptr, 0);
    text[0] = 'X';
    assert_string_equal(copy, "some text");
    assert_string_equal(span, "some");
    assert_string_equal(empty, "");
    memory_free(nullptr);
}

static void a_failure_is_remembered_once(void **) {
#ifdef CAN_LOOK_AT_FREED_BLOCKS
    (void)memory_take_failure();
    memory_free(memory_allocate(1));
    assert_false(memory_take_failure());
    volatile size_t too_much = PTRDIFF_MAX; // more than there can be, and the compiler does not know
    assert_null(memory_allocate(too_much));
    memory_free(memory_allocate(1)); // a later success does not hide it
    assert_true(memory_take_failure());
    assert_false(memory_take_failure());
#else
    skip(); // a sanitizer ends the process instead
#endif
}

static void cleansing_overwrites(void **) {
    char bytes[32];
    memset(bytes, 1, sizeof(bytes));
    memory_cleanse(bytes, 31);
    for (size_t i = 0; i < 31; i++) {
        assert_int_equal(bytes[i], 0);
    }
    assert_int_equal(bytes[31], 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_freed_block_is_cleansed),   cmocka_unit_test(a_block_that_moves_is_cleansed),
        cmocka_unit_test(resizing_keeps_the_content),  cmocka_unit_test(zeroed_blocks_are_zero),
        cmocka_unit_test(copies_of_texts_stand_alone), cmocka_unit_test(a_failure_is_remembered_once),
        cmocka_unit_test(cleansing_overwrites),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
