#include "webhook/webhook_metrics.h"

const struct metric metric_certwatcher_reads_total = {
    "certwatcher_read_certificate_total", "Times that the webhook's certificate was read", METRIC_COUNTER};
const struct metric metric_certwatcher_read_errors_total = {
    "certwatcher_read_certificate_errors_total", "Times that the webhook's certificate could not be read",
    METRIC_COUNTER};
const struct metric metric_webhook_certificate_expiration_timestamp_seconds = {
    "qubesec_webhook_certificate_expiration_timestamp_seconds",
    "When the certificate that the webhook serves expires, in seconds since 1970", METRIC_GAUGE};
const struct metric metric_webhook_requests_total = {
    "controller_runtime_webhook_requests_total", "Admission requests by HTTP status code", METRIC_COUNTER};
const struct metric metric_webhook_latency_seconds = {"controller_runtime_webhook_latency_seconds",
                                                      "How long an admission request took to answer",
                                                      METRIC_HISTOGRAM};
const struct metric metric_webhook_requests_in_flight = {"controller_runtime_webhook_requests_in_flight",
                                                         "Admission requests that are being answered",
                                                         METRIC_GAUGE};
const struct metric metric_admission_total = {"qubesec_admission_total",
                                              "Admission reviews by kind and result", METRIC_COUNTER};
