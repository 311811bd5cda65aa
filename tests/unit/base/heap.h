// How much of the heap is in use, for tests of what is given back.
#pragma once

#include <malloc.h>
#include <stdlib.h>

// Bytes. A sanitizer's heap does not say, and never rises.
static size_t heap_in_use(void) {
    struct mallinfo2 heap = mallinfo2();
    return heap.uordblks + heap.hblkhd;
}

// Rounds of a test: so many where the heap can be measured, else one, which shows that it works at all.
static int heap_rounds(int count) {
    enum { SOME = 1 << 20 };
    size_t before = heap_in_use();
    void *volatile some = malloc(SOME);
    bool is_measured = heap_in_use() >= before + SOME;
    free(some);
    return is_measured ? count : 1;
}
