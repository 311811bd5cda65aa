#include "reconcile/rotation.h"

#include "reconcile/reasons.h"
#include "reconcile/renew_request.h"
#include "reconcile/rollover.h"
#include "reconcile/status_record.h"
#include "json/write.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static yyjson_val *status_of(const struct reconcile *r) {
    return yyjson_obj_get(r->object->root, "status");
}

// What the spec says of r's output, of that life. What is trusted is published for as long before its use as
// it can be.
static struct rotation_spec schedule_of(const struct reconcile *r, const struct versions *versions,
                                        const struct renewal *life) {
    struct rotation_spec spec = r->decoded.common.rotation;
    int64_t begin = versions->has_next ? clock_read(versions->next.created) : r->production.context.now;
    int64_t half = (life->expires_at - begin) / 2;
    if (r->kind->serves_dependents && life->expires_at != 0 && half < spec.publish_ahead_s) {
        spec.publish_ahead_s = half > 0 ? half : 0;
    }
    if (r->kind->serves_dependents && life->valid_from > r->production.context.now + spec.publish_ahead_s) {
        spec.publish_ahead_s = 0; // the clock was ahead: nobody trusts the present one before that
    }
    return spec;
}

// life: the present version's. bundle: the digest of the roots that r's output gives; NULL: not known. The
// question borrows *ret_spec, which is filled.
static struct rotation_question question_of(const struct reconcile *r, const struct versions *versions,
                                            const struct renewal *life, const char *bundle,
                                            struct rotation_spec *ret_spec) {
    *ret_spec = schedule_of(r, versions, life);
    struct rollover_survey survey = {0};
    bool serves_dependents = r->kind->serves_dependents && kind_can_rotate(r->kind, r->decoded.spec);
    if (serves_dependents && (versions->has_next || versions->kept_count > 0)) {
        rollover_survey(r, versions, bundle, &survey);
    }
    return (struct rotation_question){
        .spec = ret_spec,
        .versions = versions,
        .ends_at = life->expires_at,
        .serves_dependents = serves_dependents,
        .are_all_to_go = r->kind->serves_dependents && !serves_dependents,
        .needed = survey.needed,
        .is_unheard_of = survey.is_unheard_of,
        .uid = r->object->uid,
        .created = r->object->created,
        .started = reconcile_started(r),
        .now = r->production.context.now,
    };
}

bool rotation_takes_renewal(const struct reconcile *r) {
    const struct kind *kind = r->kind;
    return kind->is_other_version != nullptr && kind_can_rotate(kind, r->decoded.spec) &&
           kind->is_other_version(r->decoded.spec, &r->production.data);
}

static bool is_requested(const struct reconcile *r) {
    uint32_t ignored;
    bool is_renewed = renew_request_asks(r, REQUEST_RENEW) || reconcile_output_is_due(r, &ignored);
    return renew_request_asks(r, REQUEST_ROTATE) || r->production.is_input_changed ||
           (is_renewed && rotation_takes_renewal(r));
}

// Where another key is asked for, a next version of the present key is none that is wanted.
static void note_other_key(struct reconcile *r) {
    struct production *production = &r->production;
    const struct versions *versions = &production->versions;
    bool wants = r->kind->is_renewable && renew_request_asks(r, REQUEST_ROTATE);
    production->context.wants_other_key = wants;
    if (wants && versions->has_next &&
        r->kind->find_gone(r->decoded.spec, &production->data, &versions->next.data) == nullptr) {
        production->is_next_outdated = true;
    }
}

bool rotation_examine(struct reconcile *r, struct error *e) {
    const struct production *production = &r->production;
    if (!kind_has_versions(r->kind)) {
        return true;
    }
    yyjson_mut_val *status = yyjson_mut_doc_get_root(production->report.status);
    const char *bundle = yyjson_mut_get_str(yyjson_mut_obj_get(status, TRUST_BUNDLE_FIELD));
    const struct renewal life = {.expires_at = production->report.expires_at,
                                 .valid_from = production->report.valid_from};
    struct rotation_spec spec;
    struct rotation_question question = question_of(r, &production->versions, &life, bundle, &spec);
    if (r->kind->follows) {
        enum rotation_step step = production->is_input_changed ? ROTATION_FOLLOW : ROTATION_NONE;
        r->rotation = (struct rotation){.step = step, .kept = VERSIONS_KEPT_MAX};
        return true;
    }
    question.is_requested = is_requested(r);
    question.is_pressing = production->is_input_gone;
    note_other_key(r);
    question.is_next_outdated = production->is_next_outdated;
    bool are_lists_good;
    if (!rotation_plan(&question, &r->rotation, e) ||
        !production_check_lists(production, &are_lists_good, e)) {
        return false;
    }
    if (r->rotation.step == ROTATION_NONE && !are_lists_good) {
        r->rotation.step = ROTATION_LIST;
    }
    return true;
}

static uint32_t wait_until(const struct reconcile *r, int64_t at) {
    int64_t left = at - r->production.context.now;
    if (at == 0) {
        return 0;
    }
    if (left <= 0) {
        return 1;
    }
    return left < RENEWAL_LOOK_MS / 1000 ? (uint32_t)left * 1000 : RENEWAL_LOOK_MS;
}

uint32_t rotation_wait_ms(const struct reconcile *r) {
    if (r->renewal_wait_ms > 0) {
        return 0;
    }
    return r->rotation.step != ROTATION_NONE ? 1 : wait_until(r, r->rotation.step_at);
}

// Whether the status says all that there is to know of versions that nothing will ever be done with.
static bool is_at_rest(const struct reconcile *r, const struct versions *versions, int64_t named) {
    bool is_waited_for = r->kind->serves_dependents && versions->kept_count > 0;
    return !r->decoded.common.rotation.is_given && !versions->has_next && named == 0 && !is_waited_for;
}

// When the status has something done: what was asked for, or follows another rotation, is done at the time
// that it names, whatever the schedule says; what is to be published, before that.
static int64_t named_time(const struct versions *versions, const struct rotation_spec *spec, int64_t named) {
    return named != 0 && !versions->has_next ? named - spec->publish_ahead_s : named;
}

static bool is_due_by(const struct reconcile *r, const struct versions *versions, int64_t named,
                      uint32_t *ret_wait_ms) {
    yyjson_val *status = status_of(r);
    struct rotation rotation;
    struct error ignored;
    const struct renewal life = {.expires_at = status_time(status, RENEWAL_EXPIRY_FIELD),
                                 .valid_from = status_time(status, RENEWAL_START_FIELD)};
    struct rotation_spec spec;
    const struct rotation_question question =
        question_of(r, versions, &life, json_member_text(status, TRUST_BUNDLE_FIELD), &spec);
    if (!rotation_plan(&question, &rotation, &ignored)) {
        return true; // it is met again when the output is examined
    }
    bool is_step = rotation.step != ROTATION_NONE && !(rotation.withdraws_next && named != 0);
    int64_t at = rotation.step_at;
    named = named_time(versions, &spec, named);
    if (named != 0 && (at == 0 || named < at)) {
        at = named;
    }
    if (is_step || (at != 0 && at <= question.now)) {
        return true;
    }
    *ret_wait_ms = wait_until(r, at);
    return false;
}

bool rotation_is_due(const struct reconcile *r, uint32_t *ret_wait_ms) {
    yyjson_val *status = status_of(r);
    int64_t number = json_integer(yyjson_obj_get(status, VERSION_FIELD), 0);
    int64_t named = status_time(status, ROTATION_FIELD);
    struct versions versions;
    *ret_wait_ms = 0;
    if (!r->kind->is_rotatable || number == 0) {
        return false;
    }
    versions_recall(yyjson_obj_get(status, VERSIONS_FIELD), number, &versions);
    return !is_at_rest(r, &versions, named) && is_due_by(r, &versions, named, ret_wait_ms);
}

static bool is_told(const struct record *record, int64_t number) {
    struct version version = {.number = number};
    version_recall(record->versions, &version);
    return record->version >= number || version.created[0] != '\0';
}

bool rotation_is_news(const struct reconcile *r) {
    const struct production *production = &r->production;
    const struct record *record = &production->context.record;
    if (r->rotation.step == ROTATION_ACTIVATE) {
        return production->versions.has_next && record->version < production->versions.next.number;
    }
    if (r->rotation.step != ROTATION_FOLLOW) {
        return rollover_is_news(r);
    }
    const struct versions *led_by = production->inputs[r->kind->leading_input].versions;
    return led_by != nullptr &&
           (record->version < led_by->number || (led_by->has_next && !is_told(record, led_by->next.number)));
}

// ---- telling

static void tell(const struct reconcile *r, bool warning, const char *reason, const char *note) {
    reconcile_record(r, warning, reason, "Rotate", note);
    reconcile_log(r, warning ? LOG_WARNING : LOG_INFO, reason, note);
}

void rotation_tell(const struct reconcile *r) {
    const struct production *production = &r->production;
    const struct versions *versions = &production->versions;
    struct error note; // for its text: bounded and valid UTF-8
    if (r->taken == ROTATION_PUBLISH) {
        char at[CLOCK_TEXT_SIZE];
        clock_format(r->rotation.next_at, at);
        error_set(&note, ERROR_NONE, "version %" PRId64 ", %s, was made and comes into use at %s",
                  versions->next.number, fingerprint_show(versions->next.fingerprint), at);
        tell(r, false, REASON_NEXT_KEY_PUBLISHED, note.message);
    }
    bool is_edited = strcmp(production->replaced.reason, REASON_REPLACED) == 0;
    bool is_planned = r->taken != ROTATION_NONE || is_edited;
    for (size_t i = 0; i < production->read_count; i++) {
        const struct version_name *gone = &production->read[i];
        if (versions_keep(versions, gone->number)) {
            continue;
        }
        error_set(&note, ERROR_NONE, "version %" PRId64 ", %s, was removed from Secret %s%s", gone->number,
                  fingerprint_show(gone->fingerprint), r->decoded.secret_name,
                  is_planned ? "" : ", which held nothing of it any more that is sound");
        tell(r, !is_planned, is_planned ? REASON_VERSION_EXPIRED : REASON_VERSION_LOST, note.message);
    }
}

// ---- the status

static void add_time(yyjson_mut_doc *document, yyjson_mut_val *object, const char *field, int64_t seconds) {
    char text[CLOCK_TEXT_SIZE];
    if (seconds != 0) {
        clock_format(seconds, text);
        json_add_text(document, object, field, text);
    }
}

static yyjson_mut_val *add_version(const struct kind *kind, yyjson_mut_doc *document, yyjson_mut_val *list,
                                   const char *state, const struct version *version) {
    yyjson_mut_val *object = yyjson_mut_arr_add_obj(document, list);
    (void)yyjson_mut_obj_add_sint(document, object, VERSION_FIELD, version->number);
    (void)yyjson_mut_obj_add_str(document, object, "state", state);
    json_add_text(document, object, "fingerprint", version->fingerprint);
    json_add_text(document, object, "digest", version->digest);
    if (kind->is_made_for_key) {
        json_add_text(document, object, VERSION_KEY_FIELD, version->input);
    }
    json_add_text(document, object, VERSION_CREATED_FIELD, version->created);
    json_add_text(document, object, VERSION_ACTIVE_FIELD, version->active);
    json_add_text(document, object, VERSION_RETIRED_FIELD, version->retired);
    return object;
}

static struct version present_of(const struct production *production) {
    struct version version = {.number = production->versions.number};
    memcpy(version.created, production->provenance.created, sizeof(version.created));
    memcpy(version.active, production->versions.active, sizeof(version.active));
    memcpy(version.fingerprint, production->report.fingerprint, sizeof(version.fingerprint));
    memcpy(version.digest, production->report.digest, sizeof(version.digest));
    if (production->provenance.input_count > 0) {
        memcpy(version.input, production->provenance.inputs[production->decoded->kind->leading_input].digest,
               sizeof(version.input));
    }
    return version;
}

int64_t rotation_next_time(const struct reconcile *r) {
    int64_t now = r->production.context.now;
    int64_t named = status_time(status_of(r), ROTATION_FIELD);
    return r->rotation.next_at == now && named != 0 && named < now ? named : r->rotation.next_at;
}

static void add_versions(const struct reconcile *r, yyjson_mut_doc *document, yyjson_mut_val *status) {
    const struct versions *versions = &r->production.versions;
    const struct version present = present_of(&r->production);
    const struct rotation_question question = {.spec = &r->decoded.common.rotation,
                                               .versions = versions,
                                               .created = r->object->created,
                                               .now = r->production.context.now};
    yyjson_mut_val *list = yyjson_mut_obj_add_arr(document, status, VERSIONS_FIELD);
    if (versions->has_next) {
        (void)add_version(r->kind, document, list, VERSION_STATE_NEXT, &versions->next);
    }
    (void)add_version(r->kind, document, list, VERSION_STATE_ACTIVE, &present);
    for (size_t i = 0; i < versions->kept_count; i++) {
        yyjson_mut_val *object =
            add_version(r->kind, document, list, VERSION_STATE_RETIRED, &versions->kept[i]);
        if (!r->kind->serves_dependents) { // of which others decide when it goes
            add_time(document, object, "expiryTime", rotation_expiry(&question, i, rotation_next_time(r)));
        }
    }
}

void rotation_report(const struct reconcile *r, yyjson_mut_doc *document, yyjson_mut_val *status) {
    bool is_told = r->kind->is_renewable ? kind_can_rotate(r->kind, r->decoded.spec) ||
                                               versions_are_told(&r->production.versions)
                                         : kind_has_versions(r->kind);
    if (!is_told) {
        return;
    }
    (void)yyjson_mut_obj_add_sint(document, status, VERSION_FIELD, r->production.versions.number);
    if (r->decoded.common.rotation.is_given || versions_are_told(&r->production.versions)) {
        add_versions(r, document, status);
    }
    add_time(document, status, ROTATION_FIELD, rotation_next_time(r));
}
