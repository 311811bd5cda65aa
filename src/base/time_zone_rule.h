// The rule at the end of a time zone's file: what follows its last change, in the words of POSIX's variable
// TZ.
#pragma once

#include "base/span.h"

#include <stdint.h>

// The day and time of a change: "M3.5.0/2".
struct time_zone_rule_day {
    int month;       // 1 to 12
    int week;        // 1 to 5, 5 being the month's last such weekday
    int weekday;     // 0 (Sunday) to 6
    int32_t seconds; // of local time after that day's midnight, up to 167 hours either way
};

struct time_zone_rule {
    int32_t offset;        // seconds east of UTC, in standard time
    int32_t summer_offset; // and from summer_start to summer_end of each year
    bool has_summer;
    struct time_zone_rule_day summer_start; // of the local time before it, as the other
    struct time_zone_rule_day summer_end;
};

// Reads "CET-1CEST,M3.5.0,M10.5.0/3", "<+0545>-5:45" and the like. False: text is none, or has days of
// another form than M3.5.0.
[[nodiscard]] bool time_zone_rule_parse(struct span text, struct time_zone_rule *ret_rule);

struct time_zone_rule_span {
    int32_t offset; // seconds east of UTC
    int64_t end;    // until that time (UTC, seconds since 1970); INT64_MAX: for ever
};

// What holds at utc (seconds since 1970, within 2^53 of it).

struct time_zone_rule_span time_zone_rule_at(const struct time_zone_rule *rule, int64_t utc);
