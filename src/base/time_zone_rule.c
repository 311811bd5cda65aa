#include "base/time_zone_rule.h"

#include "base/civil.h"

enum {
    OFFSET_HOURS_MAX = 24,
    TIME_HOURS_MAX = 167, // RFC 9636: a change may be written as one of another day
    NAME_MIN = 3,
    DEFAULT_SUMMER = 60 * 60,          // ahead of standard time
    DEFAULT_CHANGE_TIME = 2 * 60 * 60, // after midnight
};

static char peek(const struct span *rest) {
    char next = '\0';
    if (rest->begin < rest->end) {
        next = *rest->begin;
    }
    return next;
}

static bool take(struct span *rest, char c) {
    bool is_next = rest->begin < rest->end && *rest->begin == c;
    rest->begin += is_next;
    return is_next;
}

static bool take_number(struct span *rest, int32_t low, int32_t high, int32_t *ret_number) {
    int32_t number = 0;
    const char *begin = rest->begin;
    while (is_digit(peek(rest)) && number <= high) {
        number = number * 10 + (*rest->begin++ - '0');
    }
    bool good = rest->begin > begin && number >= low && number <= high;
    if (good) {
        *ret_number = number;
    }
    return good;
}

// "CET" or "<+03>".
static bool take_name(struct span *rest) {
    bool is_quoted = take(rest, '<');
    const char *begin = rest->begin;
    while (is_letter(peek(rest)) || (is_quoted && (is_digit(peek(rest)) || is_one_of(peek(rest), "+-")))) {
        rest->begin++;
    }
    return rest->begin - begin >= NAME_MIN && (!is_quoted || take(rest, '>'));
}

// "[+-]hh[:mm[:ss]]", in seconds.
static bool take_time(struct span *rest, int32_t hours_max, int32_t *ret_seconds) {
    int32_t hours;
    int32_t minutes = 0;
    int32_t seconds = 0;
    bool is_negative = take(rest, '-');
    if (!is_negative) {
        (void)take(rest, '+');
    }
    if (!take_number(rest, 0, hours_max, &hours)) {
        return false;
    }
    if (take(rest, ':') &&
        (!take_number(rest, 0, 59, &minutes) || (take(rest, ':') && !take_number(rest, 0, 59, &seconds)))) {
        return false;
    }
    int32_t total = (hours * 60 + minutes) * 60 + seconds;
    *ret_seconds = is_negative ? -total : total;
    return true;
}

// An offset as POSIX has it, positive west of Greenwich.
static bool take_offset(struct span *rest, int32_t *ret_offset) {
    int32_t west;
    bool good = take_time(rest, OFFSET_HOURS_MAX, &west);
    if (good) {
        *ret_offset = -west;
    }
    return good;
}

static bool take_day(struct span *rest, struct time_zone_rule_day *day) {
    day->seconds = DEFAULT_CHANGE_TIME;
    return take(rest, ',') && take(rest, 'M') && take_number(rest, 1, 12, &day->month) && take(rest, '.') &&
           take_number(rest, 1, 5, &day->week) && take(rest, '.') && take_number(rest, 0, 6, &day->weekday) &&
           (!take(rest, '/') || take_time(rest, TIME_HOURS_MAX, &day->seconds));
}

bool time_zone_rule_parse(struct span text, struct time_zone_rule *ret_rule) {
    struct time_zone_rule rule = {0};
    if (!take_name(&text) || !take_offset(&text, &rule.offset)) {
        return false;
    }
    rule.has_summer = text.begin < text.end;
    if (rule.has_summer) {
        rule.summer_offset = rule.offset + DEFAULT_SUMMER;
        if (!take_name(&text) || (peek(&text) != ',' && !take_offset(&text, &rule.summer_offset)) ||
            !take_day(&text, &rule.summer_start) || !take_day(&text, &rule.summer_end)) {
            return false;
        }
    }
    if (text.begin != text.end) {
        return false;
    }
    *ret_rule = rule;
    return true;
}

// Seconds of local time since 1970.
static int64_t change_in(int64_t year, const struct time_zone_rule_day *day) {
    int64_t first = civil_days(year, day->month, 1);
    int until_weekday = (day->weekday - civil_date_of(first).weekday + 7) % 7;
    int days = until_weekday + 7 * (day->week - 1);
    if (days >= civil_month_length(year, day->month)) {
        days -= 7; // there is no fifth one
    }
    return (first + days) * CIVIL_DAY_SECONDS + day->seconds;
}

// What is known of the changes around a time while they are gone through.
struct changes {
    int64_t utc;
    int64_t last; // at or before utc
    struct time_zone_rule_span span;
};

static void note_change(struct changes *changes, int64_t at, int32_t offset) {
    if (at > changes->utc) {
        changes->span.end = at < changes->span.end ? at : changes->span.end;
    } else if (at >= changes->last) {
        changes->last = at;
        changes->span.offset = offset;
    }
}

struct time_zone_rule_span time_zone_rule_at(const struct time_zone_rule *rule, int64_t utc) {
    struct changes changes = {.utc = utc, .last = INT64_MIN, .span = {rule->offset, INT64_MAX}};
    if (rule->has_summer) {
        // Two years either way: with 167 hours a change may be in another year than the one it is written
        // for.
        int64_t year = civil_date_of(civil_day_of(utc)).year;
        for (int64_t near = year - 2; near <= year + 2; near++) {
            note_change(&changes, change_in(near, &rule->summer_start) - rule->offset, rule->summer_offset);
            note_change(&changes, change_in(near, &rule->summer_end) - rule->summer_offset, rule->offset);
        }
    }
    return changes.span;
}
