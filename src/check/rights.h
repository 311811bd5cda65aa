// What the operator needs to be allowed to do: the one list of it. A test compares it with config/rbac. And
// what nobody should be.
#pragma once

#include "check/check.h"

enum { RIGHT_VERBS_MAX = 6 };

enum right_place {
    RIGHT_SERVED,  // in every namespace that the operator serves
    RIGHT_OWN,     // in the operator's own namespace
    RIGHT_CLUSTER, // of a resource without namespaces
};

struct right {
    const char *group;
    const char *resource;                                     // NULL: each of our kinds
    const char *subresource;                                  // NULL: none
    const char *(*name)(const struct check_options *options); // of the one object; NULL: any
    enum right_place place;
    bool is_of_webhook;                 // given by config/webhook, which not everybody installs
    const char *verbs[RIGHT_VERBS_MAX]; // ending in NULL
    const char *purpose;                // what the operator does with it
    const char *advice;                 // what remedies begin with, with a space behind it; NULL: nothing
};

// Each ends with a row without verbs.
extern const struct right rights_needed[];
extern const struct right rights_in_excess[]; // which the operator should not have
extern const struct right rights_to_borrow[]; // which not every ServiceAccount should have
