#include "../base/check.h"
#include "../base/short_memory.h"

#include "runtime/watch_lines.h"

enum { CAP = 1000 };

struct fixture {
    struct watch_lines lines;
    struct buffer log; // each line that came, in brackets
    int refuse_at;     // the line, from 1, that is refused; 0: none
    int count;
};

static bool note(void *context, const char *text, size_t length, struct error *e) {
    struct fixture *fixture = context;
    struct error log_error;
    long left = memory_left;
    memory_left = -1;
    must(buffer_append_format(&fixture->log, &log_error, "[%.*s]", (int)length, text), log_error);
    memory_left = left;
    return ++fixture->count != fixture->refuse_at || error_set(e, ERROR_GONE, "refused");
}

static int set_up(void **state) {
    static struct fixture fixture;
    memory_left = -1;
    fixture = (struct fixture){.lines = watch_lines_create(CAP), .log = buffer_create(1 << 20)};
    *state = &fixture;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *fixture = *state;
    watch_lines_done(&fixture->lines);
    buffer_done(&fixture->log);
    return 0;
}

static bool feed(struct fixture *fixture, const char *text, struct error *e) {
    return watch_lines_feed(&fixture->lines, text, strlen(text), note, fixture, e);
}

static void must_feed(struct fixture *fixture, const char *text) {
    struct error e;
    must(feed(fixture, text, &e), e);
}

static void expect_log(struct fixture *fixture, const char *expected) {
    assert_string_equal(buffer_text(&fixture->log), expected);
    buffer_consume(&fixture->log, fixture->log.length);
}

static void lines_come_when_they_are_complete(void **state) {
    struct fixture *fixture = *state;
    must_feed(fixture, "one\ntwo\nthr");
    expect_log(fixture, "[one][two]");
    must_feed(fixture, "ee");
    expect_log(fixture, "");
    must_feed(fixture, "\n");
    expect_log(fixture, "[three]");
    must_feed(fixture, "");
    must_feed(fixture, "four\n");
    expect_log(fixture, "[four]");
}

// Trap 15: the boundaries of what arrives mean nothing.
static void test_trap_15_any_cutting_gives_the_same_lines(void **state) {
    static const char text[] = "first\n\n{\"a\":1}\nx\nlonger line of text\nlast\n";
    struct fixture *fixture = *state;
    for (size_t first = 0; first <= sizeof(text) - 1; first++) {
        for (size_t second = first; second <= sizeof(text) - 1; second++) {
            struct error e;
            const size_t cuts[] = {0, first, second, sizeof(text) - 1};
            for (int i = 0; i < 3; i++) {
                char *piece = memory_copy_span(text + cuts[i], cuts[i + 1] - cuts[i]);
                must(watch_lines_feed(&fixture->lines, piece, cuts[i + 1] - cuts[i], note, fixture, &e), e);
                memory_free(piece); // nothing of it is kept
            }
            expect_log(fixture, "[first][{\"a\":1}][x][longer line of text][last]");
        }
    }
}

static void bytes_may_come_one_by_one(void **state) {
    struct fixture *fixture = *state;
    struct error e;
    for (const char *byte = "ab\n\nc\n"; *byte != '\0'; byte++) {
        must(watch_lines_feed(&fixture->lines, byte, 1, note, fixture, &e), e);
    }
    expect_log(fixture, "[ab][c]");
}

static void a_line_has_a_cap(void **state) {
    struct fixture *fixture = *state;
    struct error e;
    char text[CAP + 3];
    for (int cut = 0; cut < 2; cut++) { // in one piece, and in two
        memset(text, 'x', sizeof(text));
        for (int i = 0; i < 2; i++) {
            size_t length = CAP + (size_t)i;
            text[length] = '\n';
            size_t head = cut == 0 ? 0 : 10;
            bool done = watch_lines_feed(&fixture->lines, text, head, note, fixture, &e) &&
                        watch_lines_feed(&fixture->lines, text + head, length + 1 - head, note, fixture, &e);
            assert_int_equal(done, i == 0);
            text[length] = 'x';
        }
        assert_int_equal(e.class, ERROR_IO);
        assert_non_null(strstr(e.message, "longer than 1000 bytes"));
        watch_lines_done(&fixture->lines);
        assert_int_equal(fixture->log.length, CAP + 2);
        buffer_consume(&fixture->log, fixture->log.length);
    }
    text[CAP] = 'x'; // a line that never ends
    assert_false(watch_lines_feed(&fixture->lines, text, CAP + 1, note, fixture, &e));
}

static void the_receiver_may_refuse(void **state) {
    struct fixture *fixture = *state;
    struct error e;
    fixture->refuse_at = 2;
    must_fail(feed(fixture, "one\ntwo\nthree\n", &e), e, ERROR_GONE, "refused");
    expect_log(fixture, "[one][two]");
}

static void freeing_forgets_what_was_begun(void **state) {
    struct fixture *fixture = *state;
    must_feed(fixture, "cut off");
    watch_lines_done(&fixture->lines);
    must_feed(fixture, "new\n");
    expect_log(fixture, "[new]");
}

static void whole_lines_take_no_memory_and_parts_may_fail(void **state) {
    struct fixture *fixture = *state;
    struct error e;
    memory_left = 0;
    must(feed(fixture, "one\ntwo\n", &e), e);
    must_fail(feed(fixture, "thr", &e), e, ERROR_NO_MEMORY, "");
    memory_left = -1;
    expect_log(fixture, "[one][two]");
}

static void a_long_lines_memory_is_given_back(void **state) {
    struct fixture *fixture = *state;
    struct error e;
    fixture->lines = watch_lines_create(1 << 20);
    for (int i = 0; i < 100000; i++) {
        must(watch_lines_feed(&fixture->lines, "0123456789", 10, note, fixture, &e), e);
    }
    must_feed(fixture, "\n");
    assert_int_equal(fixture->log.length, 1000002);
    assert_in_range(fixture->lines.pending.capacity, 0, 64 * 1024);
}

#define with_lines(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        with_lines(lines_come_when_they_are_complete),
        with_lines(test_trap_15_any_cutting_gives_the_same_lines),
        with_lines(bytes_may_come_one_by_one),
        with_lines(a_line_has_a_cap),
        with_lines(the_receiver_may_refuse),
        with_lines(freeing_forgets_what_was_begun),
        with_lines(whole_lines_take_no_memory_and_parts_may_fail),
        with_lines(a_long_lines_memory_is_given_back),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
