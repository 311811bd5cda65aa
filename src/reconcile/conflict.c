#include "reconcile/conflict.h"

#include "reconcile/secret_metadata.h"

#include <stdio.h>
#include <string.h>

// It is marked as that of an object of this kind and name, but has not our label, or is not of this
// namespace; or nothing proves that it is.
static bool conflict_with_namesake(const struct reconcile *r, yyjson_val *metadata, struct error *e) {
    if (!secret_metadata_is_labelled(metadata)) {
        return error_set(
            e, ERROR_CONFLICT,
            "Secret %s is marked as that of a %s of this name, but has not the label " SECRET_LABEL_TEXT
            ". Nothing was touched. If it is this object's, let it be taken over: kubectl label secret %s "
            "--namespace %s --overwrite " SECRET_LABEL_TEXT
            ". If it is a copy, create this object again with another spec.outputSecretName",
            r->decoded.secret_name, r->kind->kind, r->decoded.secret_name, r->object->namespace);
    }
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

// It is the one that the status names; but neither owner nor marks say that it is ours, and the status alone
// does not do.
static bool conflict_with_unmarked(const struct reconcile *r, struct error *e) {
    return error_set(
        e, ERROR_CONFLICT,
        "Secret %s is not known to be QubeSec's. Nothing was touched. The status names it as the "
        "one that this object has made, but its marks are gone. If it is, put one back: kubectl "
        "annotate secret %s --namespace %s qubesec.io/owner-uid=%s. What it holds is then taken for "
        "the output, and put right where it is not",
        r->decoded.secret_name, r->decoded.secret_name, r->object->namespace, r->object->uid);
}

bool conflict_with_foreign(const struct reconcile *r, yyjson_val *metadata, struct error *e) {
    char owner[SECRET_OWNER_SIZE];
    char own[SECRET_OWNER_SIZE];
    bool owned = secret_metadata_name_owner(metadata, owner);
    (void)snprintf(own, sizeof(own), "%.64s %.253s", r->kind->kind, r->object->name);
    if (owned && strcmp(owner, own) == 0 && secret_metadata_is_marked(metadata)) {
        return conflict_with_namesake(r, metadata, e);
    }
    yyjson_val *recorded = json_find(r->object->root, "status", "secretRef", nullptr);
    bool has_made = recorded != nullptr;
    if (!owned && !secret_metadata_is_marked(metadata) &&
        json_member_is(recorded, "uid", json_member_text(metadata, "uid"))) {
        return conflict_with_unmarked(r, e);
    }
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
