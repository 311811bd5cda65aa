#include "base/log.h"

#include "base/buffer.h"
#include "base/clock.h"

#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 16 * 1024, ESCAPE_MAX_BYTES = 6 };

static const char *const level_names[] = {"debug", "info", "warning", "error"};

const char *log_level_name(enum log_level level) {
    return level_names[level];
}

// The process has one standard error, hence one level for it.
static _Atomic(enum log_level) current_level = LOG_INFO;

void log_set_level(enum log_level level) {
    atomic_store(&current_level, level);
}

enum log_level log_get_level(void) {
    return atomic_load(&current_level);
}

bool log_parse_level(const char *text, enum log_level *ret_level) {
    for (size_t i = 0; i < sizeof(level_names) / sizeof(level_names[0]); i++) {
        if (strcmp(text, level_names[i]) == 0) {
            *ret_level = (enum log_level)i;
            return true;
        }
    }
    return false;
}

// Appends text as a JSON string; what does not fit is left out.
static void append_string(struct buffer *line, const char *text) {
    struct error ignored;
    (void)buffer_append(line, "\"", 1, &ignored);
    for (; *text != '\0' && line->length + 2 * ESCAPE_MAX_BYTES < line->cap; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') {
            (void)buffer_append(line, (const char[]){'\\', (char)c}, 2, &ignored);
        } else if (c < 0x20) {
            (void)buffer_append_format(line, &ignored, "\\u%04x", c);
        } else {
            (void)buffer_append(line, text, 1, &ignored);
        }
    }
    (void)buffer_append(line, "\"", 1, &ignored);
}

static void append_field(struct buffer *line, const char *name, const char *text) {
    // The two names and their punctuation must fit too, or the field is dropped whole.
    if (text != nullptr && line->length + strlen(name) + 8 * ESCAPE_MAX_BYTES < line->cap) {
        struct error ignored;
        (void)buffer_append_format(line, &ignored, "%s\"%s\":", line->length > 0 ? "," : "{", name);
        append_string(line, text);
    }
}

void log_write(enum log_level level, const char *message, const struct log_field *fields, size_t count) {
    if (level < atomic_load_explicit(&current_level, memory_order_relaxed)) {
        return;
    }
    char time[CLOCK_TEXT_SIZE];
    clock_format_micro(clock_wall_microseconds(), time);
    cleanup_buffer struct buffer line = buffer_create(LINE_MAX_BYTES);
    append_field(&line, "time", time);
    append_field(&line, "level", level_names[level]);
    append_field(&line, "message", message);
    for (size_t i = 0; i < count; i++) {
        append_field(&line, fields[i].name, fields[i].text);
    }
    struct error ignored;
    if (line.length > 0 && buffer_append_text(&line, "}\n", &ignored)) {
        // One write, so that lines of several threads do not mix; a log that cannot be written is lost.
        ssize_t written = write(STDERR_FILENO, line.data, line.length);
        (void)written;
    }
}
