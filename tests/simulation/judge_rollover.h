// What must hold while a root CA changes its key or its name: nobody is cut off.
#pragma once

#include "cluster.h"
#include "people.h"

void judge_rollover_begin(struct cluster *cluster);

// Of each change of a Secret or of an object, in order.
void judge_rollover_change(const struct change *change);

// At rest, in that namespace.
void judge_rollover_rest(const char *namespace);

// Whether a CA has more than one root still, or waits for another one.
bool judge_rollover_is_under_way(void);

// How many writes to what lies below a CA follow from what has happened to its roots.
unsigned judge_rollover_steps(void);
