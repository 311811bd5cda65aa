#include "reconcile/rollover.h"

#include "base/hash.h"
#include "reconcile/status_record.h"

#include <string.h>

enum { DEPTH_MAX = 32 }; // as many issuers as a chain may lead through

// ---- who trusts it

struct visit {
    const struct reconcile *r;
    const struct kube_object *issuer; // whose dependents are visited
    const struct versions *versions;
    const char *present; // the digest of the present version
    const char *bundle;
    struct rollover_survey *survey;
    unsigned depth;
};

// Whether the status says that what it speaks of was issued by the object whose dependents are visited.
// Whoever only names that in a spec has no say.
static bool is_issued(const struct visit *visit, yyjson_val *status) {
    char from[SOURCE_FROM_SIZE];
    yyjson_val *input = yyjson_arr_get_first(yyjson_obj_get(status, "inputs"));
    source_format_from(visit->r->kind->kind, visit->issuer->name, from);
    return json_member_is(input, "from", from) &&
           json_member_is(input, "namespace", visit->issuer->namespace);
}

// Of a root that is none of the versions it is not known which of them has its name and its key.
static void note_needed(const struct visit *visit, yyjson_val *status) {
    const char *root = json_member_text(status, TRUST_ROOT_FIELD);
    const struct versions *versions = visit->versions;
    bool is_present = root != nullptr && visit->present != nullptr && strcmp(root, visit->present) == 0;
    uint32_t needed = 0;
    if (status_time(status, RENEWAL_EXPIRY_FIELD) <= visit->r->production.context.now || is_present) {
        return;
    }
    for (size_t i = 0; root != nullptr && i < versions->kept_count; i++) {
        needed |= strcmp(root, versions->kept[i].digest) == 0 ? 1U << i : 0;
    }
    visit->survey->needed |= needed != 0 ? needed : UINT32_MAX;
}

// Whether a ConfigMap that is asked for has not got the roots yet.
static bool is_published_late(const struct visit *visit, yyjson_val *status) {
    yyjson_val *published = yyjson_obj_get(status, "trustBundle");
    return visit->bundle != nullptr && published != nullptr &&
           !json_member_is(published, "digest", visit->bundle);
}

// Whether somebody has not got the roots yet: in his Secret, or in his ConfigMap.
static bool is_behind(const struct visit *visit, yyjson_val *status) {
    const char *bundle = json_member_text(status, TRUST_BUNDLE_FIELD);
    return visit->bundle != nullptr &&
           ((bundle != nullptr && strcmp(bundle, visit->bundle) != 0) || is_published_late(visit, status));
}

static void visit_dependents(const struct visit *visit, const struct kube_object *object);

static void visit_one(void *context, const struct kind *kind, const struct kube_object *object) {
    const struct visit *visit = context;
    yyjson_val *status = yyjson_obj_get(object->root, "status");
    if (!kind->serves_dependents || visit->depth >= DEPTH_MAX) {
        return;
    }
    if (!status_is_written(status)) { // it may have been restored, and nobody has looked at it yet
        visit->survey->needed = UINT32_MAX;
    }
    if (is_issued(visit, status)) {
        bool is_served = json_member_is(status, "status", "Success");
        visit->survey->is_unheard_of =
            visit->survey->is_unheard_of || (is_served && is_behind(visit, status));
        note_needed(visit, status);
    }
    struct visit below = *visit;
    below.depth++;
    visit_dependents(&below, object);
}

static void visit_dependents(const struct visit *visit, const struct kube_object *object) {
    struct visit visit_here = *visit;
    visit_here.issuer = object;
    indexes_visit_dependents(visit->r->parts->indexes, visit->r->kind, object->namespace, object->name,
                             visit_one, &visit_here);
}

void rollover_survey(const struct reconcile *r, const struct versions *versions, const char *bundle,
                     struct rollover_survey *ret_survey) {
    bool knows_all;
    (void)indexes_count_dependents(r->parts->indexes, r->kind, r->object->namespace, r->object->name,
                                   &knows_all);
    yyjson_val *status = yyjson_obj_get(r->object->root, "status");
    const char *made = r->production.report.digest;
    *ret_survey = (struct rollover_survey){.needed = knows_all ? 0 : UINT32_MAX, .is_unheard_of = !knows_all};
    const struct visit visit = {
        .r = r,
        .versions = versions,
        .present = made[0] != '\0' ? made : json_member_text(status, "digest"),
        .bundle = bundle,
        .survey = ret_survey,
    };
    ret_survey->is_unheard_of = ret_survey->is_unheard_of || is_published_late(&visit, status);
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
    // Nothing waits where no time passes, nor what is taken over, whose key stays this once.
    window = r->parts->backoff == nullptr || r->is_adopted ? 0 : window;
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
