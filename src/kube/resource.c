#include "kube/resource.h"

#include <stdio.h>
#include <string.h>

const struct kube_resource kube_secrets = {
    .group = "", .version = "v1", .kind = "Secret", .plural = "secrets"};
const struct kube_resource kube_config_maps = {
    .group = "", .version = "v1", .kind = "ConfigMap", .plural = "configmaps"};
const struct kube_resource kube_namespaces = {
    .group = "", .version = "v1", .kind = "Namespace", .plural = "namespaces"};
const struct kube_resource kube_events = {
    .group = "events.k8s.io", .version = "v1", .kind = "Event", .plural = "events"};
const struct kube_resource kube_validating_webhooks = {
    .group = "admissionregistration.k8s.io",
    .version = "v1",
    .kind = "ValidatingWebhookConfiguration",
    .plural = "validatingwebhookconfigurations",
};
const struct kube_resource kube_access_reviews = {.group = "authorization.k8s.io",
                                                  .version = "v1",
                                                  .kind = "LocalSubjectAccessReview",
                                                  .plural = "localsubjectaccessreviews"};
const struct kube_resource kube_leases = {
    .group = "coordination.k8s.io", .version = "v1", .kind = "Lease", .plural = "leases"};

void kube_format_api_version(const struct kube_resource *resource, char ret_text[KUBE_API_VERSION_SIZE]) {
    bool core = resource->group[0] == '\0';
    (void)snprintf(ret_text, KUBE_API_VERSION_SIZE, "%s%s%s", resource->group, core ? "" : "/",
                   resource->version);
}

// RFC 3986 section 2.3: letters, digits and these four stay as they are.
static bool is_unreserved(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._~", c) != nullptr);
}

bool kube_append_encoded(struct buffer *url, const char *text, struct error *e) {
    for (; *text != '\0'; text++) {
        bool done = is_unreserved(*text)
                        ? buffer_append(url, text, 1, e)
                        : buffer_append_format(url, e, "%%%02X", (unsigned)(unsigned char)*text);
        if (!done) {
            return false;
        }
    }
    return true;
}

// Appends "/" and part.
static bool append_part(struct buffer *path, const char *part, struct error *e) {
    if (strcmp(part, ".") == 0 || strcmp(part, "..") == 0) {
        return error_set(e, ERROR_INVALID_SPEC, "\"%s\" is not the name of an object", part);
    }
    return buffer_append_text(path, "/", e) && kube_append_encoded(path, part, e);
}

static bool append_optional(struct buffer *path, const char *part, struct error *e) {
    return part == nullptr || append_part(path, part, e);
}

bool kube_resource_path(const struct kube_resource *resource, const char *ns, const char *name,
                        const char *subresource, struct buffer *path, struct error *e) {
    bool core = resource->group[0] == '\0';
    return buffer_append_text(path, core ? "/api" : "/apis", e) &&
           append_optional(path, core ? nullptr : resource->group, e) &&
           append_part(path, resource->version, e) &&
           (ns == nullptr || (append_part(path, "namespaces", e) && append_part(path, ns, e))) &&
           append_part(path, resource->plural, e) && append_optional(path, name, e) &&
           append_optional(path, subresource, e);
}
