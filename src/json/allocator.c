#include "json/allocator.h"

#include "base/memory.h"

static void *remember(void *context, void *block) {
    bool *failed = context;
    if (block == nullptr && failed != nullptr) {
        *failed = true;
    }
    return block;
}

static void *allocate(void *context, size_t size) {
    return remember(context, memory_allocate(size));
}

static void *resize(void *context, void *block, size_t, size_t size) {
    return remember(context, memory_resize(block, size));
}

static void release(void *, void *block) {
    memory_free(block);
}

const yyjson_alc json_allocator = {.malloc = allocate, .realloc = resize, .free = release};

yyjson_alc json_watched_allocator(bool *failed) {
    yyjson_alc allocator = json_allocator;
    allocator.ctx = failed;
    return allocator;
}
