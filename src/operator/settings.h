// The operator's settings: flags, each with an environment variable; a flag wins.
#pragma once

#include "base/buffer.h"
#include "base/log.h"

enum { SEED_URL_PREFIXES_MAX = 16, WORKERS_MAX = 64 };

struct settings {
    const char *kubeconfig; // all texts are borrowed from the arguments or the environment; NULL: not given
    const char *context;
    const char *bind_address;
    const char *namespace;  // of the operator itself
    const char *config_map; // with the settings that can change while running
    const char *seed_url_prefixes[SEED_URL_PREFIXES_MAX + 1]; // NULL-terminated
    enum log_level log_level;
    unsigned workers;
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

// Appends what `qubesec operator --help` says. Errors: as buffer_append.
[[nodiscard]] bool settings_describe(struct buffer *text, struct error *e);
