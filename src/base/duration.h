// Lengths of time as people write them.
#pragma once

#include <stdint.h>

// Reads one as Go writes it without fractions, "90m", "1h30m", "2160h": of units h, m, s, in that order, each
// once. False: it is none, or 2^53 seconds and more.
[[nodiscard]] bool duration_parse(const char *text, int64_t *ret_seconds);
