// Admission: whether an object of ours may be created or changed as it is, judged by the decoders that the
// reconcile uses. Pure: it reads the review and nothing else, and writes nothing, so a dry run is the same.
#pragma once

#include "engine/kind.h"

// How a review ended, for metrics.
struct admission_outcome {
    const char *kind; // static; NULL: none of ours
    bool allowed;
};

// Answers an AdmissionReview (admission.k8s.io/v1) of length bytes: appends the AdmissionReview to send to
// answer. kinds is NULL-terminated. All faults of an object are in one answer, each as a cause of its own.
//
//   CREATE    the spec is checked.
//   UPDATE    the spec is checked, and what cannot be changed must not be; with the old spec, and when the
//             object is being deleted, all is allowed.
//   else      allowed, and so is every subresource, and every object of another group, with a warning.
//
// A kind of our group that is not served is refused. Errors: INVALID_SPEC (no such review), NO_MEMORY,
// INTERNAL (over the cap of answer).
[[nodiscard]] bool admission_review(const struct kind *const *kinds, const char *review, size_t length,
                                    struct buffer *answer, struct admission_outcome *ret_outcome,
                                    struct error *e);
