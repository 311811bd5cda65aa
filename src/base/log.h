// Structured logs: one JSON object a line, on standard error. Rooms below src/runtime do not log (but for a
// test build's base/failpoint.c, as its last act); what they log never holds key bytes.
#pragma once

#include <stddef.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };

struct log_field {
    const char *name;
    const char *text; // NULL: the field is left out
};

// Lines below level are dropped; any thread may change it at any time. The start is LOG_INFO.
void log_set_level(enum log_level level);
enum log_level log_get_level(void);

// "debug", "info", "warning" or "error"; static.
const char *log_level_name(enum log_level level);

// Reads "debug", "info", "warning" or "error". False: text is none of them.
[[nodiscard]] bool log_parse_level(const char *text, enum log_level *ret_level);

// Writes {"time":...,"level":...,"message":...,fields...}; a line is cut at 16 KiB. Any thread; lines never
// mix.
void log_write(enum log_level level, const char *message, const struct log_field *fields, size_t count);

#define LOG(level, message, ...)                                                                             \
    log_write(level, message, (const struct log_field[]){__VA_ARGS__},                                       \
              sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))
