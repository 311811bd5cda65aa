#include "../base/check.h"

// pthread_create with an end that tests choose: so many threads can be had, then none; negative: no end. The
// file under test is compiled into the test itself, in the place of the library's.
#include <pthread.h>
#include <stdatomic.h>

static atomic_long threads_left = -1;

static int short_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                                void *context) {
    if (atomic_load(&threads_left) == 0) {
        return 11; // EAGAIN
    }
    if (atomic_load(&threads_left) > 0) {
        atomic_fetch_sub(&threads_left, 1);
    }
    return pthread_create(thread, attributes, run, context);
}

#ifndef __clang_analyzer__ // it looks at that file by itself
#define pthread_create short_pthread_create
#include "runtime/workers.c"
#undef pthread_create
#endif

#include "../base/short_memory.h"

#include "runtime/queue.h"
#include "runtime/workers.h"

#include <stdio.h>

// What the workers do, seen and steered by the test. All under the lock.
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned started;  // in all
    unsigned finished; // in all
    unsigned most;     // at once
    unsigned let_go;   // how many in all may finish; others wait
    char last_key[64];
} work = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static struct queue *queue;
static struct workers *workers;

static void do_work(void *context, const struct object_key *key, const struct queue_attempt *attempt) {
    assert_ptr_equal(context, &work);
    assert_int_equal(attempt->failures, 0);
    pthread_mutex_lock(&work.lock);
    unsigned number = ++work.started;
    unsigned running = work.started - work.finished;
    work.most = running > work.most ? running : work.most;
    snprintf(work.last_key, sizeof(work.last_key), "%s/%s", key->namespace, key->name);
    pthread_cond_broadcast(&work.changed);
    while (number > work.let_go) {
        pthread_cond_wait(&work.changed, &work.lock);
    }
    work.finished++;
    pthread_cond_broadcast(&work.changed);
    pthread_mutex_unlock(&work.lock);
}

static int set_up(void **) {
    struct error e;
    atomic_store(&threads_left, -1);
    work.started = 0;
    work.finished = 0;
    work.most = 0;
    work.let_go = 1000000;
    return queue_create(nullptr, &queue, &e) && workers_create(queue, do_work, &work, &workers, &e) ? 0 : -1;
}

static int tear_down(void **) {
    pthread_mutex_lock(&work.lock);
    work.let_go = 1000000;
    pthread_cond_broadcast(&work.changed);
    pthread_mutex_unlock(&work.lock);
    queue_shut_down(queue);
    workers_join(workers);
    workers_free(workers);
    queue_free(queue);
    return 0;
}

static void set_count(unsigned count) {
    struct error e;
    must(workers_set_count(workers, count, &e), e);
    assert_int_equal(workers_count(workers), count);
}

static void add_key(unsigned number, enum queue_lane lane) {
    static const struct kube_resource things = {"example.com", "v1", "Thing", "things"};
    struct error e;
    char name[32];
    snprintf(name, sizeof(name), "%u", number);
    must(queue_add_to_lane(queue, &(struct object_key){&things, "ns", name}, lane, &e), e);
}

static void add_keys(unsigned from, unsigned to) {
    for (unsigned i = from; i < to; i++) {
        add_key(i, QUEUE_FAST);
    }
}

static void let_go(unsigned count) {
    pthread_mutex_lock(&work.lock);
    work.let_go = count;
    pthread_cond_broadcast(&work.changed);
    pthread_mutex_unlock(&work.lock);
}

static void wait_until_started(unsigned count) {
    pthread_mutex_lock(&work.lock);
    while (work.started < count) {
        pthread_cond_wait(&work.changed, &work.lock);
    }
    pthread_mutex_unlock(&work.lock);
}

static void wait_until_finished(unsigned count) {
    pthread_mutex_lock(&work.lock);
    while (work.finished < count) {
        pthread_cond_wait(&work.changed, &work.lock);
    }
    pthread_mutex_unlock(&work.lock);
}

static void nobody_works_at_first(void **) {
    add_keys(0, 3);
    workers_join(workers); // nobody is there to be waited for
    assert_int_equal(queue_depth(queue), 3);
    assert_int_equal(work.started, 0);
    set_count(0);
    workers_join(workers);
}

// Of two workers one is left to what is quick, when the other waits for a server and a slow key is ready.
static void one_is_left_to_what_is_quick(void **) {
    let_go(0);
    add_key(0, QUEUE_REMOTE);
    add_key(1, QUEUE_SLOW);
    set_count(2);
    wait_until_started(1);
    add_key(2, QUEUE_FAST);
    wait_until_started(2);
    assert_string_equal(work.last_key, "ns/2");
    let_go(3);
    wait_until_finished(3);
}

static void a_sole_worker_does_all(void **) {
    add_key(0, QUEUE_REMOTE);
    add_key(1, QUEUE_SLOW);
    add_key(2, QUEUE_FAST);
    set_count(1);
    wait_until_finished(3);
}

static void held_workers_begin_when_they_may(void **) {
    struct error e;
    workers_hold(workers);
    add_keys(0, 10);
    set_count(2);
    set_count(3);
    workers_join(workers); // nobody is there to be waited for
    assert_int_equal(work.started, 0);
    let_go(0);
    must(workers_begin(workers, &e), e);
    wait_until_started(3);
    must(workers_begin(workers, &e), e); // no change
    assert_int_equal(queue_depth(queue), 7);
    set_count(4);
    let_go(1000);
    wait_until_finished(10);
    assert_in_range(work.most, 3, 4);
}

static void one_worker_takes_one_key_after_the_other(void **) {
    set_count(1);
    add_keys(0, 50);
    wait_until_finished(50);
    assert_int_equal(work.most, 1);
    assert_string_equal(work.last_key, "ns/49");
    assert_int_equal(queue_depth(queue), 0);
}

// That all of them work at once shows that there are so many.
static void there_are_as_many_as_asked_for(void **) {
    let_go(0);
    set_count(3);
    add_keys(0, 10);
    wait_until_started(3);
    assert_int_equal(queue_depth(queue), 7);
    set_count(3); // no change
    set_count(5);
    wait_until_started(5);
    assert_int_equal(queue_depth(queue), 5);
    let_go(1000);
    wait_until_finished(10);
    assert_int_equal(work.most, 5);
}

static void test_trap_25_a_key_is_never_in_two_workers(void **) {
    let_go(0);
    set_count(4);
    add_keys(0, 1);
    wait_until_started(1);
    add_keys(0, 1); // only marked
    add_keys(1, 2);
    wait_until_started(2);
    assert_string_equal(work.last_key, "ns/1");
    assert_int_equal(queue_depth(queue), 0);
    let_go(1000);
    wait_until_finished(3);
    assert_int_equal(work.started, 3);
}

static void idle_workers_leave_when_there_are_too_many(void **) {
    set_count(4);
    set_count(1);
    add_keys(0, 100);
    wait_until_finished(100);
    assert_int_equal(work.most, 1);
}

// They finish what they do, and take nothing more.
static void busy_workers_leave_when_they_have_finished(void **) {
    let_go(0);
    set_count(4);
    add_keys(0, 4);
    wait_until_started(4);
    set_count(1);
    add_keys(4, 20);
    let_go(4);
    wait_until_started(5);
    pthread_mutex_lock(&work.lock);
    work.most = 0;
    pthread_mutex_unlock(&work.lock);
    let_go(1000);
    wait_until_finished(20);
    assert_int_equal(work.most, 1);
}

static void all_may_leave_and_new_ones_come(void **) {
    set_count(3);
    set_count(0);
    workers_join(workers); // without an end of the queue: all were told to leave
    add_keys(0, 3);
    assert_int_equal(queue_depth(queue), 3);
    set_count(2);
    wait_until_finished(3);
}

static void counts_may_change_often(void **) {
    add_keys(0, 500);
    for (unsigned i = 0; i < 200; i++) {
        set_count(i % 7);
    }
    set_count(2);
    wait_until_finished(500);
    assert_int_equal(work.started, 500);
    add_keys(0, 500);
    wait_until_finished(1000);
}

static void *shut_down_soon(void *) {
    wait_until_started(2);
    queue_shut_down(queue);
    let_go(1000);
    return nullptr;
}

static void joining_waits_for_what_runs(void **) {
    pthread_t thread;
    let_go(0);
    set_count(2);
    add_keys(0, 10);
    assert_int_equal(pthread_create(&thread, nullptr, shut_down_soon, nullptr), 0);
    workers_join(workers);
    assert_int_equal(work.started, 2); // nothing new was begun
    assert_int_equal(work.finished, 2);
    assert_int_equal(pthread_join(thread, nullptr), 0);
    workers_join(workers); // again, with nobody left
}

static void no_more_threads_is_an_error(void **) {
    struct error e;
    atomic_store(&threads_left, 2);
    let_go(0);
    must_fail(workers_set_count(workers, 5, &e), e, ERROR_INTERNAL, "starting a worker thread: ");
    add_keys(0, 10);
    wait_until_started(2); // the two that could be had
    must_fail(workers_set_count(workers, 5, &e), e, ERROR_INTERNAL, "starting a worker thread: ");
    atomic_store(&threads_left, -1);
    set_count(5);
    wait_until_started(5);
    let_go(1000);
    wait_until_finished(10);
    assert_int_equal(work.most, 5);
    set_count(1); // needs no thread
}

static void no_memory_is_an_error(void **) {
    struct error e;
    struct workers *none = nullptr;
    memory_left = 0;
    must_fail(workers_create(queue, do_work, &work, &none, &e), e, ERROR_NO_MEMORY, "workers");
    memory_left = -1;
    assert_null(none);
    workers_free(nullptr);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nobody_works_at_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_is_left_to_what_is_quick, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_sole_worker_does_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(held_workers_begin_when_they_may, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_worker_takes_one_key_after_the_other, set_up, tear_down),
        cmocka_unit_test_setup_teardown(there_are_as_many_as_asked_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_trap_25_a_key_is_never_in_two_workers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(idle_workers_leave_when_there_are_too_many, set_up, tear_down),
        cmocka_unit_test_setup_teardown(busy_workers_leave_when_they_have_finished, set_up, tear_down),
        cmocka_unit_test_setup_teardown(all_may_leave_and_new_ones_come, set_up, tear_down),
        cmocka_unit_test_setup_teardown(counts_may_change_often, set_up, tear_down),
        cmocka_unit_test_setup_teardown(joining_waits_for_what_runs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_more_threads_is_an_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_memory_is_an_error, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("operator/workers", tests, nullptr, nullptr);
}
