#include "base/window.h"

#include "base/clock.h"

#include "check.h"
#include "zone_file.h"

enum { HOUR = 3600 };

static int64_t at(const char *text) {
    int64_t seconds = 0;
    assert_true(clock_parse(text, &seconds));
    return seconds;
}

static void the_window_that_is_open_or_opens_next_is_found(void **) {
    static const struct {
        const char *schedule;
        int64_t duration_s;
        const char *at;
        const char *wanted;
        const char *start; // NULL: there is none
    } rows[] = {
        // In Zurich in summer, two hours east of Greenwich.
        {"0 2 * * *", 2 * HOUR, "2026-07-01T12:00:00Z", "2026-07-02T00:00:00Z", "2026-07-02T00:00:00Z"},
        {"0 2 * * *", 2 * HOUR, "2026-07-01T23:59:59Z", "2026-07-02T00:00:00Z", "2026-07-02T00:00:00Z"},
        {"0 2 * * *", 2 * HOUR, "2026-07-02T00:00:00Z", "2026-07-02T00:00:00Z", "2026-07-02T00:00:00Z"},
        {"0 2 * * *", 2 * HOUR, "2026-07-02T00:00:01Z", "2026-07-02T00:00:01Z", "2026-07-02T00:00:00Z"},
        {"0 2 * * *", 2 * HOUR, "2026-07-02T01:59:59Z", "2026-07-02T01:59:59Z", "2026-07-02T00:00:00Z"},
        {"0 2 * * *", 2 * HOUR, "2026-07-02T02:00:00Z", "2026-07-03T00:00:00Z", "2026-07-03T00:00:00Z"},
        {"0 2 * * *", 1, "2026-07-02T00:00:00Z", "2026-07-02T00:00:00Z", "2026-07-02T00:00:00Z"},
        {"0 2 * * *", 1, "2026-07-02T00:00:01Z", "2026-07-03T00:00:00Z", "2026-07-03T00:00:00Z"},
        // Windows that overlap: the one that opened first. The end of one is no part of it.
        {"* * * * *", 24 * HOUR, "2026-07-02T00:00:30Z", "2026-07-02T00:00:30Z", "2026-07-01T00:01:00Z"},
        {"* * * * *", 24 * HOUR, "2026-07-02T00:00:00Z", "2026-07-02T00:00:00Z", "2026-07-01T00:01:00Z"},
        // Longer than clocks are changed: 2026-03-29 02:30 does not exist, and the window opens at 03:00.
        {"30 2 * * SUN", HOUR, "2026-03-29T01:59:59Z", "2026-03-29T01:59:59Z", "2026-03-29T01:00:00Z"},
        {"30 2 * * SUN", HOUR, "2026-03-29T02:00:00Z", "2026-04-05T00:30:00Z", "2026-04-05T00:30:00Z"},
        // Windows that never open, that do so seldom, and that are open for longer than is looked back.
        {"0 0 31 2 *", 2 * HOUR, "2026-07-02T00:00:00Z", nullptr, nullptr},
        {"0 0 29 2 *", INT64_C(1) << 52, "2026-07-02T00:00:00Z", "2026-07-02T00:00:00Z",
         "2024-02-28T23:00:00Z"},
        {"0 0 29 2 *", CRON_AHEAD_SECONDS, "2096-03-01T00:00:00Z", "2096-03-01T00:00:00Z",
         "2092-02-28T23:00:00Z"},
        {"0 0 29 2 *", 1000 * 24 * HOUR, "2100-01-01T00:00:00Z", "2104-02-28T23:00:00Z",
         "2104-02-28T23:00:00Z"},
        {"0 0 29 2 *", HOUR, "2097-03-01T00:00:00Z", nullptr, nullptr},
    };
    cleanup_time_zone struct time_zone *zone = zone_load("Europe/Zurich");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct error e;
        struct window window = {.zone = zone, .duration_s = rows[i].duration_s};
        char text[CLOCK_TEXT_SIZE];
        int64_t start = -7;
        must(cron_parse(rows[i].schedule, &window.schedule, &e), e);
        int64_t found = window_find(&window, at(rows[i].at), &start);
        clock_format(found, text);
        if (found != (rows[i].wanted == nullptr ? 0 : at(rows[i].wanted))) {
            fail_msg("\"%s\" at %s: %s", rows[i].schedule, rows[i].at, text);
        }
        clock_format(start, text);
        if (start != (rows[i].start == nullptr ? -7 : at(rows[i].start))) {
            fail_msg("\"%s\" at %s: opened %s", rows[i].schedule, rows[i].at, text);
        }
    }
}

// What is found is in a window, and nothing before it is.
static void nothing_earlier_is_in_a_window(void **) {
    cleanup_time_zone struct time_zone *zone = zone_load("Europe/Zurich");
    struct error e;
    struct window window = {.zone = zone, .duration_s = 100};
    must(cron_parse("*/3 1-4 * * SAT,SUN", &window.schedule, &e), e);
    int64_t last = at("2026-10-26T12:00:00Z");
    int64_t begin = at("2026-10-23T12:00:00Z");
    int64_t start = 0; // the last one before utc or at it
    for (int64_t utc = begin; utc < last; utc++) {
        start = cron_next(&window.schedule, zone, utc - 1) == utc ? utc : start;
        int64_t found_start = 0;
        int64_t found = window_find(&window, utc, &found_start);
        if (start != 0 && utc < start + window.duration_s) {
            assert_int_equal(found, utc);
            assert_int_equal(found_start, start);
        } else {
            assert_int_equal(found, cron_next(&window.schedule, zone, utc));
            assert_int_equal(found_start, found);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_window_that_is_open_or_opens_next_is_found),
        cmocka_unit_test(nothing_earlier_is_in_a_window),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
