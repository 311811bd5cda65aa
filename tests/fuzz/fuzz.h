// What the fuzz targets share. A target gets bytes as anybody could send them and checks what must hold of
// every answer, not only that there is one.
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "crypto/openssl.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// Ends the process where condition does not hold, whatever the build.
#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            (void)fprintf(stderr, "%s:%d: this does not hold: %s\n", __FILE__, __LINE__, #condition);        \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

// The call must succeed, with its error in e.
#define MUST(call, e)                                                                                        \
    do {                                                                                                     \
        if (!(call)) {                                                                                       \
            (void)fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #call, (e).message);                \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

static inline bool is_valid_text(const char *text) {
    char *copy = memory_copy_text(text);
    CHECK(copy != nullptr);
    utf8_make_valid(copy);
    bool same = strcmp(copy, text) == 0;
    memory_free(copy);
    return same;
}

// A refusal has the class that bad input has, and says something that can become JSON. e was zeroed before.
static inline void check_refusal(const struct error *e, enum error_class class) {
    if (e->class != class) {
        (void)fprintf(stderr, "%s: %s\n", error_class_name(e->class), e->message);
    }
    CHECK(e->class == class);
    CHECK(e->message[0] != '\0' && memchr(e->message, '\0', sizeof(e->message)) != nullptr);
    CHECK(is_valid_text(e->message));
}

// The bytes up to their first NUL as a text, in a block of its very size; owned.
static inline char *text_of(const uint8_t *data, size_t size) {
    char *text = memory_copy_span((const char *)data, size == 0 ? 0 : strnlen((const char *)data, size));
    CHECK(text != nullptr);
    return text;
}

static inline void start_crypto(void) {
    struct error e;
    MUST(crypto_start(&e), e);
}

// How to cut an input into pieces: another way for every input, and for the same input always the same.
struct cutter {
    uint64_t state;
};

static inline struct cutter cutter_create(const uint8_t *data, size_t size) {
    struct cutter cutter = {.state = 14695981039346656037U}; // FNV-1a
    for (size_t i = 0; i < size; i++) {
        cutter.state = (cutter.state ^ data[i]) * 1099511628211U;
    }
    return cutter;
}

// From 1 to most bytes, small ones more often; at most left.
static inline size_t cutter_next(struct cutter *cutter, size_t most, size_t left) {
    cutter->state = cutter->state * 6364136223846793005U + 1442695040888963407U;
    uint64_t bits = cutter->state >> 33;
    size_t piece = 1 + (size_t)(bits >> 3) % (most >> bits % 8 | 1);
    return piece < left ? piece : left;
}

enum pieces { IN_ONE_PIECE, IN_SOME_PIECES, BYTE_BY_BYTE, PIECES_COUNT };
enum { SOME_PIECE_MAX = 64 };

// The next piece of the *size bytes at *data, which it moves on: a block of its own, so that a sanitizer sees
// a read beyond its end; the caller frees it.
static inline char *cutter_take(struct cutter *cutter, enum pieces pieces, const uint8_t **data, size_t *size,
                                size_t *ret_length) {
    size_t length = pieces == IN_ONE_PIECE   ? *size
                    : pieces == BYTE_BY_BYTE ? 1
                                             : cutter_next(cutter, SOME_PIECE_MAX, *size);
    char *piece = memory_copy_span((const char *)*data, length);
    CHECK(piece != nullptr);
    *data += length;
    *size -= length;
    *ret_length = length;
    return piece;
}
