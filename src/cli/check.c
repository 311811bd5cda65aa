// qubesec check: tells what is missing in an installation.
#include "check/check.h"
#include "base/flags.h"
#include "base/text.h"
#include "cli/plugin.h"
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
    struct text_list namespaces; // owned
    report_writer *write;
    uint32_t plugin_timeout_ms;
    bool help;
};

// ---- flags

static bool set_output(void *target, const char *name, const char *text, struct error *e) {
    struct arguments *arguments = target;
    bool is_json = strcmp(text, "json") == 0;
    if (!is_json && strcmp(text, "text") != 0) {
        return error_set(e, ERROR_INVALID_SPEC, "%s: %.64s is neither text nor json", name, text);
    }
    arguments->write = is_json ? check_report_write_json : check_report_write_text;
    return true;
}

// In seconds; a unit behind them may say so.
static bool read_timeout(uint32_t *target, const char *name, const char *text, struct error *e) {
    char *end = nullptr;
    errno = 0;
    unsigned long seconds = text[0] >= '0' && text[0] <= '9' ? strtoul(text, &end, 10) : 0;
    bool is_whole = end != nullptr && errno == 0 && (*end == '\0' || strcmp(end, "s") == 0);
    if (!is_whole || seconds < 1 || seconds > TIMEOUT_MAX) {
        return error_set(e, ERROR_INVALID_SPEC, "%s: %.64s is not from 1s to %ds", name, text, TIMEOUT_MAX);
    }
    *target = (uint32_t)seconds * 1000;
    return true;
}

static bool set_timeout(void *target, const char *name, const char *text, struct error *e) {
    return read_timeout(&((struct arguments *)target)->options.timeout_ms, name, text, e);
}

static bool set_plugin_timeout(void *target, const char *name, const char *text, struct error *e) {
    return read_timeout(&((struct arguments *)target)->plugin_timeout_ms, name, text, e);
}

static bool set_namespaces(void *target, const char *name, const char *text, struct error *e) {
    struct arguments *arguments = target;
    text_list_done(&arguments->namespaces);
    if (!text_split(text, &arguments->namespaces, e)) {
        return false;
    }
    arguments->options.namespaces = arguments->namespaces.items;
    return (arguments->namespaces.count > 0 && arguments->namespaces.count <= NAMESPACES_MAX) ||
           error_set(e, ERROR_INVALID_SPEC, "%s: %.64s is not a list of 1 to %d names with commas", name,
                     text, NAMESPACES_MAX);
}

#define AT(member) offsetof(struct arguments, options.member)

// A variable is the operator's for the same, so that both agree within its Pod.
static const struct flag flag_list[] = {
    FLAGS_OF_KUBECONFIG(AT(kubeconfig), AT(context)),
    {.name = "--namespace",
     .type = FLAG_TEXT,
     .variable = "QUBESEC_NAMESPACE",
     .value = "NAME",
     .offset = AT(namespace),
     .help = "The operator's own namespace. Default: $POD_NAMESPACE, else qubesec-system."},
    {.name = "--namespaces",
     .type = FLAG_OWN,
     .variable = "QUBESEC_NAMESPACES",
     .value = "NAME,...",
     .set = set_namespaces,
     .help =
         "The namespaces that the operator serves, if not all: rights and objects are checked there only."},
    {.name = "--probe-namespace",
     .type = FLAG_TEXT,
     .value = "NAME",
     .offset = AT(probe_namespace),
     .fallback = "default",
     .help = "Where the webhook is tried with dry runs, which store nothing."},
    {.name = "--webhook-configuration",
     .type = FLAG_TEXT,
     .variable = "QUBESEC_WEBHOOK_CONFIGURATION",
     .value = "NAME",
     .offset = AT(webhook_configuration),
     .fallback = "qubesec",
     .help = "The ValidatingWebhookConfiguration."},
    {.name = "--webhook-certificate-secret",
     .type = FLAG_TEXT,
     .variable = "QUBESEC_WEBHOOK_CERTIFICATE_SECRET",
     .value = "NAME",
     .offset = AT(webhook_secret),
     .fallback = "qubesec-webhook-certificate",
     .help = "The Secret of the webhook's certificate."},
    {.name = "--leader-election-lease",
     .type = FLAG_TEXT,
     .variable = "QUBESEC_LEADER_ELECTION_LEASE",
     .value = "NAME",
     .offset = AT(lease),
     .fallback = "qubesec-operator",
     .help = "The Lease of the operator's replicas."},
    {.name = "--timeout",
     .type = FLAG_OWN,
     .value = "SECONDS",
     .set = set_timeout,
     .fallback = "10s",
     .help = "How long one request may take."},
    {.name = "--plugin-timeout",
     .type = FLAG_OWN,
     .value = "SECONDS",
     .set = set_plugin_timeout,
     .fallback = "60s",
     .help = "How long a credential plug-in of the kubeconfig (exec) may take."},
    {.name = "--skip-algorithms",
     .type = FLAG_SWITCH,
     .offset = AT(skip_algorithms),
     .help = "Try no algorithms of OpenSSL, which takes some seconds of a processor."},
    {.name = "--output",
     .type = FLAG_OWN,
     .value = "FORMAT",
     .set = set_output,
     .fallback = "text",
     .help = "text or json."},
    {.name = "--help", .type = FLAG_SWITCH, .offset = offsetof(struct arguments, help), .help = "Show this."},
};
static const struct flags flags = {flag_list, sizeof(flag_list) / sizeof(flag_list[0])};
static_assert(sizeof(flag_list) / sizeof(flag_list[0]) <= FLAGS_MAX);

static const char *const no_namespaces[] = {nullptr};

static bool read_arguments(char *const *words, struct arguments *arguments, struct error *e) {
    const char *namespace = getenv("POD_NAMESPACE");
    *arguments = (struct arguments){
        .options =
            {
                .namespace = namespace == nullptr || namespace[0] == '\0' ? "qubesec-system" : namespace,
                .namespaces = no_namespaces,
                .kinds = kind_table,
            },
    };
    return flags_read(&flags, words, arguments, &arguments->help, e);
}

// ---- the verb

static bool check(const struct arguments *arguments, struct check_report *report, struct buffer *text,
                  struct error *e) {
    struct check_options options = arguments->options;
    struct plugin_runner plugins;
    plugin_runner_create(arguments->plugin_timeout_ms, &plugins);
    options.runner = &plugins.runner;
    return check_run(&options, report, e) && arguments->write(report, text, e);
}

static int run_checks(const struct program *program, const struct arguments *arguments) {
    cleanup_buffer struct buffer text = buffer_create(TEXT_MAX);
    struct check_report *report = nullptr;
    struct error e;
    int status = 1;
    if (check_report_create(&report, &e) && check(arguments, report, &text, &e)) {
        fputs(buffer_text(&text), stdout);
        status = check_report_count(report, CHECK_FAIL) > 0 ? 1 : 0;
    } else {
        (void)verb_fail(program, &verb_check, &e, status);
    }
    check_report_free(report);
    return status;
}

static int run(const struct program *program, char *const *words) {
    struct arguments arguments;
    struct error e;
    int status = 2;
    if (!read_arguments(words, &arguments, &e)) {
        (void)verb_fail(program, &verb_check, &e, status);
    } else {
        status = arguments.help ? verb_show_help(program, &verb_check) : run_checks(program, &arguments);
    }
    text_list_done(&arguments.namespaces);
    return status;
}

const struct verb verb_check = {
    .name = "check",
    .run = run,
    .help = "tell what is missing in an installation, and what to do about it",
    .usage = "[FLAG...]",
    .description =
        "Looks at an installation, changes nothing in it, and tells what is missing and what to do about "
        "it.\n"
        "Exit status: 0, nothing failed; 1, something failed; 2, wrongly called.\n"
        "Some flags can also be set by the environment variable after them, which is the operator's own; the "
        "flag wins.\n",
    .flags = &flags,
};
