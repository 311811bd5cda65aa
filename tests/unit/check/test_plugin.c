// Credential plug-ins where the system gives no file for a process (pidfd_open fails with ENOSYS): what runs
// them is compiled into the test itself. With such files tests/e2e/test_desk.py has them.
#include "../base/check.h"

#include <errno.h>
#include <sys/pidfd.h>

static int no_pidfd_open(pid_t, unsigned) {
    errno = ENOSYS;
    return -1;
}

#ifndef __clang_analyzer__ // it looks at that file by itself
#define pidfd_open no_pidfd_open
#include "cli/plugin.c"
#undef pidfd_open
#endif

#include "cli/plugin.h"

#include <signal.h>
#include <stdlib.h>

enum { LONG_MS = 60000, SHORT_MS = 200 };

static bool run_script(const char *script, uint32_t timeout_ms, struct buffer *answer, struct error *e) {
    const char *const arguments[] = {"/bin/sh", "-c", script, nullptr};
    const char *const variables[] = {nullptr};
    const struct exec_command command = {.arguments = arguments, .variables = variables};
    struct plugin_runner plugins;
    plugin_runner_create(timeout_ms, &plugins);
    *answer = buffer_create(EXEC_ANSWER_MAX);
    return plugins.runner.run(plugins.runner.context, &command, answer, e);
}

static void what_it_prints_is_taken(void **) {
    cleanup_buffer struct buffer answer = {0};
    struct error e;
    must(run_script("echo one; exec echo two", LONG_MS, &answer, &e), e);
    assert_string_equal(buffer_text(&answer), "one\ntwo\n");
}

static void its_failure_is_told(void **) {
    cleanup_buffer struct buffer answer = {0};
    struct error e;
    must_fail(run_script("exec >&-; exit 3", LONG_MS, &answer, &e), e, ERROR_IO, "exit status 3");
}

static void what_it_leaves_behind_is_not_waited_for(void **) {
    cleanup_buffer struct buffer answer = {0};
    struct error e;
    must(run_script("sleep 1000 & echo $!", LONG_MS, &answer, &e), e); // which has its output still
    pid_t left = (pid_t)strtol(buffer_text(&answer), nullptr, 10);
    assert_true(left > 1);
    assert_int_equal(kill(left, SIGKILL), 0);
}

static void one_that_hangs_is_ended(void **) {
    cleanup_buffer struct buffer answer = {0};
    cleanup_buffer struct buffer other = {0};
    struct error e;
    must_fail(run_script("sleep 1000", SHORT_MS, &answer, &e), e, ERROR_IO, "does not end");
    must_fail(run_script("exec >&-; sleep 1000", SHORT_MS, &other, &e), e, ERROR_IO, "does not end");
}

// A shell's "trap '' CHLD", and some that start programs: what they start inherits it.
static void a_parent_may_ignore_its_children(void **) {
    cleanup_buffer struct buffer answer = {0};
    cleanup_buffer struct buffer other = {0};
    struct error e;
    assert_true(signal(SIGCHLD, SIG_IGN) != SIG_ERR);
    must(run_script("sleep 0.1; echo one; sleep 0.1", LONG_MS, &answer, &e), e);
    assert_string_equal(buffer_text(&answer), "one\n");
    assert_true(signal(SIGCHLD, SIG_IGN) != SIG_ERR);
    must_fail(run_script("exit 3", LONG_MS, &other, &e), e, ERROR_IO, "exit status 3");
    assert_true(signal(SIGCHLD, SIG_DFL) != SIG_ERR);
}

static void ignore_children(int) {
    (void)signal(SIGCHLD, SIG_IGN);
}

// The script ends when its parent has heard of it, so that nothing is left to be waited for.
static void one_that_cannot_be_waited_for_has_ended(void **) {
    static const char script[] =
        "until grep -q 'SigIgn:.*[13579bdf]....$' /proc/$PPID/status; do kill -USR1 $PPID; sleep 0.01; done";
    cleanup_buffer struct buffer answer = {0};
    struct error e;
    assert_true(signal(SIGUSR1, ignore_children) != SIG_ERR);
    must_fail(run_script(script, LONG_MS, &answer, &e), e, ERROR_IO, "how is not known");
    assert_true(signal(SIGCHLD, SIG_DFL) != SIG_ERR);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_it_prints_is_taken),
        cmocka_unit_test(its_failure_is_told),
        cmocka_unit_test(what_it_leaves_behind_is_not_waited_for),
        cmocka_unit_test(one_that_hangs_is_ended),
        cmocka_unit_test(a_parent_may_ignore_its_children),
        cmocka_unit_test(one_that_cannot_be_waited_for_has_ended),
    };
    return cmocka_run_group_tests_name("cli/plugin", tests, nullptr, nullptr);
}
