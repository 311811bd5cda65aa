#include "check.h"

#include "base/flags.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct target {
    const char *name;
    int count;
    bool loud;
    uint32_t pause_ms;
    const char *place;
    bool help;
};

static bool set_count(void *target, const char *name, const char *text, struct error *e) {
    ((struct target *)target)->count = (int)strtol(text, nullptr, 10);
    return text[0] >= '0' && text[0] <= '9'
               ? true
               : error_set(e, ERROR_INVALID_SPEC, "%s: %s is no number", name, text);
}

static const struct flag list[] = {
    {.name = "--name",
     .type = FLAG_TEXT,
     .variable = "FLAGS_TEST_NAME",
     .value = "NAME",
     .offset = offsetof(struct target, name),
     .help = "Who it is."},
    {.name = "--count",
     .type = FLAG_OWN,
     .variable = "FLAGS_TEST_COUNT",
     .value = "N",
     .set = set_count,
     .help = "How many."},
    {.name = "--loud",
     .type = FLAG_BOOL,
     .offset = offsetof(struct target, loud),
     .help = "Whether it is heard."},
    {.name = "--pause",
     .type = FLAG_TIME,
     .variable = "FLAGS_TEST_PAUSE",
     .value = "TIME",
     .offset = offsetof(struct target, pause_ms),
     .min_ms = 1000,
     .max_ms = 3600 * 1000,
     .fallback = "1m30s",
     .help = "How long it waits."},
    {.name = "--place",
     .type = FLAG_TEXT,
     .value = "PLACE",
     .offset = offsetof(struct target, place),
     .fallback = "here",
     .help = "Where."},
    {.name = "--help", .type = FLAG_SWITCH, .offset = offsetof(struct target, help), .help = "Show this."},
};
static const struct flags flags = {list, sizeof(list) / sizeof(list[0])};

static int clear(void **) {
    return unsetenv("FLAGS_TEST_NAME") + unsetenv("FLAGS_TEST_COUNT") + unsetenv("FLAGS_TEST_PAUSE");
}

static void set(const char *variable, const char *value) {
    assert_int_equal(setenv(variable, value, 1), 0);
}

#define READ(target, e, ...)                                                                                 \
    flags_read(&flags, (char *const[]){__VA_ARGS__ __VA_OPT__(, ) nullptr}, target, &(target)->help, e)

static void flags_are_written_in_two_ways(void **) {
    struct error e;
    struct target target = {0};
    must(READ(&target, &e, "--name", "one", "--count=7", "--loud"), e);
    assert_string_equal(target.name, "one");
    assert_int_equal(target.count, 7);
    assert_true(target.loud);
    must(READ(&target, &e, "--name=--count", "--loud=false"), e);
    assert_string_equal(target.name, "--count");
    assert_false(target.loud);
}

static void a_flag_wins_over_its_variable(void **) {
    struct error e;
    struct target target = {0};
    set("FLAGS_TEST_NAME", "variable");
    set("FLAGS_TEST_COUNT", "3");
    must(READ(&target, &e, "--name", "flag"), e);
    assert_string_equal(target.name, "flag");
    assert_int_equal(target.count, 3);
    set("FLAGS_TEST_COUNT", ""); // as if it were not there
    target.count = 0;
    must(READ(&target, &e), e);
    assert_int_equal(target.count, 0);
    assert_string_equal(target.name, "variable");
}

static void what_is_not_given_is_as_the_table_says(void **) {
    struct error e;
    struct target target = {.name = "as it was", .pause_ms = 7};
    must(READ(&target, &e), e);
    assert_string_equal(target.name, "as it was");
    assert_int_equal(target.pause_ms, 90000);
    assert_string_equal(target.place, "here");
    set("FLAGS_TEST_PAUSE", "2s");
    must(READ(&target, &e, "--place=there"), e);
    assert_int_equal(target.pause_ms, 2000);
    assert_string_equal(target.place, "there");
}

static void times_have_units_and_bounds(void **) {
    static const struct {
        const char *text;
        uint32_t ms;
    } good[] = {{"1", 1000}, {"1500ms", 1500}, {"1m30s", 90000}, {"1h", 3600000}};
    static const char *const bad[] = {"",   "0",  "999ms", "3601",        "1h1s",
                                      "1d", "-1", "s",     "99999999999", "9999999999h"};
    struct error e;
    struct target target = {0};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        must(READ(&target, &e, "--pause", (char *)good[i].text), e);
        assert_int_equal(target.pause_ms, good[i].ms);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        must_fail(READ(&target, &e, "--pause", (char *)bad[i]), e, ERROR_INVALID_SPEC,
                  " is not a time such as 15s or 500ms, from 1s to 1h");
    }
}

static void what_is_wrong_is_named(void **) {
    struct error e;
    struct target target = {0};
    must_fail(READ(&target, &e, "--nam", "x"), e, ERROR_INVALID_SPEC, "--nam: no such flag; see --help");
    must_fail(READ(&target, &e, "--loud", "--name"), e, ERROR_INVALID_SPEC, "--name: needs a value, NAME");
    must_fail(READ(&target, &e, "--count", "x"), e, ERROR_INVALID_SPEC, "--count: x is no number");
    must_fail(READ(&target, &e, "--loud=yes"), e, ERROR_INVALID_SPEC,
              "--loud: yes is neither true nor false");
    set("FLAGS_TEST_COUNT", "y");
    must_fail(READ(&target, &e), e, ERROR_INVALID_SPEC, "FLAGS_TEST_COUNT: y is no number");
    must(READ(&target, &e, "--help"), e); // whatever the environment says
    assert_true(target.help);
}

static void help_lists_them(void **) {
    struct error e;
    cleanup_buffer struct buffer text = buffer_create(1024);
    must(flags_describe(&flags, &text, &e), e);
    assert_string_equal(buffer_text(&text),
                        "  --name NAME   $FLAGS_TEST_NAME\n      Who it is.\n"
                        "  --count N   $FLAGS_TEST_COUNT\n      How many.\n"
                        "  --loud\n      Whether it is heard.\n"
                        "  --pause TIME   $FLAGS_TEST_PAUSE\n      How long it waits. Default: "
                        "1m30s.\n"
                        "  --place PLACE\n      Where. Default: here.\n"
                        "  --help\n      Show this.\n");
    for (size_t cap = 0; cap < text.length; cap++) {
        cleanup_buffer struct buffer small = buffer_create(cap);
        must_fail(flags_describe(&flags, &small, &e), e, ERROR_INTERNAL, "");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(flags_are_written_in_two_ways, clear),
        cmocka_unit_test_setup(a_flag_wins_over_its_variable, clear),
        cmocka_unit_test_setup(what_is_not_given_is_as_the_table_says, clear),
        cmocka_unit_test_setup(times_have_units_and_bounds, clear),
        cmocka_unit_test_setup(what_is_wrong_is_named, clear),
        cmocka_unit_test(help_lists_them),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
