// What reconciles count.
#pragma once

#include "runtime/metrics.h"

extern const struct metric metric_secrets_written_total;
