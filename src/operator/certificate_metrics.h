// What is known of each certificate, as metrics like cert-manager's.
#pragma once

#include "operator/object_metrics.h"

// Of all objects whose status says now when their output expires.
extern const struct object_metrics_family certificate_metrics;
