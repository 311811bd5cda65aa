// Metrics that are looked up when somebody asks for them.
#pragma once

#include "reconcile/watches.h"
#include "runtime/metrics.h"

// Sets what is to be known of objects, watches and this process, which started at started (seconds since
// 1970). Loop thread.
void gauges_measure(const struct watches *watches, int64_t started, struct metrics *metrics);
