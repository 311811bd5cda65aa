// base/memory with an end that tests choose: it is compiled into the test itself, in the place of the
// library's.
#pragma once

#include "../../torture/torture.h"

#include "base/memory.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

// So many allocations succeed, then all fail; negative: no end.
static atomic_long memory_left = -1;

static bool memory_is_out(void) {
    if (atomic_load(&memory_left) < 0) {
        return false;
    }
    if (atomic_load(&memory_left) == 0) {
        torture_note_own_lack();
        return true;
    }
    atomic_fetch_sub(&memory_left, 1);
    return false;
}

static void *short_malloc(size_t size) {
    return memory_is_out() ? nullptr : malloc(size);
}

static void *short_calloc(size_t count, size_t size) {
    return memory_is_out() ? nullptr : calloc(count, size);
}

#define malloc short_malloc
#define calloc short_calloc
#include "base/memory.c"
#undef malloc
#undef calloc
