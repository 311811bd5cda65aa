// Chance, for what is to be spread or to be unlike others. Not for keys: see crypto/random.h.
#pragma once

#include <stdint.h>

// 64 random bits from the kernel; poor ones, from the clock, where it has none.
uint64_t rand_bits(void);

// A number from 0 up to but not including 1, evenly distributed.
double rand_fraction(void);
