// What must hold of the versions of an output that is rotated.
#pragma once

#include "cluster.h"
#include "people.h"

void judge_versions_begin(struct cluster *cluster);
void judge_versions_end(void); // frees what it has noted

// Of each change of a Secret or of an object, in order.
void judge_versions_change(const struct change *change);

// Whether the operator has kept text, which was that entry before the change, as a former version: under the
// number that it had.
bool judge_versions_keep(const struct change *change, const char *entry, const char *text);

// Whether a Secret has metadata that can be read.
bool judge_versions_are_told(yyjson_val *secret);

// How often the operator has taken a step of a rotation.
unsigned judge_versions_steps(void);

// At rest no more versions are kept than the spec asks for.
void judge_versions_rest(const struct thing *thing, const char *namespace, yyjson_val *object,
                         yyjson_val *secret);
