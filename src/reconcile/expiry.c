#include "reconcile/expiry.h"

#include "base/clock.h"
#include "reconcile/reasons.h"
#include "reconcile/status_record.h"

#include <string.h>

static const char ended[] = "its certificate ended at ";

static yyjson_val *status_of(const struct reconcile *r) {
    return yyjson_obj_get(r->object->root, "status");
}

static int64_t end_of(const struct reconcile *r) {
    return status_time(status_of(r), RENEWAL_EXPIRY_FIELD);
}

static bool says_ended(const char *message) {
    return message != nullptr && strncmp(message, ended, strlen(ended)) == 0;
}

uint32_t expiry_wait_ms(const struct reconcile *r) {
    int64_t end = end_of(r);
    int64_t left_s = end - r->production.context.now;
    if (end == 0) {
        return 0;
    }
    return left_s > 0 && left_s < RENEWAL_LOOK_MS / 1000 ? (uint32_t)left_s * 1000 : RENEWAL_LOOK_MS;
}

void expiry_describe(const struct reconcile *r, struct error *e) {
    int64_t end = end_of(r);
    uint32_t retry_after_ms = e->retry_after_ms;
    char text[CLOCK_TEXT_SIZE];
    // In a conflict the certificate is another object's, and the status forgets it.
    if (end == 0 || r->production.context.now < end || e->class == ERROR_CONFLICT) {
        return;
    }
    clock_format(end, text);
    error_set(e, e->class, "%s%s; %s", ended, text, e->message);
    e->retry_after_ms = retry_after_ms;
}

void expiry_tell(const struct reconcile *r, const char *message) {
    const char *before = json_member_text(status_find_ready(status_of(r)), "message");
    if (says_ended(message) && !says_ended(before)) {
        reconcile_record(r, true, REASON_CERTIFICATE_EXPIRED, "Reconcile", message);
    }
}
