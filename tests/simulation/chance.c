#include "chance.h"

static uint64_t state;
static uint64_t constant;

void chance_seed(uint64_t seed) {
    state = seed;
    constant = chance_bits();
}

// SplitMix64, by Sebastiano Vigna.
uint64_t chance_bits(void) {
    uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

uint32_t chance_below(uint32_t limit) {
    return (uint32_t)((chance_bits() >> 32) * limit >> 32);
}

uint32_t chance_between(uint32_t low, uint32_t high) {
    return low + chance_below(high - low + 1);
}

bool chance_of(uint32_t permille) {
    return chance_below(1000) < permille;
}

double chance_fraction(void *) {
    return (double)(chance_bits() >> 11) * 0x1p-53;
}

uint64_t chance_constant(void) {
    return constant;
}
