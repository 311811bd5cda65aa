// How many objects have been Pending for long, as a reference to what never comes leaves them.
#pragma once

#include "reconcile/indexes.h"
#include "runtime/metrics.h"

enum { OVERDUE_S = 900 }; // config/monitoring/alerts.yaml and the page of metrics say so too

// Sets the gauge anew; now: of the wall clock, in seconds since 1970.
void collect_overdue(const struct indexes *indexes, int64_t now, struct metrics *metrics);
