#include "engine/production_internal.h"

#include "json/write.h"

#include <stdio.h>
#include <string.h>

// ---- examining

static bool read_entries(struct production *p, yyjson_val *entries, struct error *damage, struct error *e) {
    const struct kind *kind = p->decoded->kind;
    secret_data_done(&p->data);
    const char *key;
    for (size_t i = 0; (key = kind_entry(kind, p->decoded->spec, i)) != nullptr; i++) {
        if (!secret_data_read(&p->data, key, yyjson_obj_get(entries, key), key, damage, e)) {
            return false;
        }
    }
    for (const struct list_entry *list = kind->lists; list != nullptr && list->name != nullptr; list++) {
        key = list->name;
        if (secret_data_get(&p->data, key) == nullptr &&
            !secret_data_read(&p->data, key, yyjson_obj_get(entries, key), key, damage, e)) {
            return false;
        }
    }
    key = kind_metadata_entry(kind);
    return secret_data_read(&p->data, key, yyjson_obj_get(entries, key), key, damage, e);
}

bool production_inspect(struct production *p, struct error *e) {
    json_mut_free(p->report.status);
    p->report = (struct report){0};
    return json_create(&p->report.status, e) && kind_inspect(p->decoded->kind, p->decoded->spec, &p->data,
                                                             &p->provenance, &p->context, &p->report, e);
}

// Whether what was read is as we would have left it.
static bool verify(struct production *p, struct error *e) {
    if (!provenance_check_entries(&p->provenance, &p->data, e) || !production_inspect(p, e)) {
        return false;
    }
    if (p->report.fingerprint[0] != '\0' && strcmp(p->report.fingerprint, p->provenance.fingerprint) != 0) {
        return error_set(e, ERROR_CRYPTO, "the Secret's fingerprint is %s, and its metadata says %s",
                         p->report.fingerprint, p->provenance.fingerprint);
    }
    return !kind_has_versions(p->decoded->kind) || production_verify_versions(p, e);
}

// Whether the status has recorded that the output was made for one of these inputs, a public key.
static bool is_made_for_one(const struct production *p, const struct provenance *wanted) {
    const char *recorded = p->context.record.public_key_digest;
    for (size_t i = 0; i < wanted->input_count; i++) {
        if (recorded[0] != '\0' && strcmp(wanted->inputs[i].digest, recorded) == 0) {
            return true;
        }
    }
    return false;
}

// What differs between the inputs that the output was made from and wanted ones.
static void note_change(struct production *p, const struct provenance *wanted) {
    const struct input_request *changed = nullptr;
    for (size_t i = 0; i < wanted->input_count; i++) {
        const struct provenance_input *input = &wanted->inputs[i];
        if (!provenance_same_digest(provenance_find_input(&p->provenance, input->field), input->digest)) {
            changed = &p->decoded->requests[i];
        }
    }
    if (changed == nullptr) {
        snprintf(p->changed, sizeof(p->changed), "spec has changed");
    } else {
        snprintf(p->changed, sizeof(p->changed), "what spec.%s refers to has changed: %s", changed->field,
                 changed->reference.name);
    }
}

static bool are_of_old_origin(const struct production *p) {
    bool are = p->decoded->request_count > 0;
    for (size_t i = 0; i < p->decoded->request_count; i++) {
        are = are && p->inputs[i].is_of_old_origin;
    }
    return are;
}

// Whether what was made before an input became another one stays, as an earlier version, whoever keeps that.
static bool stays(const struct production *p) {
    return p->decoded->kind->is_rotatable && are_of_old_origin(p) &&
           (p->decoded->common.rotation.is_given || versions_are_told(&p->versions));
}

// Whether nobody keeps any more what the output was made from.
static bool is_input_gone(const struct production *p) {
    bool is_known = p->inputs[p->decoded->kind->leading_input].versions != nullptr;
    return p->is_input_changed && is_known && !production_input_is_kept(p);
}

// Whether what the output was made from was rotated: the output is rotated then, too, and what was made
// before stays for a while.
static bool is_to_be_rotated(struct production *p, const struct provenance *wanted) {
    bool is_published = p->versions.has_next && !p->is_next_outdated && wanted->input_count > 0;
    p->is_input_changed = is_published || stays(p) || (are_of_old_origin(p) && production_input_is_kept(p));
    p->is_input_gone = is_input_gone(p);
    return p->is_input_changed;
}

// Of an output that follows an input: whether there is nothing else to be done than to follow it.
static bool is_to_follow(struct production *p, const struct provenance *wanted, bool is_same, bool *ret_is,
                         struct error *e) {
    bool is_abreast;
    if (!production_is_abreast(p, &is_abreast, e)) {
        return false;
    }
    bool is_believed = !p->context.record.is_current || production_input_is_kept(p);
    *ret_is = is_same || (are_of_old_origin(p) && is_believed);
    p->is_input_changed = *ret_is && (!is_same || !is_abreast);
    if (!is_same) {
        note_change(p, wanted);
        p->context.record.is_current = p->context.record.is_current || is_made_for_one(p, wanted);
    }
    return true;
}

// Whether what was made by another spec is to be rotated for that, and not replaced: those who trust it learn
// of the next version first.
static bool is_rotated_for_spec(const struct production *p) {
    const struct kind *kind = p->decoded->kind;
    return kind->is_other_version != nullptr && kind_can_rotate(kind, p->decoded->spec) &&
           p->decoded->request_count == 0 && kind->is_other_version(p->decoded->spec, &p->data);
}

// Whether what was made from earlier inputs serves until its turn comes.
static bool is_to_wait(struct production *p, bool *ret_is, struct error *e) {
    const struct kind *kind = p->decoded->kind;
    *ret_is = kind->check_serves != nullptr && are_of_old_origin(p) &&
              kind->check_serves(p->decoded->spec, &p->data, p->inputs, p->context.now, e);
    return *ret_is || e->class != ERROR_NO_MEMORY;
}

// What the next version was made from, and what it would be made from now.
static bool is_next_outdated(const struct production *p, const struct provenance *wanted) {
    const char *now = wanted->input_count > 0 ? wanted->inputs[0].digest : wanted->parameters;
    bool is_compared = wanted->input_count > 0 || p->decoded->kind->is_other_version != nullptr;
    return p->versions.has_next && is_compared && !provenance_same_digest(p->versions.next.input, now) &&
           !production_next_input_is_kept(p);
}

// What is other than it was makes the output stale, unless it is rotated, or waits for its turn.
static bool judge_change(struct production *p, const struct provenance *wanted, bool same_parameters,
                         bool *ret_current, struct error *e) {
    struct error no = {0};
    note_change(p, wanted);
    *ret_current = true;
    if (same_parameters && kind_can_rotate(p->decoded->kind, p->decoded->spec) &&
        is_to_be_rotated(p, wanted)) {
        return true;
    }
    if (same_parameters && !is_to_wait(p, &p->is_waiting, &no)) {
        *e = no;
        return false;
    }
    p->is_input_changed = !same_parameters && is_rotated_for_spec(p);
    p->context.is_of_other_spec = p->is_input_changed;
    if (p->is_waiting || p->is_input_changed) {
        return true;
    }
    p->has_other_parameters = !same_parameters;
    p->context.record.is_current = p->context.record.is_current || is_made_for_one(p, wanted);
    *ret_current = false;
    return true;
}

// Whether the output was made from the inputs and the spec that there are now. If so, provenance becomes what
// this version writes.
static bool is_current(struct production *p, bool *ret_current, struct error *e) {
    struct provenance wanted = {0};
    if (!production_describe(p, &p->provenance, &wanted, e)) {
        return false;
    }
    bool same_parameters = provenance_same_digest(wanted.parameters, p->provenance.parameters);
    bool current = provenance_same_inputs(&wanted, &p->provenance) && same_parameters;
    p->is_next_outdated = is_next_outdated(p, &wanted);
    if (same_parameters && production_follows(p)) {
        return is_to_follow(p, &wanted, current, ret_current, e);
    }
    if (!current) {
        return judge_change(p, &wanted, same_parameters, ret_current, e);
    }
    memcpy(p->provenance.inputs, wanted.inputs, sizeof(wanted.inputs));
    memcpy(p->provenance.parameters, wanted.parameters, sizeof(wanted.parameters));
    *ret_current = true;
    return true;
}

static enum output_state found_damaged(struct error *damage, const struct error *found) {
    if (damage->class == ERROR_NONE) {
        *damage = *found;
    }
    return OUTPUT_DAMAGED;
}

// Whether the Secret holds the very output that the status has recorded.
static bool is_recorded(struct production *p) {
    const struct record *record = &p->context.record;
    struct error ignored;
    return record->fingerprint[0] != '\0' && production_inspect(p, &ignored) &&
           strcmp(record->fingerprint, p->report.fingerprint) == 0 &&
           (record->digest[0] == '\0' || strcmp(record->digest, p->report.digest) == 0);
}

// The metadata says that the output was made from something else: it goes. But where that cannot be, or where
// the status knows better of just this output, it is the metadata that is wrong, and not to be believed.
static enum output_state examine_other(struct production *p, struct error *damage) {
    bool is_made_once = p->decoded->kind->is_made_once;
    struct error wrong;
    if (!is_made_once && !(p->context.record.is_current && is_recorded(p))) {
        p->context.previous_is_current = false;
        return OUTPUT_STALE;
    }
    p->context.previous_is_current = true;
    p->has_provenance = is_made_once;
    error_set(&wrong, ERROR_CRYPTO,
              "the Secret's metadata says that it was made from another spec or other inputs");
    return found_damaged(damage, &wrong);
}

// Reads what there is of versions; where the metadata has nothing that can be believed of them, it is as if
// it could not be read.
static bool examine_versions(struct production *p, yyjson_val *entries, struct error *found,
                             struct error *damage, struct error *e) {
    if (!kind_has_versions(p->decoded->kind) || production_read_versions(p, entries, damage, e)) {
        return true;
    }
    if (e->class != ERROR_CRYPTO) {
        return false;
    }
    *found = *e;
    p->has_provenance = false;
    return production_read_versions(p, entries, damage, e);
}

bool production_examine(struct production *p, yyjson_val *entries, enum output_state *ret_state,
                        struct error *ret_damage, struct error *e) {
    const char *provenance_entry = kind_metadata_entry(p->decoded->kind);
    struct error found = {0};
    bool current = false;
    *ret_damage = (struct error){0};
    production_forget(p);
    p->is_stored = true;
    p->context.inputs = p->inputs;
    p->context.previous_is_current = p->context.record.is_current;
    p->is_input_changed = false;
    p->is_input_gone = false;
    p->is_next_outdated = false;
    p->is_waiting = false;
    p->has_other_parameters = false;
    p->context.is_of_other_spec = false;
    if (!read_entries(p, entries, ret_damage, e)) {
        return false;
    }
    p->has_provenance =
        provenance_load(&p->data, provenance_entry, &p->provenance, &p->provenance_text, &found);
    if (!examine_versions(p, entries, &found, ret_damage, e)) {
        return false;
    }
    if (!p->has_provenance) {
        *ret_state = found_damaged(ret_damage, &found);
    } else if (!is_current(p, &current, e)) {
        return false;
    } else if (!current) {
        *ret_state = examine_other(p, ret_damage);
    } else {
        p->context.previous_is_current = true;
        bool good = verify(p, &found) && ret_damage->class == ERROR_NONE;
        *ret_state = good ? OUTPUT_GOOD : found_damaged(ret_damage, &found);
    }
    p->context.previous_is_verified = *ret_state == OUTPUT_GOOD;
    if (*ret_state == OUTPUT_DAMAGED &&
        (ret_damage->class == ERROR_NO_MEMORY || ret_damage->class == ERROR_INTERNAL)) {
        *e = *ret_damage; // nothing is known to be wrong with it
        return false;
    }
    return true;
}

// ---- making

// kind_produce or kind_repair.
typedef bool maker(const struct kind *kind, const void *spec, const struct input *inputs,
                   const struct produce_context *context, struct secret_data *data,
                   const char **ret_algorithm, struct error *e);

// The standard that the output follows: the kind's, or its algorithm's own.
static const char *standard_of(const struct kind *kind, const char *algorithm_name) {
    if (kind->standard != nullptr) {
        return kind->standard;
    }
    const struct algorithm *algorithm = algorithm_find(ALGORITHM_SIGNATURE, algorithm_name);
    return algorithm == nullptr ? "" : algorithm->standard;
}

// Whether an earlier version is the one of that fingerprint.
static bool is_kept(const struct production *p, const char *fingerprint) {
    for (size_t i = 0; i < p->versions.kept_count; i++) {
        if (strcmp(p->versions.kept[i].fingerprint, fingerprint) == 0) {
            return true;
        }
    }
    return false;
}

void production_complete_replaced(const struct production *p, struct replaced *replaced) {
    const struct kind *kind = p->decoded->kind;
    const struct secret_data *previous = p->context.previous;
    const char *gone = kind->precious;
    if (replaced->reason[0] == '\0') {
        return;
    }
    bool is_same =
        (replaced->fingerprint[0] != '\0' && strcmp(replaced->fingerprint, p->report.fingerprint) == 0) ||
        is_kept(p, replaced->fingerprint);
    if (!is_same && previous != nullptr && kind->find_gone != nullptr) {
        gone = kind->find_gone(p->decoded->spec, previous, &p->data);
    }
    snprintf(replaced->gone, sizeof(replaced->gone), "%s", is_same || gone == nullptr ? "" : gone);
}

// A request that the output answers: the present one. A repair answers none, so it is the one of before;
// where nothing tells of that, neither metadata nor a status, the present one may have been answered long
// ago, and is taken for it.
static const char *answered_request(const struct production *p, maker *make, const char *present,
                                    const char *kept, const char *recorded) {
    if (make == kind_produce || present == nullptr) { // NULL: of a kind that has none
        return present;
    }
    if (kept != nullptr) {
        return kept;
    }
    return p->context.record.fingerprint[0] != '\0' ? recorded : present;
}

// A request for another version is answered by that, and by an output that is the first.
static const char *answered_rotation(const struct production *p) {
    const struct produce_context *context = &p->context;
    if (context->rotate_request == nullptr || context->previous == nullptr) {
        return context->rotate_request;
    }
    return context->previous_provenance != nullptr ? context->previous_provenance->rotate_request
                                                   : context->record.rotate_request;
}

// What is rebuilt was made when it was: as its metadata says, or else the status.
static void recall_creation(const struct production *p, const struct provenance *kept,
                            struct provenance *provenance) {
    struct version present = {.number = p->versions.number};
    int64_t ignored;
    if (kept == nullptr) {
        version_recall(p->context.record.versions, &present);
    }
    const char *created = kept != nullptr ? kept->created : present.created;
    if (clock_parse(created, &ignored)) {
        snprintf(provenance->created, sizeof(provenance->created), "%s", created);
    }
}

// Whether what is rebuilt waits for a next version of another spec: nothing but that version tells so where
// there is no metadata.
static bool is_awaiting_spec(const struct production *p) {
    const struct kind *kind = p->decoded->kind;
    return kind->is_other_version != nullptr && p->versions.has_next &&
           kind_can_rotate(kind, p->decoded->spec) && kind->is_other_version(p->decoded->spec, &p->data);
}

// What is rebuilt stays what it was made from, whatever there is now: as its metadata says, or else the
// status.
static void recall_input(struct production *p, const struct provenance *kept, struct provenance *provenance) {
    const char *recorded = p->context.record.public_key_digest;
    if (p->is_input_changed && kept != nullptr) {
        memcpy(provenance->inputs, kept->inputs, sizeof(provenance->inputs));
        memcpy(provenance->parameters, kept->parameters, sizeof(provenance->parameters));
    } else if (kept == nullptr && recorded[0] != '\0' && provenance->input_count > 0 &&
               p->decoded->kind->is_rotatable) {
        p->is_input_changed = !provenance_same_digest(recorded, provenance->inputs[0].digest);
        snprintf(provenance->inputs[0].digest, sizeof(provenance->inputs[0].digest), "%s", recorded);
    } else if (kept == nullptr && is_awaiting_spec(p)) {
        provenance->parameters[0] = '\0';
        p->is_input_changed = true;
        p->context.is_of_other_spec = true;
    }
}

// What waits for its turn does so after a repair, too, unless that made it anew: it stays what it was made
// from.
static void keep_waiting(struct production *p, const struct provenance *kept) {
    p->is_waiting = p->is_waiting && kept != nullptr && strcmp(kept->fingerprint, p->report.fingerprint) == 0;
    if (p->is_waiting) {
        memcpy(p->provenance.inputs, kept->inputs, sizeof(kept->inputs));
    }
}

// Whether what was made is the present version once more, issued anew.
static bool is_renewed(const struct production *p) {
    const struct kind *kind = p->decoded->kind;
    const struct secret_data *previous = p->context.previous;
    return kind->is_other_version != nullptr && previous != nullptr &&
           kind->find_gone(p->decoded->spec, previous, &p->data) == nullptr;
}

// What becomes of the versions beside an output that is made or rebuilt.
static bool bring_versions(struct production *p, maker *make, struct provenance *provenance,
                           struct error *e) {
    p->provenance.algorithm = provenance->algorithm; // of versions that say none, where metadata was lost
    if (!(p->decoded->kind->follows ? production_follow_anew(p, e) : production_repair_versions(p, e))) {
        return false;
    }
    const struct kind *kind = p->decoded->kind;
    bool is_numbered = kind->is_other_version == nullptr || kind_can_rotate(kind, p->decoded->spec);
    bool is_other = make == kind_produce && !production_follows(p) && !is_renewed(p) && is_numbered;
    if (p->versions.number == 0 || is_other) {
        production_number(p);
    }
    provenance->versions = &p->versions;
    return true;
}

// Fills p->data with entries that are made by make, checked, and their metadata.
static bool fill(struct production *p, maker *make, const struct provenance *kept, struct error *e) {
    const struct kind *kind = p->decoded->kind;
    struct provenance provenance = {.generator = "qubesec/" QUBESEC_VERSION, .replaced = p->replaced};
    clock_format(p->context.now, provenance.created);
    if (make == kind_repair) {
        recall_creation(p, kept, &provenance);
    }
    const struct produce_context *context = &p->context;
    production_note_requests(&provenance,
                             answered_request(p, make, context->renew_request,
                                              kept == nullptr ? nullptr : kept->renew_request,
                                              context->record.renew_request),
                             answered_rotation(p));
    if (!make(kind, p->decoded->spec, p->inputs, &p->context, &p->data, &provenance.algorithm, e) ||
        !production_describe(p, kept, &provenance, e)) {
        return false;
    }
    if (make == kind_repair) {
        recall_input(p, kept, &provenance);
    }
    if (kind_has_versions(kind) && !bring_versions(p, make, &provenance, e)) {
        return false;
    }
    provenance.standard = standard_of(kind, provenance.algorithm);
    p->provenance = provenance;
    p->is_input_gone = make == kind_repair && is_input_gone(p);
    if (!production_inspect(p, e)) {
        e->class = e->class == ERROR_NO_MEMORY ? ERROR_NO_MEMORY : ERROR_CRYPTO;
        return error_wrap(e, "checking what was made");
    }
    keep_waiting(p, make == kind_repair ? kept : nullptr);
    memcpy(p->provenance.fingerprint, p->report.fingerprint, FINGERPRINT_SIZE);
    production_complete_replaced(p, &p->provenance.replaced);
    return production_list(p, e) && (!kind->is_renewable || production_inspect(p, e)) &&
           provenance_store(&p->provenance, kind_metadata_entry(kind), &p->data, e);
}

// Replaces what p knows of the output by what make makes, which may keep some of what there was. When that
// fails p knows what it knew.
static bool remake(struct production *p, maker *make, bool is_repair, struct error *e) {
    struct secret_data previous = p->data;
    const struct provenance provenance = p->provenance;
    p->data = (struct secret_data){0};
    p->context.inputs = p->inputs;
    p->context.previous = is_repair || p->is_stored ? &previous : nullptr;
    p->context.previous_provenance = p->is_stored && p->has_provenance ? &provenance : nullptr;
    p->context.previous_stays = stays(p);
    bool done = fill(p, make, is_repair ? p->context.previous_provenance : nullptr, e);
    p->context.previous = nullptr;
    p->context.previous_provenance = nullptr;
    if (!done) {
        secret_data_done(&p->data);
        p->data = previous;
        p->provenance = provenance;
        return false;
    }
    secret_data_done(&previous);
    p->is_input_changed = is_repair && p->is_input_changed;
    return true;
}

bool production_make(struct production *p, struct error *e) {
    return remake(p, kind_produce, false, e);
}

bool production_repair(struct production *p, struct error *e) {
    return remake(p, kind_repair, true, e);
}

bool production_evaluate(struct production *p, struct error *e) {
    p->context.inputs = p->inputs;
    json_mut_free(p->report.status);
    p->report = (struct report){0};
    return json_create(&p->report.status, e) &&
           kind_evaluate(p->decoded->kind, p->decoded->spec, p->inputs, &p->context, &p->report,
                         &p->provenance.algorithm, e);
}

bool production_rewrite_provenance(struct production *p, struct error *e) {
    const char *entry = kind_metadata_entry(p->decoded->kind);
    p->provenance.versions = kind_has_versions(p->decoded->kind) ? &p->versions : nullptr;
    secret_data_remove(&p->data, entry);
    return provenance_store(&p->provenance, entry, &p->data, e);
}

// ---- the end

void production_forget(struct production *p) {
    json_free(p->provenance_text);
    p->provenance_text = nullptr;
    p->is_stored = false;
    p->has_provenance = false;
    p->provenance = (struct provenance){0};
}

void production_done(struct production *p) {
    secret_data_done(&p->data);
    versions_done(&p->versions);
    json_mut_free(p->report.status);
    production_forget(p);
}
