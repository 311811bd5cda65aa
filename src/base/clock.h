// Time: a monotonic clock for deadlines, a wall clock for what people read, and RFC 3339 between them.
#pragma once

#include <stddef.h>
#include <stdint.h>

// Milliseconds on CLOCK_MONOTONIC; never goes back.
int64_t clock_monotonic_ms(void);

// Milliseconds on CLOCK_BOOTTIME: as clock_monotonic_ms, and it goes on while the machine sleeps. For what
// others count on meanwhile.
int64_t clock_boot_ms(void);

// Seconds on CLOCK_MONOTONIC with nanosecond resolution, for measuring.
double clock_monotonic_seconds(void);

// Seconds and microseconds since 1970-01-01T00:00:00Z.
int64_t clock_wall_seconds(void);
int64_t clock_wall_microseconds(void);

enum { CLOCK_TEXT_SIZE = 40 };

// Writes 2006-01-02T15:04:05Z (RFC 3339, as metav1.Time), NUL-terminated.
void clock_format(int64_t seconds, char ret_text[CLOCK_TEXT_SIZE]);

// Writes 2006-01-02T15:04:05.000000Z (as metav1.MicroTime), NUL-terminated.
void clock_format_micro(int64_t microseconds, char ret_text[CLOCK_TEXT_SIZE]);

// Reads RFC 3339 in UTC ("Z"), with or without a fraction, which is dropped. False: text is not that.
[[nodiscard]] bool clock_parse(const char *text, int64_t *ret_seconds);

// The same; 0: text is NULL or not that.
int64_t clock_read(const char *text);
