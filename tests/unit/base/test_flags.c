#include "check.h"

#include "base/flags.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct target {
    const char *name;
    int count;
    bool loud;
    bool help;
};

static bool set_count(void *target, const char *name, const char *text, struct error *e) {
    ((struct target *)target)->count = (int)strtol(text, nullptr, 10);
    return text[0] >= '0' && text[0] <= '9'
               ? true
               : error_set(e, ERROR_INVALID_SPEC, "%s: %s is no number", name, text);
}

static bool set_loud(void *target, const char *, const char *text, struct error *) {
    ((struct target *)target)->loud = strcmp(text, "true") == 0;
    return true;
}

static bool set_help(void *target, const char *, const char *, struct error *) {
    ((struct target *)target)->help = true;
    return true;
}

static const struct flag list[] = {
    {"--name", "FLAGS_TEST_NAME", "NAME", offsetof(struct target, name), nullptr, "Who it is."},
    {"--count", "FLAGS_TEST_COUNT", "N", 0, set_count, "How many."},
    {"--loud", nullptr, nullptr, 0, set_loud, "Whether it is heard."},
    {"--help", nullptr, nullptr, 0, set_help, "Show this."},
};
static const struct flags flags = {"test", list, sizeof(list) / sizeof(list[0])};

static int clear(void **) {
    return unsetenv("FLAGS_TEST_NAME") + unsetenv("FLAGS_TEST_COUNT");
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

static void what_is_wrong_is_named(void **) {
    struct error e;
    struct target target = {0};
    must_fail(READ(&target, &e, "--nam", "x"), e, ERROR_INVALID_SPEC,
              "--nam: no such flag; see qubesec test --help");
    must_fail(READ(&target, &e, "--loud", "--name"), e, ERROR_INVALID_SPEC, "--name: needs a value, NAME");
    must_fail(READ(&target, &e, "--count", "x"), e, ERROR_INVALID_SPEC, "--count: x is no number");
    set("FLAGS_TEST_COUNT", "y");
    must_fail(READ(&target, &e), e, ERROR_INVALID_SPEC, "FLAGS_TEST_COUNT: y is no number");
    must(READ(&target, &e, "--help"), e); // whatever the environment says
    assert_true(target.help);
}

static void help_lists_them(void **) {
    struct error e;
    cleanup_buffer struct buffer text = buffer_create(1024);
    must(flags_describe(&flags, &text, &e), e);
    assert_string_equal(buffer_text(&text), "  --name NAME   $FLAGS_TEST_NAME\n      Who it is.\n"
                                            "  --count N   $FLAGS_TEST_COUNT\n      How many.\n"
                                            "  --loud\n      Whether it is heard.\n"
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
        cmocka_unit_test_setup(what_is_wrong_is_named, clear),
        cmocka_unit_test(help_lists_them),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
