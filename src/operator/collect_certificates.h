// What is known of certificates, as metrics like cert-manager's.
#pragma once

#include "reconcile/indexes.h"
#include "runtime/metrics.h"

// Sets the metrics of all objects whose status says when their output expires, and drops those of all others.
// Any thread.
void collect_certificates(const struct indexes *indexes, struct metrics *metrics);
