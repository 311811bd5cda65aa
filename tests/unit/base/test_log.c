#include "base/log.h"

#include "check.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CAPTURED_MAX = 64 * 1024 };

static int kept_stderr;
static int capture;

static int start_capture(void **) {
    char path[] = "/tmp/qubesec-log-XXXXXX";
    kept_stderr = dup(STDERR_FILENO);
    capture = mkstemp(path);
    unlink(path);
    dup2(capture, STDERR_FILENO);
    log_set_level(LOG_INFO);
    return capture < 0 ? -1 : 0;
}

// What was written to standard error; gives it back.
static const char *end_capture(void) {
    static char text[CAPTURED_MAX];
    dup2(kept_stderr, STDERR_FILENO);
    close(kept_stderr);
    ssize_t length = pread(capture, text, sizeof(text) - 1, 0);
    close(capture);
    assert_true(length >= 0);
    text[length] = '\0';
    return text;
}

static void a_line_is_one_json_object(void **) {
    LOG(LOG_WARNING, "it \"happened\"", {"name", "a\\b\n\x01"}, {"absent", nullptr}, {"last", "\xc3\xa4"});
    const char *text = end_capture();
    assert_non_null(strstr(text, "{\"time\":\"20"));
    assert_non_null(strstr(
        text, ",\"level\":\"warning\",\"message\":\"it \\\"happened\\\"\",\"name\":\"a\\\\b\\u000a\\u0001\","
              "\"last\":\"\xc3\xa4\"}\n"));
    assert_null(strstr(text, "absent"));
}

static void lines_below_the_level_are_dropped(void **) {
    LOG(LOG_DEBUG, "too detailed");
    log_set_level(LOG_ERROR);
    assert_int_equal(log_get_level(), LOG_ERROR);
    LOG(LOG_WARNING, "not bad enough");
    LOG(LOG_ERROR, "bad enough");
    const char *text = end_capture();
    assert_null(strstr(text, "too detailed"));
    assert_null(strstr(text, "not bad enough"));
    assert_non_null(strstr(text, "bad enough"));
}

static void a_long_line_is_cut_and_still_an_object(void **) {
    static char enormous[40000];
    memset(enormous, '"', sizeof(enormous) - 1);
    LOG(LOG_INFO, "long", {"text", enormous}, {"after", "dropped"});
    const char *text = end_capture();
    assert_in_range(strlen(text), 10000, 16 * 1024);
    assert_string_equal(text + strlen(text) - 3, "\"}\n");
    assert_null(strstr(text, "dropped"));
}

static void level_names_are_read(void **) {
    enum log_level level = LOG_DEBUG;
    (void)end_capture();
    assert_true(log_parse_level("warning", &level));
    assert_int_equal(level, LOG_WARNING);
    assert_string_equal(log_level_name(level), "warning");
    assert_false(log_parse_level("loud", &level));
    assert_false(log_parse_level("", &level));
    assert_int_equal(level, LOG_WARNING);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_line_is_one_json_object, start_capture),
        cmocka_unit_test_setup(lines_below_the_level_are_dropped, start_capture),
        cmocka_unit_test_setup(a_long_line_is_cut_and_still_an_object, start_capture),
        cmocka_unit_test_setup(level_names_are_read, start_capture),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
