// Step 4 of a reconcile: the output Secret, found, seen to be ours, and examined.
#include "reconcile/output.h"

#include "reconcile/conflict.h"
#include "reconcile/inputs.h"
#include "reconcile/kept.h"
#include "reconcile/reasons.h"
#include "reconcile/renew_request.h"
#include "reconcile/rollover.h"
#include "reconcile/rotation.h"
#include "reconcile/secret_metadata.h"
#include "reconcile/status_record.h"
#include "reconcile/unknown_version.h"

#include <stdio.h>

struct store *output_store(const struct reconcile *r) {
    return informers_find_store(r->parts->informers, kube_secrets.kind, r->object->namespace);
}

static yyjson_val *metadata_of(const struct kube_object *object) {
    return yyjson_obj_get(object->root, "metadata");
}

// Whether secret is ours or may become so.
static bool check_ownership(struct reconcile *r, const struct kube_object *secret,
                            enum ownership *ret_ownership, struct error *e) {
    *ret_ownership = secret_metadata_ownership(r->kind, r->object, metadata_of(secret));
    if (*ret_ownership == OWNERSHIP_ORPHANED) {
        snprintf(r->outcome->reason, sizeof(r->outcome->reason), REASON_WAITING_FOR_GARBAGE_COLLECTION);
        return error_set(
            e, ERROR_NOT_FOUND,
            "Secret %s belongs to a deleted object of this name; waiting for Kubernetes to collect it",
            r->decoded.secret_name);
    }
    if (*ret_ownership == OWNERSHIP_FOREIGN) {
        return conflict_with_foreign(r, metadata_of(secret), e);
    }
    return true;
}

static void forget_secret(struct reconcile *r) {
    json_free(r->secret_document);
    kube_object_release(r->output);
    r->secret_document = nullptr;
    r->output = nullptr;
    production_forget(&r->production);
}

// Reads the Secret live into r. NOT_FOUND where there is none.
static bool read_secret(struct reconcile *r, struct error *e) {
    uint64_t removals = store_removals(output_store(r));
    forget_secret(r);
    if (!reconcile_get(r, &kube_secrets, r->object->namespace, r->decoded.secret_name, nullptr,
                       &r->secret_document, e)) {
        return false;
    }
    yyjson_val *root = yyjson_doc_get_root(r->secret_document);
    return kube_object_create(root, &kept_of_secrets, &r->output, e) &&
           store_apply_read(output_store(r), kube_object_retain(r->output), removals, e);
}

// What an earlier object has left, or a backup brought back, is taken over as it is, with its key; so is the
// text of long ago that stands in an object which is made again. Of an object that has been served a new text
// is a request, whatever has become of the Secret.
static void adopt(struct reconcile *r, bool is_good) {
    bool was_served = json_find(r->object->root, "status", "secretRef", nullptr) != nullptr;
    if (is_good && !was_served) {
        renew_request_take_over(r);
    }
    r->production.context.keeps_key = !was_served || !renew_request_is_open(r);
}

// Of an output that is good: whether there is something to be done with it all the same.
static bool find_due(struct reconcile *r, enum output_state *ret_state, struct error *e) {
    uint32_t wait_ms;
    rollover_note_turn(r);
    bool is_due = !kind_has_versions(r->kind) || r->kind->is_renewable;
    is_due = is_due && (reconcile_output_is_due(r, &wait_ms) || renew_request_asks(r, REQUEST_RENEW));
    if (!rotation_examine(r, e)) {
        return false;
    }
    // Roots that all others have are taken up first: a renewal may have to wait.
    bool may_wait = r->parts->backoff != nullptr && !r->is_adopted;
    r->renews = is_due && !rotation_takes_renewal(r) && !(may_wait && rollover_is_news(r));
    *ret_state = r->renews || r->rotation.step != ROTATION_NONE ? OUTPUT_DUE : OUTPUT_GOOD;
    return true;
}

static bool examine_content(struct reconcile *r, enum ownership ownership, enum output_state *ret_state,
                            struct error *ret_damage, struct error *e) {
    yyjson_val *entries = yyjson_obj_get(yyjson_doc_get_root(r->secret_document), "data");
    struct production *production = &r->production;
    enum output_state state;
    if (!production_examine(production, entries, &state, ret_damage, e)) {
        return false;
    }
    unknown_versions_note(r, state == OUTPUT_GOOD);
    r->is_adopted = ownership == OWNERSHIP_ADOPTABLE;
    production->context.keeps_key = false;
    // Of a certificate the key is kept, whoever issues it now.
    bool is_reissued =
        state == OUTPUT_STALE && r->kind->find_gone != nullptr && !production->has_other_parameters;
    if (r->is_adopted && production->context.is_of_other_spec) {
        return conflict_with_left(r, "it was made from another spec or other inputs", e);
    }
    if (r->is_adopted && state != OUTPUT_GOOD && !is_reissued) {
        return conflict_with_left(
            r, state == OUTPUT_STALE ? "it was made from another spec or other inputs" : ret_damage->message,
            e);
    }
    if (r->is_adopted) {
        adopt(r, state == OUTPUT_GOOD);
    }
    *ret_state = state;
    return state != OUTPUT_GOOD || find_due(r, ret_state, e);
}

bool output_examine_live(struct reconcile *r, enum output_state *ret_state, struct error *ret_damage,
                         struct error *e) {
    inputs_list(r, r->production.inputs);
    status_read_record(r);
    if (!read_secret(r, e)) {
        *ret_state = OUTPUT_ABSENT;
        return e->class == ERROR_NOT_FOUND;
    }
    enum ownership ownership;
    return check_ownership(r, r->output, &ownership, e) &&
           examine_content(r, ownership, ret_state, ret_damage, e);
}

bool output_examine(struct reconcile *r, enum output_state *ret_state, struct error *ret_damage,
                    struct error *e) {
    if (!store_is_complete(output_store(r))) {
        return output_examine_live(r, ret_state, ret_damage, e);
    }
    cleanup_object struct kube_object *seen =
        reconcile_find(r, kube_secrets.kind, r->object->namespace, r->decoded.secret_name);
    if (seen == nullptr) {
        *ret_state = OUTPUT_ABSENT;
        return true;
    }
    enum ownership ownership;
    return check_ownership(r, seen, &ownership, e) && output_examine_live(r, ret_state, ret_damage, e);
}

void output_done(struct reconcile *r) {
    forget_secret(r);
    production_done(&r->production);
}
