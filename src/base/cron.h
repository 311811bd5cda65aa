// Schedules in cron's five fields, as Kubernetes' CronJob reads them: "30 2 * * MON-FRI".
#pragma once

#include "base/error.h"
#include "base/time_zone.h"

#include <stdint.h>

// Bit N of each set stands for the number N. Plain data: nothing is owned.
struct cron {
    uint64_t minutes;  // 0 to 59
    uint64_t hours;    // 0 to 23
    uint64_t days;     // of the month, 1 to 31
    uint64_t months;   // 1 to 12
    uint64_t weekdays; // 0 (Sunday) to 6
    bool any_day;      // the field is not restricted ("*"): then a day needs the other field alone
    bool any_weekday;
};

// Reads minute, hour, day of month, month and day of week, parted by white space. Each is *, ? (the same), a
// number, a range 1-5, one of these with a step (*/15, 10-30/5; 10/5 goes from 10 to the end), or a list of
// all that, 1,15,20-25. Months and days of the week have names too, JAN and SUN, in any case. Where both day
// fields are restricted, a day of either starts; */2 is a restriction, and */1 none. Or one word: @hourly,
// @daily,
// @midnight, @weekly, @monthly, @yearly, @annually. Errors: INVALID_SPEC, which says the field, what it has,
// and what is allowed.
[[nodiscard]] bool cron_parse(const char *text, struct cron *ret_cron, struct error *e);

enum { CRON_AHEAD_SECONDS = 5 * 366 * 24 * 60 * 60 }; // so far ahead a start is looked for: five years

// The first start after the time after (UTC, seconds since 1970, within 2^53 of it; so is the result). 0:
// none within five years.
//
// When clocks are changed: where every hour is allowed ("30 * * * *"), starts go with the time that passes,
// so that an hour which comes twice has its starts twice, and one that is left out has none. All other
// schedules start once for each local time that they name: the first time where it comes twice; and where it
// is left out, at the end of what is left out, so that "30 2 * * SUN" in Zurich starts at 03:00 on the last
// Sunday of March.
int64_t cron_next(const struct cron *cron, const struct time_zone *zone, int64_t after);
