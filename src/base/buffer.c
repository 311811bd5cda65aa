#include "base/buffer.h"

#include "base/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { SMALLEST = 64 };

bool buffer_reserve(struct buffer *buffer, size_t length, char **ret_room, struct error *e) {
    if (length > buffer->cap - buffer->length) {
        return error_set(e, ERROR_INTERNAL, "%zu bytes are over the limit of %zu", buffer->length + length,
                         buffer->cap);
    }
    size_t needed = buffer->length + length + 1;
    if (needed > buffer->capacity) {
        size_t capacity = buffer->capacity * 2 > needed ? buffer->capacity * 2 : needed;
        capacity = capacity < SMALLEST ? SMALLEST : capacity;
        char *data = memory_resize(buffer->data, capacity);
        if (data == nullptr) {
            return error_no_memory(e, "growing a buffer");
        }
        buffer->data = data;
        buffer->capacity = capacity;
        data[buffer->length] = '\0';
    }
    *ret_room = buffer->data + buffer->length;
    return true;
}

void buffer_advance(struct buffer *buffer, size_t length) {
    buffer->length += length;
    buffer->data[buffer->length] = '\0';
}

bool buffer_append(struct buffer *buffer, const void *bytes, size_t length, struct error *e) {
    char *room;
    if (!buffer_reserve(buffer, length, &room, e)) {
        return false;
    }
    if (length > 0) {
        memcpy(room, bytes, length);
    }
    buffer_advance(buffer, length);
    return true;
}

bool buffer_append_text(struct buffer *buffer, const char *text, struct error *e) {
    return buffer_append(buffer, text, strlen(text), e);
}

bool buffer_append_format(struct buffer *buffer, struct error *e, const char *format, ...) {
    va_list arguments;
    va_list again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(nullptr, 0, format, arguments);
    va_end(arguments);
    char *room = nullptr;
    bool done = length >= 0 && buffer_reserve(buffer, (size_t)length, &room, e);
    if (done) {
        vsnprintf(room, (size_t)length + 1, format, again);
        buffer_advance(buffer, (size_t)length);
    } else if (length < 0) {
        error_set(e, ERROR_INTERNAL, "a text could not be formatted");
    }
    va_end(again);
    return done;
}

void buffer_consume(struct buffer *buffer, size_t length) {
    if (length == 0) {
        return;
    }
    buffer->length -= length;
    memmove(buffer->data, buffer->data + length, buffer->length + 1);
}

void buffer_clear(struct buffer *buffer, size_t kept) {
    if (buffer->capacity > kept) {
        buffer_done(buffer);
    } else {
        buffer_consume(buffer, buffer->length);
    }
}

const char *buffer_text(const struct buffer *buffer) {
    return buffer->data == nullptr ? "" : buffer->data;
}

void buffer_done(struct buffer *buffer) {
    memory_free(buffer->data);
    *buffer = (struct buffer){.cap = buffer->cap};
}
