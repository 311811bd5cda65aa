#include "cli/request.h"

#include "base/clock.h"
#include "base/log.h"
#include "cli/plugin.h"
#include "crypto/openssl.h"
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
const struct flags request_flags = {flag_list, sizeof(flag_list) / sizeof(flag_list[0])};
static_assert(sizeof(flag_list) / sizeof(flag_list[0]) <= FLAGS_MAX);

static bool read_arguments(const struct request *request, char *const *words, struct arguments *arguments,
                           struct error *e) {
    bool has_target = words[0] != nullptr && words[0][0] != '-';
    *arguments = (struct arguments){.target = has_target ? words[0] : nullptr};
    return flags_read(&request_flags, words + (has_target ? 1 : 0), arguments, &arguments->help, e) &&
           (has_target || arguments->help ||
            error_set(e, ERROR_INVALID_SPEC, "what to %s is missing; name it first: qubesec %s %s",
                      request->verb->name, request->verb->name, request->example));
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

// Says what there is for an object of a kind that the request is not for.
static bool refuse(const struct kind *kind, const char *name, struct error *e) {
    if (kind->is_rotatable) {
        return error_set(e, ERROR_INVALID_SPEC, "a %s is not renewed but rotated: qubesec rotate %s/%.100s",
                         kind->kind, kind->short_name, name);
    }
    return error_set(e, ERROR_INVALID_SPEC,
                     kind->follows
                         ? "a %s is made anew with what it is made from, and not by itself: rotate that"
                         : "a %s is never made anew on request; for another one create a resource of "
                           "another name",
                     kind->kind);
}

// The kind of "KIND/NAME", where KIND may have its group behind it, as kubectl writes it; NULL: *e says what
// is wrong.
static const struct kind *read_target(const struct request *request, const char *target,
                                      const char **ret_name, struct error *e) {
    static const char group[] = "." QUBESEC_GROUP "/";
    const char *slash = strchr(target, '/');
    const char *dot = strstr(target, group);
    if (slash == nullptr || slash[1] == '\0' || strchr(slash + 1, '/') != nullptr) {
        error_set(e, ERROR_INVALID_SPEC, "%.100s is not KIND/NAME, such as %s", target, request->example);
        return nullptr;
    }
    size_t length = (size_t)((dot != nullptr ? dot : slash) - target);
    const struct kind *const *kind = kind_table;
    while (*kind != nullptr && !is_kind(*kind, target, length)) {
        kind++;
    }
    if (*kind == nullptr) {
        error_set(e, ERROR_INVALID_SPEC, "%.*s is no kind of " QUBESEC_GROUP, (int)length, target);
        return nullptr;
    }
    if (!request->serves(*kind)) {
        refuse(*kind, slash + 1, e);
        return nullptr;
    }
    *ret_name = slash + 1;
    return *kind;
}

// text: of the request; borrowed by the patch, as its annotation is.
static bool build_patch(const struct request *request, const char *text, yyjson_mut_doc **ret_patch,
                        struct error *e) {
    if (!json_create(ret_patch, e)) {
        return false;
    }
    yyjson_mut_doc *patch = *ret_patch;
    yyjson_mut_val *metadata = yyjson_mut_obj_add_obj(patch, yyjson_mut_doc_get_root(patch), "metadata");
    yyjson_mut_val *annotations = yyjson_mut_obj_add_obj(patch, metadata, "annotations");
    return yyjson_mut_obj_add_str(patch, annotations, request->annotation, text) ||
           error_no_memory(e, "a patch");
}

static bool annotate(const struct request *request, struct kube_session *session,
                     const struct arguments *arguments, const struct kind *kind, const char *name,
                     struct error *e) {
    const struct kube_resource resource = {kind->group, kind->version, kind->kind, kind->plural};
    const char *given = arguments->namespace;
    const char *namespace = given != nullptr ? given : kube_session_namespace(session);
    cleanup_json_mut yyjson_mut_doc *patch = nullptr;
    char now[CLOCK_TEXT_SIZE];
    clock_format(clock_wall_seconds(), now);
    if (!build_patch(request, now, &patch, e) ||
        !api_patch(kube_session_api(session), &resource, namespace, name, patch, 0, nullptr, e)) {
        return false;
    }
    printf("%s %s/%s: asked to be %s; it is when status.%s is %s\n", kind->kind, namespace, name,
           request->participle, request->status_field, now);
    return true;
}

static bool ask(const struct request *request, const struct arguments *arguments, const struct kind *kind,
                const char *name, struct error *e) {
    struct kube_session *session = nullptr;
    struct plugin_runner plugins;
    plugin_runner_create(PLUGIN_TIMEOUT_MS, &plugins);
    log_set_level(LOG_ERROR);
    bool done = crypto_start(e) &&
                kube_session_open(arguments->kubeconfig, arguments->context, &plugins.runner, &session, e) &&
                annotate(request, session, arguments, kind, name, e);
    kube_session_close(session);
    return done;
}

int request_run(const struct request *request, const struct program *program, char *const *words) {
    struct arguments arguments;
    const char *name = nullptr;
    struct error e;
    if (!read_arguments(request, words, &arguments, &e)) {
        return verb_fail(program, request->verb, &e, 2);
    }
    if (arguments.help) {
        return verb_show_help(program, request->verb);
    }
    const struct kind *kind = read_target(request, arguments.target, &name, &e);
    if (kind == nullptr) {
        return verb_fail(program, request->verb, &e, 2);
    }
    return ask(request, &arguments, kind, name, &e) ? 0 : verb_fail(program, request->verb, &e, 1);
}
