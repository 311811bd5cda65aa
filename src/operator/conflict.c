// What is told of a Secret that is in the way: whose it is, that nothing was touched, and what to do that
// destroys nothing. spec.outputSecretName cannot be edited, and an object that met a conflict has made
// nothing.
#include "operator/reconcile.h"
#include "operator/secret_metadata.h"

#include <stdio.h>
#include <string.h>

bool conflict_with_foreign(const struct reconcile *r, yyjson_val *metadata, struct error *e) {
    char owner[SECRET_OWNER_SIZE];
    char own[SECRET_OWNER_SIZE];
    bool owned = secret_metadata_name_owner(metadata, owner);
    (void)snprintf(own, sizeof(own), "%.64s %.253s", r->kind->kind, r->object->name);
    const char *relation = !owned                    ? "is not QubeSec's"
                           : strcmp(owner, own) == 0 ? "belongs to another "
                                                     : "belongs to ";
    return error_set(e, ERROR_CONFLICT,
                     "Secret %s %s%s. Nothing was touched. Create this object again with another "
                     "spec.outputSecretName; delete the Secret only if nobody needs it",
                     r->decoded.secret_name, relation, owner);
}

bool conflict_with_left(const struct reconcile *r, const char *why, struct error *e) {
    return error_set(
        e, ERROR_CONFLICT,
        "Secret %s is left from an earlier %s of this name and is not what this one asks for (%s). Nothing "
        "was "
        "touched. To go on with it, create this object again with the spec that it was made from; to have a "
        "new "
        "one beside it, with another spec.outputSecretName; delete the Secret only if nobody needs it",
        r->decoded.secret_name, r->kind->kind, why);
}
