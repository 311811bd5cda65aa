// The Gregorian calendar, for years before its invention too: dates and the numbers of their days, of no time
// zone.
#pragma once

#include <stdint.h>

struct civil_date {
    int64_t year;
    int month;   // 1 to 12
    int day;     // 1 to 31
    int weekday; // 0 (Sunday) to 6
};

enum { CIVIL_DAY_SECONDS = 24 * 60 * 60 };

// The days from 1970-01-01 to that date, negative before. day may be off the month: day 0 is the day before
// the first. year: within a billion of 0.
int64_t civil_days(int64_t year, int month, int day);

// The date that is days after 1970-01-01. days: within 2^48 of 0.
struct civil_date civil_date_of(int64_t days);

// 28 to 31.
int civil_month_length(int64_t year, int month);

// seconds in whole days, rounded down for negative ones too: the day that a time in seconds is in.
int64_t civil_day_of(int64_t seconds);
