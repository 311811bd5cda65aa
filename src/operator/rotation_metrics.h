// What is known of each object that is rotated, or follows one that is, as metrics.
#pragma once

#include "operator/object_metrics.h"

// Of all objects whose status speaks of a rotation or of versions.
extern const struct object_metrics_family rotation_metrics;
