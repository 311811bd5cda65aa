// qubesec check: tells what is missing in an installation.
#include "operator/check.h"
#include "base/memory.h"
#include "cli/verbs.h"
#include "kinds/table.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    NAMESPACES_MAX = 64,
    TEXT_MAX = 16 * 1024 * 1024,
    TIMEOUT_MAX = 600, // seconds
};

typedef bool report_writer(const struct check_report *report, struct buffer *text, struct error *e);

struct arguments {
    struct check_options options;
    const char *namespaces[NAMESPACES_MAX + 1]; // borrowed from namespace_list, NULL-terminated
    char *namespace_list;                       // owned
    report_writer *write;
    bool help;
};

// ---- flags

static bool set_output(struct arguments *arguments, const char *name, const char *text, struct error *e) {
    bool is_json = strcmp(text, "json") == 0;
    if (!is_json && strcmp(text, "text") != 0) {
        return error_set(e, ERROR_INVALID_SPEC, "%s: %.64s is neither text nor json", name, text);
    }
    arguments->write = is_json ? check_report_write_json : check_report_write_text;
    return true;
}

// In seconds; a unit behind them may say so.
static bool set_timeout(struct arguments *arguments, const char *name, const char *text, struct error *e) {
    char *end = nullptr;
    errno = 0;
    unsigned long seconds = text[0] >= '0' && text[0] <= '9' ? strtoul(text, &end, 10) : 0;
    bool is_whole = end != nullptr && errno == 0 && (*end == '\0' || strcmp(end, "s") == 0);
    if (!is_whole || seconds < 1 || seconds > TIMEOUT_MAX) {
        return error_set(e, ERROR_INVALID_SPEC, "%s: %.64s is not from 1s to %ds", name, text, TIMEOUT_MAX);
    }
    arguments->options.timeout_ms = (uint32_t)seconds * 1000;
    return true;
}

static bool set_namespaces(struct arguments *arguments, const char *name, const char *text, struct error *e) {
    size_t count = 0;
    memory_free(arguments->namespace_list);
    arguments->namespace_list = memory_copy_text(text);
    if (arguments->namespace_list == nullptr) {
        return error_no_memory(e, name);
    }
    char *rest = arguments->namespace_list;
    for (char *one = strsep(&rest, ","); one != nullptr; one = strsep(&rest, ",")) {
        if (one[0] == '\0' || count == NAMESPACES_MAX) {
            return error_set(e, ERROR_INVALID_SPEC, "%s: %.64s is not a list of 1 to %d names with commas",
                             name, text, NAMESPACES_MAX);
        }
        arguments->namespaces[count++] = one;
    }
    arguments->namespaces[count] = nullptr;
    return true;
}

static bool set_help(struct arguments *arguments, const char *, const char *, struct error *) {
    arguments->help = true;
    return true;
}

#define TEXT(member) offsetof(struct arguments, options.member)

static const struct flag {
    const char *name;
    const char *variable; // the operator's for the same, so that both agree within its Pod; NULL: none
    const char *value;    // what help calls it; NULL: the flag stands alone
    size_t text;          // where in struct arguments the text goes, if set is NULL
    bool (*set)(struct arguments *arguments, const char *name, const char *text, struct error *e);
    const char *help;
} flags[] = {
    {"--kubeconfig", "QUBESEC_KUBECONFIG", "FILE", TEXT(kubeconfig), nullptr,
     "How to reach the API server. Default: $KUBECONFIG; in a pod its service account; ~/.kube/config."},
    {"--context", "QUBESEC_CONTEXT", "NAME", TEXT(context), nullptr,
     "Context of the kubeconfig. Default: its current-context."},
    {"--namespace", "QUBESEC_NAMESPACE", "NAME", TEXT(namespace), nullptr,
     "The operator's own namespace. Default: $POD_NAMESPACE, else qubesec-system."},
    {"--namespaces", "QUBESEC_NAMESPACES", "NAME,...", 0, set_namespaces,
     "The namespaces that the operator serves, if not all: rights and objects are checked there only."},
    {"--probe-namespace", nullptr, "NAME", TEXT(probe_namespace), nullptr,
     "Where the webhook is tried with dry runs, which store nothing. Default: default."},
    {"--webhook-configuration", "QUBESEC_WEBHOOK_CONFIGURATION", "NAME", TEXT(webhook_configuration), nullptr,
     "The ValidatingWebhookConfiguration. Default: qubesec."},
    {"--webhook-certificate-secret", "QUBESEC_WEBHOOK_CERTIFICATE_SECRET", "NAME", TEXT(webhook_secret),
     nullptr, "The Secret of the webhook's certificate. Default: qubesec-webhook-certificate."},
    {"--leader-election-lease", "QUBESEC_LEADER_ELECTION_LEASE", "NAME", TEXT(lease), nullptr,
     "The Lease of the operator's replicas. Default: qubesec-operator."},
    {"--timeout", nullptr, "SECONDS", 0, set_timeout, "How long one request may take. Default: 10s."},
    {"--output", nullptr, "FORMAT", 0, set_output, "text or json. Default: text."},
    {"--help", nullptr, nullptr, 0, set_help, "Show this."},
};
enum { FLAG_COUNT = sizeof(flags) / sizeof(flags[0]) };

#undef TEXT

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

static bool set(const struct flag *flag, const char *name, const char *value, struct arguments *arguments,
                struct error *e) {
    if (flag->set != nullptr) {
        return flag->set(arguments, name, value, e);
    }
    memcpy((char *)arguments + flag->text, &value, sizeof(value));
    return true;
}

static bool read_variables(struct arguments *arguments, struct error *e) {
    for (size_t i = 0; i < FLAG_COUNT; i++) {
        const char *name = flags[i].variable;
        const char *value = name == nullptr ? nullptr : getenv(name);
        if (value != nullptr && value[0] != '\0' && !set(&flags[i], name, value, arguments, e)) {
            return false;
        }
    }
    return true;
}

static bool read_flag(char *const **words, struct arguments *arguments, struct error *e) {
    const char *value = nullptr;
    const char *word = *(*words)++;
    const struct flag *flag = find_flag(word, &value);
    if (flag == nullptr) {
        return error_set(e, ERROR_INVALID_SPEC, "%s: no such flag; see qubesec check --help", word);
    }
    if (flag->value == nullptr && value != nullptr) {
        return error_set(e, ERROR_INVALID_SPEC, "%s: takes no value", flag->name);
    }
    if (flag->value != nullptr && value == nullptr) {
        value = **words;
        if (value == nullptr) {
            return error_set(e, ERROR_INVALID_SPEC, "%s: needs a value, %s", flag->name, flag->value);
        }
        (*words)++;
    }
    return set(flag, flag->name, value, arguments, e);
}

static bool read_arguments(char *const *words, struct arguments *arguments, struct error *e) {
    const char *namespace = getenv("POD_NAMESPACE");
    *arguments = (struct arguments){
        .options =
            {
                .namespace = namespace == nullptr || namespace[0] == '\0' ? "qubesec-system" : namespace,
                .lease = "qubesec-operator",
                .probe_namespace = "default",
                .webhook_configuration = "qubesec",
                .webhook_secret = "qubesec-webhook-certificate",
                .namespaces = arguments->namespaces,
                .kinds = kind_table,
                .timeout_ms = 10 * 1000,
            },
        .write = check_report_write_text,
    };
    bool read = read_variables(arguments, e); // and then the flags, which win
    while (read && *words != nullptr) {
        read = read_flag(&words, arguments, e);
    }
    return read;
}

static int show_help(void) {
    printf("Usage: qubesec check [FLAG...]\n\n"
           "Looks at an installation, changes nothing in it, and tells what is missing and what to do about "
           "it.\nExit status: 0, nothing failed; 1, something failed; 2, wrongly called.\n\n"
           "Some flags can also be set by the environment variable after them, which is the operator's own; "
           "the flag wins.\n\n");
    for (size_t i = 0; i < FLAG_COUNT; i++) {
        const struct flag *flag = &flags[i];
        printf("  %s%s%s%s%s\n      %s\n", flag->name, flag->value == nullptr ? "" : " ",
               flag->value == nullptr ? "" : flag->value, flag->variable == nullptr ? "" : "   $",
               flag->variable == nullptr ? "" : flag->variable, flag->help);
    }
    return 0;
}

// ---- the verb

static bool check(const struct arguments *arguments, struct check_report *report, struct buffer *text,
                  struct error *e) {
    return check_run(&arguments->options, report, e) && arguments->write(report, text, e);
}

static int run(const struct arguments *arguments) {
    cleanup_buffer struct buffer text = buffer_create(TEXT_MAX);
    struct check_report *report = nullptr;
    struct error e;
    int status = 1;
    if (check_report_create(&report, &e) && check(arguments, report, &text, &e)) {
        fputs(buffer_text(&text), stdout);
        status = check_report_count(report, CHECK_FAIL) > 0 ? 1 : 0;
    } else {
        fprintf(stderr, "qubesec check: %s\n", e.message);
    }
    check_report_free(report);
    return status;
}

int verb_check(char *const *arguments) {
    struct arguments read;
    struct error e;
    int status = 2;
    if (!read_arguments(arguments, &read, &e)) {
        fprintf(stderr, "qubesec check: %s\n", e.message);
    } else {
        status = read.help ? show_help() : run(&read);
    }
    memory_free(read.namespace_list);
    return status;
}
