#include "check.h"

#include "base/clock.h"
#include "base/condvar.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition;
static bool happened;

static void the_time_is_up(void **) {
    condvar_create(&condition);
    pthread_mutex_lock(&lock);
    int64_t until_ms = clock_monotonic_ms() + 20;
    while (condvar_wait_until(&condition, &lock, until_ms)) {
    }
    assert_true(clock_monotonic_ms() >= until_ms);
    assert_false(condvar_wait_until(&condition, &lock, 0));
    pthread_mutex_unlock(&lock);
    pthread_cond_destroy(&condition);
}

static void *let_it_happen(void *) {
    pthread_mutex_lock(&lock);
    happened = true;
    pthread_cond_signal(&condition);
    pthread_mutex_unlock(&lock);
    return nullptr;
}

static void a_signal_ends_the_wait(void **) {
    pthread_t thread;
    condvar_create(&condition);
    happened = false;
    pthread_mutex_lock(&lock);
    pthread_create(&thread, nullptr, let_it_happen, nullptr);
    while (!happened) {
        assert_true(condvar_wait_until(&condition, &lock, INT64_MAX / 2));
    }
    pthread_mutex_unlock(&lock);
    pthread_join(thread, nullptr);
    pthread_cond_destroy(&condition);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_time_is_up),
        cmocka_unit_test(a_signal_ends_the_wait),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
