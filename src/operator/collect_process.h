// What the process uses, as the metrics that all Prometheus clients have (process_...).
#pragma once

#include "runtime/metrics.h"

#include <stdint.h>

// Sets CPU time, memory, open files, and when the process started: seconds since 1970. Any thread.
void collect_process(int64_t started, struct metrics *metrics);
