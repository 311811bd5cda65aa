// Who owns what among the objects of an API in memory.
#pragma once

#include "kube/memory_table.h"

// Whether object has owners and all of them are gone: of none there is an object of that kind, name and uid
// in object's namespace, or a cluster-scoped one.
bool memory_owners_are_gone(const struct memory_table *table, yyjson_val *object);
