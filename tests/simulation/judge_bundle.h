// What must hold of the ConfigMap with the roots of a CA.
#pragma once

#include "cluster.h"
#include "people.h"

// Of each change of a ConfigMap by the operator.
void judge_bundle_change(struct cluster *cluster, const struct change *change);

// At rest it is as its object, which is finished, asks for and says. all_finished: nothing is in its way.
void judge_bundle_rest(const struct cluster *cluster, const char *namespace, const struct thing *thing,
                       yyjson_val *object, bool all_finished);
