#include "base/civil.h"

#include "check.h"

#include <time.h>

static void assert_date(int64_t days) {
    time_t seconds = (time_t)(days * CIVIL_DAY_SECONDS);
    struct tm wanted;
    assert_non_null(gmtime_r(&seconds, &wanted));
    struct civil_date date = civil_date_of(days);
    if (date.year != wanted.tm_year + 1900 || date.month != wanted.tm_mon + 1 || date.day != wanted.tm_mday ||
        date.weekday != wanted.tm_wday) {
        fail_msg("day %jd is %jd-%d-%d", (intmax_t)days, (intmax_t)date.year, date.month, date.day);
    }
    assert_int_equal(civil_days(date.year, date.month, date.day), days);
}

static void days_have_the_names_that_libc_gives_them(void **) {
    for (int64_t days = -400 * 366; days <= 400 * 366; days++) {
        assert_date(days);
    }
    for (int64_t days = INT64_C(-100000000000); days <= INT64_C(100000000000); days += 99999937) {
        assert_date(days);
    }
}

static void months_have_their_lengths(void **) {
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    for (int month = 1; month <= 12; month++) {
        assert_int_equal(civil_month_length(2026, month), lengths[month - 1]);
    }
    assert_int_equal(civil_month_length(2028, 2), 29);
    assert_int_equal(civil_month_length(2000, 2), 29);
    assert_int_equal(civil_month_length(2100, 2), 28);
    assert_int_equal(civil_month_length(-4, 2), 29);
}

static void a_time_before_1970_is_in_the_day_that_it_is_in(void **) {
    assert_int_equal(civil_day_of(0), 0);
    assert_int_equal(civil_day_of(86399), 0);
    assert_int_equal(civil_day_of(86400), 1);
    assert_int_equal(civil_day_of(-1), -1);
    assert_int_equal(civil_day_of(-86400), -1);
    assert_int_equal(civil_day_of(-86401), -2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(days_have_the_names_that_libc_gives_them),
        cmocka_unit_test(months_have_their_lengths),
        cmocka_unit_test(a_time_before_1970_is_in_the_day_that_it_is_in),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
