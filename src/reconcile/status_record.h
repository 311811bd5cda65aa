// What the status of an object says of what was verified last, and what follows from it.
#pragma once

#include "reconcile/reconcile.h"

// Whether recorded, a part of a status with uid and resourceVersion, names exactly this version of object.
bool status_names(yyjson_val *recorded, const struct kube_object *object);

// Whether an operator has written a status. That of a new object is what its definition has for a default: a
// condition Ready=Unknown, for those who would take an object without conditions for a finished one.
bool status_is_written(yyjson_val *status);

// The Ready condition of a status; NULL: there is none.
yyjson_val *status_find_ready(yyjson_val *status);

// Whether object, a status or a part of one, was written for the present generation.
bool status_is_of_generation(const struct reconcile *r, yyjson_val *object);

// A time that a status says, in seconds since 1970; 0: it says none.
int64_t status_time(yyjson_val *status, const char *field);

// Whether the output was made from what source is found in now: the status says no other.
bool status_has_origin(const struct reconcile *r, const struct source *source);

// Whether the reference to source names the version that it named then, or none, as then.
bool status_has_version(const struct reconcile *r, const struct source *source);

// Whether the status has recorded the public key that r->report is about.
bool status_has_key(const struct reconcile *r);

// Whether it has recorded another one.
bool status_has_other_key(const struct reconcile *r);

// Fills r->context's record from the object's status, as it was read live if it was.
void status_read_record(struct reconcile *r);

// What the message of the Ready condition has before why a rotation was refused.
#define UNROTATED "; its rotation was refused and is tried again: "

// Why the status says that a rotation was refused, of an output that is good and stays as it was; NULL: it
// does not say so.
const char *status_says_unrotated(const struct reconcile *r);

// Whether the status has Ready=True, as that of every finished object: others may have taken it off, and who
// waits for it would wait.
bool status_says_ready(const struct reconcile *r);

// Whether the status says that object's present generation was served, with exactly the output and inputs
// that the watch now shows: nothing is to be done then, before the renewal that it announces.
bool status_is_settled(const struct reconcile *r, struct renewal *ret_renewal);

// Whether the status says of a finished object what nothing is known against: its present generation was
// served, and its output is there and was not found to be anything else.
bool status_stands(const struct reconcile *r);
