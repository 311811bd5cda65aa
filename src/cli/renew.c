// qubesec renew: asks the operator to issue an object's output anew, before it is due.
#include "base/clock.h"
#include "base/flags.h"
#include "base/log.h"
#include "cli/plugin.h"
#include "cli/verbs.h"
#include "crypto/openssl.h"
#include "engine/kind.h"
#include "kinds/table.h"
#include "kube/session.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { PLUGIN_TIMEOUT_MS = 60000 };

struct arguments {
    const char *target; // "KIND/NAME"
    const char *kubeconfig;
    const char *context;
    const char *namespace; // NULL: the context's
    bool help;
};

static const struct flag flag_list[] = {
    FLAGS_OF_KUBECONFIG(offsetof(struct arguments, kubeconfig), offsetof(struct arguments, context)),
    {.name = "--namespace",
     .type = FLAG_TEXT,
     .value = "NAME",
     .offset = offsetof(struct arguments, namespace),
     .help = "The object's namespace. Default: the context's. Short: -n."},
    {.name = "-n",
     .type = FLAG_TEXT,
     .value = "NAME",
     .offset = offsetof(struct arguments, namespace),
     .help = "The same."},
    {.name = "--help",
     .type = FLAG_SWITCH,
     .offset = offsetof(struct arguments, help),
     .help = "Show this. Short: -h."},
    {.name = "-h", .type = FLAG_SWITCH, .offset = offsetof(struct arguments, help), .help = "The same."},
};
static const struct flags flags = {flag_list, sizeof(flag_list) / sizeof(flag_list[0])};
static_assert(sizeof(flag_list) / sizeof(flag_list[0]) <= FLAGS_MAX);

static bool read_arguments(char *const *words, struct arguments *arguments, struct error *e) {
    bool has_target = words[0] != nullptr && words[0][0] != '-';
    *arguments = (struct arguments){.target = has_target ? words[0] : nullptr};
    return flags_read(&flags, words + (has_target ? 1 : 0), arguments, &arguments->help, e) &&
           (has_target || arguments->help ||
            error_set(e, ERROR_INVALID_SPEC,
                      "what to renew is missing; name it first: qubesec renew qc/NAME"));
}

// The kind by any of the names that kubectl takes, of length bytes.
static bool is_kind(const struct kind *kind, const char *name, size_t length) {
    const char *const names[] = {kind->kind, kind->plural, kind->short_name};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strlen(names[i]) == length && strncasecmp(names[i], name, length) == 0) {
            return true;
        }
    }
    return false;
}

// The kind of "KIND/NAME", where KIND may have its group behind it, as kubectl writes it; NULL: *e says what
// is wrong.
static const struct kind *read_target(const char *target, const char **ret_name, struct error *e) {
    static const char group[] = "." QUBESEC_GROUP "/";
    const char *slash = strchr(target, '/');
    const char *dot = strstr(target, group);
    if (slash == nullptr || slash[1] == '\0' || strchr(slash + 1, '/') != nullptr) {
        error_set(e, ERROR_INVALID_SPEC, "%.100s is not KIND/NAME, such as qc/web", target);
        return nullptr;
    }
    size_t length = (size_t)((dot != nullptr ? dot : slash) - target);
    const struct kind *const *kind = kind_table;
    while (*kind != nullptr && !is_kind(*kind, target, length)) {
        kind++;
    }
    if (*kind == nullptr) {
        error_set(e, ERROR_INVALID_SPEC, "%.*s is no kind of " QUBESEC_GROUP, (int)length, target);
    } else if (!(*kind)->is_renewable) {
        error_set(e, ERROR_INVALID_SPEC,
                  "a %s is never made anew on request; for another one create a resource of another name",
                  (*kind)->kind);
        return nullptr;
    }
    *ret_name = slash + 1;
    return *kind;
}

// text: of the request; borrowed by the patch.
static bool build_patch(const char *text, yyjson_mut_doc **ret_patch, struct error *e) {
    if (!json_create(ret_patch, e)) {
        return false;
    }
    yyjson_mut_doc *patch = *ret_patch;
    yyjson_mut_val *metadata = yyjson_mut_obj_add_obj(patch, yyjson_mut_doc_get_root(patch), "metadata");
    yyjson_mut_val *annotations = yyjson_mut_obj_add_obj(patch, metadata, "annotations");
    return yyjson_mut_obj_add_str(patch, annotations, RENEW_ANNOTATION, text) ||
           error_no_memory(e, "a patch");
}

static bool request_renewal(struct kube_session *session, const struct arguments *arguments,
                            const struct kind *kind, const char *name, struct error *e) {
    const struct kube_resource resource = {kind->group, kind->version, kind->kind, kind->plural};
    const char *given = arguments->namespace;
    const char *namespace = given != nullptr ? given : kube_session_namespace(session);
    cleanup_json_mut yyjson_mut_doc *patch = nullptr;
    char now[CLOCK_TEXT_SIZE];
    clock_format(clock_wall_seconds(), now);
    if (!build_patch(now, &patch, e) ||
        !api_patch(kube_session_api(session), &resource, namespace, name, patch, 0, nullptr, e)) {
        return false;
    }
    printf("%s %s/%s: asked to be renewed; it is when status." RENEW_STATUS_FIELD " is %s\n", kind->kind,
           namespace, name, now);
    return true;
}

static bool renew(const struct arguments *arguments, const struct kind *kind, const char *name,
                  struct error *e) {
    struct kube_session *session = nullptr;
    struct plugin_runner plugins;
    plugin_runner_create(PLUGIN_TIMEOUT_MS, &plugins);
    log_set_level(LOG_ERROR);
    bool done = crypto_start(e) &&
                kube_session_open(arguments->kubeconfig, arguments->context, &plugins.runner, &session, e) &&
                request_renewal(session, arguments, kind, name, e);
    kube_session_close(session);
    return done;
}

static int run(const struct program *program, char *const *words) {
    struct arguments arguments;
    const char *name = nullptr;
    struct error e;
    if (!read_arguments(words, &arguments, &e)) {
        return verb_fail(program, &verb_renew, &e, 2);
    }
    if (arguments.help) {
        return verb_show_help(program, &verb_renew);
    }
    const struct kind *kind = read_target(arguments.target, &name, &e);
    if (kind == nullptr) {
        return verb_fail(program, &verb_renew, &e, 2);
    }
    return renew(&arguments, kind, name, &e) ? 0 : verb_fail(program, &verb_renew, &e, 1);
}

const struct verb verb_renew = {
    .name = "renew",
    .run = run,
    .help = "ask for a certificate to be issued anew, before it is due",
    .usage = "KIND/NAME [FLAG...]",
    .description =
        "Asks for a QuantumCertificate to be issued anew now, as it would be when it is due: with the same "
        "key, unless its\nspec.privateKey.rotationPolicy says otherwise. It sets the "
        "annotation " RENEW_ANNOTATION
        "\nto the present time; whoever calls it needs the right to patch the object. Other kinds are never "
        "made anew.\nExit status: 0, it was asked for; 1, it was not; 2, wrongly called.\n",
    .flags = &flags,
};
