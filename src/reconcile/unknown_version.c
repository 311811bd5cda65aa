#include "reconcile/unknown_version.h"

#include "reconcile/reasons.h"
#include "reconcile/renew_request.h"
#include "reconcile/rotation.h"
#include "reconcile/status_record.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool is_same(const struct version *one, const char *fingerprint, const char *digest) {
    return strcmp(one->fingerprint, fingerprint) == 0 && strcmp(one->digest, digest) == 0;
}

// What the status says of that version; false: nothing.
static bool recall(const struct record *record, int64_t number, struct version *ret_version) {
    struct version version = {.number = number};
    version_recall(record->versions, &version);
    bool is_listed = version.created[0] != '\0';
    bool is_present = number == (record->version == 0 ? 1 : record->version);
    if (!is_listed && is_present) {
        snprintf(version.fingerprint, sizeof(version.fingerprint), "%s", record->fingerprint);
        snprintf(version.digest, sizeof(version.digest), "%s", record->digest);
    }
    *ret_version = version;
    return is_listed || is_present;
}

static bool is_recorded(const struct reconcile *r, int64_t number, const char *fingerprint,
                        const char *digest) {
    struct version known;
    return recall(&r->production.context.record, number, &known) && is_same(&known, fingerprint, digest);
}

static bool is_present_recorded(const struct reconcile *r) {
    const struct report *report = &r->production.report;
    const struct record *record = &r->production.context.record;
    return (strcmp(record->fingerprint, report->fingerprint) == 0 &&
            strcmp(record->digest, report->digest) == 0) ||
           is_recorded(r, r->production.versions.number, report->fingerprint, report->digest);
}

// Whether by what status and object say a step was due that the status does not tell of yet.
static bool is_step_expected(const struct reconcile *r) {
    const struct record *record = &r->production.context.record;
    yyjson_val *status = yyjson_obj_get(r->object->root, "status");
    int64_t now = r->production.context.now;
    int64_t at = status_time(status, ROTATION_FIELD);
    int64_t renewal = status_time(status, RENEWAL_FIELD); // of which a rotation may come
    bool is_due = (at != 0 && at - r->decoded.common.rotation.publish_ahead_s <= now) ||
                  (renewal != 0 && renewal <= now);
    return is_due || !record->is_current || renew_request_is_new(r);
}

static void add(struct reconcile *r, int64_t number, const char *fingerprint) {
    struct version_name *name = &r->unknown[r->unknown_count++];
    name->number = number;
    snprintf(name->fingerprint, sizeof(name->fingerprint), "%s", fingerprint);
}

void unknown_versions_note(struct reconcile *r, bool is_good) {
    const struct record *record = &r->production.context.record;
    const struct version *version;
    bool has_record = record->fingerprint[0] != '\0' || record->version != 0;
    r->unknown_count = 0;
    r->is_present_unknown = false;
    if (!kind_has_versions(r->kind) || !has_record || is_step_expected(r)) {
        return;
    }
    for (size_t i = 0; (version = versions_get(&r->production.versions, i)) != nullptr; i++) {
        if (!is_recorded(r, version->number, version->fingerprint, version->digest)) {
            add(r, version->number, version->fingerprint);
        }
    }
    // What is renewed is told as what has taken the place of another.
    r->is_present_unknown = is_good && !r->kind->is_renewable && !is_present_recorded(r);
    if (r->is_present_unknown) {
        add(r, r->production.versions.number, r->production.report.fingerprint);
    }
}

void unknown_versions_tell(const struct reconcile *r) {
    size_t count = r->unknown_count;
    if (r->is_present_unknown && !r->is_made) { // that is told as what has taken the place of another
        count--;
    }
    for (size_t i = 0; i < count; i++) {
        struct error note; // for its text
        error_set(&note, ERROR_NONE,
                  "Secret %s was found to hold a version %" PRId64
                  ", %s, that this object's status has not recorded; who wrote it is in its "
                  "metadata.managedFields and in the audit log",
                  r->decoded.secret_name, r->unknown[i].number, fingerprint_show(r->unknown[i].fingerprint));
        reconcile_record(r, true, REASON_KEY_REPLACED, "Replace", note.message);
        reconcile_log(r, LOG_WARNING, REASON_KEY_REPLACED, note.message);
    }
}
