// Manifests as people write them: files of YAML or JSON, of which the objects are taken that QubeSec makes
// something of, or from.
#pragma once

#include "engine/kind.h"
#include "kube/resource.h"

// Told of each object, borrowed during the call; of a kind of another group than ours resource is NULL.
// Errors end the reading.
typedef bool manifest_visitor(void *context, const struct kube_resource *resource, yyjson_val *object,
                              struct error *e);

struct manifest_options {
    const struct kube_resource *const *resources; // those that are served; NULL-terminated
    const char *namespace;                        // of what names none
    manifest_visitor *visit;
    void *context;
};

// Whether a namespace can have that name (RFC 1123).
bool manifests_is_namespace(const char *text);

// Reads a file, or standard input ("-"). A List is read as what it has; `stringData` of a Secret becomes
// `data`. Errors: INVALID_SPEC (it cannot be read; or names the file, the place in it and what is wrong),
// NO_MEMORY, those of visit.
[[nodiscard]] bool manifests_read(const char *path, const struct manifest_options *options, struct error *e);
