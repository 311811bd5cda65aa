#include "operator/settings.h"

#include "base/cpu_count.h"
#include "base/flags.h"
#include "base/text.h"
#include "engine/spec.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { HOUR_MS = 3600 * 1000 };

struct time_bounds {
    int64_t min_ms;
    int64_t max_ms;
    const char *allowed; // the same for people
};

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

static bool parse_bool(const char *name, const char *text, bool *ret_value, struct error *e) {
    if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0) {
        return error_set(e, ERROR_INVALID_SPEC, "%s: %s is neither true nor false", name, text);
    }
    *ret_value = strcmp(text, "true") == 0;
    return true;
}

static bool set_allow_memory_dump(void *target, const char *name, const char *text, struct error *e) {
    struct settings *settings = target;
    return parse_bool(name, text, &settings->allow_memory_dump, e);
}

static bool set_leader_elect(void *target, const char *name, const char *text, struct error *e) {
    struct settings *settings = target;
    return parse_bool(name, text, &settings->leader_elect, e);
}

// "15s", "500ms", "1m30s", or a bare number of seconds; min_ms to max_ms, of which allowed tells people.
static bool parse_time(const char *name, const char *text, const struct time_bounds *bounds, uint32_t *ret_ms,
                       struct error *e) {
    size_t digits = strspn(text, "0123456789");
    bool plain = digits > 0 && digits < 10;
    int64_t number = plain ? strtoll(text, nullptr, 10) : 0;
    int64_t ms = -1;
    int64_t seconds;
    if (plain && text[digits] == '\0') {
        ms = number * 1000;
    } else if (plain && strcmp(text + digits, "ms") == 0) {
        ms = number;
    } else if (spec_parse_duration(text, &seconds) && seconds <= bounds->max_ms / 1000) {
        ms = seconds * 1000;
    }
    if (ms < bounds->min_ms || ms > bounds->max_ms) {
        return error_set(e, ERROR_INVALID_SPEC, "%s: %.64s is not a time such as 15s or 500ms, %s", name,
                         text, bounds->allowed);
    }
    *ret_ms = (uint32_t)ms;
    return true;
}

static bool set_grant_check_interval(void *target, const char *name, const char *text, struct error *e) {
    struct settings *settings = target;
    static const struct time_bounds bounds = {1000, 24 * HOUR_MS, "from 1s to 24h"};
    return parse_time(name, text, &bounds, &settings->grant_check_ms, e);
}

static bool set_watch_timeout(void *target, const char *name, const char *text, struct error *e) {
    struct settings *settings = target;
    static const struct time_bounds bounds = {5000, HOUR_MS, "from 5s to 1h"};
    return parse_time(name, text, &bounds, &settings->watch_timeout_ms, e);
}

static bool set_webhook_overlap(void *target, const char *name, const char *text, struct error *e) {
    struct settings *settings = target;
    static const struct time_bounds bounds = {1000, HOUR_MS, "from 1s to 1h"};
    return parse_time(name, text, &bounds, &settings->webhook_overlap_ms, e);
}

static const struct time_bounds election_bounds = {1, HOUR_MS, "up to 1h"};

static bool set_lease_duration(void *target, const char *name, const char *text, struct error *e) {
    struct settings *settings = target;
    return parse_time(name, text, &election_bounds, &settings->leader_election.duration_ms, e);
}

static bool set_renew_deadline(void *target, const char *name, const char *text, struct error *e) {
    struct settings *settings = target;
    return parse_time(name, text, &election_bounds, &settings->leader_election.renew_deadline_ms, e);
}

static bool set_retry_period(void *target, const char *name, const char *text, struct error *e) {
    struct settings *settings = target;
    return parse_time(name, text, &election_bounds, &settings->leader_election.retry_period_ms, e);
}

static bool set_debug_endpoints(void *target, const char *name, const char *text, struct error *e) {
    struct settings *settings = target;
    return parse_bool(name, text, &settings->debug_endpoints, e);
}

static bool set_help(void *target, const char *name, const char *text, struct error *e) {
    ((struct settings *)target)->help = true;
    return strcmp(text, "true") == 0 || error_set(e, ERROR_INVALID_SPEC, "%s: takes no value", name);
}

#define TEXT(member) offsetof(struct settings, member)

static const struct flag flag_list[] = {
    {"--kubeconfig", "QUBESEC_KUBECONFIG", "FILE", TEXT(kubeconfig), nullptr,
     "How to reach the API server. Default: $KUBECONFIG; in a pod its service account; ~/.kube/config."},
    {"--context", "QUBESEC_CONTEXT", "NAME", TEXT(context), nullptr,
     "Context of the kubeconfig. Default: its current-context."},
    {"--bind-address", "QUBESEC_BIND_ADDRESS", "[HOST]:PORT", TEXT(bind_address), nullptr,
     "Where /healthz, /readyz and /metrics are served, plain HTTP. Port 0: any free one. Default: :8080."},
    {"--webhook-bind-address", "QUBESEC_WEBHOOK_BIND_ADDRESS", "[HOST]:PORT", TEXT(webhook_bind_address),
     nullptr, "Where the validating webhook is served, HTTPS. Port 0: any free one. Default: it is not."},
    {"--namespace", "QUBESEC_NAMESPACE", "NAME", TEXT(namespace), nullptr,
     "The operator's own namespace. Default: $POD_NAMESPACE, else that of the context."},
    {"--namespaces", "QUBESEC_NAMESPACES", "NAME,...", 0, set_namespaces,
     "Serve only these namespaces (at most 64), with rights in no other one. Default: all."},
    {"--exclude-namespaces", "QUBESEC_EXCLUDE_NAMESPACES", "NAME,...", 0, set_excluded_namespaces,
     "Serve none of these namespaces. Default: none is excluded."},
    {"--grant-check-interval", "QUBESEC_GRANT_CHECK_INTERVAL", "TIME", 0, set_grant_check_interval,
     "How often it is checked whether a reference into another namespace is still granted: 30s, 5m. Default: "
     "5m."},
    {"--watch-timeout", "QUBESEC_WATCH_TIMEOUT", "TIME", 0, set_watch_timeout,
     "How long a watch of the API server lasts before it is made anew: at most this, at least half of it. "
     "Less "
     "than what a load balancer before the API server allows a quiet connection: 30s, 5m. Default: 10m."},
    {"--config-map", "QUBESEC_CONFIG_MAP", "NAME", TEXT(config_map), nullptr,
     "ConfigMap of that namespace whose entries log-level and workers win over the flags, and are picked up "
     "while "
     "running. Default: qubesec-operator."},
    {"--log-level", "QUBESEC_LOG_LEVEL", "LEVEL", 0, set_log_level,
     "debug, info, warning or error. Default: info."},
    {"--workers", "QUBESEC_WORKERS", "N", 0, set_workers,
     "How many objects are reconciled at once, 1 to 64. Default: 4 for each core that there is, and at least "
     "8."},
    {"--leader-elect", "QUBESEC_LEADER_ELECT", nullptr, 0, set_leader_elect,
     "Of several replicas the one that holds a Lease works, the others stand by. --leader-elect=false: there "
     "is no "
     "other. Default: true."},
    {"--leader-election-lease", "QUBESEC_LEADER_ELECTION_LEASE", "NAME", TEXT(leader_election_lease), nullptr,
     "The Lease, in the operator's own namespace. Default: qubesec-operator."},
    {"--leader-election-lease-duration", "QUBESEC_LEADER_ELECTION_LEASE_DURATION", "TIME", 0,
     set_lease_duration,
     "How long after the leader's last sign of life another takes its place; whole seconds. Default: 15s."},
    {"--leader-election-renew-deadline", "QUBESEC_LEADER_ELECTION_RENEW_DEADLINE", "TIME", 0,
     set_renew_deadline,
     "How long the leader tries to renew the Lease before it ends itself; less than the duration. Default: "
     "10s."},
    {"--leader-election-retry-period", "QUBESEC_LEADER_ELECTION_RETRY_PERIOD", "TIME", 0, set_retry_period,
     "How often the Lease is renewed, or looked at by others; less than the deadline by a fifth. Default: "
     "2s."},
    {"--seed-url-prefix", "QUBESEC_SEED_URL_PREFIX", "URL", 0, set_seed_url_prefix,
     "Allow spec.seedURI of QuantumRandomNumber to point to URLs that start so; may be given up to 16 times. "
     "Default: "
     "none is allowed."},
    {"--webhook-host", "QUBESEC_WEBHOOK_HOST", "HOST,...", TEXT(webhook_hosts), nullptr,
     "Further host names and addresses in the webhook's certificate. Default: none."},
    {"--webhook-service", "QUBESEC_WEBHOOK_SERVICE", "NAME", TEXT(webhook_service), nullptr,
     "The webhook's Service, in the operator's own namespace; the certificate is made for it. Default: "
     "qubesec-webhook."},
    {"--webhook-configuration", "QUBESEC_WEBHOOK_CONFIGURATION", "NAME", TEXT(webhook_configuration), nullptr,
     "ValidatingWebhookConfiguration whose caBundle is kept right. Default: qubesec."},
    {"--webhook-certificate-secret", "QUBESEC_WEBHOOK_CERTIFICATE_SECRET", "NAME",
     TEXT(webhook_certificate_secret), nullptr,
     "Secret of the operator's own namespace that holds the webhook's CA and certificate. Default: "
     "qubesec-webhook-certificate."},
    {"--webhook-certificate-directory", "QUBESEC_WEBHOOK_CERTIFICATE_DIRECTORY", "DIRECTORY",
     TEXT(webhook_certificate_directory), nullptr,
     "Serve the tls.crt and tls.key in here, which somebody else keeps, as well as the caBundle. Default: "
     "the "
     "operator makes its own certificate."},
    {"--webhook-rotation-overlap", "QUBESEC_WEBHOOK_ROTATION_OVERLAP", "TIME", 0, set_webhook_overlap,
     "How long the old and the new CA of the webhook are trusted side by side, before the certificate is "
     "changed and again after it, 1s to 1h. Default: 60s."},
    {"--debug-endpoints", "QUBESEC_DEBUG_ENDPOINTS", nullptr, 0, set_debug_endpoints,
     "Serve /debug/state and /debug/queue too, which name objects and hold nothing secret."},
    {"--allow-memory-dump", "QUBESEC_ALLOW_MEMORY_DUMP", nullptr, 0, set_allow_memory_dump,
     "For tests: let a debugger attach and core dumps be written."},
    {"--help", nullptr, nullptr, 0, set_help, "Show this."},
};
static const struct flags flags = {"operator", flag_list, sizeof(flag_list) / sizeof(flag_list[0])};
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
    struct settings settings = {
        .bind_address = ":8080",
        .namespace = getenv("POD_NAMESPACE"),
        .config_map = "qubesec-operator",
        .webhook_service = "qubesec-webhook",
        .webhook_configuration = "qubesec",
        .webhook_certificate_secret = "qubesec-webhook-certificate",
        .webhook_overlap_ms = 60000,
        .log_level = LOG_INFO,
        .workers = default_workers(),
        .watch_timeout_ms = 600000,
        .grant_check_ms = 300000,
        .leader_elect = true,
        .leader_election = {.duration_ms = 15000, .renew_deadline_ms = 10000, .retry_period_ms = 2000},
        .leader_election_lease = "qubesec-operator",
    };
    if (settings.namespace != nullptr && settings.namespace[0] == '\0') {
        settings.namespace = nullptr;
    }
    if (!flags_read(&flags, arguments, &settings, &settings.help, e) ||
        !lease_check_timing(&settings.leader_election, e)) {
        return false;
    }
    *ret_settings = settings;
    return true;
}

bool settings_describe(struct buffer *text, struct error *e) {
    return buffer_append_text(
               text,
               "Usage: qubesec operator [FLAG...]\n\n"
               "Serves the resources of the group qubesec.io until it gets SIGTERM or SIGINT.\n\n"
               "Each flag can also be set by the environment variable after it; the flag wins.\n\n",
               e) &&
           flags_describe(&flags, text, e);
}
