// What the API server calls a resource, and its paths.
#pragma once

#include "base/buffer.h"

struct kube_resource {
    const char *group; // "" for the core group
    const char *version;
    const char *kind;
    const char *plural;
};

extern const struct kube_resource kube_secrets;
extern const struct kube_resource kube_config_maps;
extern const struct kube_resource kube_namespaces;
extern const struct kube_resource kube_events;         // events.k8s.io/v1
extern const struct kube_resource kube_access_reviews; // authorization.k8s.io/v1, of one namespace
extern const struct kube_resource kube_validating_webhooks;
extern const struct kube_resource kube_leases; // coordination.k8s.io/v1

enum { KUBE_API_VERSION_SIZE = 253 + 1 + 63 + 1 };

// Writes "group/version", or "version" for the core group: an object's apiVersion.
void kube_format_api_version(const struct kube_resource *resource, char ret_text[KUBE_API_VERSION_SIZE]);

// Appends the path of a collection (name NULL), an object, or its subresource (NULL: none); ns NULL: all
// namespaces. Each part is percent-encoded. Errors: INVALID_SPEC (a name that is a path: "." or ".."),
// NO_MEMORY, INTERNAL (over the buffer's cap).
[[nodiscard]] bool kube_resource_path(const struct kube_resource *resource, const char *ns, const char *name,
                                      const char *subresource, struct buffer *path, struct error *e);

// Appends text as a part of a path or of a query: all but RFC 3986's unreserved characters are
// percent-encoded. Errors: NO_MEMORY, INTERNAL (over the buffer's cap).
[[nodiscard]] bool kube_append_encoded(struct buffer *url, const char *text, struct error *e);
