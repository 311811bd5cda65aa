#include "../base/check.h"

#include "runtime/background_tasks.h"

#include <stdatomic.h>
#include <time.h>

struct work {
    atomic_int runs;
    atomic_int failures;    // so many runs fail
    enum error_class class; // of the failure
    atomic_uint again_ms;   // of a run that succeeds
    atomic_bool held;       // a run waits until it is false
};

static void pause_briefly(void) {
    (void)nanosleep(&(struct timespec){.tv_nsec = 2000000}, nullptr);
}

static bool run(void *context, uint32_t *ret_again_ms, struct error *e) {
    struct work *work = context;
    atomic_fetch_add(&work->runs, 1);
    while (atomic_load(&work->held)) {
        pause_briefly();
    }
    if (atomic_load(&work->failures) > 0) {
        atomic_fetch_sub(&work->failures, 1);
        return error_set(e, work->class, "as told");
    }
    *ret_again_ms = atomic_load(&work->again_ms);
    return true;
}

// For ever, if it never comes: the runner has a time limit.
static void wait_for_runs(struct work *work, int runs) {
    while (atomic_load(&work->runs) < runs) {
        pause_briefly();
    }
}

static struct background_tasks *start(struct work *first, struct work *second) {
    struct error e;
    struct background_tasks *tasks;
    const struct background_task list[] = {{"first", run, first}, {"second", run, second}};
    must(background_tasks_create(list, 2, &tasks, &e), e);
    return tasks;
}

static void each_runs_when_it_is_asked_for(void **) {
    struct work first = {0};
    struct work second = {0};
    struct background_tasks *tasks = start(&first, &second);
    background_tasks_ask(tasks, "second");
    wait_for_runs(&second, 1);
    assert_int_equal(atomic_load(&first.runs), 0);
    background_tasks_ask(tasks, "first");
    wait_for_runs(&first, 1);
    background_tasks_free(tasks);
    assert_int_equal(atomic_load(&second.runs), 1);
}

static void one_runs_again_when_it_says_so(void **) {
    struct work first = {.again_ms = 1};
    struct work second = {0};
    struct background_tasks *tasks = start(&first, &second);
    background_tasks_ask(tasks, "first");
    wait_for_runs(&first, 5);
    background_tasks_free(tasks);
}

static void a_failure_is_tried_again_unless_only_a_change_can_help(void **) {
    struct work first = {.failures = 2, .class = ERROR_RETRYABLE};
    struct work second = {.failures = 1, .class = ERROR_INVALID_SPEC};
    struct background_tasks *tasks = start(&first, &second);
    background_tasks_ask(tasks, "second");
    background_tasks_ask(tasks, "first");
    wait_for_runs(&first, 3);
    background_tasks_free(tasks);
    assert_int_equal(atomic_load(&second.runs), 1);
}

static void what_is_asked_for_while_it_runs_runs_again(void **) {
    struct work first = {.held = true};
    struct work second = {0};
    struct background_tasks *tasks = start(&first, &second);
    background_tasks_ask(tasks, "first");
    wait_for_runs(&first, 1);
    background_tasks_ask(tasks, "first");
    background_tasks_ask(tasks, "first");
    atomic_store(&first.held, false);
    wait_for_runs(&first, 2);
    background_tasks_free(tasks);
    assert_int_equal(atomic_load(&first.runs), 2);
}

static void nothing_begins_after_the_stop(void **) {
    struct work first = {.again_ms = 1};
    struct work second = {0};
    struct background_tasks *tasks = start(&first, &second);
    background_tasks_ask(tasks, "first");
    wait_for_runs(&first, 1);
    background_tasks_stop(tasks);
    int runs = atomic_load(&first.runs);
    background_tasks_ask(tasks, "second");
    pause_briefly();
    assert_int_equal(atomic_load(&first.runs), runs);
    assert_int_equal(atomic_load(&second.runs), 0);
    background_tasks_free(tasks);
    background_tasks_free(nullptr);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_runs_when_it_is_asked_for),
        cmocka_unit_test(one_runs_again_when_it_says_so),
        cmocka_unit_test(a_failure_is_tried_again_unless_only_a_change_can_help),
        cmocka_unit_test(what_is_asked_for_while_it_runs_runs_again),
        cmocka_unit_test(nothing_begins_after_the_stop),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
