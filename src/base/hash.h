// A hash that is the same in each run and on each machine, to spread things evenly. Not for tables of what
// others choose: see base/map.h.
#pragma once

#include <stdint.h>

// FNV-1a, 32 bits.
uint32_t hash_text(const char *text);
