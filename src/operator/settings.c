#include "operator/settings.h"

#include "base/cpu_count.h"
#include "base/flags.h"
#include "base/text.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { HOUR_MS = 3600 * 1000 };

static bool set_log_level(void *target, const char *name, const char *text, struct error *e) {
    struct settings *settings = target;
    return settings_parse_level(name, text, &settings->log_level, e);
}

static bool set_workers(void *target, const char *name, const char *text, struct error *e) {
    struct settings *settings = target;
    return settings_parse_workers(name, text, &settings->workers, e);
}

// May be given many times.
static bool set_seed_url_prefix(void *target, const char *name, const char *text, struct error *e) {
    struct settings *settings = target;
    size_t count = 0;
    while (settings->seed_url_prefixes[count] != nullptr) {
        count++;
    }
    if (count == SEED_URL_PREFIXES_MAX) {
        return error_set(e, ERROR_INVALID_SPEC, "%s: more than %d are given", name, SEED_URL_PREFIXES_MAX);
    }
    const char *host = strncmp(text, "https://", 8) == 0  ? text + 8
                       : strncmp(text, "http://", 7) == 0 ? text + 7
                                                          : "";
    if (host[0] == '/' || strchr(host, '/') == nullptr) {
        return error_set(e, ERROR_INVALID_SPEC, "%s: %s is not a URL prefix such as https://host/path/", name,
                         text);
    }
    settings->seed_url_prefixes[count] = text;
    return true;
}

// RFC 1123: what can be the name of a namespace.
static bool is_namespace(const char *text) {
    size_t length = strlen(text);
    return length > 0 && length <= 63 && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == length &&
           text[0] != '-' && text[length - 1] != '-';
}

static bool check_namespaces(const char *name, const char *text, struct error *e) {
    struct text_list list;
    if (!text_split(text, &list, e)) {
        return false;
    }
    bool good = (list.count > 0 && list.count <= NAMESPACES_MAX) ||
                error_set(e, ERROR_INVALID_SPEC, "%s: has %zu namespaces; 1 to %d are allowed", name,
                          list.count, NAMESPACES_MAX);
    for (size_t i = 0; good && i < list.count; i++) {
        good = is_namespace(list.items[i]) ||
               error_set(e, ERROR_INVALID_SPEC, "%s: \"%.64s\" is not the name of a namespace", name,
                         list.items[i]);
    }
    text_list_done(&list);
    return good;
}

static bool set_namespaces(void *target, const char *name, const char *text, struct error *e) {
    struct settings *settings = target;
    settings->namespaces = text;
    return check_namespaces(name, text, e);
}

static bool set_excluded_namespaces(void *target, const char *name, const char *text, struct error *e) {
    struct settings *settings = target;
    settings->excluded_namespaces = text;
    return check_namespaces(name, text, e);
}

#define AT(member) offsetof(struct settings, member)

static const struct flag flag_list[] = {
    FLAGS_OF_KUBECONFIG(AT(kubeconfig), AT(context)),
    {.name = "--bind-address",
     .type = FLAG_TEXT,
     .variable = "QUBESEC_BIND_ADDRESS",
     .value = "[HOST]:PORT",
     .offset = AT(bind_address),
     .fallback = ":8080",
     .help = "Where /healthz, /readyz and /metrics are served, plain HTTP. Port 0: any free one."},
    {.name = "--webhook-bind-address",
     .type = FLAG_TEXT,
     .variable = "QUBESEC_WEBHOOK_BIND_ADDRESS",
     .value = "[HOST]:PORT",
     .offset = AT(webhook_bind_address),
     .help = "Where the validating webhook is served, HTTPS. Port 0: any free one. Default: it is not."},
    {.name = "--namespace",
     .type = FLAG_TEXT,
     .variable = "QUBESEC_NAMESPACE",
     .value = "NAME",
     .offset = AT(namespace),
     .help = "The operator's own namespace. Default: $POD_NAMESPACE, else that of the context."},
    {.name = "--namespaces",
     .type = FLAG_OWN,
     .variable = "QUBESEC_NAMESPACES",
     .value = "NAME,...",
     .set = set_namespaces,
     .help = "Serve only these namespaces (at most 64), with rights in no other one. Default: all."},
    {.name = "--exclude-namespaces",
     .type = FLAG_OWN,
     .variable = "QUBESEC_EXCLUDE_NAMESPACES",
     .value = "NAME,...",
     .set = set_excluded_namespaces,
     .help = "Serve none of these namespaces. Default: none is excluded."},
    {.name = "--grant-check-interval",
     .type = FLAG_TIME,
     .variable = "QUBESEC_GRANT_CHECK_INTERVAL",
     .value = "TIME",
     .offset = AT(grant_check_ms),
     .min_ms = 1000,
     .max_ms = 24 * HOUR_MS,
     .fallback = "5m",
     .help = "How often it is checked whether a reference into another namespace is still granted: 30s, 5m."},
    {.name = "--watch-timeout",
     .type = FLAG_TIME,
     .variable = "QUBESEC_WATCH_TIMEOUT",
     .value = "TIME",
     .offset = AT(watch_timeout_ms),
     .min_ms = 5000,
     .max_ms = HOUR_MS,
     .fallback = "10m",
     .help =
         "How long a watch of the API server lasts before it is made anew: at most this, at least half of "
         "it. Less than what a load balancer before the API server allows a quiet connection: 30s, 5m."},
    {.name = "--config-map",
     .type = FLAG_TEXT,
     .variable = "QUBESEC_CONFIG_MAP",
     .value = "NAME",
     .offset = AT(config_map),
     .fallback = "qubesec-operator",
     .help = "ConfigMap of that namespace whose entries log-level and workers win over the flags, and are "
             "picked up while running."},
    {.name = "--log-level",
     .type = FLAG_OWN,
     .variable = "QUBESEC_LOG_LEVEL",
     .value = "LEVEL",
     .set = set_log_level,
     .fallback = "info",
     .help = "debug, info, warning or error."},
    {.name = "--workers",
     .type = FLAG_OWN,
     .variable = "QUBESEC_WORKERS",
     .value = "N",
     .set = set_workers,
     .help = "How many objects are reconciled at once, 1 to 64. Default: 4 for each core that there is, and "
             "at least 8."},
    {.name = "--leader-elect",
     .type = FLAG_BOOL,
     .variable = "QUBESEC_LEADER_ELECT",
     .offset = AT(leader_elect),
     .fallback = "true",
     .help = "Of several replicas the one that holds a Lease works, the others stand by. "
             "--leader-elect=false: there is no other."},
    {.name = "--leader-election-lease",
     .type = FLAG_TEXT,
     .variable = "QUBESEC_LEADER_ELECTION_LEASE",
     .value = "NAME",
     .offset = AT(leader_election_lease),
     .fallback = "qubesec-operator",
     .help = "The Lease, in the operator's own namespace."},
    {.name = "--leader-election-lease-duration",
     .type = FLAG_TIME,
     .variable = "QUBESEC_LEADER_ELECTION_LEASE_DURATION",
     .value = "TIME",
     .offset = AT(leader_election.duration_ms),
     .min_ms = 1,
     .max_ms = HOUR_MS,
     .fallback = "15s",
     .help = "How long after the leader's last sign of life another takes its place; whole seconds."},
    {.name = "--leader-election-renew-deadline",
     .type = FLAG_TIME,
     .variable = "QUBESEC_LEADER_ELECTION_RENEW_DEADLINE",
     .value = "TIME",
     .offset = AT(leader_election.renew_deadline_ms),
     .min_ms = 1,
     .max_ms = HOUR_MS,
     .fallback = "10s",
     .help = "How long the leader tries to renew the Lease before it ends itself; less than the duration."},
    {.name = "--leader-election-retry-period",
     .type = FLAG_TIME,
     .variable = "QUBESEC_LEADER_ELECTION_RETRY_PERIOD",
     .value = "TIME",
     .offset = AT(leader_election.retry_period_ms),
     .min_ms = 1,
     .max_ms = HOUR_MS,
     .fallback = "2s",
     .help = "How often the Lease is renewed, or looked at by others; less than the deadline by a fifth."},
    {.name = "--termination-grace-period",
     .type = FLAG_TIME,
     .variable = "QUBESEC_TERMINATION_GRACE_PERIOD",
     .value = "TIME",
     .offset = AT(termination_grace_ms),
     .min_ms = 1000,
     .max_ms = HOUR_MS,
     .fallback = "30s",
     .help = "The Pod's terminationGracePeriodSeconds: after SIGTERM admission is answered for as long as it "
             "allows, while callers still come: 30s, 2m."},
    {.name = "--seed-url-prefix",
     .type = FLAG_OWN,
     .variable = "QUBESEC_SEED_URL_PREFIX",
     .value = "URL",
     .set = set_seed_url_prefix,
     .help = "Allow spec.seedURI of QuantumRandomNumber to point to URLs that start so; may be given up to "
             "16 times. Default: none is allowed."},
    {.name = "--webhook-host",
     .type = FLAG_TEXT,
     .variable = "QUBESEC_WEBHOOK_HOST",
     .value = "HOST,...",
     .offset = AT(webhook_hosts),
     .help = "Further host names and addresses in the webhook's certificate. Default: none."},
    {.name = "--webhook-service",
     .type = FLAG_TEXT,
     .variable = "QUBESEC_WEBHOOK_SERVICE",
     .value = "NAME",
     .offset = AT(webhook_service),
     .fallback = "qubesec-webhook",
     .help = "The webhook's Service, in the operator's own namespace; the certificate is made for it."},
    {.name = "--webhook-configuration",
     .type = FLAG_TEXT,
     .variable = "QUBESEC_WEBHOOK_CONFIGURATION",
     .value = "NAME",
     .offset = AT(webhook_configuration),
     .fallback = "qubesec",
     .help = "ValidatingWebhookConfiguration whose caBundle is kept right."},
    {.name = "--webhook-certificate-secret",
     .type = FLAG_TEXT,
     .variable = "QUBESEC_WEBHOOK_CERTIFICATE_SECRET",
     .value = "NAME",
     .offset = AT(webhook_certificate_secret),
     .fallback = "qubesec-webhook-certificate",
     .help = "Secret of the operator's own namespace that holds the webhook's CA and certificate."},
    {.name = "--webhook-certificate-directory",
     .type = FLAG_TEXT,
     .variable = "QUBESEC_WEBHOOK_CERTIFICATE_DIRECTORY",
     .value = "DIRECTORY",
     .offset = AT(webhook_certificate_directory),
     .help = "Serve the tls.crt and tls.key in here, which somebody else keeps, as well as the caBundle. "
             "Default: the operator makes its own certificate."},
    {.name = "--webhook-rotation-overlap",
     .type = FLAG_TIME,
     .variable = "QUBESEC_WEBHOOK_ROTATION_OVERLAP",
     .value = "TIME",
     .offset = AT(webhook_overlap_ms),
     .min_ms = 1000,
     .max_ms = HOUR_MS,
     .fallback = "60s",
     .help = "How long the old and the new CA of the webhook are trusted side by side, before the "
             "certificate is changed and again after it, 1s to 1h."},
    {.name = "--debug-endpoints",
     .type = FLAG_BOOL,
     .variable = "QUBESEC_DEBUG_ENDPOINTS",
     .offset = AT(debug_endpoints),
     .help = "Serve /debug/state and /debug/queue too, which name objects and hold nothing secret."},
    {.name = "--allow-memory-dump",
     .type = FLAG_BOOL,
     .variable = "QUBESEC_ALLOW_MEMORY_DUMP",
     .offset = AT(allow_memory_dump),
     .help = "For tests: let a debugger attach and core dumps be written."},
    {.name = "--help", .type = FLAG_SWITCH, .offset = offsetof(struct settings, help), .help = "Show this."},
};
const struct flags settings_flags = {flag_list, sizeof(flag_list) / sizeof(flag_list[0])};
static_assert(sizeof(flag_list) / sizeof(flag_list[0]) <= FLAGS_MAX);

bool settings_parse_workers(const char *name, const char *text, unsigned *ret_workers, struct error *e) {
    char *end;
    errno = 0;
    unsigned long number = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || number < 1 || number > WORKERS_MAX) {
        return error_set(e, ERROR_INVALID_SPEC, "%s: %.64s is not a number from 1 to %d", name, text,
                         WORKERS_MAX);
    }
    *ret_workers = (unsigned)number;
    return true;
}

bool settings_parse_level(const char *name, const char *text, enum log_level *ret_level, struct error *e) {
    return log_parse_level(text, ret_level) ||
           error_set(e, ERROR_INVALID_SPEC, "%s: %.64s is not one of debug, info, warning, error", name,
                     text);
}

// A worker waits for the API server most of the time, so that some are needed for each core, and enough of
// them that the API server has always something to do.
static unsigned default_workers(void) {
    unsigned count = WORKERS_PER_CORE * cpu_count();
    return count < WORKERS_USUAL_MIN ? WORKERS_USUAL_MIN : count > WORKERS_MAX ? WORKERS_MAX : count;
}

bool settings_read(char *const *arguments, struct settings *ret_settings, struct error *e) {
    struct settings settings = {.namespace = getenv("POD_NAMESPACE"), .workers = default_workers()};
    if (settings.namespace != nullptr && settings.namespace[0] == '\0') {
        settings.namespace = nullptr;
    }
    if (!flags_read(&settings_flags, arguments, &settings, &settings.help, e) ||
        !lease_check_timing(&settings.leader_election, e)) {
        return false;
    }
    *ret_settings = settings;
    return true;
}
