// How often outputs were made anew, so that a fight over a Secret, or outputs that are made from each other,
// slow down instead of turning into a loop. Unlike the work queue's back-off this one survives success.
#pragma once

#include "kube/object_key.h"

struct regenerate_backoff;

// What of an output is made anew.
enum regenerated {
    REGENERATED_CONTENT,
    REGENERATED_METADATA,   // labels, annotations and owner
    REGENERATED_ON_REQUEST, // the content, since somebody asks for another one
    REGENERATED_READY,      // of the status the Ready condition, which others take off
    REGENERATED_BUNDLE,     // the ConfigMap that has a part of it
};

// Owned; NULL when memory is out.
[[nodiscard]] struct regenerate_backoff *regenerate_backoff_create(void);
void regenerate_backoff_free(struct regenerate_backoff *backoff); // takes backoff; NULL is allowed

// backoff NULL, of all three: nothing is held back.

// Whether that of the output of the object under key may be made anew at now_ms (monotonic). The first
// time it may at once; after n times only 2^n seconds after the last, up to 10 minutes; after ten times as
// long a peace the count starts again. A yes is counted. No: *ret_wait_ms says how long to wait. Any thread.
[[nodiscard]] bool regenerate_backoff_allow(struct regenerate_backoff *backoff, const struct object_key *key,
                                            enum regenerated what, int64_t now_ms, uint32_t *ret_wait_ms);

// Takes the last yes back, since nothing came of it. Any thread.
void regenerate_backoff_take_back(struct regenerate_backoff *backoff, const struct object_key *key,
                                  enum regenerated what);

// Whether one was refused and there is no peace yet, for which *ret_peace_ms are to go. Any thread.
[[nodiscard]] bool regenerate_backoff_is_contested(struct regenerate_backoff *backoff,
                                                   const struct object_key *key, enum regenerated what,
                                                   int64_t now_ms, uint32_t *ret_peace_ms);
