#include "base/rand.h"

#include "base/clock.h"

#include <sys/random.h>

uint64_t rand_bits(void) {
    uint64_t bits = 0;
    if (getrandom(&bits, sizeof(bits), 0) != sizeof(bits)) {
        bits = (uint64_t)clock_wall_microseconds() * 0x9e3779b97f4a7c15;
    }
    return bits;
}

double rand_fraction(void) {
    return (double)(rand_bits() >> 11) * 0x1p-53;
}
