// Chance, for what is to be spread or to be unlike others. Not for keys: see crypto/random.h.
#pragma once

#include <stdint.h>

enum { RAND_UUID_SIZE = 37 }; // with its NUL

// 64 random bits from the kernel; poor ones, from the clock, where it has none.
uint64_t rand_bits(void);

// A UUID of its own (RFC 9562, version 4).
void rand_uuid(char ret_uuid[RAND_UUID_SIZE]);

// A number from 0 up to but not including 1, evenly distributed.
double rand_fraction(void);
