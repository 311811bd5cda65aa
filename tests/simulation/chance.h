// The one source of chance of a simulation: the same seed gives the same numbers, on every machine.
#pragma once

#include <stdint.h>

// Begins anew.
void chance_seed(uint64_t seed);

uint64_t chance_bits(void);

// A number from 0 up to but not including limit, which is not 0.
uint32_t chance_below(uint32_t limit);

// A number from low up to and including high.
uint32_t chance_between(uint32_t low, uint32_t high);

// True in so many of 1,000 cases.
bool chance_of(uint32_t permille);

// A number from 0 up to but not including 1, evenly distributed, as reflector and lease draw it: context is
// not used.
double chance_fraction(void *context);

// A number that is the same as long as the seed is.
uint64_t chance_constant(void);
