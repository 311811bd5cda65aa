// Cuts a stream of bytes into lines, however the bytes arrive. Each byte is looked at once. (The format is
// one JSON text per line; a JSON text has no newline of its own, since the API server writes it compactly.)
#pragma once

#include "base/buffer.h"

struct watch_lines {
    struct buffer pending; // the beginning of a line whose end has not come; holds no newline
};

// Lines may be up to cap bytes long.
static inline struct watch_lines watch_lines_create(size_t cap) {
    return (struct watch_lines){.pending = buffer_create(cap)};
}

// Frees the content; what was pending is forgotten, and lines is usable again.
static inline void watch_lines_done(struct watch_lines *lines) {
    buffer_done(&lines->pending);
}

// Takes in length more bytes and calls line for each line that is complete now, without its newline and not
// when it is empty; text is borrowed during the call and has no NUL after it. false from line ends this: the
// rest of bytes is dropped, and *e is line's. Errors: those of line, IO (a line is over the cap), NO_MEMORY.
[[nodiscard]] bool watch_lines_feed(struct watch_lines *lines, const char *bytes, size_t length,
                                    bool (*line)(void *context, const char *text, size_t length,
                                                 struct error *e),
                                    void *context, struct error *e);
