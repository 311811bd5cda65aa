// Windows of time in which something may happen: they open by a schedule, and stay open for a while.
#pragma once

#include "base/cron.h"
#include "base/time_zone.h"

#include <stdint.h>

struct window {
    struct cron schedule;
    struct time_zone *zone; // owned by whoever has the window
    int64_t duration_s;     // from each start on; from 1 to 2^52
};

// The first time from at on (UTC, seconds since 1970, within 2^52 of it) that lies in a window: at itself
// where one is open, else the next start. *ret_start is when that window opened; of several that are open,
// the one that opened first, as far as five years back. 0, and *ret_start untouched: no window within five
// years.
[[nodiscard]] int64_t window_find(const struct window *window, int64_t at, int64_t *ret_start);
