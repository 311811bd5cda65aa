#include "base/cron.h"

#include "base/civil.h"
#include "base/clock.h"

#include "check.h"
#include "zone_file.h"

#include <stdio.h>

enum { HOUR = 3600, MINUTE = 60 };

static int64_t at(const char *text) {
    int64_t seconds = 0;
    assert_true(clock_parse(text, &seconds));
    return seconds;
}

static struct cron parse(const char *text) {
    struct error e;
    struct cron cron;
    must(cron_parse(text, &cron, &e), e);
    return cron;
}

static uint64_t bits(int low, int high, int step) {
    uint64_t set = 0;
    for (int i = low; i <= high; i += step) {
        set |= UINT64_C(1) << i;
    }
    return set;
}

static void fields_are_read_as_kubernetes_reads_them(void **) {
    static const struct {
        const char *minute;
        int low, high, step;
        int more; // one that is allowed besides, if it is not 0
    } rows[] = {
        {"*", 0, 59, 1, 0},      {"?", 0, 59, 1, 0},
        {"*/15", 0, 59, 15, 0},  {"?/15", 0, 59, 15, 0},
        {"0", 0, 0, 1, 0},       {"59", 59, 59, 1, 0},
        {"007", 7, 7, 1, 0},     {"10-20", 10, 20, 1, 0},
        {"10-10", 10, 10, 1, 0}, {"10-20/5", 10, 20, 5, 0},
        {"50/3", 50, 59, 3, 0},  {"10-20,30", 10, 20, 1, 30},
        {"*/90", 0, 0, 1, 0},    {"30,10-20/5", 10, 20, 5, 30},
        {"5,5,5", 5, 5, 1, 0},   {"*/1", 0, 59, 1, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[100];
        (void)snprintf(text, sizeof(text), "%s 0 1 1 0", rows[i].minute);
        struct cron cron = parse(text);
        uint64_t more = rows[i].more == 0 ? 0 : UINT64_C(1) << rows[i].more;
        if (cron.minutes != (bits(rows[i].low, rows[i].high, rows[i].step) | more)) {
            fail_msg("%s: %jx", rows[i].minute, (uintmax_t)cron.minutes);
        }
    }
}

static void each_field_has_its_place_bounds_and_names(void **) {
    struct cron cron = parse("  1\t2  3 4 5\n");
    assert_true(cron.minutes == bits(1, 1, 1) && cron.hours == bits(2, 2, 1) && cron.days == bits(3, 3, 1));
    assert_true(cron.months == bits(4, 4, 1) && cron.weekdays == bits(5, 5, 1));
    assert_true(!cron.any_day && !cron.any_weekday);
    cron = parse("0-59 0-23 1-31 JAN-DEC SUN-SAT");
    assert_true(cron.minutes == bits(0, 59, 1) && cron.hours == bits(0, 23, 1) &&
                cron.days == bits(1, 31, 1));
    assert_true(cron.months == bits(1, 12, 1) && cron.weekdays == bits(0, 6, 1));
    assert_true(!cron.any_day && !cron.any_weekday); // they are written as restrictions
    cron = parse("0 0 * feb,May,7-SEP/2 mon-FRI");
    assert_true(cron.months == (bits(2, 2, 1) | bits(5, 5, 1) | bits(7, 9, 2)));
    assert_true(cron.weekdays == bits(1, 5, 1) && cron.any_day && !cron.any_weekday);
    cron = parse("0 0 */2 * ?");
    assert_true(!cron.any_day && cron.any_weekday && cron.days == bits(1, 31, 2));
    cron = parse("0 0 1,* * */1");
    assert_true(cron.any_day && cron.any_weekday && cron.days == bits(1, 31, 1));
}

static void words_stand_for_schedules(void **) {
    static const char *const rows[][2] = {
        {"@hourly", "0 * * * *"},     {"@daily", "0 0 * * *"},   {"@midnight", "0 0 * * *"},
        {"@weekly", "0 0 * * SUN"},   {"@monthly", "0 0 1 * *"}, {"@yearly", "0 0 1 1 *"},
        {" @annually ", "0 0 1 1 *"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cron word = parse(rows[i][0]);
        struct cron fields = parse(rows[i][1]);
        assert_true(word.minutes == fields.minutes && word.hours == fields.hours && word.days == fields.days);
        assert_true(word.months == fields.months && word.weekdays == fields.weekdays);
        assert_true(word.any_day == fields.any_day && word.any_weekday == fields.any_weekday);
    }
}

static void what_is_no_schedule_is_refused(void **) {
    static const struct {
        const char *text;
        const char *part;
    } rows[] = {
        {"", "the schedule \"\" has 0 fields; it needs 5: minute, hour, day of month, month and day of week"},
        {" ", "has 0 fields"},
        {"* * * *", "has 4 fields"},
        {"0 * * * * *", "has 6 fields"},
        {"60 * * * *", "the schedule's minute has \"60\": allowed are 0 to 59, *, ranges such as 0-4"},
        {"-1 * * * *", "minute has \"-1\": allowed are 0 to 59"},
        {"+1 * * * *", "minute has \"+1\": allowed are 0 to 59"},
        {"1.5 * * * *", "minute has \"1.5\": allowed are 0 to 59"},
        {"4294967296 * * * *", "minute has \"4294967296\": allowed are 0 to 59"},
        {"99999999999999999999 * * * *", "minute has"},
        {"5-60 * * * *", "minute has \"5-60\": allowed are"},
        {"1-2-3 * * * *", "minute has \"1-2-3\": allowed are"},
        {"*-5 * * * *", "minute has \"*-5\": allowed are"},
        {"** * * * *", "minute has \"**\": allowed are"},
        {"SUN * * * *", "minute has \"SUN\": allowed are"},
        {"20-10 * * * *", "minute has \"20-10\": a range begins with the lower number"},
        {"*/0 * * * *", "minute has \"*/0\": what is behind / is a step, a number from 1 on"},
        {"*/ * * * *", "minute has \"*/\": what is behind /"},
        {"*/-1 * * * *", "minute has \"*/-1\": what is behind /"},
        {"*/2/3 * * * *", "minute has \"*/2/3\": what is behind /"},
        {"/2 * * * *", "minute has \"/2\": allowed are"},
        {"1,,2 * * * *", "minute has \"1,,2\": nothing is before, between or behind a comma"},
        {", * * * *", "minute has \",\": nothing is"},
        {"1, * * * *", "minute has \"1,\": nothing is"},
        {"* 24 * * *", "hour has \"24\": allowed are 0 to 23"},
        {"* * 0 * *", "day of month has \"0\": allowed are 1 to 31"},
        {"* * 32 * *", "day of month has \"32\": allowed are 1 to 31"},
        {"* * L * *", "day of month has \"L\": allowed are 1 to 31"},
        {"* * * 0 *", "month has \"0\": allowed are 1 to 12, JAN to DEC"},
        {"* * * 13 *", "month has \"13\": allowed are 1 to 12, JAN to DEC"},
        {"* * * JUNE *", "month has \"JUNE\": allowed are"},
        {"* * * * 7", "day of week has \"7\": allowed are 0 (Sunday) to 6, SUN to SAT"},
        {"* * * * FRI-MON", "day of week has \"FRI-MON\": a range begins with"},
        {"* * * * MON#1", "day of week has \"MON#1\": allowed are"},
        {"TZ=Europe/Zurich 0 2 * * *",
         "the schedule has \"TZ=Europe/Zurich\": a time zone is not part of it, but "
         "goes into the field timeZone"},
        {"CRON_TZ=UTC 0 2 * * *", "\"CRON_TZ=UTC\": a time zone is not part"},
        {"TZ=UTC 0 2 * *", "goes into the field timeZone"},
        {"TZ=UTC @daily", "goes into the field timeZone"},
        {"@every 5m", "the schedule is \"@every 5m\": of such words there are @hourly"},
        {"@Daily", "of such words there are @hourly"},
        {"@dailyx", "of such words there are"},
        {"@reboot", "of such words there are"},
        {"@", "of such words there are"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct error e;
        struct cron cron = {.minutes = 99};
        must_fail(cron_parse(rows[i].text, &cron, &e), e, ERROR_INVALID_SPEC, rows[i].part);
        assert_true(cron.minutes == 99 && cron.hours == 0);
    }
}

struct start {
    const char *schedule;
    const char *after;
    const char *wanted; // NULL: none
};

static void assert_starts(const char *zone_name, const struct start *rows, size_t count) {
    cleanup_time_zone struct time_zone *zone = zone_load(zone_name);
    for (size_t i = 0; i < count; i++) {
        struct cron cron = parse(rows[i].schedule);
        char text[CLOCK_TEXT_SIZE];
        int64_t start = cron_next(&cron, zone, at(rows[i].after));
        int64_t wanted = rows[i].wanted == nullptr ? 0 : at(rows[i].wanted);
        clock_format(start, text);
        if (start != wanted) {
            fail_msg("\"%s\" in %s after %s: %s", rows[i].schedule, zone_name, rows[i].after, text);
        }
    }
}

static void the_next_start_is_found(void **) {
    static const struct start rows[] = {
        {"* * * * *", "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z"},
        {"* * * * *", "2026-01-01T00:00:01Z", "2026-01-01T00:01:00Z"},
        {"* * * * *", "2026-01-01T00:00:59Z", "2026-01-01T00:01:00Z"},
        {"*/15 * * * *", "2026-01-01T00:45:00Z", "2026-01-01T01:00:00Z"},
        {"30 2 * * *", "2026-01-01T02:29:59Z", "2026-01-01T02:30:00Z"},
        {"30 2 * * *", "2026-01-01T02:30:00Z", "2026-01-02T02:30:00Z"},
        {"30 2 * * *", "2026-12-31T03:00:00Z", "2027-01-01T02:30:00Z"},
        {"20-35/15 10-12,22 * * *", "2026-01-01T12:20:00Z", "2026-01-01T12:35:00Z"},
        {"20-35/15 10-12,22 * * *", "2026-01-01T12:35:00Z", "2026-01-01T22:20:00Z"},
        {"0 0 31 * *", "2026-01-31T00:00:00Z", "2026-03-31T00:00:00Z"},
        {"0 0 29 FEB *", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z"},
        {"0 0 29 FEB *", "2096-03-01T00:00:00Z", nullptr}, // 2100 is no leap year
        {"0 0 31 FEB *", "2026-01-01T00:00:00Z", nullptr},
        {"0 0 * * MON-FRI", "2026-10-02T12:00:00Z", "2026-10-05T00:00:00Z"},
        {"0 0 * * SAT", "2026-10-02T12:00:00Z", "2026-10-03T00:00:00Z"},
        // Both days are restricted: either. One is "*": the other alone.
        {"0 0 13 * FRI", "2026-10-01T00:00:00Z", "2026-10-02T00:00:00Z"},
        {"0 0 13 * FRI", "2026-10-09T00:00:00Z", "2026-10-13T00:00:00Z"},
        {"0 0 13 * *", "2026-10-01T00:00:00Z", "2026-10-13T00:00:00Z"},
        {"0 0 ? * FRI", "2026-10-02T00:00:00Z", "2026-10-09T00:00:00Z"},
        {"0 0 */10 * FRI", "2026-10-03T00:00:00Z", "2026-10-09T00:00:00Z"},
        {"0 0 */1 * FRI", "2026-10-03T00:00:00Z", "2026-10-09T00:00:00Z"},
        {"0 0 1-31 * FRI", "2026-10-03T00:00:00Z", "2026-10-04T00:00:00Z"},
        {"@weekly", "2026-10-01T00:00:00Z", "2026-10-04T00:00:00Z"},
        {"@yearly", "2026-10-01T00:00:00Z", "2027-01-01T00:00:00Z"},
    };
    assert_starts("UTC", rows, sizeof(rows) / sizeof(rows[0]));
}

static void a_schedule_is_in_its_time_zone(void **) {
    static const struct start zurich[] = {
        {"30 2 * * *", "2026-01-01T00:00:00Z", "2026-01-01T01:30:00Z"},
        {"30 2 * * *", "2026-07-01T00:00:00Z", "2026-07-01T00:30:00Z"},
        {"30 0 * * SUN", "2026-10-02T00:00:00Z", "2026-10-03T22:30:00Z"},
        {"0 0 1 1 *", "2050-07-01T00:00:00Z", "2050-12-31T23:00:00Z"},
    };
    static const struct start kathmandu[] = {
        {"0 * * * *", "2026-01-01T00:00:00Z", "2026-01-01T00:15:00Z"},
        {"0 0 * * *", "2026-01-01T00:00:00Z", "2026-01-01T18:15:00Z"},
    };
    static const struct start new_york[] = {
        {"0 20 * * *", "2026-01-02T00:00:00Z", "2026-01-02T01:00:00Z"},
        {"0 20 31 12 *", "2026-07-01T00:00:00Z", "2027-01-01T01:00:00Z"},
    };
    assert_starts("Europe/Zurich", zurich, sizeof(zurich) / sizeof(zurich[0]));
    assert_starts("Asia/Kathmandu", kathmandu, sizeof(kathmandu) / sizeof(kathmandu[0]));
    assert_starts("America/New_York", new_york, sizeof(new_york) / sizeof(new_york[0]));
}

static void a_time_that_is_left_out_starts_at_the_end_of_what_is(void **) {
    static const struct start zurich[] = {
        // 2026-03-29: after 01:59:59 comes 03:00:00, which is 01:00:00Z.
        {"30 2 * * *", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z"},
        {"30 2 * * *", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"},
        {"0 2 * * *", "2026-03-29T00:59:59Z", "2026-03-29T01:00:00Z"},
        {"0 2,3 * * *", "2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z"},
        {"0 2,4 * * *", "2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z"},
        {"30 2 * * SUN", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z"},
        {"30 2 * * MON", "2026-03-28T12:00:00Z", "2026-03-30T00:30:00Z"},
        {"30 1 * * *", "2026-03-29T00:29:59Z", "2026-03-29T00:30:00Z"},
        {"30 3 * * *", "2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z"},
        {"30 2 * * *", "2050-03-26T12:00:00Z", "2050-03-27T01:00:00Z"},
        // Where every hour is allowed, the one that is left out has no start.
        {"30 * * * *", "2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z"},
    };
    static const struct start lord_howe[] = {
        // 2026-10-04: after 01:59:59 comes 02:30:00, which is 2026-10-03T15:30:00Z.
        {"15 2 * * *", "2026-10-03T00:00:00Z", "2026-10-03T15:30:00Z"},
        {"45 2 * * *", "2026-10-03T00:00:00Z", "2026-10-03T15:45:00Z"},
    };
    static const struct start apia[] = {
        // 2011-12-30 was left out.
        {"0 12 30 12 *", "2011-12-01T00:00:00Z", "2011-12-30T10:00:00Z"},
        {"0 12 30 12 *", "2011-12-30T10:00:00Z", "2012-12-29T22:00:00Z"},
    };
    assert_starts("Europe/Zurich", zurich, sizeof(zurich) / sizeof(zurich[0]));
    assert_starts("Australia/Lord_Howe", lord_howe, sizeof(lord_howe) / sizeof(lord_howe[0]));
    assert_starts("Pacific/Apia", apia, sizeof(apia) / sizeof(apia[0]));
}

static void a_time_that_comes_twice_starts_once(void **) {
    static const struct start zurich[] = {
        // 2026-10-25: after 02:59:59 comes 02:00:00 again, which is 01:00:00Z.
        {"30 2 * * *", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z"},
        {"30 2 * * *", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"},
        {"30 2 * * *", "2026-10-25T01:15:00Z", "2026-10-26T01:30:00Z"},
        {"* 2,3 * * *", "2026-10-25T00:59:00Z", "2026-10-25T02:00:00Z"},
        {"0 3 * * *", "2026-10-25T00:59:00Z", "2026-10-25T02:00:00Z"},
        {"30 2 * * *", "2050-10-30T00:30:00Z", "2050-10-31T01:30:00Z"},
        // Where every hour is allowed, both hours have their starts.
        {"30 * * * *", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"},
        {"30 * * * *", "2026-10-25T01:30:00Z", "2026-10-25T02:30:00Z"},
    };
    static const struct start lord_howe[] = {
        // 2026-04-05: after 01:59:59 comes 01:30:00 again, which is 2026-04-04T15:00:00Z.
        {"45 1 * * *", "2026-04-04T00:00:00Z", "2026-04-04T14:45:00Z"},
        {"45 1 * * *", "2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z"},
    };
    assert_starts("Europe/Zurich", zurich, sizeof(zurich) / sizeof(zurich[0]));
    assert_starts("Australia/Lord_Howe", lord_howe, sizeof(lord_howe) / sizeof(lord_howe[0]));
}

// Whether the fields name that local time.
static bool names(const struct cron *cron, int64_t local) {
    struct civil_date date = civil_date_of(civil_day_of(local));
    int64_t minute = (local - civil_day_of(local) * CIVIL_DAY_SECONDS) / MINUTE;
    bool day = (cron->days >> date.day & 1) != 0;
    bool weekday = (cron->weekdays >> date.weekday & 1) != 0;
    bool both = cron->any_day || cron->any_weekday;
    return (cron->minutes >> minute % 60 & 1) != 0 && (cron->hours >> minute / 60 & 1) != 0 &&
           (cron->months >> date.month & 1) != 0 && (both ? day && weekday : day || weekday);
}

// The same as cron_next, minute by minute.
static void assert_as_minute_by_minute(const char *schedule, const struct time_zone *zone, int64_t begin,
                                       int64_t end) {
    struct cron cron = parse(schedule);
    bool is_hourly = cron.hours == bits(0, 23, 1);
    int64_t next = cron_next(&cron, zone, begin - 1);
    int64_t seen = begin + time_zone_offset(zone, begin);
    for (int64_t utc = begin; utc < end; utc += MINUTE) {
        int64_t local = utc + time_zone_offset(zone, utc);
        bool starts = (is_hourly || local >= seen) && names(&cron, local);
        for (; seen < local && !is_hourly; seen += MINUTE) {
            starts = starts || names(&cron, seen);
        }
        seen = local + MINUTE > seen ? local + MINUTE : seen;
        if (starts != (utc == next)) {
            fail_msg("\"%s\": %jd in the place of %jd", schedule, (intmax_t)next, (intmax_t)utc);
        }
        if (starts) {
            next = cron_next(&cron, zone, utc);
            assert_true(cron_next(&cron, zone, next - 1) == next);
        }
    }
}

static void every_start_around_a_change_is_found(void **) {
    static const char *const schedules[] = {
        "* * * * *",    "17 * * * *",    "*/7 1-3 * * *",     "30 2 * * *",
        "0 0 * * *",    "30 23 * * 0,3", "*/20 0-1 13 * FRI", "15,45 2-4/2 1-7 * *",
        "59 23 31 * *", "0 0 1 4,10 *",  "* 0-22 * * SUN",
    };
    static const char *const rules[] = {
        "CET-1CEST,M3.5.0,M10.5.0/3",
        "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", // half an hour
        "<-04>4<-03>,M9.1.6/24,M4.1.6/24",      // at midnight
        "<+00>0<+02>-2,M3.5.0/1,M10.5.0/3",     // two hours
    };
    enum { CHANGES = 4, AROUND = 2 * CIVIL_DAY_SECONDS };
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        cleanup_time_zone struct time_zone *zone = zone_of_rule(rules[i]);
        int64_t change = at("2026-01-01T00:00:00Z");
        for (size_t j = 0; j < CHANGES; j++) {
            change = time_zone_next_change(zone, change);
            for (size_t k = 0; k < sizeof(schedules) / sizeof(schedules[0]); k++) {
                assert_as_minute_by_minute(schedules[k], zone, change - AROUND, change + AROUND);
            }
        }
    }
}

static void every_start_of_a_year_is_found(void **) {
    cleanup_time_zone struct time_zone *zone = zone_load("Europe/Zurich");
    int64_t begin = at("2028-01-01T00:00:00Z");
    assert_as_minute_by_minute("15,45 2-4/2 29-31,1 * MON", zone, begin, begin + 370 * CIVIL_DAY_SECONDS);
}

static void a_zone_with_a_day_that_comes_twice_and_changes_close_by_is_right(void **) {
    static const int64_t changes[] = {
        100 * CIVIL_DAY_SECONDS + 2 * HOUR,
        100 * CIVIL_DAY_SECONDS + 2 * HOUR + 30 * MINUTE,
        100 * CIVIL_DAY_SECONDS + 2 * HOUR + 45 * MINUTE,
        100 * CIVIL_DAY_SECONDS + 5 * HOUR,
        104 * CIVIL_DAY_SECONDS,
    };
    static const char *const schedules[] = {"*/5 0-22 * * *", "*/5 * * * *", "0 12 * * *", "10 2 * * *"};
    struct error e;
    struct time_zone *zone;
    cleanup_buffer struct buffer file = buffer_create(10000);
    zone_write(&(struct zone_file){'2', -1800, changes, 5, "<+26>24"}, &file); // then 25 hours back
    must(time_zone_parse(buffer_text(&file), file.length, &zone, &e), e);
    for (size_t i = 0; i < sizeof(schedules) / sizeof(schedules[0]); i++) {
        assert_as_minute_by_minute(schedules[i], zone, 98 * CIVIL_DAY_SECONDS, 110 * CIVIL_DAY_SECONDS);
    }
    time_zone_free(zone);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_read_as_kubernetes_reads_them),
        cmocka_unit_test(each_field_has_its_place_bounds_and_names),
        cmocka_unit_test(words_stand_for_schedules),
        cmocka_unit_test(what_is_no_schedule_is_refused),
        cmocka_unit_test(the_next_start_is_found),
        cmocka_unit_test(a_schedule_is_in_its_time_zone),
        cmocka_unit_test(a_time_that_is_left_out_starts_at_the_end_of_what_is),
        cmocka_unit_test(a_time_that_comes_twice_starts_once),
        cmocka_unit_test(every_start_around_a_change_is_found),
        cmocka_unit_test(every_start_of_a_year_is_found),
        cmocka_unit_test(a_zone_with_a_day_that_comes_twice_and_changes_close_by_is_right),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
