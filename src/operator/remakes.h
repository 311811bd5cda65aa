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

// Takes all yeses for key back, since nothing came of the last one. Any thread.
void remakes_forget(struct remakes *remakes, const char *key);
