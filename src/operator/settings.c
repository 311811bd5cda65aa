#include "operator/settings.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static bool set_log_level(struct settings *settings, const char *name, const char *text, struct error *e) {
    return settings_parse_level(name, text, &settings->log_level, e);
}

static bool set_workers(struct settings *settings, const char *name, const char *text, struct error *e) {
    return settings_parse_workers(name, text, &settings->workers, e);
}

// May be given many times.
static bool set_seed_url_prefix(struct settings *settings, const char *name, const char *text,
                                struct error *e) {
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

static bool parse_bool(const char *name, const char *text, bool *ret_value, struct error *e) {
    if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0) {
        return error_set(e, ERROR_INVALID_SPEC, "%s: %s is neither true nor false", name, text);
    }
    *ret_value = strcmp(text, "true") == 0;
    return true;
}

static bool set_allow_memory_dump(struct settings *settings, const char *name, const char *text,
                                  struct error *e) {
    return parse_bool(name, text, &settings->allow_memory_dump, e);
}

static bool set_debug_endpoints(struct settings *settings, const char *name, const char *text,
                                struct error *e) {
    return parse_bool(name, text, &settings->debug_endpoints, e);
}

static bool set_help(struct settings *settings, const char *, const char *, struct error *) {
    settings->help = true;
    return true;
}

#define TEXT(member) offsetof(struct settings, member)

static const struct flag {
    const char *name;
    const char *variable; // NULL: none
    const char *value;    // what help calls it; NULL: the flag stands alone and means "true"
    size_t text;          // where in struct settings the text goes, if set is NULL
    bool (*set)(struct settings *settings, const char *name, const char *text, struct error *e);
    const char *help;
} flags[] = {
    {"--kubeconfig", "QUBESEC_KUBECONFIG", "FILE", TEXT(kubeconfig), nullptr,
     "How to reach the API server. Default: $KUBECONFIG; in a pod its service account; ~/.kube/config."},
    {"--context", "QUBESEC_CONTEXT", "NAME", TEXT(context), nullptr,
     "Context of the kubeconfig. Default: its current-context."},
    {"--bind-address", "QUBESEC_BIND_ADDRESS", "[HOST]:PORT", TEXT(bind_address), nullptr,
     "Where /healthz, /readyz and /metrics are served, plain HTTP. Port 0: any free one. Default: :8080."},
    {"--namespace", "QUBESEC_NAMESPACE", "NAME", TEXT(namespace), nullptr,
     "The operator's own namespace. Default: $POD_NAMESPACE, else that of the context."},
    {"--config-map", "QUBESEC_CONFIG_MAP", "NAME", TEXT(config_map), nullptr,
     "ConfigMap of that namespace whose entries log-level and workers win over the flags, and are picked up "
     "while "
     "running. Default: qubesec-operator."},
    {"--log-level", "QUBESEC_LOG_LEVEL", "LEVEL", 0, set_log_level,
     "debug, info, warning or error. Default: info."},
    {"--workers", "QUBESEC_WORKERS", "N", 0, set_workers,
     "How many objects are reconciled at once, 1 to 64. Default: 4."},
    {"--seed-url-prefix", "QUBESEC_SEED_URL_PREFIX", "URL", 0, set_seed_url_prefix,
     "Allow spec.seedURI of QuantumRandomNumber to point to URLs that start so; may be given up to 16 times. "
     "Default: "
     "none is allowed."},
    {"--debug-endpoints", "QUBESEC_DEBUG_ENDPOINTS", nullptr, 0, set_debug_endpoints,
     "Serve /debug/state and /debug/queue too, which name objects and hold nothing secret."},
    {"--allow-memory-dump", "QUBESEC_ALLOW_MEMORY_DUMP", nullptr, 0, set_allow_memory_dump,
     "For tests: let a debugger attach and core dumps be written."},
    {"--help", nullptr, nullptr, 0, set_help, "Show this."},
};
enum { FLAG_COUNT = sizeof(flags) / sizeof(flags[0]) };

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

static bool set(const struct flag *flag, const char *name, const char *text, struct settings *settings,
                struct error *e) {
    if (flag->set != nullptr) {
        return flag->set(settings, name, text, e);
    }
    memcpy((char *)settings + flag->text, &text, sizeof(text));
    return true;
}

// The flag that argument is, as "--name" or "--name=value" (*ret_value: NULL or the value); NULL: none.
static const struct flag *find_flag(const char *argument, const char **ret_value) {
    size_t length = strcspn(argument, "=");
    for (size_t i = 0; i < FLAG_COUNT; i++) {
        if (strlen(flags[i].name) == length && strncmp(flags[i].name, argument, length) == 0) {
            *ret_value = argument[length] == '=' ? argument + length + 1 : nullptr;
            return &flags[i];
        }
    }
    return nullptr;
}

// Of the flags that were not given.
static bool read_variables(const bool given[FLAG_COUNT], struct settings *settings, struct error *e) {
    for (size_t i = 0; i < FLAG_COUNT; i++) {
        const char *text = given[i] || flags[i].variable == nullptr ? nullptr : getenv(flags[i].variable);
        if (text != nullptr && text[0] != '\0' && !set(&flags[i], flags[i].variable, text, settings, e)) {
            return false;
        }
    }
    return true;
}

static bool read_arguments(char *const *arguments, bool given[FLAG_COUNT], struct settings *settings,
                           struct error *e) {
    while (*arguments != nullptr) {
        const char *value = nullptr;
        const struct flag *flag = find_flag(*arguments, &value);
        if (flag == nullptr) {
            return error_set(e, ERROR_INVALID_SPEC, "%s: no such flag; see qubesec operator --help",
                             *arguments);
        }
        arguments++;
        given[flag - flags] = true;
        if (value == nullptr && flag->value != nullptr) {
            if (*arguments == nullptr) {
                return error_set(e, ERROR_INVALID_SPEC, "%s: needs a value, %s", flag->name, flag->value);
            }
            value = *arguments++;
        }
        if (!set(flag, flag->name, value == nullptr ? "true" : value, settings, e)) {
            return false;
        }
    }
    return true;
}

bool settings_read(char *const *arguments, struct settings *ret_settings, struct error *e) {
    struct settings settings = {
        .bind_address = ":8080",
        .namespace = getenv("POD_NAMESPACE"),
        .config_map = "qubesec-operator",
        .log_level = LOG_INFO,
        .workers = 4,
    };
    bool given[FLAG_COUNT] = {0};
    if (settings.namespace != nullptr && settings.namespace[0] == '\0') {
        settings.namespace = nullptr;
    }
    if (!read_arguments(arguments, given, &settings, e) ||
        (!settings.help && !read_variables(given, &settings, e))) {
        return false;
    }
    *ret_settings = settings;
    return true;
}

bool settings_describe(struct buffer *text, struct error *e) {
    if (!buffer_append_text(
            text,
            "Usage: qubesec operator [FLAG...]\n\n"
            "Serves the resources of the group qubesec.io until it gets SIGTERM or SIGINT.\n\n"
            "Each flag can also be set by the environment variable after it; the flag wins.\n\n",
            e)) {
        return false;
    }
    for (size_t i = 0; i < FLAG_COUNT; i++) {
        const struct flag *flag = &flags[i];
        if (!buffer_append_format(
                text, e, "  %s%s%s%s%s\n      %s\n", flag->name, flag->value == nullptr ? "" : " ",
                flag->value == nullptr ? "" : flag->value, flag->variable == nullptr ? "" : "   $",
                flag->variable == nullptr ? "" : flag->variable, flag->help)) {
            return false;
        }
    }
    return true;
}
