// How many objects there are, and how their watches are, as metrics.
#pragma once

#include "reconcile/watches.h"
#include "runtime/metrics.h"

// Counts the objects of each kind by their status, and sets how long each watch has been silent. Loop thread.
void collect_objects(const struct watches *watches, struct metrics *metrics);
