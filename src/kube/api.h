// The verbs of the Kubernetes API as values: a request says in the API's own terms what is asked, and whoever
// is behind a struct api answers. That is an API server (kube/client.h), or an API of values in memory
// (kube/memory_api.h), so that the same code runs with a cluster and without one.
//
// Nothing but ConfigMaps can be deleted: what else is deleted may be a key that cannot be made again, and
// nothing here needs to. Kubernetes collects what belongs to an object that is gone.
#pragma once

#include "kube/resource.h"
#include "json/read.h"
#include "json/write.h"

enum api_verb {
    API_GET,
    API_LIST,
    API_CREATE,
    API_PATCH,  // a merge patch (RFC 7386)
    API_UPDATE, // all of it, which must name the resourceVersion; where it is a status, the status alone
                // counts
    API_APPLY,  // server-side apply, which takes the fields that it sets from other managers
    API_DELETE, // of a ConfigMap alone; the body is DeleteOptions, with uid and resourceVersion as
                // preconditions
};

enum {
    API_PATH_MAX = 8 * 1024,        // bytes of a path with its query
    API_BODY_MAX = 2 * 1024 * 1024, // bytes; the API server takes no more
};

// All is borrowed during the call; what a verb has no use for is left zero.
struct api_request {
    enum api_verb verb;
    const struct kube_resource *resource;
    const char *namespace;        // NULL: cluster-scoped; of a list: all namespaces
    const char *name;             // NULL for a list and a create, whose body has it
    const char *subresource;      // "status"; NULL: none
    const char *resource_version; // of a get: at that version or any later one; NULL: as it is now
    const char *field_selector;   // of a list: "metadata.name=x", say; NULL: all
    const char *label_selector;   // of a list: "a=b,c=d", say; NULL: all
    uint32_t limit;               // of a list: more than that may be left out; 0: nothing is
    const yyjson_mut_doc *body;   // of all but a get and a list
    const char *field_manager;    // of an apply
    bool dry_run;                 // of a create: all is checked, and nothing stored
    bool metadata_only;           // the answer is a PartialObjectMetadata, or a list of them
    uint32_t timeout_ms;          // 0: 30 s
};

struct api {
    void *context; // borrowed as long as the api is used
    bool (*call)(void *context, const struct api_request *request, yyjson_doc **ret_document,
                 struct error *e);
};

// Asks and waits. *ret_document is owned, in memory that is cleansed; ret_document NULL: the answer is not
// wanted. Errors: NOT_FOUND, FORBIDDEN, CONFLICT (of a create: the name is taken; else: another uid or
// resourceVersion than the body has), GONE (a version that the server has not), REFUSED (by its rules),
// RETRYABLE, IO, INVALID_SPEC (a name that is a path), NO_MEMORY, INTERNAL (over a cap, or a deletion of what
// is not to be deleted). What a server itself says ends in "(HTTP status N)", behind the request's method and
// path.
[[nodiscard]] bool api_call(struct api api, const struct api_request *request, yyjson_doc **ret_document,
                            struct error *e);

// What is asked most, with nothing special about it; errors as of api_call. namespace NULL: cluster-scoped.
[[nodiscard]] bool api_get(struct api api, const struct kube_resource *resource, const char *namespace,
                           const char *name, uint32_t timeout_ms, yyjson_doc **ret_document, struct error *e);
[[nodiscard]] bool api_create(struct api api, const struct kube_resource *resource, const char *namespace,
                              const yyjson_mut_doc *body, uint32_t timeout_ms, yyjson_doc **ret_document,
                              struct error *e);
[[nodiscard]] bool api_patch(struct api api, const struct kube_resource *resource, const char *namespace,
                             const char *name, const yyjson_mut_doc *body, uint32_t timeout_ms,
                             yyjson_doc **ret_document, struct error *e);

// Deletes the ConfigMap of that name if it still has that uid and resourceVersion: else CONFLICT, or
// NOT_FOUND.
[[nodiscard]] bool api_delete_config_map(struct api api, const char *namespace, const char *name,
                                         const char *uid, const char *resource_version, struct error *e);

// For whoever answers: how the request is written in HTTP. The method is static; path and query are appended
// to path. Errors: INVALID_SPEC (a name that is "." or ".."), NO_MEMORY, INTERNAL (over path's cap).
const char *api_method(enum api_verb verb);
[[nodiscard]] bool api_append_path(const struct api_request *request, struct buffer *path, struct error *e);
