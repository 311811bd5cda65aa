#include "support.h"

#include "crypto/random.h"

#include <signal.h>
#include <sys/time.h>

typedef bool source(size_t length, struct secret **ret_secret, struct error *e);

static void check_source(source *make) {
    struct error e;
    static const size_t lengths[] = {0, 1, 32, 65536};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        cleanup_secret struct secret *bytes = nullptr;
        must(make(lengths[i], &bytes, &e), e);
        assert_int_equal(secret_length(bytes), lengths[i]);
    }
    cleanup_secret struct secret *one = nullptr;
    cleanup_secret struct secret *other = nullptr;
    must(make(32, &one, &e), e);
    must(make(32, &other, &e), e);
    assert_false(secret_equals(one, secret_view(other), 32));
    cleanup_secret struct secret *many = nullptr;
    must(make(65536, &many, &e), e);
    // 65536 uniform bytes have 7.997 bits but for a chance that never comes; half-filled ones do not.
    assert_true(random_entropy(secret_view(many), 65536) > 7.99);
    assert_true(random_entropy(secret_view(many) + 65536 - 4096, 4096) > 7.9);
    struct secret *none = nullptr;
    must_fail(make((size_t)1 << 40, &none, &e), e, ERROR_INTERNAL, "over the limit");
    assert_null(none);
}

static void test_system(void **) {
    check_source(random_system);
}

static volatile sig_atomic_t alarms;

static void count_alarm(int) {
    alarms++;
}

// Where getrandom is a system call, a signal makes it return early with a part of a large request, or with
// none.
static void test_system_goes_on_after_signals(void **) {
    enum { LARGE = 16 * 1024 * 1024, CHUNK = 65536 };
    struct error e;
    const struct itimerval often = {{0, 500}, {0, 500}};
    const struct itimerval never = {0};
    struct sigaction action = {.sa_handler = count_alarm}; // without SA_RESTART
    cleanup_secret struct secret *many = nullptr;
    assert_int_equal(sigaction(SIGALRM, &action, nullptr), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &often, nullptr), 0);
    bool made = random_system(LARGE, &many, &e);
    assert_int_equal(setitimer(ITIMER_REAL, &never, nullptr), 0);
    must(made, e);
    assert_true(alarms > 0);
    for (size_t i = 0; i < LARGE; i += CHUNK) {
        assert_true(random_entropy(secret_view(many) + i, CHUNK) > 7.99);
    }
}

static void test_openssl(void **) {
    check_source(random_openssl);
}

static void test_entropy(void **) {
    uint8_t bytes[512];
    assert_true(random_entropy(nullptr, 0) == 0);
    memset(bytes, 0xa5, sizeof(bytes));
    assert_true(random_entropy(bytes, 1) == 0);
    assert_true(random_entropy(bytes, sizeof(bytes)) == 0);
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)i;
    }
    assert_true(random_entropy(bytes, 256) == 8);
    assert_true(random_entropy(bytes, 512) == 8);
    assert_true(random_entropy(bytes, 32) == 5);
    double skewed = random_entropy("aaab", 4); // 3/4 log2(4/3) + 1/4 log2(4)
    assert_true(skewed > 0.81127812 && skewed < 0.81127813);
}

int main(void) {
    start_or_fail();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_system),
        cmocka_unit_test(test_system_goes_on_after_signals),
        cmocka_unit_test(test_openssl),
        cmocka_unit_test(test_entropy),
    };
    return cmocka_run_group_tests_name("crypto/random", tests, nullptr, nullptr);
}
