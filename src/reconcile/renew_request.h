// A person's request for another output before it is due: an annotation of an object, RENEW_ANNOTATION for
// one that is issued anew and ROTATE_ANNOTATION for one that is rotated, of which each new text is one
// request. The text of the last one that was answered is in the status, and in the output Secret's metadata
// from the moment on in which it was answered: that happens once, whatever befell the operator in between.
#pragma once

#include "reconcile/reconcile.h"

// Reads the requests of r's object, if there are any, for whatever is made from now on. Errors: CRYPTO,
// NO_MEMORY.
[[nodiscard]] bool renew_request_read(struct reconcile *r, struct error *e);

// Whether other, r's object as it was read live, has the requests that r's object has.
bool renew_request_is_the_same(const struct reconcile *r, const struct kube_object *other);

// Whether there is a request that the status does not say to be answered, or refused.
bool renew_request_is_new(const struct reconcile *r);

// Whether the output, as it was examined or made, was made before that request, and is of a kind that serves
// it; and whether it was before any.
bool renew_request_asks(const struct reconcile *r, enum request request);
bool renew_request_is_open(const struct reconcile *r);

// The output, which was examined and is good, is taken over from an earlier object: that answers a request.
// What it holds may be what somebody has restored, and a request that came back with it is an old one.
void renew_request_take_over(struct reconcile *r);

// The field of the status that has the last request of each sort.
const char *renew_request_field(enum request request);

// What the status says of that request from now on; NULL: nothing. is_served: the object is.
const char *renew_request_answered(const struct reconcile *r, enum request request, bool is_served);

// Records an Event for each new request that the object's kind does not serve.
void renew_request_refuse(const struct reconcile *r);
