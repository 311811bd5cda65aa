#include "reconcile/reconcile_metrics.h"

const struct metric metric_secrets_written_total = {"qubesec_secrets_written_total",
                                                    "Secrets created, remade or adopted", METRIC_COUNTER};
