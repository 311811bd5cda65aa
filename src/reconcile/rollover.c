#include "reconcile/rollover.h"

#include "base/hash.h"
#include "reconcile/status_record.h"

#include <string.h>

enum { DEPTH_MAX = 32 }; // as many issuers as a chain may lead through

// ---- who trusts it

struct visit {
    const struct reconcile *r;
    const struct versions *versions;
    const char *bundle;
    struct rollover_survey *survey;
    unsigned depth;
};

static void note_needed(const struct visit *visit, yyjson_val *status) {
    const char *root = json_member_text(status, TRUST_ROOT_FIELD);
    int64_t end = status_time(status, RENEWAL_EXPIRY_FIELD);
    if (end != 0 && end <= visit->r->production.context.now) {
        return;
    }
    for (size_t i = 0; i < visit->versions->kept_count; i++) {
        bool is_known = root != nullptr && visit->versions->kept[i].digest[0] != '\0';
        if (!is_known || strcmp(root, visit->versions->kept[i].digest) == 0) {
            visit->survey->needed |= 1U << i;
        }
    }
}

static void visit_dependents(const struct visit *visit, const struct kube_object *object);

static void visit_one(void *context, const struct kind *kind, const struct kube_object *object) {
    const struct visit *visit = context;
    yyjson_val *status = yyjson_obj_get(object->root, "status");
    if (!kind->serves_dependents || visit->depth >= DEPTH_MAX) {
        return;
    }
    if (yyjson_obj_get(status, "secretRef") != nullptr) {
        const char *bundle = json_member_text(status, TRUST_BUNDLE_FIELD);
        bool is_told = visit->bundle == nullptr || (bundle != nullptr && strcmp(bundle, visit->bundle) == 0);
        bool is_served = json_member_is(status, "status", "Success");
        visit->survey->is_unheard_of = visit->survey->is_unheard_of || (is_served && !is_told);
        note_needed(visit, status);
    }
    struct visit below = *visit;
    below.depth++;
    visit_dependents(&below, object);
}

static void visit_dependents(const struct visit *visit, const struct kube_object *object) {
    indexes_visit_dependents(visit->r->parts->indexes, visit->r->kind, object->namespace, object->name,
                             visit_one, (void *)visit);
}

void rollover_survey(const struct reconcile *r, const struct versions *versions, const char *bundle,
                     struct rollover_survey *ret_survey) {
    bool knows_all;
    (void)indexes_count_dependents(r->parts->indexes, r->kind, r->object->namespace, r->object->name,
                                   &knows_all);
    *ret_survey = (struct rollover_survey){.needed = knows_all ? 0 : UINT32_MAX};
    const struct visit visit = {r, versions, bundle, ret_survey, 0};
    visit_dependents(&visit, r->object);
}

// ---- whose turn it is

void rollover_note_turn(struct reconcile *r) {
    struct report *report = &r->production.report;
    const struct kube_object *issuer = r->sources[0].upstream;
    int64_t now = r->production.context.now;
    int64_t named = r->production.context.record.renew_at;
    bool ignored;
    if (!r->production.is_waiting) {
        return;
    }
    size_t count = issuer == nullptr ? 0
                                     : indexes_count_dependents(r->parts->indexes, r->kind, issuer->namespace,
                                                                issuer->name, &ignored);
    int64_t window = (report->expires_at - now) / 4;
    window = window > RENEWAL_SPREAD_S ? RENEWAL_SPREAD_S : window;
    window = window > (int64_t)count ? (int64_t)count : window;
    window = r->parts->backoff == nullptr ? 0 : window; // nothing waits where no time passes
    int64_t turn = window > 0 ? now + hash_text(r->object->uid) % window : now;
    report->renew_at = named != 0 && named < turn ? named : turn;
}

bool rollover_is_news(const struct reconcile *r) {
    const struct secret *given = r->sources[0].beside;
    const char *told = json_text(json_find(r->object->root, "status", TRUST_BUNDLE_FIELD, nullptr));
    char digest[DIGEST_TEXT_SIZE];
    struct error ignored;
    return r->rotation.step == ROTATION_LIST && given != nullptr &&
           digest_format(secret_view(given), secret_length(given), digest, &ignored) &&
           (told == nullptr || strcmp(told, digest) != 0);
}
