// The metrics of admission and of its certificate.
#pragma once

#include "runtime/metrics.h"

extern const struct metric metric_certwatcher_reads_total;
extern const struct metric metric_certwatcher_read_errors_total;
extern const struct metric metric_webhook_certificate_expiration_timestamp_seconds;
extern const struct metric metric_webhook_requests_total;
extern const struct metric metric_webhook_latency_seconds;
extern const struct metric metric_webhook_requests_in_flight;
extern const struct metric metric_admission_total;
