// A growable run of bytes with a cap that is chosen when it is made. Always NUL-terminated, so that text in
// it can be used as a string; cleansed whenever it moves or is freed.
#pragma once

#include "base/error.h"

#include <stddef.h>

struct buffer {
    char *data;    // owned by the buffer; NULL while nothing was appended
    size_t length; // bytes in use, the terminating NUL not counted
    size_t capacity;
    size_t cap; // length never exceeds it
};

// An empty buffer that may grow to cap bytes.
static inline struct buffer buffer_create(size_t cap) {
    return (struct buffer){.cap = cap};
}

// Errors of all appends: INTERNAL (over the cap; nothing is appended), NO_MEMORY.
[[nodiscard]] bool buffer_append(struct buffer *buffer, const void *bytes, size_t length, struct error *e);
[[nodiscard]] bool buffer_append_text(struct buffer *buffer, const char *text, struct error *e);
[[nodiscard, gnu::format(printf, 3, 4)]] bool buffer_append_format(struct buffer *buffer, struct error *e,
                                                                   const char *format, ...);

// Makes room for length more bytes at the end; *ret_room is borrowed until the buffer changes. What is then
// written there counts once buffer_advance says so.
[[nodiscard]] bool buffer_reserve(struct buffer *buffer, size_t length, char **ret_room, struct error *e);
void buffer_advance(struct buffer *buffer, size_t length);

// Drops the first length bytes.
void buffer_consume(struct buffer *buffer, size_t length);

// Drops all bytes, and the memory for them if it is more than kept bytes.
void buffer_clear(struct buffer *buffer, size_t kept);

// The content as a string, "" when empty; borrowed until the buffer changes.
const char *buffer_text(const struct buffer *buffer);

// Frees the content; the buffer is empty and usable again, with the same cap.
void buffer_done(struct buffer *buffer);

#define cleanup_buffer [[gnu::cleanup(buffer_done)]]
