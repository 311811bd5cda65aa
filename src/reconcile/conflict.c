#include "reconcile/conflict.h"

#include "reconcile/secret_metadata.h"

#include <stdio.h>
#include <string.h>

// It is marked as that of an object of this kind and name, but not of this namespace; or nothing proves that
// it is.
static bool conflict_with_namesake(const struct reconcile *r, yyjson_val *metadata, struct error *e) {
    const char *home = secret_metadata_namespace(metadata);
    return error_set(
        e, ERROR_CONFLICT,
        "Secret %s is marked as that of a %s of this name%s%s. Nothing was touched. If it was restored "
        "or moved here on purpose, let it be taken over: kubectl annotate secret %s --namespace %s "
        "qubesec.io/restore-to=%s. If it is a copy, create this object again with another "
        "spec.outputSecretName",
        r->decoded.secret_name, r->kind->kind,
        home == nullptr ? ", and nothing tells of which namespace" : " in namespace ",
        home == nullptr ? "" : home, r->decoded.secret_name, r->object->namespace, r->object->namespace);
}

bool conflict_with_foreign(const struct reconcile *r, yyjson_val *metadata, struct error *e) {
    char owner[SECRET_OWNER_SIZE];
    char own[SECRET_OWNER_SIZE];
    bool owned = secret_metadata_name_owner(metadata, owner);
    (void)snprintf(own, sizeof(own), "%.64s %.253s", r->kind->kind, r->object->name);
    if (owned && strcmp(owner, own) == 0 && secret_metadata_is_marked(metadata)) {
        return conflict_with_namesake(r, metadata, e);
    }
    bool has_made = json_find(r->object->root, "status", "secretRef", nullptr) != nullptr;
    return error_set(
        e, ERROR_CONFLICT, "Secret %s %s%s. Nothing was touched. %s", r->decoded.secret_name,
        owned ? "belongs to " : "is not QubeSec's", owner,
        has_made ? "This object has made another Secret of that name, which is not there any more: move this "
                   "one elsewhere, and restore that one with its labels and annotations"
                 : "Create this object again with another spec.outputSecretName; delete the Secret only if "
                   "nobody needs it");
}

bool conflict_with_left(const struct reconcile *r, const char *why, struct error *e) {
    return error_set(
        e, ERROR_CONFLICT,
        "Secret %s is left from an earlier %s of this name and is not what this one asks for (%s). Nothing "
        "was touched. To go on with it, create this object again with the spec that it was made from; to "
        "have a new one beside it, with another spec.outputSecretName; delete the Secret only if nobody "
        "needs it",
        r->decoded.secret_name, r->kind->kind, why);
}
