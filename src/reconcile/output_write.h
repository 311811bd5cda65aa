// Steps 5 and 6 of a reconcile: the output, made or rebuilt, checked, and written.
#pragma once

#include "reconcile/reconcile.h"

// Whether this worker may make or evaluate the output: work that takes seconds is left to one that may do it.
// Errors: RETRYABLE, and the outcome's result is RESULT_LANE.
[[nodiscard]] bool output_may_make(struct reconcile *r, struct error *e);

// Makes the output and writes it: creates the Secret, or replaces our own entries of the one examined; what
// other people have added to it stays. Errors: those of struct kind's produce, CONFLICT (another one took the
// name), those of recheck_object and of requests.
[[nodiscard]] bool output_make(struct reconcile *r, struct error *e);

// Replaces the entries of the one examined by those that the kind rebuilds around what cannot be made again.
// Errors: those of struct kind's repair, and of requests.
[[nodiscard]] bool output_repair(struct reconcile *r, struct error *e);

// Takes the step r->rotation with the one examined, which is good. Errors: those of production_rotate,
// CONFLICT (an entry that it needs is somebody else's), and of requests.
[[nodiscard]] bool output_rotate(struct reconcile *r, struct error *e);

// For a kind without an output Secret: evaluates the inputs. Errors: those of struct kind's evaluate.
[[nodiscard]] bool output_evaluate(struct reconcile *r, struct error *e);

// Brings the labels, annotations and owner of a good Secret to what they should be, where they differ, and
// its metadata entry to the form of this version.
[[nodiscard]] bool output_keep_metadata(struct reconcile *r, struct error *e);

// For an object that waits or has failed: takes its owner off a Secret of its own that is to outlive it, so
// that deletionPolicy Retain holds from the moment that it is asked for. What refuses that is left in
// owner_refusal. Errors: those of requests.
[[nodiscard]] bool output_release(struct reconcile *r, struct error *e);
