// Access reviews: whether a ServiceAccount may do something with an object, as the API server's own
// authorizer says (authorization.k8s.io/v1). The local form is asked, which names one namespace, so that the
// operator can do with rights in that namespace. An answer is kept for at most
// ACCESS_KEPT_MS.
#pragma once

#include "kube/api.h"

struct access_reviewer;

enum { ACCESS_KEPT_MS = 10000 };

// What is behind api is borrowed until access_reviewer_free. *ret_access is owned; safe to use from many
// threads if api is. Errors: NO_MEMORY.
[[nodiscard]] bool access_reviewer_create(struct api api, struct access_reviewer **ret_access,
                                          struct error *e);
void access_reviewer_free(struct access_reviewer *access); // takes access; NULL is allowed

// Keeps answers for at most so long, and never for more than ACCESS_KEPT_MS: whoever looks more often than
// that wants to see what has changed. Before access is shared with other threads.
void access_reviewer_limit(struct access_reviewer *access, uint32_t kept_ms);

struct access_review_spec {
    const char *service_account_namespace;
    const char *service_account;
    const char *verb; // "get"
    const struct kube_resource *resource;
    const char *namespace; // where the object is
    const char *name;
};

// Whether the ServiceAccount may do that with the object. Blocks; not on the loop thread. Errors: those of
// api_call.
[[nodiscard]] bool access_review(struct access_reviewer *access, const struct access_review_spec *question,
                                 bool *ret_allowed, struct error *e);
