// When an output that expires is made anew: at a time that is known beforehand, by a timer.
#pragma once

#include <stdint.h>

// What a status calls these times, and by which an output that expires is known.
#define RENEWAL_FIELD "renewalTime"
#define RENEWAL_EXPIRY_FIELD "notAfter"
#define RENEWAL_START_FIELD "notBefore"

// All times are seconds since 1970, by the wall clock.
struct renewal {
    int64_t expires_at; // 0: never
    int64_t valid_from;
    int64_t renew_at; // 0: when it has expired, or its inputs change
};

enum {
    RENEWAL_LOOK_MS =
        3600 * 1000,        // timers run by the monotonic clock; this is when a changed wall clock shows
    RENEWAL_SPREAD_S = 300, // over which renewals that are overdue at the start are spread
    RENEWAL_LAST_S = 10,    // before its end an output is renewed however often that is
};

// Milliseconds until the output is due, at most RENEWAL_LOOK_MS; 0: it is due now. started: when this program
// began to work. What was overdue then becomes due at a time that depends on uid, within a quarter of what is
// left of its life and RENEWAL_SPREAD_S; what has expired is due at once. So is what is not valid yet: the
// clock was ahead when it was made. created: when its object was, by the API server's clock; at a time before
// that it is the present clock that is wrong, and it makes nothing due.
uint32_t renewal_wait_ms(const struct renewal *renewal, int64_t started, int64_t created, const char *uid,
                         int64_t now);
