#include "reconcile/ready_message.h"

#include "reconcile/reasons.h"
#include "reconcile/status_record.h"

#include <inttypes.h>
#include <string.h>

void ready_message_describe(const struct reconcile *r, struct error *ret_text) {
    const struct report *report = &r->production.report;
    const char *output = r->kind->output == nullptr ? "output" : r->kind->output;
    const char *algorithm = r->production.provenance.algorithm;
    bool has_fingerprint = report->fingerprint[0] != '\0';
    bool has_algorithm = algorithm != nullptr && algorithm[0] != '\0';
    bool has_more = report->about[0] != '\0';
    error_set(ret_text, ERROR_NONE, "%s%s%s%s%s%s%s%s%s in Secret %s", output, has_fingerprint ? " " : "",
              report->fingerprint, has_algorithm ? " (" : "", has_algorithm ? algorithm : "",
              has_algorithm ? ")" : "", has_more ? " " : "", report->about, has_more ? "," : "",
              r->decoded.secret_name);
    if (r->rotation.is_held_by_need) {
        const struct error said = *ret_text;
        error_set(ret_text, ERROR_NONE,
                  "%s; its rotation waits, since certificates below it still need version %" PRId64
                  ", the one of their status.rootDigest",
                  said.message, r->rotation.held_by);
    } else if (r->rotation.held_by != 0) {
        const struct error said = *ret_text;
        char until[CLOCK_TEXT_SIZE];
        clock_format(r->rotation.next_at, until);
        error_set(ret_text, ERROR_NONE,
                  "%s; its rotation waits until %s, since version %" PRId64 " is kept for so long",
                  said.message, until, r->rotation.held_by);
    }
    if (r->unrotated.class != ERROR_NONE) {
        const struct error said = *ret_text;
        error_set(ret_text, ERROR_NONE, "%s" UNROTATED "%s", said.message, r->unrotated.message);
    }
}

const char *ready_message_deed(const struct reconcile *r) {
    static const struct {
        const char *reason; // of what was replaced
        const char *deed;
    } deeds[] = {
        {REASON_SECRET_REPAIRED, "Repaired"},
        {REASON_RENEWED, "Renewed"},
        {REASON_ROTATED, "Rotated"},
        {REASON_SECRET_LOST, "Made anew, it was lost"},
        {REASON_SECRET_DAMAGED, "Made anew, it was damaged"},
        {REASON_REPLACED, "Made anew"},
    };
    for (size_t i = 0; r->is_made && i < sizeof(deeds) / sizeof(deeds[0]); i++) {
        if (strcmp(r->production.replaced.reason, deeds[i].reason) == 0) {
            return deeds[i].deed;
        }
    }
    if (r->is_made) {
        return "Made";
    }
    return r->is_adopted ? "Taken over" : "Found as specified";
}
