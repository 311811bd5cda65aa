#include "base/cron.h"

#include "base/civil.h"
#include "base/span.h"

#include <strings.h>

enum {
    FIELD_COUNT = 5,
    NAME_LENGTH = 3,
    SHOWN_MAX = 100, // bytes of what is refused, in a message
    MINUTE_SECONDS = 60,
    DAY_HOURS = 24,
    // More than a local time can come again after: the distance of the farthest two offsets.
    REPEAT_SECONDS = 3 * CIVIL_DAY_SECONDS,
};

static const char white[] = " \t\n\v\f\r";

struct field {
    const char *name;
    int low;
    int high;
    const char *names; // of three letters each, the first for low; NULL: it has none
    const char *allowed;
};

static const struct field fields[FIELD_COUNT] = {
    {"minute", 0, 59, nullptr, "0 to 59"},
    {"hour", 0, 23, nullptr, "0 to 23"},
    {"day of month", 1, 31, nullptr, "1 to 31"},
    {"month", 1, 12, "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC", "1 to 12, JAN to DEC"},
    {"day of week", 0, 6, "SUNMONTUEWEDTHUFRISAT", "0 (Sunday) to 6, SUN to SAT"},
};

static const struct {
    const char *word;
    const char *meaning;
} words[] = {
    {"@hourly", "0 * * * *"},  {"@daily", "0 0 * * *"},  {"@midnight", "0 0 * * *"}, {"@weekly", "0 0 * * 0"},
    {"@monthly", "0 0 1 * *"}, {"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"},
};

// The numbers that a field allows.
struct set {
    uint64_t bits;
    bool is_any;
};

static int shown_length(struct span span) {
    return span_length(span) < SHOWN_MAX ? (int)span_length(span) : SHOWN_MAX;
}

static bool refuse(const struct field *field, struct span text, const char *why, struct error *e) {
    return error_set(e, ERROR_INVALID_SPEC, "the schedule's %s has \"%.*s\": %s", field->name,
                     shown_length(text), text.begin, why);
}

static bool refuse_value(const struct field *field, struct span text, struct error *e) {
    return error_set(e, ERROR_INVALID_SPEC,
                     "the schedule's %s has \"%.*s\": allowed are %s, *, ranges such as %d-%d, steps such as "
                     "*/2, and lists of these with commas",
                     field->name, shown_length(text), text.begin, field->allowed, field->low, field->low + 4);
}

// Takes what is before the first c off the front of rest, and c. False: there is no c, and all was taken.
static bool take_until(struct span *rest, char c, struct span *ret_part) {
    const char *at = memchr(rest->begin, c, span_length(*rest));
    *ret_part = (struct span){rest->begin, at == nullptr ? rest->end : at};
    rest->begin = at == nullptr ? rest->end : at + 1;
    return at != nullptr;
}

// Digits alone, up to a million. -1: text is something else.
static int read_digits(struct span text) {
    int number = text.begin < text.end ? 0 : -1;
    for (const char *at = text.begin; at < text.end; at++) {
        if (!is_digit(*at) || number > 100000) {
            return -1;
        }
        number = number * 10 + (*at - '0');
    }
    return number;
}

// A number or name of the field. -1: text is neither, or out of bounds.
static int read_value(const struct field *field, struct span text) {
    int number = read_digits(text);
    for (int i = field->low; field->names != nullptr && i <= field->high; i++) {
        const char *name = field->names + (size_t)NAME_LENGTH * (size_t)(i - field->low);
        if (span_length(text) == NAME_LENGTH && strncasecmp(text.begin, name, NAME_LENGTH) == 0) {
            number = i;
        }
    }
    return number >= field->low && number <= field->high ? number : -1;
}

// One item of a field's list: "*", "5", "1-5", each with "/2" behind it or without.
static bool add_item(const struct field *field, struct span item, struct set *set, struct error *e) {
    struct span rest = item;
    struct span range;
    struct span first;
    bool has_step = take_until(&rest, '/', &range);
    int step = has_step ? read_digits(rest) : 1;
    if (step <= 0) {
        return refuse(field, item, "what is behind / is a step, a number from 1 on", e);
    }
    int low = field->low;
    int high = field->high;
    bool is_any = span_length(range) == 1 && is_one_of(*range.begin, "*?");
    if (!is_any) {
        bool has_end = take_until(&range, '-', &first);
        low = read_value(field, first);
        high = has_end ? read_value(field, range) : has_step ? field->high : low;
        if (low < 0 || high < 0) {
            return refuse_value(field, item, e);
        }
        if (low > high) {
            return refuse(field, item, "a range begins with the lower number", e);
        }
    }
    for (int i = low; i <= high; i += step) {
        set->bits |= UINT64_C(1) << i;
    }
    set->is_any = set->is_any || (is_any && step == 1);
    return true;
}

static bool read_field(const struct field *field, struct span text, struct set *ret_set, struct error *e) {
    struct set set = {0};
    struct span rest = text;
    for (bool has_more = true; has_more;) {
        struct span item;
        has_more = take_until(&rest, ',', &item);
        if (item.begin == item.end) {
            return refuse(field, text, "nothing is before, between or behind a comma", e);
        }
        if (!add_item(field, item, &set, e)) {
            return false;
        }
    }
    *ret_set = set;
    return true;
}

// Fills ret_parts with the words of text as far as there is room; all are counted.
static size_t split(const char *text, struct span ret_parts[FIELD_COUNT]) {
    size_t count = 0;
    for (const char *at = text + strspn(text, white); *at != '\0'; at += strspn(at, white)) {
        struct span part = {at, at + strcspn(at, white)};
        if (count < FIELD_COUNT) {
            ret_parts[count] = part;
        }
        count++;
        at = part.end;
    }
    return count;
}

static bool begins_with(struct span text, const char *begin) {
    return span_length(text) >= strlen(begin) && strncmp(text.begin, begin, strlen(begin)) == 0;
}

static const char *find_word(struct span text) {
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (begins_with(text, words[i].word) && span_length(text) == strlen(words[i].word)) {
            return words[i].meaning;
        }
    }
    return nullptr;
}

static bool has_time_zone(struct span first) {
    return begins_with(first, "TZ=") || begins_with(first, "CRON_TZ=");
}

// What is to be said of a schedule that has not five fields, or something before them.
static bool refuse_form(const char *text, size_t count, struct span first, struct error *e) {
    struct span all = {text, text + strlen(text)};
    if (has_time_zone(first)) {
        return error_set(
            e, ERROR_INVALID_SPEC,
            "the schedule has \"%.*s\": a time zone is not part of it, but goes into the field timeZone",
            shown_length(first), first.begin);
    }
    if (begins_with(first, "@")) {
        return error_set(
            e, ERROR_INVALID_SPEC,
            "the schedule is \"%.*s\": of such words there are @hourly, @daily, @midnight, @weekly, "
            "@monthly, @yearly and @annually, each by itself",
            shown_length(all), text);
    }
    return error_set(
        e, ERROR_INVALID_SPEC,
        "the schedule \"%.*s\" has %zu fields; it needs 5: minute, hour, day of month, month and "
        "day of week, such as \"30 2 * * MON-FRI\"",
        shown_length(all), text, count);
}

bool cron_parse(const char *text, struct cron *ret_cron, struct error *e) {
    struct span parts[FIELD_COUNT] = {0};
    struct set sets[FIELD_COUNT];
    size_t count = split(text, parts);
    const char *meaning = count == 1 ? find_word(parts[0]) : nullptr;
    if (meaning != nullptr) {
        count = split(meaning, parts);
    }
    if (count != FIELD_COUNT || has_time_zone(parts[0])) {
        return refuse_form(text, count, parts[0], e);
    }
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        if (!read_field(&fields[i], parts[i], &sets[i], e)) {
            return false;
        }
    }
    *ret_cron = (struct cron){
        .minutes = sets[0].bits,
        .hours = sets[1].bits,
        .days = sets[2].bits,
        .months = sets[3].bits,
        .weekdays = sets[4].bits,
        .any_day = sets[2].is_any,
        .any_weekday = sets[4].is_any,
    };
    return true;
}

static bool has(uint64_t set, int number) {
    return (set >> number & 1) != 0;
}

static bool starts_on(const struct cron *cron, int64_t day) {
    struct civil_date date = civil_date_of(day);
    bool is_day = has(cron->days, date.day);
    bool is_weekday = has(cron->weekdays, date.weekday);
    bool both = cron->any_day || cron->any_weekday;
    return has(cron->months, date.month) && (both ? is_day && is_weekday : is_day || is_weekday);
}

// The first start of a day from the given minute of it on. -1: none.
static int next_minute(const struct cron *cron, int from) {
    int first = from % 60;
    for (int hour = from / 60; hour < DAY_HOURS; hour++) {
        for (int minute = first; has(cron->hours, hour) && minute < 60; minute++) {
            if (has(cron->minutes, minute)) {
                return hour * 60 + minute;
            }
        }
        first = 0;
    }
    return -1;
}

// The first start from one local time on and before another; end: none.
static int64_t next_local(const struct cron *cron, int64_t from, int64_t end) {
    int64_t beyond = from % MINUTE_SECONDS;
    from += beyond > 0 ? MINUTE_SECONDS - beyond : -beyond;
    while (from < end) {
        int64_t day = civil_day_of(from);
        int64_t midnight = day * CIVIL_DAY_SECONDS;
        int minute = starts_on(cron, day) ? next_minute(cron, (int)((from - midnight) / MINUTE_SECONDS)) : -1;
        if (minute >= 0) {
            int64_t start = midnight + (int64_t)minute * MINUTE_SECONDS;
            return start < end ? start : end;
        }
        from = midnight + CIVIL_DAY_SECONDS;
    }
    return end;
}

static int64_t later(int64_t one, int64_t other) {
    return one > other ? one : other;
}

// From one change of the clocks to the next.
struct stretch {
    int64_t begin; // UTC
    int64_t end;
    int64_t offset;
};

// Where every hour is allowed. 0: none in the stretch.
static int64_t next_of_all(const struct cron *cron, const struct stretch *stretch, int64_t after) {
    int64_t end = stretch->end + stretch->offset;
    int64_t start = next_local(cron, later(stretch->begin, after + 1) + stretch->offset, end);
    return start < end ? start - stretch->offset : 0;
}

// For each local time once: *seen is up to where they were before the stretch, and becomes so for its end.
static int64_t next_of_some(const struct cron *cron, const struct stretch *stretch, int64_t after,
                            int64_t *seen) {
    int64_t begin = stretch->begin + stretch->offset;
    int64_t end = stretch->end + stretch->offset;
    // From *seen to begin: left out.
    if (stretch->begin > after && *seen < begin && next_local(cron, *seen, begin) < begin) {
        return stretch->begin;
    }
    int64_t start = next_local(cron, later(later(begin, *seen), after + 1 + stretch->offset), end);
    *seen = later(*seen, end);
    return start < end ? start - stretch->offset : 0;
}

int64_t cron_next(const struct cron *cron, const struct time_zone *zone, int64_t after) {
    const uint64_t all_hours = (UINT64_C(1) << DAY_HOURS) - 1;
    const int64_t end = after + CRON_AHEAD_SECONDS;
    int64_t start = 0;
    int64_t begin = after - REPEAT_SECONDS;
    int64_t seen = begin + time_zone_offset(zone, begin);
    while (start == 0 && begin < end) {
        int64_t change = time_zone_next_change(zone, begin);
        struct stretch stretch = {begin, change < end ? change : end, time_zone_offset(zone, begin)};
        start = cron->hours == all_hours ? next_of_all(cron, &stretch, after)
                                         : next_of_some(cron, &stretch, after, &seen);
        begin = stretch.end;
    }
    return start;
}
