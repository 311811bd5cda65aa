#include "check.h"

#include "base/rand.h"

#include <sys/random.h>

// As glibc's, unless there is no entropy to be had.
static bool has_entropy = true;

ssize_t getrandom(void *bytes, size_t length, unsigned) {
    static uint64_t counter = 0;
    if (!has_entropy || length != sizeof(counter)) {
        return -1;
    }
    counter = counter * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    memcpy(bytes, &counter, length);
    return (ssize_t)length;
}

static void a_fraction_is_below_one(void **) {
    double least = 1;
    double most = 0;
    for (int i = 0; i < 10000; i++) {
        double fraction = rand_fraction();
        assert_true(fraction >= 0 && fraction < 1);
        least = fraction < least ? fraction : least;
        most = fraction > most ? fraction : most;
    }
    assert_true(least < 0.01 && most > 0.99);
}

static void without_entropy_the_clock_has_to_do(void **) {
    has_entropy = false;
    assert_true(rand_bits() != 0);
    double fraction = rand_fraction();
    assert_true(fraction >= 0 && fraction < 1);
    has_entropy = true;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fraction_is_below_one),
        cmocka_unit_test(without_entropy_the_clock_has_to_do),
    };
    return cmocka_run_group_tests_name("base/chance", tests, nullptr, nullptr);
}
