#include "base/window.h"

int64_t window_find(const struct window *window, int64_t at, int64_t *ret_start) {
    int64_t back = window->duration_s < CRON_AHEAD_SECONDS ? window->duration_s : CRON_AHEAD_SECONDS;
    int64_t start = cron_next(&window->schedule, window->zone, at - back);
    if (start == 0) { // no window is open, but this was not looked through as far as five years from at
        start = cron_next(&window->schedule, window->zone, at);
    }
    if (start == 0) {
        return 0;
    }
    *ret_start = start;
    return start > at ? start : at;
}
