#include "runtime/watch_lines.h"

#include <string.h>

enum { KEPT_CAPACITY = 64 * 1024 }; // bytes that may stay allocated between two lines

// Appends a piece without a newline to what is pending.
static bool append(struct watch_lines *lines, const char *bytes, size_t length, struct error *e) {
    if (length > lines->pending.cap - lines->pending.length) {
        return error_set(e, ERROR_IO, "a line of the watch is longer than %zu bytes", lines->pending.cap);
    }
    return buffer_append(&lines->pending, bytes, length, e);
}

bool watch_lines_feed(struct watch_lines *lines, const char *bytes, size_t length,
                      bool (*line)(void *context, const char *text, size_t length, struct error *e),
                      void *context, struct error *e) {
    struct buffer *pending = &lines->pending;
    const char *newline;
    while (length > 0 && (newline = memchr(bytes, '\n', length)) != nullptr) {
        size_t piece = (size_t)(newline - bytes);
        bool whole = pending->length == 0 && piece <= pending->cap; // then there is nothing to put together
        if (!whole && !append(lines, bytes, piece, e)) {
            return false;
        }
        const char *text = whole ? bytes : pending->data;
        size_t size = whole ? piece : pending->length;
        if (size > 0 && !line(context, text, size, e)) {
            return false;
        }
        buffer_clear(pending, KEPT_CAPACITY);
        bytes += piece + 1;
        length -= piece + 1;
    }
    return length == 0 || append(lines, bytes, length, e);
}
