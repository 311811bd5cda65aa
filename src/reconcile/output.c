// Step 4 of a reconcile: the output Secret, examined.
#include "base/memory.h"
#include "crypto/encoding.h"
#include "reconcile/reasons.h"
#include "reconcile/reconcile.h"
#include "reconcile/secret_metadata.h"

#include <stdio.h>
#include <string.h>

enum { PARAMETERS_MAX_BYTES = 512 * 1024 };

struct store *output_store(const struct reconcile *r) {
    return informers_find_store(r->parts->informers, kube_secrets.kind, r->object->namespace);
}

static yyjson_val *provenance_of(const struct kube_object *object) {
    return yyjson_obj_get(object->root, "metadata");
}

// Whether secret is ours or may become so.
static bool check_ownership(struct reconcile *r, const struct kube_object *secret,
                            enum ownership *ret_ownership, struct error *e) {
    *ret_ownership = secret_metadata_ownership(r->kind, r->object, provenance_of(secret));
    if (*ret_ownership == OWNERSHIP_ORPHANED) {
        snprintf(r->outcome->reason, sizeof(r->outcome->reason), REASON_WAITING_FOR_GARBAGE_COLLECTION);
        return error_set(
            e, ERROR_NOT_FOUND,
            "Secret %s belongs to a deleted object of this name; waiting for Kubernetes to collect it",
            r->decoded.secret_name);
    }
    if (*ret_ownership == OWNERSHIP_FOREIGN) {
        return conflict_with_foreign(r, provenance_of(secret), e);
    }
    return true;
}

// ---- reading

// One entry, if the Secret has it. What is no base64 is none: *damage says so.
static bool read_entry(yyjson_val *entries, const char *key, struct secret_data *data, struct error *damage,
                       struct error *e) {
    yyjson_val *value = yyjson_obj_get(entries, key);
    struct secret *bytes;
    struct error unreadable;
    if (!yyjson_is_str(value)) {
        return true;
    }
    if (base64_decode(yyjson_get_str(value), yyjson_get_len(value), ENCODING_ONE_LINE, &bytes, &unreadable)) {
        return secret_data_add(data, key, bytes, e);
    }
    if (unreadable.class != ERROR_INVALID_SPEC) {
        *e = unreadable;
        return false;
    }
    *damage = unreadable;
    (void)secret_data_damaged(key, damage);
    return true;
}

// The entries of our own; what else people may have added is not looked at.
static bool read_entries(struct reconcile *r, struct error *damage, struct error *e) {
    yyjson_val *entries = yyjson_obj_get(yyjson_doc_get_root(r->secret_document), "data");
    secret_data_done(&r->data);
    const char *key;
    for (size_t i = 0; (key = kind_entry(r->kind, r->decoded.spec, i)) != nullptr; i++) {
        if (!read_entry(entries, key, &r->data, damage, e)) {
            return false;
        }
    }
    return read_entry(entries, kind_metadata_entry(r->kind), &r->data, damage, e);
}

static void forget_output(struct reconcile *r) {
    json_free(r->secret_document);
    json_free(r->provenance_text);
    kube_object_release(r->output);
    r->secret_document = nullptr;
    r->provenance_text = nullptr;
    r->output = nullptr;
    r->has_provenance = false;
    r->provenance = (struct provenance){0};
}

// Reads the Secret live into r. NOT_FOUND where there is none.
static bool read_secret(struct reconcile *r, struct error *e) {
    uint64_t removals = store_removals(output_store(r));
    forget_output(r);
    if (!reconcile_get(r, &kube_secrets, r->object->namespace, r->decoded.secret_name, nullptr,
                       &r->secret_document, e)) {
        return false;
    }
    yyjson_val *root = yyjson_doc_get_root(r->secret_document);
    return kube_object_create_metadata(root, &r->output, e) &&
           store_apply_read(output_store(r), kube_object_retain(r->output), removals, e);
}

bool output_describe(const struct reconcile *r, const struct provenance *known, struct provenance *metadata,
                     struct error *e) {
    metadata->parameters[0] = '\0';
    if (!inputs_describe(r, known, metadata, e)) {
        return false;
    }
    if (r->kind->describe_parameters == nullptr) {
        return true;
    }
    cleanup_buffer struct buffer parameters = buffer_create(PARAMETERS_MAX_BYTES);
    return r->kind->describe_parameters(r->decoded.spec, &parameters, e) &&
           digest_format(buffer_text(&parameters), parameters.length, metadata->parameters, e);
}

bool output_inspect(struct reconcile *r, struct error *e) {
    json_mut_free(r->report.status);
    r->report = (struct report){0};
    return json_create(&r->report.status, e) &&
           kind_inspect(r->kind, r->decoded.spec, &r->data, &r->provenance, &r->context, &r->report, e);
}

// Whether the Secret that was read is as we would have left it.
static bool verify(struct reconcile *r, struct error *e) {
    if (!provenance_check_entries(&r->provenance, &r->data, e) || !output_inspect(r, e)) {
        return false;
    }
    if (r->report.fingerprint[0] != '\0' && strcmp(r->report.fingerprint, r->provenance.fingerprint) != 0) {
        return error_set(e, ERROR_CRYPTO, "the Secret's fingerprint is %s, and its metadata says %s",
                         r->report.fingerprint, r->provenance.fingerprint);
    }
    return true;
}

// Whether the status has recorded that the output was made for one of these inputs, a public key.
static bool is_made_for_one(const struct reconcile *r, const struct provenance *wanted) {
    const char *recorded = r->context.record.public_key_digest;
    for (size_t i = 0; i < wanted->input_count; i++) {
        if (recorded[0] != '\0' && strcmp(wanted->inputs[i].digest, recorded) == 0) {
            return true;
        }
    }
    return false;
}

// What differs between the inputs that metadata names and wanted ones.
static void note_change(struct reconcile *r, const struct provenance *wanted) {
    const char *changed = nullptr;
    for (size_t i = 0; i < wanted->input_count; i++) {
        const struct provenance_input *input = &wanted->inputs[i];
        if (!provenance_same_digest(provenance_find_input(&r->provenance, input->field), input->digest)) {
            changed = input->field;
        }
    }
    if (changed == nullptr) {
        snprintf(r->changed, sizeof(r->changed), "spec has changed");
    } else {
        snprintf(r->changed, sizeof(r->changed), "what spec.%s refers to has changed", changed);
    }
}

// Whether the Secret was made from the inputs and the spec that there are now. If so, metadata becomes what
// this version writes.
static bool is_current(struct reconcile *r, bool *ret_current, struct error *e) {
    struct provenance wanted = {0};
    if (!output_describe(r, &r->provenance, &wanted, e)) {
        return false;
    }
    bool current = provenance_same_inputs(&wanted, &r->provenance) &&
                   provenance_same_digest(wanted.parameters, r->provenance.parameters);
    if (current) {
        memcpy(r->provenance.inputs, wanted.inputs, sizeof(wanted.inputs));
        memcpy(r->provenance.parameters, wanted.parameters, sizeof(wanted.parameters));
    } else {
        r->has_other_parameters = !provenance_same_digest(wanted.parameters, r->provenance.parameters);
        note_change(r, &wanted);
        r->context.record.is_current = r->context.record.is_current || is_made_for_one(r, &wanted);
    }
    *ret_current = current;
    return true;
}

static enum output_state found_damaged(struct error *damage, const struct error *found) {
    if (damage->class == ERROR_NONE) {
        *damage = *found;
    }
    return OUTPUT_DAMAGED;
}

// Whether the Secret holds the very output that the status has recorded.
static bool is_recorded(struct reconcile *r) {
    const struct record *record = &r->context.record;
    struct error ignored;
    return record->fingerprint[0] != '\0' && output_inspect(r, &ignored) &&
           strcmp(record->fingerprint, r->report.fingerprint) == 0 &&
           (record->digest[0] == '\0' || strcmp(record->digest, r->report.digest) == 0);
}

// The metadata says that the output was made from something else: it goes. But where that cannot be, or where
// the status knows better of just this output, it is the metadata that is wrong, and not to be believed.
static enum output_state examine_other(struct reconcile *r, struct error *damage) {
    struct error wrong;
    if (!r->kind->is_made_once && !(r->context.record.is_current && is_recorded(r))) {
        r->context.previous_is_current = false;
        return OUTPUT_STALE;
    }
    r->context.previous_is_current = true;
    r->has_provenance = r->kind->is_made_once;
    error_set(&wrong, ERROR_CRYPTO,
              "the Secret's metadata says that it was made from another spec or other inputs");
    return found_damaged(damage, &wrong);
}

static bool examine_entries(struct reconcile *r, enum output_state *ret_state, struct error *ret_damage,
                            struct error *e) {
    struct error found = {0};
    bool current = false;
    *ret_damage = (struct error){0};
    r->context.previous_is_current = r->context.record.is_current;
    if (!read_entries(r, ret_damage, e)) {
        return false;
    }
    r->has_provenance =
        provenance_load(&r->data, kind_metadata_entry(r->kind), &r->provenance, &r->provenance_text, &found);
    if (!r->has_provenance) {
        *ret_state = found_damaged(ret_damage, &found);
        return true;
    }
    if (!is_current(r, &current, e)) {
        return false;
    }
    if (!current) {
        *ret_state = examine_other(r, ret_damage);
        return true;
    }
    r->context.previous_is_current = true;
    bool good = verify(r, &found) && ret_damage->class == ERROR_NONE;
    *ret_state = good ? OUTPUT_GOOD : found_damaged(ret_damage, &found);
    return true;
}

static bool examine_content(struct reconcile *r, enum ownership ownership, enum output_state *ret_state,
                            struct error *ret_damage, struct error *e) {
    enum output_state state;
    uint32_t wait_ms;
    if (!examine_entries(r, &state, ret_damage, e)) {
        return false;
    }
    if (state == OUTPUT_DAMAGED &&
        (ret_damage->class == ERROR_NO_MEMORY || ret_damage->class == ERROR_INTERNAL)) {
        *e = *ret_damage;
        return false;
    }
    r->is_adopted = ownership == OWNERSHIP_ADOPTABLE;
    // Of a certificate the key is kept, whoever issues it now.
    bool is_reissued = state == OUTPUT_STALE && r->kind->find_gone != nullptr && !r->has_other_parameters;
    if (r->is_adopted && state != OUTPUT_GOOD && !is_reissued) {
        return conflict_with_left(
            r, state == OUTPUT_STALE ? "it was made from another spec or other inputs" : ret_damage->message,
            e);
    }
    bool due = state == OUTPUT_GOOD && reconcile_output_is_due(r, &wait_ms);
    *ret_state = due ? OUTPUT_DUE : state;
    return true;
}

bool output_examine_live(struct reconcile *r, enum output_state *ret_state, struct error *ret_damage,
                         struct error *e) {
    inputs_list(r, r->inputs);
    r->context.inputs = r->inputs;
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
    cleanup_object struct kube_object *seen =
        reconcile_find(r, kube_secrets.kind, r->object->namespace, r->decoded.secret_name);
    if (seen == nullptr) {
        *ret_state = OUTPUT_ABSENT;
        return true;
    }
    enum ownership ownership;
    return check_ownership(r, seen, &ownership, e) && output_examine_live(r, ret_state, ret_damage, e);
}

void output_free(struct reconcile *r) {
    secret_data_done(&r->data);
    json_mut_free(r->report.status);
    json_free(r->live);
    forget_output(r);
}
