// How many objects there are, and how their watches are, as metrics.
#pragma once

#include "reconcile/indexes.h"
#include "runtime/metrics.h"

// Counts the objects of each kind by their status, and sets how long each watch has been silent. Loop thread.
void collect_objects(const struct informers *informers, const struct indexes *indexes,
                     struct metrics *metrics);
