#include "kube/api.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool may_delete(const struct kube_resource *resource) {
    return strcmp(resource->group, kube_config_maps.group) == 0 &&
           strcmp(resource->plural, kube_config_maps.plural) == 0;
}

bool api_call(struct api api, const struct api_request *request, yyjson_doc **ret_document, struct error *e) {
    if (request->verb == API_DELETE && !may_delete(request->resource)) {
        return error_set(e, ERROR_INTERNAL, "nothing but ConfigMaps is deleted, and no %s",
                         request->resource->kind);
    }
    return api.call(api.context, request, ret_document, e);
}

bool api_get(struct api api, const struct kube_resource *resource, const char *namespace, const char *name,
             uint32_t timeout_ms, yyjson_doc **ret_document, struct error *e) {
    const struct api_request request = {.verb = API_GET,
                                        .resource = resource,
                                        .namespace = namespace,
                                        .name = name,
                                        .timeout_ms = timeout_ms};
    return api_call(api, &request, ret_document, e);
}

bool api_create(struct api api, const struct kube_resource *resource, const char *namespace,
                const yyjson_mut_doc *body, uint32_t timeout_ms, yyjson_doc **ret_document, struct error *e) {
    const struct api_request request = {.verb = API_CREATE,
                                        .resource = resource,
                                        .namespace = namespace,
                                        .body = body,
                                        .timeout_ms = timeout_ms};
    return api_call(api, &request, ret_document, e);
}

bool api_patch(struct api api, const struct kube_resource *resource, const char *namespace, const char *name,
               const yyjson_mut_doc *body, uint32_t timeout_ms, yyjson_doc **ret_document, struct error *e) {
    const struct api_request request = {.verb = API_PATCH,
                                        .resource = resource,
                                        .namespace = namespace,
                                        .name = name,
                                        .body = body,
                                        .timeout_ms = timeout_ms};
    return api_call(api, &request, ret_document, e);
}

// What yyjson's adding functions return is ignored: a document remembers that memory was out.
bool api_delete_config_map(struct api api, const char *namespace, const char *name, const char *uid,
                           const char *resource_version, struct error *e) {
    cleanup_json_mut yyjson_mut_doc *body = nullptr;
    if (!json_create(&body, e)) {
        return false;
    }
    yyjson_mut_val *root = yyjson_mut_doc_get_root(body);
    json_add_text(body, root, "apiVersion", "v1");
    json_add_text(body, root, "kind", "DeleteOptions");
    yyjson_mut_val *preconditions = yyjson_mut_obj_add_obj(body, root, "preconditions");
    json_add_text(body, preconditions, "uid", uid);
    json_add_text(body, preconditions, "resourceVersion", resource_version);
    const struct api_request request = {.verb = API_DELETE,
                                        .resource = &kube_config_maps,
                                        .namespace = namespace,
                                        .name = name,
                                        .body = body};
    return json_is_complete(body, e) && api_call(api, &request, nullptr, e);
}

const char *api_method(enum api_verb verb) {
    static const char *const methods[] = {
        [API_GET] = "GET",    [API_LIST] = "GET",    [API_CREATE] = "POST",   [API_PATCH] = "PATCH",
        [API_UPDATE] = "PUT", [API_APPLY] = "PATCH", [API_DELETE] = "DELETE",
    };
    return methods[verb];
}

// value NULL: nothing.
static bool append_parameter(struct buffer *path, bool *has_query, const char *key, const char *value,
                             struct error *e) {
    if (value == nullptr) {
        return true;
    }
    const char *separator = *has_query ? "&" : "?";
    *has_query = true;
    return buffer_append_format(path, e, "%s%s=", separator, key) && kube_append_encoded(path, value, e);
}

bool api_append_path(const struct api_request *request, struct buffer *path, struct error *e) {
    bool has_query = false;
    char limit[16];
    snprintf(limit, sizeof(limit), "%" PRIu32, request->limit);
    return kube_resource_path(request->resource, request->namespace, request->name, request->subresource,
                              path, e) &&
           append_parameter(path, &has_query, "resourceVersion", request->resource_version, e) &&
           append_parameter(path, &has_query, "fieldSelector", request->field_selector, e) &&
           append_parameter(path, &has_query, "labelSelector", request->label_selector, e) &&
           append_parameter(path, &has_query, "limit", request->limit == 0 ? nullptr : limit, e) &&
           append_parameter(path, &has_query, "dryRun", request->dry_run ? "All" : nullptr, e) &&
           append_parameter(path, &has_query, "fieldManager", request->field_manager, e) &&
           append_parameter(path, &has_query, "force", request->verb == API_APPLY ? "true" : nullptr, e);
}
