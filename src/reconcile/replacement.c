#include "reconcile/replacement.h"

#include "reconcile/reasons.h"
#include "reconcile/status_record.h"

#include <stdio.h>
#include <string.h>

void replacement_note(struct reconcile *r, const char *reason, const char *cause) {
    const char *recorded = r->production.context.record.fingerprint;
    struct replaced *replaced = &r->production.replaced;
    *replaced = (struct replaced){0};
    snprintf(replaced->fingerprint, sizeof(replaced->fingerprint), "%s",
             recorded[0] != '\0' ? recorded : r->production.provenance.fingerprint);
    snprintf(replaced->reason, sizeof(replaced->reason), "%s", reason);
    snprintf(replaced->cause, sizeof(replaced->cause), "%s", cause);
}

// Whether the status has recorded another output than there is. Of short secrets nothing is recorded.
static bool is_another(const struct reconcile *r) {
    const struct record *record = &r->production.context.record;
    bool other_digest = record->digest[0] != '\0' && strcmp(record->digest, r->production.report.digest) != 0;
    return other_digest || (record->fingerprint[0] != '\0' && r->production.report.fingerprint[0] != '\0' &&
                            strcmp(record->fingerprint, r->production.report.fingerprint) != 0);
}

static void tell(const struct reconcile *r, bool warning, const char *reason, const char *note) {
    reconcile_record(r, warning, reason, "Replace", note);
    reconcile_log(r, warning ? LOG_WARNING : LOG_INFO, reason, note);
}

// Whether the key was kept, and is not the one that the status has recorded: somebody has put it there.
static bool is_key_of_others(const struct reconcile *r) {
    const struct replaced *replaced = &r->production.provenance.replaced;
    return replaced->gone[0] == '\0' && strcmp(replaced->reason, REASON_ROTATED) != 0 &&
           status_has_other_key(r);
}

// The reason of the Event: what is gone is told by its cause, or as a key that was replaced.
static const char *choose_reason(const struct reconcile *r, bool *ret_warning) {
    const struct replaced *replaced = &r->production.provenance.replaced;
    bool is_other = is_key_of_others(r);
    bool is_lost = strcmp(replaced->reason, REASON_SECRET_LOST) == 0 ||
                   strcmp(replaced->reason, REASON_SECRET_DAMAGED) == 0;
    bool is_rotated = strcmp(replaced->reason, REASON_ROTATED) == 0 && replaced->gone[0] == '\0';
    bool is_planned = is_rotated || (strcmp(replaced->reason, REASON_RENEWED) == 0 && !is_other);
    *ret_warning = is_lost || is_other || (!is_planned && replaced->gone[0] != '\0');
    if (is_lost || is_planned) {
        return replaced->reason;
    }
    return *ret_warning ? REASON_KEY_REPLACED : REASON_REPLACED;
}

// Of a replacement of our own.
static void tell_own(const struct reconcile *r) {
    const struct replaced *replaced = &r->production.provenance.replaced;
    const char *secret = r->decoded.secret_name;
    const char *before = fingerprint_show(replaced->fingerprint);
    const char *now = fingerprint_show(r->production.report.fingerprint);
    const char *gone =
        is_key_of_others(r) ? "with another private key, which somebody has put there" : replaced->gone;
    bool is_gone = gone[0] != '\0';
    bool warning;
    const char *reason = choose_reason(r, &warning);
    struct error note; // for its text: bounded and valid UTF-8
    if (!is_gone && strcmp(before, now) == 0) {
        error_set(&note, ERROR_NONE, "Secret %s: %s; made again with the same content, %s", secret,
                  replaced->cause, now);
    } else {
        error_set(&note, ERROR_NONE, "Secret %s: %s; %s was replaced by %s%s%s%s", secret, replaced->cause,
                  before, now, is_gone ? " (" : "", gone, is_gone ? ")" : "");
    }
    tell(r, warning, reason, note.message);
}

// Of one that was broken off before it could say so, as the Secret's metadata has it. Others can write to
// that, so it is believed only where nothing can have gone that people would miss.
static void tell_interrupted(const struct reconcile *r) {
    static const char *const planned[] = {REASON_RENEWED, REASON_ROTATED};
    const char *reason = REASON_REPLACED;
    struct error note;
    for (size_t i = 0; i < sizeof(planned) / sizeof(planned[0]); i++) {
        if (strcmp(r->production.provenance.replaced.reason, planned[i]) == 0) {
            reason = planned[i];
        }
    }
    error_set(&note, ERROR_NONE, "Secret %s: %s was replaced by %s, in a reconcile that was interrupted",
              r->decoded.secret_name, fingerprint_show(r->production.context.record.fingerprint),
              fingerprint_show(r->production.report.fingerprint));
    tell(r, false, reason, note.message);
}

// Whether what the status has recorded is kept, as an earlier version of what there is.
static bool is_kept(const struct reconcile *r) {
    const struct record *record = &r->production.context.record;
    const struct versions *versions = &r->production.versions;
    for (size_t i = 0; i < versions->kept_count; i++) {
        const struct version *version = &versions->kept[i];
        if (version->number == record->version && strcmp(version->digest, record->digest) == 0 &&
            strcmp(version->fingerprint, record->fingerprint) == 0) {
            return true;
        }
    }
    return false;
}

static bool was_interrupted(const struct reconcile *r) {
    const struct replaced *replaced = &r->production.provenance.replaced;
    bool is_claimed = replaced->reason[0] != '\0' &&
                      strcmp(replaced->fingerprint, r->production.context.record.fingerprint) == 0;
    bool is_harmless = r->kind->precious == nullptr || (r->kind->find_gone != nullptr && status_has_key(r));
    return (is_kept(r) && !r->is_present_unknown) || (is_claimed && is_harmless);
}

static void tell_foreign(const struct reconcile *r) {
    struct error note;
    error_set(
        &note, ERROR_NONE,
        "Secret %s no longer holds what this object's status has recorded: %s was replaced by %s; who wrote "
        "it is in its metadata.managedFields and in the audit log",
        r->decoded.secret_name, fingerprint_show(r->production.context.record.fingerprint),
        fingerprint_show(r->production.report.fingerprint));
    tell(r, true, REASON_KEY_REPLACED, note.message);
}

void replacement_tell(const struct reconcile *r) {
    bool is_repaired =
        strcmp(r->production.replaced.reason, REASON_SECRET_REPAIRED) == 0; // which has been told
    bool is_made_anew = r->production.replaced.reason[0] != '\0' && !is_repaired;
    struct error note;
    if (is_made_anew || (is_repaired && is_another(r))) {
        tell_own(r);
    } else if (is_another(r) && was_interrupted(r)) {
        tell_interrupted(r);
    } else if (is_another(r)) {
        tell_foreign(r);
    } else if (r->is_adopted) {
        bool is_precious = r->kind->precious != nullptr;
        error_set(&note, ERROR_NONE, "took over Secret %s with %s%s, %s", r->decoded.secret_name,
                  is_precious ? "its " : "what it holds", is_precious ? r->kind->precious : "",
                  fingerprint_show(r->production.report.fingerprint));
        tell(r, false, REASON_ADOPTED, note.message);
    }
}
