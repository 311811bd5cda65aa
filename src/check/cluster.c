// The API server, and our custom resources in it.
#include "check/context.h"
#include "check/parts.h"

#include <stdio.h>
#include <string.h>

// ---- the API server

static bool read_version(struct check_context *context, yyjson_doc **ret_document, struct error *e) {
    if (context->config == nullptr) {
        *e = context->config_error;
        return false;
    }
    return check_get_path(context, "/version", ret_document, e);
}

static void note_unreachable(struct check_context *context, struct check_report *report,
                             const struct error *error) {
    context->api_is_unreachable = true;
    if (context->config == nullptr) {
        check_note(report, CHECK_FAIL, "kubeconfig", "%s", error->message);
        check_advise(report,
                     "Say with --kubeconfig and --context how to reach the cluster; nothing in it was "
                     "checked.");
    } else {
        check_note(report, CHECK_FAIL, "reachable", "%s cannot be used: %s",
                   kube_config_server(context->config), error->message);
        check_advise(report,
                     "See that this is the right cluster, that it can be reached from here, and that the "
                     "credentials are good; nothing in it was checked.");
    }
}

static void check_server_version(struct check_report *report, yyjson_val *version) {
    const char *text = json_member_text(version, "gitVersion");
    unsigned minor;
    if (text == nullptr || !check_parse_version(text, &minor)) {
        check_note(report, CHECK_WARN, "version", "\"%.64s\" is not understood", text == nullptr ? "" : text);
        check_advise(report, "See that it is Kubernetes 1.%d or later.", CHECK_KUBERNETES_MINOR_MIN);
    } else if (minor < CHECK_KUBERNETES_MINOR_MIN) {
        check_note(report, CHECK_FAIL, "version", "%s is older than 1.%d", text, CHECK_KUBERNETES_MINOR_MIN);
        check_advise(report, "Upgrade the cluster: older API servers do not serve all of our definitions.");
    } else {
        check_note(report, CHECK_OK, "version", "%s", text);
    }
}

static void check_tls_group(struct check_context *context, struct check_report *report) {
    char group[CHECK_GROUP_SIZE];
    pthread_mutex_lock(&context->lock);
    memcpy(group, context->tls_group, sizeof(group));
    pthread_mutex_unlock(&context->lock);
    if (check_is_post_quantum(group)) {
        check_note(report, CHECK_OK, "TLS", "%s, which is post-quantum", group);
    } else {
        check_note(report, CHECK_WARN, "TLS", "%s, which is not post-quantum",
                   group[0] == '\0' ? "a group without a name" : group);
        check_advise(report, "Keys on their way to this API server could be read by whoever records them now "
                             "and has a quantum computer later. Kubernetes 1.33 and later negotiate "
                             "X25519MLKEM768, unless a proxy or its settings are in the way.");
    }
}

void check_api_server(struct check_context *context, struct check_report *report) {
    cleanup_json yyjson_doc *document = nullptr;
    struct error e;
    bool read = read_version(context, &document, &e);
    if (!read && e.class != ERROR_FORBIDDEN) {
        note_unreachable(context, report, &e);
        return;
    }
    check_note(report, CHECK_OK, "reachable", "%s", kube_config_server(context->config));
    if (read) {
        check_server_version(report, yyjson_doc_get_root(document));
    } else {
        check_note_unseen(report, "version", &e);
    }
    check_tls_group(context, report);
}

// ---- custom resources

static const struct kube_resource definitions = {"apiextensions.k8s.io", "v1", "CustomResourceDefinition",
                                                 "customresourcedefinitions"};

static const char no_status[] = "has no status subresource in v1";

static yyjson_val *find_by(yyjson_val *list, const char *member, const char *text) {
    size_t index;
    size_t count;
    yyjson_val *one;
    yyjson_arr_foreach(list, index, count, one) {
        if (yyjson_equals_str(yyjson_obj_get(one, member), text)) {
            return one;
        }
    }
    return nullptr;
}

// What is wrong with the definition; NULL: nothing.
static const char *find_problem(yyjson_val *definition, const struct kind *kind) {
    yyjson_val *conditions = json_find(definition, "status", "conditions", nullptr);
    yyjson_val *established = find_by(conditions, "type", "Established");
    yyjson_val *version = find_by(json_find(definition, "spec", "versions", nullptr), "name", kind->version);
    if (!yyjson_equals_str(yyjson_obj_get(established, "status"), "True")) {
        return "is not established";
    }
    if (!yyjson_get_bool(yyjson_obj_get(version, "served"))) {
        return "does not serve v1";
    }
    return json_find(version, "subresources", "status", nullptr) == nullptr ? no_status : nullptr;
}

// Whoever may not read definitions can see what is served all the same.
static bool discover(struct check_context *context, const struct kind *kind, const char **ret_problem,
                     struct error *e) {
    cleanup_json yyjson_doc *document = nullptr;
    char status[128];
    char path[128];
    snprintf(path, sizeof(path), "/apis/%s/%s", kind->group, kind->version);
    if (!check_get_path(context, path, &document, e) && e->class != ERROR_NOT_FOUND) {
        return false;
    }
    yyjson_val *resources = yyjson_obj_get(yyjson_doc_get_root(document), "resources");
    snprintf(status, sizeof(status), "%s/status", kind->plural);
    if (find_by(resources, "name", kind->plural) == nullptr) {
        *ret_problem = "does not serve v1";
    } else {
        *ret_problem = find_by(resources, "name", status) == nullptr ? no_status : nullptr;
    }
    return true;
}

// *ret_problem: what is wrong with the definition of that name; NULL: nothing.
static bool examine(struct check_context *context, const struct kind *kind, const char *name,
                    const char **ret_problem, struct error *e) {
    cleanup_json yyjson_doc *document = nullptr;
    if (check_get(context, &definitions, nullptr, name, &document, e)) {
        *ret_problem = find_problem(yyjson_doc_get_root(document), kind);
        return true;
    }
    if (e->class == ERROR_NOT_FOUND) {
        *ret_problem = "is not there";
        return true;
    }
    return e->class == ERROR_FORBIDDEN && discover(context, kind, ret_problem, e);
}

static void check_definition(struct check_context *context, struct check_report *report,
                             const struct kind *kind) {
    struct error e;
    char name[128];
    const char *problem;
    snprintf(name, sizeof(name), "%s.%s", kind->plural, kind->group);
    if (!examine(context, kind, name, &problem, &e)) {
        check_note_unseen(report, kind->kind, &e);
    } else if (problem != nullptr) {
        check_note(report, CHECK_FAIL, kind->kind, "the CustomResourceDefinition %s %s", name, problem);
        check_advise(report, "Apply the definitions of this version: kubectl apply --kustomize config/crd");
    } else {
        check_note(report, CHECK_OK, kind->kind, "is served as v1, with status");
    }
}

void check_definitions(struct check_context *context, struct check_report *report) {
    for (const struct kind *const *kind = context->options->kinds; *kind != nullptr; kind++) {
        check_definition(context, report, *kind);
    }
}
