// base/secret on memory that ends where short_memory.h says, and with a count of the secrets that are not
// freed: it is compiled into the test itself, in the place of the library's.
#pragma once

#include "../base/short_memory.h"

#include "base/secret.h"

#include <stdio.h>
#define pkey_free mman_pkey_free // memory protection keys, which have nothing to do with crypto/pkey.h
#include <sys/mman.h>
#undef pkey_free

static atomic_long secrets_alive;

static void *counted_mmap(void *address, size_t length, int protection, int flags, int file, off_t offset) {
    void *mapping = memory_is_out() ? MAP_FAILED : mmap(address, length, protection, flags, file, offset);
    if (mapping != MAP_FAILED) {
        atomic_fetch_add(&secrets_alive, 1);
    }
    return mapping;
}

static int counted_munmap(void *address, size_t length) {
    atomic_fetch_sub(&secrets_alive, 1);
    return munmap(address, length);
}

#ifndef __clang_analyzer__ // it looks at that file by itself
#define mmap counted_mmap
#define munmap counted_munmap
#include "base/secret.c"
#undef mmap
#undef munmap
#endif

// For the end of all tests.
static inline int no_secret_is_left(void **) {
    if (atomic_load(&secrets_alive) != 0) {
        fprintf(stderr, "%ld secrets were not freed\n", atomic_load(&secrets_alive));
        return -1;
    }
    return 0;
}
