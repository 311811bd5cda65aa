// Metrics that are looked up when somebody asks for them.
#pragma once

#include "reconcile/indexes.h"
#include "runtime/metrics.h"

// Sets what is to be known of objects, watches and this process, which started at started (seconds since
// 1970). Loop thread.
void gauges_measure(const struct informers *informers, const struct indexes *indexes, int64_t started,
                    struct metrics *metrics);
