#include "reconcile/input_wait.h"

#include "reconcile/grants.h"
#include "reconcile/reasons.h"

#include <stdio.h>

bool input_wait_for(struct reconcile *r, const struct source *source, const char *name, const char *why,
                    struct error *e) {
    bool own = source_is_own(r, source);
    char shown[SOURCE_SHOWN_SIZE];
    source_show(name, shown);
    snprintf(r->outcome->reason, sizeof(r->outcome->reason), REASON_WAITING_FOR, source->from->kind);
    return error_set(e, ERROR_NOT_FOUND, "spec.%s: " WAITING_FOR "%s %s%s%s" WHICH "%s",
                     source->request->field, source->from->kind, own ? "" : source->namespace, own ? "" : "/",
                     shown, why);
}
