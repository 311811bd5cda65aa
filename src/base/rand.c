#include "base/rand.h"

#include "base/clock.h"

#include <stdio.h>
#include <sys/random.h>

uint64_t rand_bits(void) {
    uint64_t bits = 0;
    if (getrandom(&bits, sizeof(bits), 0) != sizeof(bits)) {
        bits = (uint64_t)clock_wall_microseconds() * 0x9e3779b97f4a7c15;
    }
    return bits;
}

void rand_uuid(char ret_uuid[RAND_UUID_SIZE]) {
    uint64_t high = (rand_bits() & ~UINT64_C(0xf000)) | 0x4000;
    uint64_t low = (rand_bits() >> 2) | UINT64_C(1) << 63;
    snprintf(ret_uuid, RAND_UUID_SIZE, "%08x-%04x-%04x-%04x-%012llx", (unsigned)(high >> 32),
             (unsigned)(high >> 16) & 0xffff, (unsigned)high & 0xffff, (unsigned)(low >> 48),
             (unsigned long long)low & 0xffffffffffff);
}

double rand_fraction(void) {
    return (double)(rand_bits() >> 11) * 0x1p-53;
}
