// Named points at which the process of a test build ends as by a power cut: SIGKILL, with nothing finished,
// flushed or given back. In any other build they are nothing. docs/develop.md says how they are used.
#pragma once

#include "base/error.h"

#ifdef QUBESEC_FAILPOINTS

// Each point with its name. What its detail says:
//   REQUEST            METHOD PATH, of each request to the API server; after: whatever came of it
//   SECRET_AND_STATUS  KIND NAMESPACE/NAME, of the object whose output is as it should be
//   RENEWAL            the same, of an output that expires; after: the new one is written
//   ROTATION           the same, of a step of rotation
//   WEBHOOK_STEP       what is logged of the step; after: the Secret is written
#define FAILPOINTS(POINT)                                                                                    \
    POINT(BEFORE_REQUEST, "before-request")                                                                  \
    POINT(AFTER_REQUEST, "after-request")                                                                    \
    POINT(BETWEEN_SECRET_AND_STATUS, "between-secret-and-status")                                            \
    POINT(BEFORE_RENEWAL, "before-renewal")                                                                  \
    POINT(AFTER_RENEWAL, "after-renewal")                                                                    \
    POINT(BEFORE_ROTATION, "before-rotation")                                                                \
    POINT(AFTER_ROTATION, "after-rotation")                                                                  \
    POINT(BEFORE_WEBHOOK_STEP, "before-webhook-step")                                                        \
    POINT(AFTER_WEBHOOK_STEP, "after-webhook-step")

#define FAILPOINT_ENUMERATOR(point, name) FAILPOINT_##point,
enum failpoint { FAILPOINTS(FAILPOINT_ENUMERATOR) FAILPOINT_COUNT };
#undef FAILPOINT_ENUMERATOR

// Chooses the point at which the process ends, by the environment's QUBESEC_FAILPOINT=NAME[@TEXT]: the
// first time that the point is reached with TEXT in its detail. Not set: never. Before other threads run.
// Errors: INVALID_SPEC (names all points).
[[nodiscard]] bool failpoints_arm(struct error *e);

// Ends the process if this is the chosen point; the log says which it was. Any thread.
[[gnu::format(printf, 2, 3)]] void failpoint_reach(enum failpoint point, const char *format, ...);
#define failpoint(point, ...) failpoint_reach(FAILPOINT_##point, __VA_ARGS__)

#else

[[nodiscard]] static inline bool failpoints_arm(struct error *) {
    return true;
}
#define failpoint(point, ...) ((void)0)

#endif
