#include "reconcile/grants.h"

#include <stdio.h>
#include <string.h>

enum { ALSO_SIZE = 320 };

static const char verb_get[] = "get";

// Of our own: to have the operator use a resource's secret bytes without a right to read them. It is never
// asked about Secrets and ConfigMaps, so it opens none.
static const char verb_use[] = "use";

// What the Secret is really called is told to nobody who may not see it.
enum { GRANT_SIZE = 400 };
static void format_use_or_read(const struct reconcile *r, const struct kube_resource *resource,
                               const char *name, char ret_grant[GRANT_SIZE]) {
    const struct kind *kind = indexes_find_kind(r->parts->indexes, resource);
    snprintf(ret_grant, GRANT_SIZE,
             "\"use\" on it, or \"get\" on it and on its Secret (by default %.253s%s),", name,
             kind == nullptr || kind->secret_suffix == nullptr ? "" : kind->secret_suffix);
}

bool source_is_own(const struct reconcile *r, const struct source *source) {
    return strcmp(source->namespace, r->object->namespace) == 0;
}

// Whether r's ServiceAccount may do that with the object of that resource and name, where source's reference
// points to.
static bool ask(const struct reconcile *r, const struct source *source, const char *verb,
                const struct kube_resource *resource, const char *name, bool *ret_allowed, struct error *e) {
    struct access_review_spec question = {
        .service_account_namespace = r->object->namespace,
        .service_account = r->decoded.service_account,
        .verb = verb,
        .resource = resource,
        .namespace = source->namespace,
        .name = name,
    };
    if (!access_review(r->parts->access, &question, ret_allowed, e)) {
        // What the operator may not ask is no fault of the object's, and says nothing against it: it is as
        // with a read.
        e->class = e->class == ERROR_FORBIDDEN      ? ERROR_RETRYABLE
                   : e->class == ERROR_INVALID_SPEC ? ERROR_REFUSED
                                                    : e->class;
        return false;
    }
    return true;
}

// may_not: "may not get"; also: what else he may not, with a comma before it; what: which grant would do.
static bool refuse(const struct reconcile *r, const struct source *source, const char *may_not,
                   const struct kube_resource *resource, const char *also, const char *what,
                   struct error *e) {
    return error_set(
        e, ERROR_FORBIDDEN,
        "spec.%s: ServiceAccount %s of namespace %s %s %s%s%s %s in namespace %s%s; grant %s with a "
        "Role and a RoleBinding there, or name another one in spec.serviceAccountName",
        source->request->field, r->decoded.service_account, r->object->namespace, may_not, resource->plural,
        resource->group[0] == '\0' ? "" : ".", resource->group, source->request->reference.name,
        source->namespace, also, what);
}

static bool is_ours(const struct input_source *from) {
    return from->data_key != nullptr;
}

// The right to get is asked about first: whoever has it needs no other answer for what is public.
bool grants_check(struct reconcile *r, const struct source *source, const struct input_source *from,
                  struct error *e) {
    const struct kube_resource *resource = reconcile_resource(r, from->kind);
    const char *name = source->request->reference.name;
    char use_or_read[GRANT_SIZE];
    bool allowed = false;
    if (source_is_own(r, source)) {
        return true;
    }
    if (resource == nullptr) {
        return error_set(e, ERROR_INTERNAL, "spec.%s: %s is no kind that can be granted",
                         source->request->field, from->kind);
    }
    if (!indexes_serve(r->parts->indexes, source->namespace)) {
        return error_set(e, ERROR_FORBIDDEN, "spec.%s.namespace: this operator does not serve namespace %s",
                         source->request->field, source->namespace);
    }
    if (!ask(r, source, verb_get, resource, name, &allowed, e) ||
        (!allowed && is_ours(from) && !ask(r, source, verb_use, resource, name, &allowed, e))) {
        return false;
    }
    if (allowed) {
        return true;
    }
    if (!is_ours(from)) {
        return refuse(r, source, "may not get", resource, "", "it", e);
    }
    format_use_or_read(r, resource, name, use_or_read);
    return refuse(r, source, "may neither use nor get", resource, "",
                  from->is_public ? "\"use\" or \"get\" on it" : use_or_read, e);
}

bool grants_check_secret(struct reconcile *r, const struct source *source, struct error *e) {
    const struct kube_resource *resource = reconcile_resource(r, source->from->kind);
    const char *name = source->request->reference.name;
    char also[ALSO_SIZE] = "";
    char use_or_read[GRANT_SIZE];
    bool sees = false;
    bool allowed = false;
    if (source_is_own(r, source)) {
        return true;
    }
    if (!ask(r, source, verb_get, resource, name, &sees, e) ||
        (sees && !ask(r, source, verb_get, &kube_secrets, source->name, &allowed, e)) ||
        (!allowed && !ask(r, source, verb_use, resource, name, &allowed, e))) {
        return false;
    }
    if (allowed) {
        return true;
    }
    if (sees) { // the Secret's name is told to nobody else
        snprintf(also, sizeof(also), ", nor get secrets %s, which holds it", source->name);
    }
    format_use_or_read(r, resource, name, use_or_read);
    return refuse(r, source, "may not use", resource, also,
                  sees ? "\"use\" on it, or \"get\" on it and on its Secret," : use_or_read, e);
}
