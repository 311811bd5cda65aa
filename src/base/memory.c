#include "base/memory.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

static thread_local bool has_failed;

static void *note_failure(void *block) {
    has_failed = has_failed || block == nullptr;
    return block;
}

void *memory_allocate(size_t size) {
    return note_failure(malloc(size));
}

void *memory_allocate_zeroed(size_t count, size_t size) {
    return note_failure(calloc(count, size));
}

bool memory_has_failed(void) {
    return has_failed;
}

bool memory_take_failure(void) {
    bool failed = has_failed;
    has_failed = false;
    return failed;
}

// The block's whole usable size is cleansed, not only what was asked for. Kept out of line, and away from the
// compiler's knowledge of the requested size, since FORTIFY would take the slack for an overflow.
[[gnu::noinline]] static void cleanse_block(void *block) {
    size_t usable = malloc_usable_size(block);
    __asm__("" : "+r"(block));
    explicit_bzero(block, usable);
}

void *memory_resize(void *block, size_t size) {
    if (block == nullptr) {
        return memory_allocate(size);
    }
    if (size == 0) {
        memory_free(block);
        return nullptr;
    }
    size_t usable = malloc_usable_size(block);
    if (size <= usable && size >= usable / 2) {
        return block;
    }
    void *moved = memory_allocate(size);
    if (moved != nullptr) {
        memcpy(moved, block, usable < size ? usable : size);
        memory_free(block);
    }
    return moved;
}

void memory_free(void *block) {
    if (block != nullptr) {
        cleanse_block(block);
        free(block);
    }
}

char *memory_copy_text(const char *text) {
    return memory_copy_span(text, strlen(text));
}

char *memory_copy_span(const char *text, size_t length) {
    char *copy = memory_allocate(length + 1);
    if (copy != nullptr) {
        if (length > 0) { // text may be NULL then
            memcpy(copy, text, length);
        }
        copy[length] = '\0';
    }
    return copy;
}

void memory_cleanse(void *bytes, size_t size) {
    explicit_bzero(bytes, size);
}
