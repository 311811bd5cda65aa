#include "base/time_zone.h"

#include "base/clock.h"
#include "base/memory.h"

#include "check.h"
#include "zone_file.h"

#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

enum { HOUR = 3600, MINUTE = 60 };

static int64_t at(const char *text) {
    int64_t seconds = 0;
    assert_true(clock_parse(text, &seconds));
    return seconds;
}

static void zones_have_their_offsets(void **) {
    static const struct {
        const char *zone;
        const char *at;
        int offset;
    } rows[] = {
        {"", "2026-07-01T00:00:00Z", 0},
        {"UTC", "2026-07-01T00:00:00Z", 0},
        {"Etc/UTC", "2026-07-01T00:00:00Z", 0},
        {"Europe/Zurich", "2026-03-29T00:59:59Z", HOUR},
        {"Europe/Zurich", "2026-03-29T01:00:00Z", 2 * HOUR},
        {"Europe/Zurich", "2026-10-25T00:59:59Z", 2 * HOUR},
        {"Europe/Zurich", "2026-10-25T01:00:00Z", HOUR},
        {"Europe/Zurich", "2050-03-27T00:59:59Z", HOUR}, // by the file's rule
        {"Europe/Zurich", "2050-03-27T01:00:00Z", 2 * HOUR},
        {"Europe/Zurich", "2050-10-30T00:59:59Z", 2 * HOUR},
        {"Europe/Zurich", "2050-10-30T01:00:00Z", HOUR},
        {"Europe/Zurich", "1850-01-01T00:00:00Z", 34 * MINUTE + 8}, // before the first change
        {"America/New_York", "2026-03-08T06:59:59Z", -5 * HOUR},
        {"America/New_York", "2026-03-08T07:00:00Z", -4 * HOUR},
        {"America/New_York", "2050-11-06T05:59:59Z", -4 * HOUR},
        {"America/New_York", "2050-11-06T06:00:00Z", -5 * HOUR},
        {"Asia/Kathmandu", "2026-07-01T00:00:00Z", 5 * HOUR + 45 * MINUTE},
        {"Asia/Kathmandu", "2050-07-01T00:00:00Z", 5 * HOUR + 45 * MINUTE},
        {"Australia/Lord_Howe", "2026-04-04T14:59:59Z", 11 * HOUR},
        {"Australia/Lord_Howe", "2026-04-04T15:00:00Z", 10 * HOUR + 30 * MINUTE},
        {"Australia/Lord_Howe", "2050-10-01T15:29:59Z", 10 * HOUR + 30 * MINUTE},
        {"Australia/Lord_Howe", "2050-10-01T15:30:00Z", 11 * HOUR},
        {"Etc/GMT-14", "2026-07-01T00:00:00Z", 14 * HOUR},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cleanup_time_zone struct time_zone *zone = zone_load(rows[i].zone);
        int offset = time_zone_offset(zone, at(rows[i].at));
        if (offset != rows[i].offset) {
            fail_msg("%s, %s: %d, and not %d", rows[i].zone, rows[i].at, offset, rows[i].offset);
        }
    }
}

static void assert_as_libc(const char *name, const struct time_zone *zone, int64_t utc) {
    time_t seconds = (time_t)utc;
    struct tm wanted;
    assert_non_null(localtime_r(&seconds, &wanted));
    int offset = time_zone_offset(zone, utc);
    if (offset != wanted.tm_gmtoff) {
        fail_msg("%s at %jd: %d, and not %ld", name, (intmax_t)utc, offset, wanted.tm_gmtoff);
    }
}

// Each month and at each change, from 1901, which is as far back as libc and all files go, to 2110.
static void offsets_are_those_that_libc_has(void **) {
    static const char *const names[] = {
        "Europe/Zurich",     "America/New_York",  "Australia/Lord_Howe", "Europe/Dublin", "Africa/Casablanca",
        "Asia/Gaza",         "America/Sao_Paulo", "America/Nuuk",        "Asia/Tehran",   "Pacific/Apia",
        "America/St_Johns",  "Antarctica/Troll",  "Africa/Cairo",        "Asia/Kolkata",  "Pacific/Chatham",
        "Pacific/Kwajalein", "Asia/Jerusalem",    "America/Santiago",
    };
    const int64_t begin = at("1902-01-01T00:00:00Z");
    const int64_t end = at("2110-01-01T00:00:00Z");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        cleanup_time_zone struct time_zone *zone = zone_load(names[i]);
        setenv("TZ", names[i], 1);
        tzset();
        for (int64_t utc = begin; utc < end; utc += 30 * 24 * HOUR + 12345) {
            assert_as_libc(names[i], zone, utc);
        }
        for (int64_t utc = begin; utc < end; utc = time_zone_next_change(zone, utc)) {
            assert_true(time_zone_next_change(zone, utc) > utc);
            assert_as_libc(names[i], zone, utc - 1);
            assert_as_libc(names[i], zone, utc);
        }
    }
    unsetenv("TZ");
}

static void what_is_no_zone_is_refused(void **) {
    static const struct {
        const char *name;
        const char *part;
    } rows[] = {
        {"Mars/Olympus", "\"Mars/Olympus\" is not a time zone that this system knows, such as Europe/Zurich: "
                         "/usr/share/zoneinfo/Mars/Olympus: No such file"},
        {"europe/zurich", "No such file"},
        {"Europe", "\"Europe\" is not a time zone that this system knows"},
        {"Europe/Zurich/", "Not a directory"},
        {"leapseconds", "the file is none of a time zone"},
        {"/etc/localtime", "\"/etc/localtime\" is not the name of a time zone"},
        {"../zoneinfo/UTC", "is not the name of a time zone: letters, digits"},
        {"Europe/../UTC", "is not the name"},
        {"tzdata.zi", "is not the name"},
        {"UTC ", "is not the name"},
        {"UTC\n", "is not the name"},
        {"Z\xc3\xbcrich", "is not the name"},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "at most 64"},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "No such file"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct error e;
        struct time_zone *zone = nullptr;
        must_fail(time_zone_load(rows[i].name, &zone, &e), e, ERROR_INVALID_SPEC, rows[i].part);
        assert_null(zone);
    }
}

// The file may be a good one.
static void what_cannot_be_read_now_is_no_fault_of_the_name(void **) {
    struct error e;
    struct time_zone *zone = nullptr;
    struct rlimit limit;
    cleanup_time_zone struct time_zone *before = zone_load("Europe/Zurich");
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    const struct rlimit none = {.rlim_cur = 0, .rlim_max = limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    bool loaded = time_zone_load("Europe/Lisbon", &zone, &e);
    struct error again;
    bool recalled = time_zone_load("Europe/Zurich", &zone, &again); // without its file
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_false(loaded);
    assert_int_equal(e.class, ERROR_IO);
    assert_non_null(strstr(e.message, "Europe/Lisbon"));
    must(recalled, again);
    assert_int_equal(time_zone_offset(zone, 1783000000), time_zone_offset(before, 1783000000));
    time_zone_free(zone);
}

static const int64_t changes[] = {1000, 2000, 3000};

static struct time_zone *parse(const struct zone_file *file) {
    struct error e;
    struct time_zone *zone;
    cleanup_buffer struct buffer bytes = buffer_create(10000);
    zone_write(file, &bytes);
    must(time_zone_parse(buffer_text(&bytes), bytes.length, &zone, &e), e);
    return zone;
}

static void each_version_is_read(void **) {
    static const char versions[] = {'\0', '2', '3', '4'};
    for (size_t i = 0; i < sizeof(versions); i++) {
        cleanup_time_zone struct time_zone *zone =
            parse(&(struct zone_file){versions[i], -7200, changes, 3, "ABC-9"});
        assert_int_equal(time_zone_offset(zone, -(INT64_C(1) << 53)), -7200);
        assert_int_equal(time_zone_offset(zone, 999), -7200);
        assert_int_equal(time_zone_offset(zone, 1000), -3600);
        assert_int_equal(time_zone_offset(zone, 1999), -3600);
        assert_int_equal(time_zone_offset(zone, 2000), -7200);
        // From the last change on the rule holds, which the first version has not.
        assert_int_equal(time_zone_offset(zone, 3000), versions[i] == '\0' ? -3600 : 9 * HOUR);
        assert_int_equal(time_zone_offset(zone, INT64_C(1) << 53), versions[i] == '\0' ? -3600 : 9 * HOUR);
        assert_int_equal(time_zone_next_change(zone, 0), 1000);
        assert_int_equal(time_zone_next_change(zone, 1000), 2000);
        assert_true(time_zone_next_change(zone, 3000) == INT64_MAX);
    }
}

// Of a file of the second version only the times of 64 bits count.
static void times_beyond_32_bits_are_read(void **) {
    static const int64_t far[] = {-(INT64_C(1) << 40), INT64_C(1) << 33};
    cleanup_time_zone struct time_zone *zone = parse(&(struct zone_file){'2', 0, far, 2, ""});
    assert_int_equal(time_zone_offset(zone, far[0] - 1), 0);
    assert_int_equal(time_zone_offset(zone, far[0]), 3600);
    assert_int_equal(time_zone_offset(zone, far[1] - 1), 3600);
    assert_int_equal(time_zone_offset(zone, far[1]), 0);
}

static void rules_are_followed(void **) {
    static const struct {
        const char *rule;
        const char *at;
        int offset;
    } rows[] = {
        {"UTC0", "2026-07-01T00:00:00Z", 0},
        {"<+0545>-5:45", "2026-07-01T00:00:00Z", 5 * HOUR + 45 * MINUTE},
        {"<-03>+3", "2026-07-01T00:00:00Z", -3 * HOUR},
        {"ABC-1:02:03", "2026-07-01T00:00:00Z", HOUR + 2 * MINUTE + 3},
        {"EST5EDT,M3.2.0,M11.1.0", "2026-03-08T06:59:59Z", -5 * HOUR},
        {"EST5EDT,M3.2.0,M11.1.0", "2026-03-08T07:00:00Z", -4 * HOUR},
        {"EST5EDT,M3.2.0,M11.1.0", "2026-11-01T05:59:59Z", -4 * HOUR},
        {"EST5EDT,M3.2.0,M11.1.0", "2026-11-01T06:00:00Z", -5 * HOUR},
        // Where winter is in July, and where it is the winter that is written as summer.
        {"AEST-10AEDT,M10.1.0,M4.1.0/3", "2026-01-01T00:00:00Z", 11 * HOUR},
        {"AEST-10AEDT,M10.1.0,M4.1.0/3", "2026-07-01T00:00:00Z", 10 * HOUR},
        {"IST-1GMT0,M10.5.0,M3.5.0/1", "2026-01-01T00:00:00Z", 0},
        {"IST-1GMT0,M10.5.0,M3.5.0/1", "2026-03-29T00:59:59Z", 0},
        {"IST-1GMT0,M10.5.0,M3.5.0/1", "2026-03-29T01:00:00Z", HOUR},
        // Times of another day: 2026-03-28 23:00 and 2026-10-25 00:00 local time.
        {"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2026-03-29T00:59:59Z", -2 * HOUR},
        {"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2026-03-29T01:00:00Z", -1 * HOUR},
        {"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2026-10-25T00:59:59Z", -1 * HOUR},
        {"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2026-10-25T01:00:00Z", -2 * HOUR},
        // The change of December 2026 is on 2027-01-03, since 167 hours are nearly seven days.
        {"AAA0BBB,M12.5.0/167,M6.1.0", "2027-01-02T22:59:59Z", 0},
        {"AAA0BBB,M12.5.0/167,M6.1.0", "2027-01-02T23:00:00Z", HOUR},
        // The fifth Sunday where there are four, and where there are five.
        {"AAA0BBB,M2.5.0/0,M5.5.0/0", "2026-02-21T23:59:59Z", 0},
        {"AAA0BBB,M2.5.0/0,M5.5.0/0", "2026-02-22T00:00:00Z", HOUR},
        {"AAA0BBB,M2.5.0/0,M5.5.0/0", "2026-05-30T22:59:59Z", HOUR},
        {"AAA0BBB,M2.5.0/0,M5.5.0/0", "2026-05-30T23:00:00Z", 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cleanup_time_zone struct time_zone *zone = zone_of_rule(rows[i].rule);
        int offset = time_zone_offset(zone, at(rows[i].at));
        if (offset != rows[i].offset) {
            fail_msg("%s, %s: %d, and not %d", rows[i].rule, rows[i].at, offset, rows[i].offset);
        }
    }
}

static void a_rule_that_cannot_be_read_leaves_the_last_offset(void **) {
    static const char *const rules[] = {
        "",
        "A-9",
        "ABC",
        "ABC25",
        "ABC-9:60",
        "ABC-9:",
        "<ABC-9",
        "<+0>-9",
        "ABC-9 ",
        "ABC-9DEF",
        "ABC-9DEF,M3.5.0",
        "ABC-9DEF,M3.5.0,M13.5.0",
        "ABC-9DEF,M3.5.0,M10.6.0",
        "ABC-9DEF,M3.5.0,M10.0.0",
        "ABC-9DEF,M3.5.0,M10.5.7",
        "ABC-9DEF,M3.5.0,M10.5",
        "ABC-9DEF,M3.5.0,M10.5.0/168",
        "ABC-9DEF,M3.5.0,M10.5.0/",
        "ABC-9DEF,M3.5.0,M10.5.0,",
        "ABC-9DEF,J60,J300",
        "ABC-9DEF,60,300",
        "ABC-99999999999999999999",
    };
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        cleanup_time_zone struct time_zone *zone = parse(&(struct zone_file){'2', 0, changes, 3, rules[i]});
        if (time_zone_offset(zone, 10000) != 3600 || time_zone_next_change(zone, 3000) != INT64_MAX) {
            fail_msg("%s was read", rules[i]);
        }
    }
}

// Bytes of the file's very length, so that a sanitizer sees what is read beyond them.
static bool parse_bytes(const char *bytes, size_t length, struct error *e) {
    char *copy = malloc(length == 0 ? 1 : length);
    struct time_zone *zone = nullptr;
    assert_non_null(copy);
    memcpy(copy, bytes, length);
    bool done = time_zone_parse(copy, length, &zone, e);
    assert_true(done == (zone != nullptr));
    time_zone_free(zone);
    free(copy);
    return done;
}

static void a_file_that_is_cut_is_refused(void **) {
    static const char versions[] = {'\0', '2'};
    for (size_t i = 0; i < sizeof(versions); i++) {
        struct error e;
        cleanup_buffer struct buffer file = buffer_create(10000);
        zone_write(&(struct zone_file){versions[i], 0, changes, 3, "ABC-9"}, &file);
        size_t footer = versions[i] == '\0' ? 0 : strlen("\nABC-9\n");
        for (size_t length = 0; length < file.length - footer; length++) {
            must_fail(parse_bytes(buffer_text(&file), length, &e), e, ERROR_INVALID_SPEC, "the file is cut");
        }
        for (size_t length = file.length - footer; length <= file.length; length++) {
            must(parse_bytes(buffer_text(&file), length, &e), e);
        }
    }
}

static void a_file_that_is_damaged_is_refused(void **) {
    enum { SECOND = 44 + 3 * 5 + 2 * 6 + 4, COUNTS = SECOND + 20, DATA = SECOND + 44 };
    static const struct {
        size_t place;
        unsigned char byte;
        const char *part;
    } rows[] = {
        {0, 'X', "none of a time zone"},
        {20, 0xff, "counts more than it has"}, // each count of the first header
        {24, 0xff, "counts more"},
        {28, 0xff, "counts more"},
        {32, 0x7f, "counts more"},
        {36, 0x80, "counts more"},
        {40, 0xff, "counts more"},
        {SECOND, 'X', "none of a time zone"},
        {COUNTS + 3, 200, "counts more"}, // and of the second, by some
        {COUNTS + 7, 200, "counts more"},
        {COUNTS + 11, 200, "counts more"},
        {COUNTS + 15, 200, "counts more"},
        {COUNTS + 19, 200, "counts more"},
        {COUNTS + 23, 200, "counts more"},
        {COUNTS + 11, 1, "counts more"},
        {COUNTS + 12, 0xff, "counts more"},
        {COUNTS + 19, 0, "a kind of local time that it does not have"},
        {DATA, 0x40, "in no order"},
        {DATA + 24, 2, "a kind of local time that it does not have"},
        {DATA + 27, 0x7f, "more than 26 hours"},
        {DATA + 33, 0x80, "more than 26 hours"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct error e;
        cleanup_buffer struct buffer file = buffer_create(10000);
        zone_write(&(struct zone_file){'2', 0, changes, 3, ""}, &file);
        file.data[rows[i].place] = (char)rows[i].byte;
        must_fail(parse_bytes(buffer_text(&file), file.length, &e), e, ERROR_INVALID_SPEC, rows[i].part);
    }
}

static void leap_seconds_and_too_long_files_are_refused(void **) {
    struct error e;
    cleanup_buffer struct buffer file = buffer_create(100000);
    zone_write(&(struct zone_file){'\0', 0, changes, 3, ""}, &file);
    file.data[31] = 1; // one leap second, in eight more bytes
    say(&file, "12345678");
    must_fail(parse_bytes(buffer_text(&file), file.length, &e), e, ERROR_INVALID_SPEC, "leap seconds");
    file.data[31] = 0;
    must(parse_bytes(buffer_text(&file), file.length, &e), e);
    while (file.length < 65536) {
        say(&file, "x");
    }
    must(parse_bytes(buffer_text(&file), file.length, &e), e);
    say(&file, "x");
    must_fail(parse_bytes(buffer_text(&file), file.length, &e), e, ERROR_INVALID_SPEC, "longer than 64 KiB");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zones_have_their_offsets),
        cmocka_unit_test(offsets_are_those_that_libc_has),
        cmocka_unit_test(what_is_no_zone_is_refused),
        cmocka_unit_test(what_cannot_be_read_now_is_no_fault_of_the_name),
        cmocka_unit_test(each_version_is_read),
        cmocka_unit_test(times_beyond_32_bits_are_read),
        cmocka_unit_test(rules_are_followed),
        cmocka_unit_test(a_rule_that_cannot_be_read_leaves_the_last_offset),
        cmocka_unit_test(a_file_that_is_cut_is_refused),
        cmocka_unit_test(a_file_that_is_damaged_is_refused),
        cmocka_unit_test(leap_seconds_and_too_long_files_are_refused),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
