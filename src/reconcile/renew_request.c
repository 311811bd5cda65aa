#include "reconcile/renew_request.h"

#include "crypto/digest.h"
#include "reconcile/reasons.h"

#include <stdio.h>
#include <string.h>

static_assert((size_t)PROVENANCE_SENTENCE_SIZE >= (size_t)DIGEST_TEXT_SIZE + sizeof("refused: "));

static const struct form {
    const char *annotation;
    const char *field;
    const char *refusal; // the reason of an Event
    const char *action;  // of it
    const char *never;   // what is never done to a kind that does not serve it
} forms[REQUEST_COUNT] = {
    [REQUEST_RENEW] = {RENEW_ANNOTATION, RENEW_STATUS_FIELD, REASON_NOT_RENEWED, "Renew",
                       "made anew on request"},
    [REQUEST_ROTATE] = {ROTATE_ANNOTATION, ROTATE_STATUS_FIELD, REASON_NOT_ROTATED, "Rotate", "rotated"},
};

static bool serves(const struct reconcile *r, enum request request) {
    return request == REQUEST_RENEW ? r->kind->is_renewable : kind_can_rotate(r->kind, r->decoded.spec);
}

// Where the metadata has the request that was answered: of a kind that serves one only, always in the first
// place.
static char *place_of(const struct kind *kind, struct provenance *provenance, enum request request) {
    return request == REQUEST_ROTATE && kind->is_renewable ? provenance->rotate_request
                                                           : provenance->renew_request;
}

static const char *recorded(const struct reconcile *r, enum request request) {
    return json_text(json_find(r->object->root, "status", forms[request].field, nullptr));
}

static const char *text_of(const struct kube_object *object, enum request request) {
    return json_text(json_find(object->root, "metadata", "annotations", forms[request].annotation, nullptr));
}

// Of what the kind does not serve the status has a request as refused, so that nobody takes it for answered.
static bool read_one(struct reconcile *r, enum request request, struct error *e) {
    const char *prefix = serves(r, request) ? "" : "refused: ";
    const char *text = text_of(r->object, request);
    size_t length = text == nullptr ? 0 : strlen(text);
    char digest[DIGEST_TEXT_SIZE];
    if (length == 0) {
        return true;
    }
    if (strlen(prefix) + length >= sizeof(r->requests[request])) { // as good as any other text
        if (!digest_format(text, length, digest, e)) {
            return false;
        }
        text = digest;
    }
    snprintf(r->requests[request], sizeof(r->requests[request]), "%s%s", prefix, text);
    return true;
}

bool renew_request_read(struct reconcile *r, struct error *e) {
    struct produce_context *context = &r->production.context;
    const char *renew = serves(r, REQUEST_RENEW) ? r->requests[REQUEST_RENEW] : nullptr;
    const char *rotate = serves(r, REQUEST_ROTATE) ? r->requests[REQUEST_ROTATE] : nullptr;
    context->renew_request = r->kind->is_renewable ? renew : rotate;
    context->rotate_request = r->kind->is_renewable ? rotate : nullptr;
    return read_one(r, REQUEST_RENEW, e) && read_one(r, REQUEST_ROTATE, e);
}

bool renew_request_is_the_same(const struct reconcile *r, const struct kube_object *other) {
    for (size_t i = 0; i < REQUEST_COUNT; i++) {
        const char *here = text_of(r->object, i);
        const char *there = text_of(other, i);
        if (strcmp(here == nullptr ? "" : here, there == nullptr ? "" : there) != 0) {
            return false;
        }
    }
    return true;
}

static bool is_new(const struct reconcile *r, enum request request) {
    const char *answered = recorded(r, request);
    return r->requests[request][0] != '\0' &&
           (answered == nullptr || strcmp(answered, r->requests[request]) != 0);
}

bool renew_request_is_new(const struct reconcile *r) {
    return is_new(r, REQUEST_RENEW) || is_new(r, REQUEST_ROTATE);
}

bool renew_request_asks(const struct reconcile *r, enum request request) {
    struct provenance *provenance = (struct provenance *)&r->production.provenance;
    return serves(r, request) && is_new(r, request) &&
           strcmp(place_of(r->kind, provenance, request), r->requests[request]) != 0;
}

bool renew_request_is_open(const struct reconcile *r) {
    return renew_request_asks(r, REQUEST_RENEW) || renew_request_asks(r, REQUEST_ROTATE);
}

void renew_request_take_over(struct reconcile *r) {
    for (size_t i = 0; i < REQUEST_COUNT; i++) {
        if (renew_request_asks(r, i)) {
            memcpy(place_of(r->kind, &r->production.provenance, i), r->requests[i], PROVENANCE_SENTENCE_SIZE);
            r->is_answered_so = true;
        }
    }
}

const char *renew_request_field(enum request request) {
    return forms[request].field;
}

const char *renew_request_answered(const struct reconcile *r, enum request request, bool is_served) {
    bool is_open = renew_request_asks(r, request);
    bool is_answered = is_served && r->requests[request][0] != '\0' && !is_open;
    return is_answered ? r->requests[request] : recorded(r, request);
}

void renew_request_refuse(const struct reconcile *r) {
    for (size_t i = 0; i < REQUEST_COUNT; i++) {
        struct error note; // for its text
        if (serves(r, i) || !is_new(r, i)) {
            continue;
        }
        error_set(&note, ERROR_NONE, "%s %s is never %s, and stays as it is; %s",
                  r->kind->is_renewable && r->kind->is_rotatable ? "this" : "a", r->kind->kind,
                  forms[i].never,
                  serves(r, REQUEST_ROTATE) ? "the annotation " ROTATE_ANNOTATION " asks for its rotation"
                                            : "for another one create a resource of another name");
        reconcile_record(r, true, forms[i].refusal, forms[i].action, note.message);
        reconcile_log(r, LOG_WARNING, forms[i].refusal, note.message);
    }
}
