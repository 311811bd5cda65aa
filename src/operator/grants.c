// References into other namespaces: followed only where the rights of a ServiceAccount in the object's own
// namespace reach. The operator's own rights reach everywhere and must not be lent to whoever writes a spec.
#include "operator/reconcile.h"

#include <string.h>

bool source_is_own(const struct reconcile *r, const struct source *source) {
    return strcmp(source->namespace, r->object->namespace) == 0;
}

static const struct kube_resource *find_resource(const struct reconcile *r, const char *kind) {
    const struct kube_resource *resource = nullptr;
    if (strcmp(kind, kube_secrets.kind) == 0) {
        return &kube_secrets;
    }
    if (strcmp(kind, kube_config_maps.kind) == 0) {
        return &kube_config_maps;
    }
    return watches_find_kind(r->controller->watches, kind, &resource) == nullptr ? nullptr : resource;
}

bool grants_check(struct reconcile *r, const struct source *source, const char *kind, const char *name,
                  struct error *e) {
    const struct kube_resource *resource = find_resource(r, kind);
    const char *field = source->request->field;
    bool allowed = false;
    if (source_is_own(r, source)) {
        return true;
    }
    if (resource == nullptr) {
        return error_set(e, ERROR_INTERNAL, "spec.%s: %s is no kind that can be granted", field, kind);
    }
    if (!watches_serve(r->controller->watches, source->namespace)) {
        return error_set(e, ERROR_FORBIDDEN, "spec.%s.namespace: this operator does not serve namespace %s",
                         field, source->namespace);
    }
    struct access_question question = {
        .service_account_namespace = r->object->namespace,
        .service_account = r->decoded.service_account,
        .resource = resource,
        .namespace = source->namespace,
        .name = name,
    };
    if (!access_review(r->controller->access, &question, &allowed, e)) {
        // What the operator may not ask is no fault of the object's.
        e->class = e->class == ERROR_FORBIDDEN || e->class == ERROR_INVALID_SPEC ? ERROR_REFUSED : e->class;
        return false;
    }
    return allowed ||
           error_set(e, ERROR_FORBIDDEN,
                     "spec.%s: ServiceAccount %s of namespace %s may not get %s%s%s %s in namespace %s; "
                     "grant it with a "
                     "Role and a RoleBinding there, or name another one in spec.serviceAccountName",
                     field, r->decoded.service_account, r->object->namespace, resource->plural,
                     resource->group[0] == '\0' ? "" : ".", resource->group, name, source->namespace);
}
