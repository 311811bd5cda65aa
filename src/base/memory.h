// The program's one heap. Every block is cleansed when it is freed or moved, so that no library and no caller
// has to remember which of its blocks once held a key: JSON documents, HTTP buffers and OpenSSL's objects all
// live here.
#pragma once

#include <stddef.h>

// All three behave as malloc, calloc and realloc do, NULL when memory is out; the result is owned. A size of
// 0 frees.
[[nodiscard]] void *memory_allocate(size_t size);
[[nodiscard]] void *memory_allocate_zeroed(size_t count, size_t size);
[[nodiscard]] void *memory_resize(void *block, size_t size);

// Whether an allocation of the calling thread has failed since it last asked. For code that calls a library
// which takes a failed allocation for something else. A size of 0 may count as failed.
bool memory_take_failure(void);

// The same, without forgetting it.
bool memory_has_failed(void);

// Takes block; NULL is allowed.
void memory_free(void *block);

// A copy of text, owned; NULL when memory is out.
[[nodiscard]] char *memory_copy_text(const char *text);

// A copy of the first length bytes of text with a NUL after them, owned; NULL when memory is out. text may be
// NULL when length is 0.
[[nodiscard]] char *memory_copy_span(const char *text, size_t length);

// Overwrites size bytes in a way that the compiler keeps.
void memory_cleanse(void *bytes, size_t size);

// For [[gnu::cleanup]]: frees what a char * variable owns.
static inline void memory_free_text(char **text) {
    memory_free(*text);
}
#define cleanup_text [[gnu::cleanup(memory_free_text)]]
