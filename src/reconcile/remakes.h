// How often outputs were made anew, so that a fight over a Secret, or outputs that are made from each other,
// slow down instead of turning into a loop.
#pragma once

#include <stdint.h>

struct remakes;

// Owned; NULL when memory is out.
[[nodiscard]] struct remakes *remakes_create(void);
void remakes_free(struct remakes *remakes); // takes remakes; NULL is allowed

// Whether the output under key may be made anew at now_ms (monotonic). The first time it may at once; after n
// times only 2^n seconds after the last, up to 10 minutes; after ten times as long a peace the count starts
// again. A yes is counted. No: *ret_wait_ms says how long to wait. Any thread.
[[nodiscard]] bool remakes_allow(struct remakes *remakes, const char *key, int64_t now_ms,
                                 uint32_t *ret_wait_ms);

// Takes the last yes for key back, since nothing came of it. Any thread.
void remakes_take_back(struct remakes *remakes, const char *key);

// Whether a remake under key was refused and there is no peace yet, for which *ret_peace_ms are to go. Any
// thread.
[[nodiscard]] bool remakes_are_contested(struct remakes *remakes, const char *key, int64_t now_ms,
                                         uint32_t *ret_peace_ms);
