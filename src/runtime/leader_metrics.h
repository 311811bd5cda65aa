// The metrics of leader election, as client-go names them.
#pragma once

#include "runtime/metrics.h"

extern const struct metric metric_leader_status;
extern const struct metric metric_leader_slowpath_total;
