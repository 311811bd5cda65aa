// What is known of outputs that expire, as metrics like cert-manager's.
#pragma once

#include "reconcile/indexes.h"
#include "runtime/metrics.h"

// Sets the gauges of all objects whose status says when their output expires, and drops those of all others.
// Any thread.
void expiry_measure(const struct indexes *indexes, struct metrics *metrics);
