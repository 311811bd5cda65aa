// How many objects have been Pending for long, as a reference to what never comes leaves them, and how many
// have not been rotated when they were to be.
#pragma once

#include "reconcile/indexes.h"
#include "runtime/metrics.h"

// config/monitoring/alerts.yaml and the page of metrics say so too.
enum { OVERDUE_S = 900 };

// Sets both gauges anew; now: of the wall clock, in seconds since 1970.
void collect_overdue(const struct indexes *indexes, int64_t now, struct metrics *metrics);
