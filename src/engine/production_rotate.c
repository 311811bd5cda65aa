// The steps of rotation: what becomes of the present version, and of those beside it.
#include "engine/production_internal.h"

#include <stdio.h>
#include <string.h>

// The present version as one of its own, with the data of p, whose data is empty then.
static struct version take_present(struct production *p) {
    struct version version = {.number = p->versions.number, .data = p->data};
    secret_data_remove(&version.data, kind_metadata_entry(p->decoded->kind));
    production_remove_lists(p->decoded->kind, &version.data);
    memcpy(version.created, p->provenance.created, sizeof(version.created));
    memcpy(version.active, p->versions.active, sizeof(version.active));
    snprintf(version.algorithm, sizeof(version.algorithm), "%s", p->provenance.algorithm);
    memcpy(version.fingerprint, p->report.fingerprint, sizeof(version.fingerprint));
    memcpy(version.digest, p->report.digest, sizeof(version.digest));
    if (p->provenance.input_count > 0) {
        memcpy(version.input, p->provenance.inputs[p->decoded->kind->leading_input].digest,
               sizeof(version.input));
    } else if (p->decoded->kind->is_other_version != nullptr) {
        snprintf(version.input, sizeof(version.input), "%s", p->provenance.parameters);
    }
    p->data = (struct secret_data){0};
    return version;
}

// What the metadata of the new present version says besides its entries.
static bool describe(struct production *p, const struct version *version, const char *algorithm,
                     struct error *e) {
    struct provenance provenance = {
        .generator = "qubesec/" QUBESEC_VERSION,
        .algorithm = algorithm,
        .standard = p->provenance.standard,
        .replaced = p->replaced,
        .versions = &p->versions,
    };
    memcpy(provenance.created, version->created, sizeof(provenance.created));
    production_note_requests(&provenance, p->context.renew_request, p->context.rotate_request);
    if (!production_describe(p, nullptr, &provenance, e)) {
        return false;
    }
    if (provenance.input_count > 0) {
        memcpy(provenance.inputs[p->decoded->kind->leading_input].digest, version->input,
               sizeof(version->input));
    }
    p->provenance = provenance;
    return true;
}

// Makes version, taken, the present one.
static bool put_present(struct production *p, struct version *version, struct error *e) {
    const struct algorithm *algorithm = algorithm_find_by_name(version->algorithm);
    const char *name = algorithm != nullptr ? algorithm->name : p->provenance.algorithm;
    p->data = version->data;
    version->data = (struct secret_data){0};
    p->versions.number = version->number;
    memcpy(p->versions.active, version->active, sizeof(version->active));
    memcpy(p->report.digest, version->digest, sizeof(version->digest)); // for what lists it
    return describe(p, version, name, e);
}

// Completes what is about all versions.
static bool complete(struct production *p, bool is_other, struct error *e) {
    if (!production_list(p, e) || !production_inspect(p, e)) {
        return false;
    }
    if (is_other) {
        memcpy(p->provenance.fingerprint, p->report.fingerprint, sizeof(p->provenance.fingerprint));
        production_complete_replaced(p, &p->provenance.replaced);
    }
    return production_rewrite_provenance(p, e);
}

static void drop_next(struct versions *versions) {
    version_done(&versions->next);
    versions->has_next = false;
}

// Whether version was made from another input than there is now: it was published before that came.
static bool is_behind(const struct production *p, const struct version *version, bool *ret_is,
                      struct error *e) {
    char digest[DIGEST_TEXT_SIZE];
    *ret_is = false;
    if (version->input[0] == '\0' || p->decoded->request_count == 0) {
        return true;
    }
    if (!input_digest(&p->inputs[p->decoded->kind->leading_input], digest, e)) {
        return false;
    }
    *ret_is = !provenance_same_digest(version->input, digest);
    return true;
}

static bool activate(struct production *p, struct error *e) {
    struct versions *versions = &p->versions;
    struct version coming = versions->next;
    bool is_usable =
        versions->has_next && !p->is_next_outdated; // else nobody can read what is written with it
    if (!is_usable && !production_make_version(p, p->inputs, &coming, e)) {
        return false;
    }
    if (!is_usable) {
        drop_next(versions);
    }
    struct version leaving = take_present(p);
    clock_format(p->context.now, leaving.retired);
    clock_format(p->context.now, coming.active);
    versions->has_next = false;
    versions->next = (struct version){0};
    versions_retire(versions, &leaving);
    p->is_input_gone = false;
    p->context.is_of_other_spec = false;
    return is_behind(p, &coming, &p->is_input_changed, e) && put_present(p, &coming, e);
}

// In the place of one that was made from something else, which nobody has used.
static bool publish(struct production *p, struct error *e) {
    struct version next; // with another number than the one in whose place it comes
    if (!production_make_version(p, p->inputs, &next, e)) {
        return false;
    }
    drop_next(&p->versions);
    p->versions.next = next;
    p->versions.has_next = true;
    return true;
}

static bool follow(struct production *p, struct error *e) {
    struct version present = take_present(p);
    p->is_input_changed = false;
    return production_follow_from(p, &present, e) && put_present(p, &present, e);
}

static bool take_step(struct production *p, const struct rotation *rotation, struct error *e) {
    size_t room = rotation->step == ROTATION_ACTIVATE ? rotation->kept - 1 : rotation->kept;
    while (p->versions.kept_count > room) { // before another one comes in
        versions_drop(&p->versions, p->versions.kept_count - 1);
    }
    if (rotation->withdraws_next) {
        drop_next(&p->versions);
    }
    if (rotation->step == ROTATION_RETIME) {
        clock_format(p->context.now, p->versions.active);
        p->versions.is_retimed = true;
    }
    return (rotation->step != ROTATION_ACTIVATE || activate(p, e)) &&
           (rotation->step != ROTATION_PUBLISH || publish(p, e)) &&
           (rotation->step != ROTATION_FOLLOW || follow(p, e));
}

bool production_rotate(struct production *p, const struct rotation *rotation, struct error *e) {
    bool is_other = rotation->step == ROTATION_ACTIVATE || rotation->step == ROTATION_FOLLOW;
    cleanup_secret_data struct secret_data former = {0};
    p->context.inputs = p->inputs;
    p->former = &former;
    bool done = production_copy_lists(p, &former, e) && take_step(p, rotation, e) && complete(p, is_other, e);
    p->former = nullptr;
    return done;
}
