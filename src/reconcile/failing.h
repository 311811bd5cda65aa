// Which objects fail without a fault of their own that is known: how often in a row, and for how long. What
// passes soon is not told; what lasts is.
#pragma once

#include <stdint.h>

struct failing;

// Owned; NULL when memory is out.
[[nodiscard]] struct failing *failing_create(void);
void failing_free(struct failing *failing); // takes failing; NULL is allowed

// A row of failures without a success between them.
struct failing_row {
    unsigned count; // the last one included
    int64_t ms;     // since the first
    bool is_told;   // failing_tell was called since
};

// key has failed at now_ms (monotonic). Out of memory each failure is the first. Any thread, like all below.
struct failing_row failing_count(struct failing *failing, const char *key, int64_t now_ms);

// The failures of key so far have been told.
void failing_tell(struct failing *failing, const char *key);

// key has not failed, or has told why, or is gone.
void failing_end(struct failing *failing, const char *key);
