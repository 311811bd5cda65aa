#include "reconcile/output_apply.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/memory.h"
#include "reconcile/conflict.h"
#include "reconcile/output.h"
#include "reconcile/output_write.h"
#include "reconcile/reasons.h"
#include "reconcile/recheck.h"
#include "reconcile/renew_request.h"
#include "reconcile/replacement.h"
#include "reconcile/rotation.h"
#include "reconcile/status_record.h"

#include <stdio.h>
#include <string.h>

static void tell(const struct reconcile *r, enum log_level level, const char *reason, const char *action,
                 const char *note) {
    reconcile_record(r, level == LOG_WARNING, reason, action, note);
    reconcile_log(r, level, reason, note);
}

static void warn(const struct reconcile *r, const char *reason, const char *action, const char *what,
                 const char *detail) {
    struct error note; // for its text: bounded and valid UTF-8
    error_set(&note, ERROR_NONE, "Secret %s %s%s", r->decoded.secret_name, what, detail);
    tell(r, LOG_WARNING, reason, action, note.message);
}

// Makes the output, and tells what is to be known about it.
static bool make(struct reconcile *r, struct error *e) {
    if (!output_make(r, e)) {
        return false;
    }
    if (r->production.report.warning_reason != nullptr) {
        tell(r, LOG_WARNING, r->production.report.warning_reason, "Make", r->production.report.warning);
    }
    return true;
}

// An output is made anew at once, and ever more slowly when that is needed again and again: the error is of
// class and says later then.
static bool may_remake(struct reconcile *r, enum regenerated what, enum error_class class, const char *later,
                       struct error *e) {
    uint32_t wait_ms;
    r->counted_as = what;
    r->is_counted = regenerate_backoff_allow(r->parts->backoff, r->key, what, clock_monotonic_ms(), &wait_ms);
    if (r->is_counted) {
        return true;
    }
    error_set(e, class, "%s", later);
    e->retry_after_ms = wait_ms;
    return false;
}

// What came to nothing, since it was refused or nobody answered, is no remake: it is tried again as any other
// failure, which is told as what it is.
static void take_back(const struct reconcile *r) {
    regenerate_backoff_take_back(r->parts->backoff, r->key, r->counted_as);
}

// What cannot be made again is gone: whether something new may take its place.
static bool may_lose_key(struct reconcile *r, struct error *e) {
    if (r->is_adopted) {
        const struct error why = *e;
        return conflict_with_left(r, why.message, e);
    }
    if (r->decoded.common.fails_on_key_loss) {
        e->class = ERROR_KEY_LOST;
        return error_wrap(
            e,
            "Secret %s has lost its %s; nothing new is made, as spec.onKeyLoss says. Restore the "
            "Secret from a backup. Only if there is none: with spec.onKeyLoss Recreate another one "
            "is made in its place",
            r->decoded.secret_name, r->kind->precious);
    }
    r->production.context.may_lose_key = true;
    return true;
}

// Makes an output that takes the place of the one examined. Both the object and its inputs are seen to be
// what r has read before anything is replaced.
static bool replace(struct reconcile *r, const char *reason, const char *cause, struct error *e) {
    replacement_note(r, reason, cause);
    if (make(r, e)) {
        return true;
    }
    if (e->class != ERROR_KEY_LOST || !may_lose_key(r, e)) {
        return false;
    }
    replacement_note(r, REASON_SECRET_DAMAGED, e->message);
    return make(r, e);
}

// Whether nobody has changed the object or its inputs meanwhile.
static bool is_up_to_date(struct reconcile *r, struct error *e) {
    if (!recheck_all(r, e)) {
        return false;
    }
    status_read_record(r);
    return true;
}

static bool may_replace(struct reconcile *r, enum error_class class, const char *later, struct error *e) {
    return is_up_to_date(r, e) && may_remake(r, REGENERATED_CONTENT, class, later, e);
}

// What cannot be made again stays, if it is sound, and all else is rebuilt around it.
static bool mend(struct reconcile *r, const struct error *damage, struct error *e) {
    struct error later; // for its text
    error_set(&later, ERROR_NONE,
              "Secret %s is damaged again and will be put right later; its metadata.managedFields tell who "
              "writes to it: %s",
              r->decoded.secret_name, damage->message);
    if (!may_replace(r, ERROR_CRYPTO, later.message, e)) {
        if (e->class == ERROR_CRYPTO) {
            snprintf(r->outcome->reason, sizeof(r->outcome->reason), REASON_SECRET_DAMAGED);
        }
        return false;
    }
    if (r->kind->repair == nullptr) {
        return replace(r, REASON_SECRET_DAMAGED, damage->message, e);
    }
    replacement_note(r, REASON_SECRET_REPAIRED, damage->message);
    if (output_repair(r, e)) {
        warn(r, REASON_SECRET_REPAIRED, "Repair",
             "was damaged; what was wrong was rebuilt around what is kept: ", damage->message);
        return true;
    }
    if (e->class != ERROR_KEY_LOST) {
        return false;
    }
    bool is_version_lost = r->production.is_version_lost;
    if (!may_lose_key(r, e)) {
        return false;
    }
    return is_version_lost ? output_repair(r, e) : replace(r, REASON_SECRET_DAMAGED, damage->message, e);
}

static bool remake_stale(struct reconcile *r, struct error *e) {
    return may_replace(r, ERROR_RETRYABLE, "an input has changed again and will be taken up later", e) &&
           replace(r, REASON_REPLACED, r->production.changed, e);
}

// Whether what is due for renewal serves until then.
static bool is_valid(const struct reconcile *r) {
    const struct report *report = &r->production.report;
    int64_t now = r->production.context.now;
    return report->valid_from <= now && (report->expires_at == 0 || now < report->expires_at);
}

// Whether what is due cannot wait for its turn: it ends. An output that is new has longer than that, or is
// not due again before it ends.
static bool is_ending(const struct reconcile *r) {
    const struct report *report = &r->production.report;
    uint32_t ignored;
    return report->expires_at != 0 && report->expires_at - r->production.context.now <= RENEWAL_LAST_S &&
           reconcile_output_is_due(r, &ignored);
}

// By the minute, so that it is the same text, and one Event, however often the object is looked at meanwhile.
static void tell_put_off(const struct reconcile *r, uint32_t wait_ms) {
    enum { MINUTE_S = 60 };
    int64_t until = r->production.context.now + wait_ms / 1000 + MINUTE_S;
    char text[CLOCK_TEXT_SIZE];
    struct error note; // for its text
    clock_format(until - until % MINUTE_S, text);
    error_set(
        &note, ERROR_NONE,
        "the renewal waits until %s, since the last one was shortly before; the output serves until then",
        text);
    tell(r, LOG_INFO, REASON_RENEWAL_WAITS, "Renew", note.message);
}

// It is renewed after wait_ms, or when it ends; all else is as with an output that is not due. A rotation
// that was refused is told as that.
static bool put_off(struct reconcile *r, uint32_t wait_ms, struct error *e) {
    int64_t end = r->production.report.expires_at;
    int64_t left_s = end - r->production.context.now;
    int64_t until_end_ms = (left_s > RENEWAL_LAST_S ? left_s - RENEWAL_LAST_S : left_s) * 1000;
    const char *unrotated = status_says_unrotated(r);
    r->renewal_wait_ms = end != 0 && until_end_ms < wait_ms ? (uint32_t)until_end_ms : wait_ms;
    if (unrotated != nullptr) {
        error_set(&r->unrotated, ERROR_REFUSED, "%s", unrotated);
    } else {
        tell_put_off(r, r->renewal_wait_ms);
    }
    return output_keep_metadata(r, e);
}

static bool renew(struct reconcile *r, struct error *e) {
    uint32_t ignored;
    enum regenerated what =
        reconcile_output_is_due(r, &ignored) ? REGENERATED_CONTENT : REGENERATED_ON_REQUEST;
    if (!is_ending(r) && !may_remake(r, what, ERROR_RETRYABLE,
                                     "the output is due for renewal again and will be renewed later", e)) {
        return is_valid(r) && put_off(r, e->retry_after_ms, e);
    }
    if (!output_may_make(r, e) || !is_up_to_date(r, e)) {
        return false;
    }
    failpoint(BEFORE_RENEWAL, "%s %s", r->kind->kind, r->object->key);
    bool is_turn = r->production.is_waiting; // of what was made from earlier inputs
    const char *cause = renew_request_is_open(r) ? "its renewal was asked for" : "it was due for renewal";
    if (!replace(r, is_turn ? REASON_REPLACED : REASON_RENEWED, is_turn ? r->production.changed : cause, e)) {
        return false;
    }
    failpoint(AFTER_RENEWAL, "%s %s", r->kind->kind, r->object->key);
    return true;
}

// Whether the step that is due is due by the clock or on request, which the object's status and annotation
// tell at the next look, too: it may say until then that the output is as it should be.
static bool is_recalled(const struct reconcile *r) {
    return !r->production.is_input_changed && r->rotation.step != ROTATION_LIST;
}

// Notes what the step takes the place of, if it does of something.
static void note_rotation(struct reconcile *r) {
    const struct production *production = &r->production;
    const char *cause = renew_request_is_open(r)       ? "its rotation was asked for"
                        : production->is_input_changed ? production->changed
                                                       : "it was due for rotation";
    if (r->rotation.step == ROTATION_ACTIVATE) {
        replacement_note(r, REASON_ROTATED, cause);
    } else if (r->rotation.step == ROTATION_FOLLOW && production_present_changes(production)) {
        replacement_note(r, production_input_is_kept(production) ? REASON_ROTATED : REASON_REPLACED, cause);
    }
}

// Whether the output is as good without the step that is due as it was before.
static bool may_stay(const struct reconcile *r) {
    return r->rotation.step != ROTATION_FOLLOW || !production_present_changes(&r->production);
}

// The step of rotation was refused, *e says why: nothing is wrong with what there is. It stays as it is, and
// the step is tried again, ever more slowly.
static bool stay(struct reconcile *r, struct error *e) {
    enum { UNCOUNTED_WAIT_MS = 60000, COUNTED_WAIT_MS = 1000 }; // what was counted is held back by that, too
    const struct error refusal = *e;
    enum output_state state;
    struct error damage;
    if (!output_examine_live(r, &state, &damage, e)) {
        return false;
    }
    if (state != OUTPUT_GOOD && state != OUTPUT_DUE) {
        return error_set(e, ERROR_RETRYABLE, "Secret %s has just changed", r->decoded.secret_name);
    }
    r->taken = ROTATION_NONE;
    r->production.replaced = (struct replaced){0};
    r->unrotated = refusal;
    r->renewal_wait_ms = r->is_counted ? COUNTED_WAIT_MS : UNCOUNTED_WAIT_MS;
    if (refusal.retry_after_ms > r->renewal_wait_ms) {
        r->renewal_wait_ms = refusal.retry_after_ms;
    }
    tell(r, LOG_WARNING, REASON_ROTATION_REFUSED, "Rotate", refusal.message);
    return output_keep_metadata(r, e);
}

// Whether the step that is due comes with news, which nobody is held back from; unless it was refused.
static bool comes_with_news(const struct reconcile *r) {
    bool is_refused_again = r->rotation.step == ROTATION_LIST && status_says_unrotated(r) != nullptr;
    return rotation_is_news(r) && !is_refused_again;
}

// Takes the step of rotation that is due. Before its time has come nothing is lost by a delay.
static bool rotate(struct reconcile *r, struct error *e) {
    enum regenerated what = renew_request_is_open(r) ? REGENERATED_ON_REQUEST : REGENERATED_CONTENT;
    bool is_making = r->rotation.step == ROTATION_PUBLISH || r->rotation.step == ROTATION_ACTIVATE;
    if ((is_making && !output_may_make(r, e)) || !is_up_to_date(r, e)) {
        return false;
    }
    if (!comes_with_news(r) &&
        !may_remake(r, what, ERROR_RETRYABLE, "the output is to be rotated again, and will be later", e)) {
        bool may_wait = is_recalled(r) || status_says_unrotated(r) != nullptr;
        return may_wait && put_off(r, e->retry_after_ms, e);
    }
    bool stays = may_stay(r);
    note_rotation(r);
    failpoint(BEFORE_ROTATION, "%s %s", r->kind->kind, r->object->key);
    r->taken = r->rotation.step;
    if (!output_rotate(r, e)) {
        bool is_refused = e->class == ERROR_REFUSED || e->class == ERROR_CONFLICT;
        return stays && is_refused && stay(r, e);
    }
    failpoint(AFTER_ROTATION, "%s %s", r->kind->kind, r->object->key);
    return true;
}

static bool bring_about(struct reconcile *r, enum output_state state, const struct error *damage,
                        struct error *e) {
    bool is_made = state != OUTPUT_GOOD && state != OUTPUT_DUE; // which may be put off
    if (is_made && !output_may_make(r, e)) {
        return false;
    }
    switch (state) {
    case OUTPUT_GOOD:
        return output_keep_metadata(r, e);
    case OUTPUT_DUE:
        return r->renews ? renew(r, e) : rotate(r, e);
    case OUTPUT_STALE:
        return remake_stale(r, e);
    case OUTPUT_DAMAGED:
        return mend(r, damage, e);
    default:
        // A name that was taken a moment ago, and is free now.
        return error_set(e, ERROR_RETRYABLE, "Secret %s has just gone", r->decoded.secret_name);
    }
}

// Makes an output in the place of one that the status has recorded, and that is gone.
static bool remake_lost(struct reconcile *r, struct error *e) {
    enum output_state state;
    struct error damage;
    if (!recheck_all(r, e) || !output_examine_live(r, &state, &damage, e)) {
        return false;
    }
    if (state != OUTPUT_ABSENT) { // the watch has not shown it yet
        return bring_about(r, state, &damage, e);
    }
    if (!may_remake(r, REGENERATED_CONTENT, ERROR_CRYPTO,
                    "the Secret was deleted again, and will be made anew later", e)) {
        snprintf(r->outcome->reason, sizeof(r->outcome->reason), REASON_SECRET_LOST);
        return false;
    }
    replacement_note(r, REASON_SECRET_LOST, "it was lost");
    if (r->kind->repair == nullptr) {
        return make(r, e);
    }
    if (output_repair(r, e)) { // it can be made again after all: random bytes from a seed
        return true;
    }
    if (e->class != ERROR_KEY_LOST) {
        return false;
    }
    error_set(e, ERROR_KEY_LOST, "the Secret does not exist any more");
    return may_lose_key(r, e) && make(r, e);
}

// Creates the output, unless the Secret is there after all: then it decides.
static bool create(struct reconcile *r, struct error *e) {
    cleanup_text char *older = indexes_find_older_claim(r->parts->indexes, r->kind, r->object, &kube_secrets,
                                                        r->decoded.secret_name);
    if (older != nullptr) {
        return error_set(
            e, ERROR_CONFLICT,
            "Secret %s is claimed by %s too, which is older. Nothing was touched. Create this object again "
            "with another spec.outputSecretName",
            r->decoded.secret_name, older);
    }
    if (!output_may_make(r, e)) {
        return false;
    }
    bool lost = json_find(r->object->root, "status", "secretRef", nullptr) != nullptr;
    if (lost ? remake_lost(r, e) : make(r, e)) {
        return true;
    }
    if (e->class == ERROR_NOT_FOUND && r->outcome->reason[0] == '\0') { // no such namespace any more
        e->class = ERROR_RETRYABLE;
    }
    enum output_state state;
    struct error damage;
    const struct error said = *e;
    if (e->class != ERROR_CONFLICT || !output_examine_live(r, &state, &damage, e)) {
        return false;
    }
    if (state == OUTPUT_ABSENT) { // it is free again; or it was not the name that was refused
        *e = said;
        e->class = ERROR_RETRYABLE;
        return false;
    }
    return bring_about(r, state, &damage, e);
}

bool output_apply(struct reconcile *r, enum output_state state, const struct error *damage, struct error *e) {
    bool done = state == OUTPUT_ABSENT ? create(r, e) : bring_about(r, state, damage, e);
    if (!done && r->is_counted && !r->is_made) {
        take_back(r);
    }
    return done;
}
