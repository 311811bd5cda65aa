#include "reconcile/renew_request.h"

#include "crypto/digest.h"
#include "reconcile/reasons.h"

#include <stdio.h>
#include <string.h>

static_assert((size_t)PROVENANCE_SENTENCE_SIZE >= (size_t)DIGEST_TEXT_SIZE + sizeof("refused: "));

static const char *recorded(const struct reconcile *r) {
    return json_text(json_find(r->object->root, "status", RENEW_STATUS_FIELD, nullptr));
}

static const char *text_of(const struct kube_object *object) {
    return json_text(json_find(object->root, "metadata", "annotations", RENEW_ANNOTATION, nullptr));
}

// Of a kind that is never made anew the status has a request as refused, so that nobody takes it for
// answered.
bool renew_request_read(struct reconcile *r, struct error *e) {
    const char *prefix = r->kind->is_renewable ? "" : "refused: ";
    const char *text = text_of(r->object);
    size_t length = text == nullptr ? 0 : strlen(text);
    char digest[DIGEST_TEXT_SIZE];
    r->production.context.renew_request = r->kind->is_renewable ? r->renew_request : nullptr;
    if (length == 0) {
        return true;
    }
    if (strlen(prefix) + length >= sizeof(r->renew_request)) { // as good as any other text
        if (!digest_format(text, length, digest, e)) {
            return false;
        }
        text = digest;
    }
    snprintf(r->renew_request, sizeof(r->renew_request), "%s%s", prefix, text);
    return true;
}

bool renew_request_is_the_same(const struct reconcile *r, const struct kube_object *other) {
    const char *here = text_of(r->object);
    const char *there = text_of(other);
    return strcmp(here == nullptr ? "" : here, there == nullptr ? "" : there) == 0;
}

bool renew_request_is_new(const struct reconcile *r) {
    const char *answered = recorded(r);
    return r->renew_request[0] != '\0' && (answered == nullptr || strcmp(answered, r->renew_request) != 0);
}

bool renew_request_is_open(const struct reconcile *r) {
    return r->kind->is_renewable && renew_request_is_new(r) &&
           strcmp(r->production.provenance.renew_request, r->renew_request) != 0;
}

void renew_request_take_over(struct reconcile *r) {
    struct provenance *provenance = &r->production.provenance;
    if (renew_request_is_open(r)) {
        memcpy(provenance->renew_request, r->renew_request, sizeof(provenance->renew_request));
        r->is_answered_so = true;
    }
}

const char *renew_request_answered(const struct reconcile *r, bool is_served) {
    bool is_answered = is_served && r->renew_request[0] != '\0' && !renew_request_is_open(r);
    return is_answered ? r->renew_request : recorded(r);
}

void renew_request_refuse(const struct reconcile *r) {
    struct error note; // for its text
    if (r->kind->is_renewable || !renew_request_is_new(r)) {
        return;
    }
    error_set(&note, ERROR_NONE,
              "a %s is never made anew on request, and stays as it is; for another one create a resource of "
              "another name",
              r->kind->kind);
    reconcile_record(r, true, REASON_NOT_RENEWED, "Renew", note.message);
    reconcile_log(r, LOG_WARNING, REASON_NOT_RENEWED, note.message);
}
