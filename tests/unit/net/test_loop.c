#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/loop.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

struct fixture {
    struct loop *loop;
    int calls;
    int order[16];
    struct loop_timer *timer;
    bool current;
};

static int set_up(void **state) {
    static struct fixture fixture;
    struct error e;
    fixture = (struct fixture){0};
    assert_true(loop_create(&fixture.loop, &e));
    *state = &fixture;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *fixture = *state;
    loop_free(fixture->loop);
    return 0;
}

static void note_and_stop(void *context) {
    struct fixture *fixture = context;
    fixture->calls++;
    fixture->current = loop_is_current(fixture->loop);
    loop_stop(fixture->loop);
}

static void note(void *context) {
    struct fixture *fixture = context;
    fixture->calls++;
}

static void *post_many(void *context) {
    struct fixture *fixture = context;
    struct error e;
    for (int i = 0; i < 1000; i++) {
        assert_true(loop_post(fixture->loop, note, fixture, &e));
    }
    return nullptr;
}

static void *run(void *context) {
    struct fixture *fixture = context;
    loop_run(fixture->loop);
    return nullptr;
}

static void calls_from_many_threads_all_arrive(void **state) {
    struct fixture *fixture = *state;
    struct error e;
    pthread_t runner;
    pthread_t posters[4];
    pthread_create(&runner, nullptr, run, fixture);
    for (int i = 0; i < 4; i++) {
        pthread_create(&posters[i], nullptr, post_many, fixture);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(posters[i], nullptr);
    }
    assert_true(loop_post(fixture->loop, note_and_stop, fixture, &e));
    pthread_join(runner, nullptr);
    assert_int_equal(fixture->calls, 4001);
    assert_true(fixture->current);
    assert_false(loop_is_current(fixture->loop));
}

static void a_stop_before_the_run_is_not_lost(void **state) {
    struct fixture *fixture = *state;
    loop_stop(fixture->loop);
    loop_run(fixture->loop);
    struct error e;
    assert_true(loop_post(fixture->loop, note_and_stop, fixture, &e));
    loop_run(fixture->loop);
    assert_int_equal(fixture->calls, 1);
}

struct step {
    struct fixture *fixture;
    int number;
};

static void record(void *context) {
    const struct step *step = context;
    step->fixture->order[step->fixture->calls++] = step->number;
}

static void calls_keep_their_order_and_can_be_dropped(void **state) {
    struct fixture *fixture = *state;
    struct error e;
    struct step steps[5];
    for (int i = 0; i < 5; i++) {
        steps[i] = (struct step){.fixture = fixture, .number = i};
        assert_true(loop_post(fixture->loop, record, &steps[i], &e));
    }
    loop_unpost(fixture->loop, &steps[1]);
    loop_unpost(fixture->loop, &steps[4]);
    struct step last = {.fixture = fixture, .number = 9};
    assert_true(loop_post(fixture->loop, record, &last, &e));
    loop_stop(fixture->loop);
    loop_run(fixture->loop);
    assert_int_equal(fixture->calls, 4);
    static const int expected[] = {0, 2, 3, 9};
    assert_memory_equal(fixture->order, expected, sizeof(expected));
}

static void drop_next(void *context) {
    struct step *steps = context;
    record(&steps[0]);
    loop_unpost(steps[0].fixture->loop, &steps[1]);
}

static void a_call_can_drop_a_later_one(void **state) {
    struct fixture *fixture = *state;
    struct error e;
    struct step steps[3];
    for (int i = 0; i < 3; i++) {
        steps[i] = (struct step){.fixture = fixture, .number = i};
        assert_true(loop_post(fixture->loop, i == 0 ? drop_next : record, &steps[i], &e));
    }
    loop_stop(fixture->loop);
    loop_run(fixture->loop);
    static const int expected[] = {0, 2};
    assert_int_equal(fixture->calls, 2);
    assert_memory_equal(fixture->order, expected, sizeof(expected));
}

static void what_is_posted_at_the_end_is_dropped(void **state) {
    struct fixture *fixture = *state;
    struct error e;
    assert_true(loop_post(fixture->loop, note, fixture, &e)); // freed by loop_free: LeakSanitizer would tell
    assert_int_equal(fixture->calls, 0);
}

static void on_first_timer(void *context) {
    struct fixture *fixture = context;
    fixture->calls++;
    if (fixture->calls < 3) {
        loop_timer_start(fixture->timer, 1);
    } else {
        loop_stop(fixture->loop);
    }
}

static void fail_timer(void *context) {
    (void)context;
    fail();
}

static void timers_fire_once(void **state) {
    struct fixture *fixture = *state;
    struct error e;
    struct loop_timer *unstarted;
    assert_true(loop_timer_create(fixture->loop, on_first_timer, fixture, &fixture->timer, &e));
    assert_true(loop_timer_create(fixture->loop, fail_timer, nullptr, &unstarted, &e));
    loop_timer_start(fixture->timer, 100000);
    loop_timer_start(fixture->timer, 1);
    loop_run(fixture->loop);
    assert_int_equal(fixture->calls, 3);
    loop_timer_free(fixture->timer);
    loop_timer_free(unstarted);
    loop_timer_free(nullptr);
}

static void signals_reach_the_loop(void **state) {
    struct fixture *fixture = *state;
    struct error e;
    assert_true(loop_on_signal(fixture->loop, SIGUSR1, note, fixture, &e));
    assert_true(loop_on_signal(fixture->loop, SIGUSR2, note_and_stop, fixture, &e));
    raise(SIGUSR1);
    raise(SIGUSR2);
    loop_run(fixture->loop);
    assert_int_equal(fixture->calls, 2);
    assert_false(loop_on_signal(fixture->loop, 12345, note, fixture, &e));
    assert_int_equal(e.class, ERROR_INTERNAL);
}

static void a_signal_that_is_repeated_after_the_end_is_ignored(void **state) {
    (void)state;
    struct loop *loop = nullptr;
    struct error e;
    assert_true(loop_create(&loop, &e));
    assert_true(loop_on_signal(loop, SIGTERM, note, nullptr, &e));
    loop_free(loop);
    assert_int_equal(raise(SIGTERM), 0);
}

static void a_broken_pipe_is_no_signal(void **state) {
    (void)state;
    struct sigaction action;
    sigaction(SIGPIPE, nullptr, &action);
    assert_true(action.sa_handler == SIG_IGN);
    loop_free(nullptr);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(calls_from_many_threads_all_arrive, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stop_before_the_run_is_not_lost, set_up, tear_down),
        cmocka_unit_test_setup_teardown(calls_keep_their_order_and_can_be_dropped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_call_can_drop_a_later_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_posted_at_the_end_is_dropped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(timers_fire_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(signals_reach_the_loop, set_up, tear_down),
        cmocka_unit_test(a_signal_that_is_repeated_after_the_end_is_ignored),
        cmocka_unit_test_setup_teardown(a_broken_pipe_is_no_signal, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
