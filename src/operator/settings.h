// The operator's settings: flags, each with an environment variable; a flag wins.
#pragma once

#include "base/flags.h"
#include "base/log.h"
#include "runtime/lease.h"

enum {
    SEED_URL_PREFIXES_MAX = 16,
    WORKERS_MAX = 64,
    WORKERS_PER_CORE = 4,
    WORKERS_USUAL_MIN = 8,
    NAMESPACES_MAX = 64
};

struct settings {
    const char *kubeconfig; // all texts are borrowed from the arguments or the environment; NULL: not given
    const char *context;
    const char *bind_address;
    const char *namespace;  // of the operator itself
    const char *namespaces; // comma list of those that are served; NULL: all
    const char *excluded_namespaces;
    const char *config_map;           // with the settings that can change while running
    const char *webhook_bind_address; // NULL or "": there is no webhook
    const char *seed_url_prefixes[SEED_URL_PREFIXES_MAX + 1]; // NULL-terminated
    const char *webhook_hosts; // comma list of further names and addresses in its certificate
    const char *webhook_service;
    const char *webhook_configuration;
    const char *webhook_certificate_secret;
    const char *webhook_certificate_directory; // NULL: our own certificate
    uint32_t webhook_overlap_ms;               // of two CAs in a rotation
    enum log_level log_level;
    unsigned workers;
    uint32_t termination_grace_ms; // after SIGTERM comes SIGKILL
    uint32_t watch_timeout_ms;     // at most so long a watch lasts
    uint32_t grant_check_ms;       // how often a granted reference is checked again
    bool leader_elect;
    struct lease_timing leader_election;
    const char *leader_election_lease; // its name
    bool allow_memory_dump;
    bool debug_endpoints;
    bool help;
};

// Reads the arguments after the verb (NULL-terminated) and the environment. Errors: INVALID_SPEC (names the
// flag or variable, the value and what is allowed).
[[nodiscard]] bool settings_read(char *const *arguments, struct settings *ret_settings, struct error *e);

// Reads a number of workers, 1 to WORKERS_MAX. Errors: INVALID_SPEC; name is what the message calls it.
[[nodiscard]] bool settings_parse_workers(const char *name, const char *text, unsigned *ret_workers,
                                          struct error *e);

// Reads a log level. Errors: as settings_parse_workers.
[[nodiscard]] bool settings_parse_level(const char *name, const char *text, enum log_level *ret_level,
                                        struct error *e);

// The flags of `qubesec operator`.
extern const struct flags settings_flags;
