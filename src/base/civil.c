#include "base/civil.h"

// Years are counted from March here, so that the leap day is the last of its year; 400 of them, an era, have
// always the same number of days.
enum {
    YEAR_DAYS = 365,
    ERA_YEARS = 400,
    ERA_DAYS = ERA_YEARS * YEAR_DAYS + 97,
    EPOCH_DAYS = 719468, // from 0000-03-01 to 1970-01-01
    EPOCH_WEEKDAY = 4,   // a Thursday
};

static int64_t divide_down(int64_t number, int64_t by) {
    return number / by - (number % by < 0);
}

// Days from the first of March to the first of the month that is months after it: 31, 30, 31, 30, 31 and
// again.
static int64_t days_before_month(int64_t months) {
    return (153 * months + 2) / 5;
}

int64_t civil_days(int64_t year, int month, int day) {
    int64_t from_march = month > 2 ? year : year - 1;
    int64_t era = divide_down(from_march, ERA_YEARS);
    int64_t in_era = from_march - era * ERA_YEARS;
    int64_t leap_days = in_era / 4 - in_era / 100;
    return era * ERA_DAYS + in_era * YEAR_DAYS + leap_days + days_before_month((month + 9) % 12) + day - 1 -
           EPOCH_DAYS;
}

struct civil_date civil_date_of(int64_t days) {
    int64_t since = days + EPOCH_DAYS;
    int64_t era = divide_down(since, ERA_DAYS);
    int64_t in_era = since - era * ERA_DAYS;
    // The leap days up to then are taken away: one in 4 years (1460 days), none in 100, one in 400.
    int64_t year = (in_era - in_era / 1460 + in_era / 36524 - in_era / (ERA_DAYS - 1)) / YEAR_DAYS;
    int64_t in_year = in_era - (year * YEAR_DAYS + year / 4 - year / 100);
    int64_t months = (5 * in_year + 2) / 153; // after March
    int64_t weekday = (days + EPOCH_WEEKDAY) % 7;
    return (struct civil_date){
        .year = era * ERA_YEARS + year + (months >= 10),
        .month = (int)(months < 10 ? months + 3 : months - 9),
        .day = (int)(in_year - days_before_month(months)) + 1,
        .weekday = (int)(weekday < 0 ? weekday + 7 : weekday),
    };
}

int civil_month_length(int64_t year, int month) {
    return (int)(civil_days(month == 12 ? year + 1 : year, month % 12 + 1, 1) - civil_days(year, month, 1));
}

int64_t civil_day_of(int64_t seconds) {
    return divide_down(seconds, CIVIL_DAY_SECONDS);
}
