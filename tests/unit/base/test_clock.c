#include "check.h"

#include "base/clock.h"

static void a_monotonic_clock_never_goes_back(void **) {
    int64_t last_ms = clock_monotonic_ms();
    int64_t last_boot_ms = clock_boot_ms();
    double last = clock_monotonic_seconds();
    for (int i = 0; i < 10000; i++) {
        int64_t ms = clock_monotonic_ms();
        int64_t boot_ms = clock_boot_ms();
        double seconds = clock_monotonic_seconds();
        assert_true(ms >= last_ms);
        assert_true(boot_ms >= last_boot_ms);
        assert_true(seconds >= last);
        last_ms = ms;
        last_boot_ms = boot_ms;
        last = seconds;
    }
}

static void both_units_are_of_one_clock(void **) {
    int64_t before = clock_monotonic_ms();
    double seconds = clock_monotonic_seconds();
    int64_t after = clock_monotonic_ms();
    assert_true((double)before <= seconds * 1000);
    assert_true(seconds * 1000 < (double)after + 1);
    int64_t wall_before = clock_wall_seconds();
    int64_t microseconds = clock_wall_microseconds();
    assert_true(microseconds / 1000000 >= wall_before);
    assert_true(microseconds / 1000000 <= clock_wall_seconds());
}

static void times_are_written_as_kubernetes_writes_them(void **) {
    static const struct {
        int64_t microseconds;
        const char *seconds_text;
        const char *micro_text;
    } rows[] = {
        {0, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000000Z"},
        {951827696000007, "2000-02-29T12:34:56Z", "2000-02-29T12:34:56.000007Z"},
        {2147483648999999, "2038-01-19T03:14:08Z", "2038-01-19T03:14:08.999999Z"},
        {253402300799500000, "9999-12-31T23:59:59Z", "9999-12-31T23:59:59.500000Z"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[CLOCK_TEXT_SIZE];
        clock_format(rows[i].microseconds / 1000000, text);
        assert_string_equal(text, rows[i].seconds_text);
        clock_format_micro(rows[i].microseconds, text);
        assert_string_equal(text, rows[i].micro_text);
        int64_t seconds = -1;
        assert_true(clock_parse(rows[i].seconds_text, &seconds));
        assert_int_equal(seconds, rows[i].microseconds / 1000000);
        seconds = -1;
        assert_true(clock_parse(rows[i].micro_text, &seconds));
        assert_int_equal(seconds, rows[i].microseconds / 1000000);
    }
}

static void what_is_no_time_is_refused(void **) {
    static const char *const texts[] = {
        "",
        "now",
        "2024-01-01",
        "2024-01-01T00:00:00",
        "2024-01-01T00:00:00.Z",
        "2024-01-01T00:00:00Zz",
        "2024-01-01T00:00:00.5",
        "2024-01-01T00:00:00+01:00",
        "2024-13-01T00:00:00Z",
        "2024-01-32T00:00:00Z",
        "2024-01-01T24:00:00Z",
        "2024-01-01T00:60:00Z",
        "2023-02-29T00:00:00Z",
        "2024-04-31T00:00:00Z",
        " 2024-01-01T00:00:00Z",
        "2024-1-1T0:0:0Z",
        "2024-01-01 00:00:00Z",
        "+024-01-01T00:00:00Z",
        "0-01-01T00:00:00Z",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        int64_t seconds = -7;
        if (clock_parse(texts[i], &seconds)) {
            fail_msg("\"%s\" was read as %jd", texts[i], (intmax_t)seconds);
        }
        assert_int_equal(seconds, -7);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_monotonic_clock_never_goes_back),
        cmocka_unit_test(both_units_are_of_one_clock),
        cmocka_unit_test(times_are_written_as_kubernetes_writes_them),
        cmocka_unit_test(what_is_no_time_is_refused),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
