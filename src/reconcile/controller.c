#include "reconcile/controller.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/memory.h"
#include "reconcile/reasons.h"
#include "reconcile/reconcile.h"

#include <stdio.h>
#include <string.h>

// A failure that is shown in the status seldom goes away in a few milliseconds.
// When an outage ends nobody is woken either, and many objects may have waited it out.
enum { SHOWN_FAILURE_RETRY_MS = 1000, GRANT_WAIT_MAX_MS = 60000, OUTAGE_WAIT_MAX_MS = 60000 };

// A failure that may pass lasts from then on: the third try in a row, but not within the first second, in
// which there may be a dozen; or a minute.
enum { FAILING_KEY_SIZE = KUBE_KEY_SIZE + 64 };
enum { LASTING_COUNT = 3, LASTING_COUNT_MS = 1000, LASTING_MS = 60000 };

// How a failure of each class is shown and followed up. may_pass: nothing is known to be wrong with the
// object, and nothing is shown unless it lasts.
#define OUTAGE {REASON_RETRYING, PHASE_PENDING, true, OUTAGE_WAIT_MAX_MS, true}
static const struct consequence {
    const char *reason;
    enum phase phase;
    bool retry;
    uint32_t retry_max_ms; // 0: as long as the queue has it
    bool may_pass;
} consequences[ERROR_CLASS_COUNT] = {
    [ERROR_RETRYABLE] = OUTAGE,
    [ERROR_CONFLICT] = {REASON_SECRET_CONFLICT, PHASE_FAILED, false}, // the Secret's end wakes the object
    [ERROR_NOT_FOUND] = {REASON_WAITING_FOR_INPUT, PHASE_PENDING,
                         false}, // the input's coming wakes the object
    [ERROR_GONE] = OUTAGE,
    [ERROR_FORBIDDEN] = {REASON_ACCESS_DENIED, PHASE_FAILED, true, GRANT_WAIT_MAX_MS}, // a grant wakes nobody
    [ERROR_INVALID_SPEC] = {REASON_INVALID_SPEC, PHASE_FAILED,
                            false}, // an edit, or another input, wakes the object
    [ERROR_REFUSED] = {REASON_REQUEST_REFUSED, PHASE_FAILED, true},
    [ERROR_KEY_LOST] = {REASON_KEY_LOST, PHASE_FAILED, false}, // the Secret's return, or an edit, wakes it
    [ERROR_KEY_MISMATCH] = {REASON_KEY_MISMATCH, PHASE_FAILED, false}, // so does a change of either key
    [ERROR_CRYPTO] = {REASON_CRYPTO_ERROR, PHASE_FAILED, true},
    [ERROR_IO] = OUTAGE,
    [ERROR_NO_MEMORY] = OUTAGE,
    [ERROR_INTERNAL] = {REASON_INTERNAL_ERROR, PHASE_FAILED, true},
};

void reconcile_log(const struct reconcile *r, enum log_level level, const char *what, const char *detail) {
    LOG(level, what, {"controller", r->kind->kind}, {"namespace", r->object->namespace},
        {"name", r->object->name}, {"reconcileID", r->id}, {"detail", detail});
}

void reconcile_record(const struct reconcile *r, bool warning, const char *reason, const char *action,
                      const char *note) {
    const struct event_content words = {warning, reason, action, note, r->id};
    event_record(r->controller->recorder, r->resource, r->object, &words);
}

bool reconcile_is_due(const struct reconcile *r, const struct renewal *renewal, uint32_t *ret_wait_ms) {
    uint32_t wait_ms =
        renewal_wait_ms(renewal, r->controller->started, r->object->created, r->object->uid, r->context.now);
    bool expires = renewal->expires_at != 0;
    *ret_wait_ms = expires ? wait_ms : 0;
    return expires && wait_ms == 0;
}

bool reconcile_output_is_due(const struct reconcile *r, uint32_t *ret_wait_ms) {
    const struct renewal renewal = {
        .expires_at = r->report.expires_at,
        .valid_from = r->report.valid_from,
        .renew_at = r->report.renew_at,
    };
    return reconcile_is_due(r, &renewal, ret_wait_ms);
}

// Steps 4 to 7 for a kind without an output Secret.
static bool evaluate_inputs(struct reconcile *r, struct error *e) {
    return output_evaluate(r, e) && status_publish(r, PHASE_SUCCESS, r->report.reason, r->report.message, e);
}

// The output is good, and somebody else changes what is around it.
static bool publish_contested(struct reconcile *r, uint32_t *ret_again_ms, struct error *e) {
    if (*ret_again_ms == 0 || *ret_again_ms > r->upkeep_wait_ms) {
        *ret_again_ms = r->upkeep_wait_ms;
    }
    r->report.is_alarming = true;
    return status_publish(r, PHASE_SUCCESS, REASON_METADATA_CONTESTED,
                          "the output Secret holds what is specified, but somebody else changes its labels, "
                          "annotations or owner again and again; they are put right ever more slowly. Its "
                          "metadata.managedFields tell who writes to it",
                          e);
}

// Steps 4 to 7. *ret_again_ms: when to look at the output again; 0: never.
static bool bring_output(struct reconcile *r, uint32_t *ret_again_ms, struct error *e) {
    enum output_state state;
    struct error damage;
    status_read_record(r);
    if (!output_examine(r, &state, &damage, e)) {
        return false;
    }
    r->is_outdated = state != OUTPUT_GOOD && state != OUTPUT_DUE;
    if (!output_apply(r, state, &damage, e)) {
        return false;
    }
    if (reconcile_output_is_due(r, ret_again_ms)) {
        *ret_again_ms = RENEWAL_LOOK_MS; // it waits
    }
    failpoint(BETWEEN_SECRET_AND_STATUS, "%s %s", r->kind->kind, r->object->key);
    if (!(r->is_contested
              ? publish_contested(r, ret_again_ms, e)
              : status_publish(r, PHASE_SUCCESS, REASON_SUCCEEDED, "the output Secret is as specified", e))) {
        return false;
    }
    replacement_tell(r); // once: what a status that could not be written has not recorded is told then
    return true;
}

// Slow work that lies ahead for sure waits for its turn before anything is read for it.
static bool may_begin(struct reconcile *r, struct error *e) {
    cleanup_object struct kube_object *output = nullptr;
    if (r->kind->entries != nullptr) {
        output = reconcile_find(r, kube_secrets.kind, r->object->namespace, r->decoded.secret_name);
    }
    return output != nullptr || output_may_make(r, e);
}

static bool decode(struct reconcile *r, struct error *e) {
    bool decoded = decode_object(r->kind, r->object->name, r->object->root, &r->decoded, e);
    if (r->kind->entries != nullptr) {
        watches_expect_output(r->controller->watches, r->resource, r->object, r->decoded.secret_name);
    }
    return decoded;
}

static bool take_steps(struct reconcile *r, uint32_t *ret_again_ms, struct error *e) {
    struct renewal renewal;
    if (!decode(r, e) || !inputs_resolve(r, e)) {
        return false;
    }
    r->context.secret_name = r->decoded.secret_name;
    if (status_is_settled(r, &renewal) && !reconcile_is_due(r, &renewal, ret_again_ms)) {
        return true;
    }
    return may_begin(r, e) && inputs_load(r, e) &&
           (r->kind->entries == nullptr ? evaluate_inputs(r, e) : bring_output(r, ret_again_ms, e));
}

static enum verdict_kind judge(const struct consequence *consequence, const struct error *e) {
    if (consequence->retry || e->retry_after_ms > 0) {
        return VERDICT_RETRY;
    }
    return consequence->phase == PHASE_PENDING ? VERDICT_DONE : VERDICT_TERMINAL;
}

static void format_failing_key(const struct reconcile *r, const char *key, char ret_key[FAILING_KEY_SIZE]) {
    snprintf(ret_key, FAILING_KEY_SIZE, "%s/%s", r->kind->plural, key);
}

// Whether a failure that may pass is to be shown in the status: when it lasts, but not in the place of what a
// finished object's status says and nothing is known against. An Event tells of that, once, after a minute.
static bool is_to_be_shown(struct reconcile *r, const char *reason, const struct error *e) {
    char key[FAILING_KEY_SIZE];
    format_failing_key(r, r->object->key, key);
    struct failing_row row = failing_count(r->controller->failing, key, clock_monotonic_ms());
    bool is_long = row.ms >= LASTING_MS;
    if (!status_stands(r)) {
        return is_long || (row.count >= LASTING_COUNT && row.ms >= LASTING_COUNT_MS);
    }
    if (is_long && !row.is_told) {
        reconcile_record(r, true, reason, "Reconcile", e->message);
        failing_tell(r->controller->failing, key);
    }
    return false;
}

static void end_failing(const struct reconcile *r, const char *key) {
    char failing_key[FAILING_KEY_SIZE];
    format_failing_key(r, key, failing_key);
    failing_end(r->controller->failing, failing_key);
}

static void log_failure(const struct reconcile *r, const struct consequence *consequence, const char *reason,
                        const struct error *e) {
    if (consequence->may_pass) {
        reconcile_log(r, LOG_INFO, "could not finish, trying again", e->message);
    } else {
        reconcile_log(r, consequence->phase == PHASE_FAILED ? LOG_WARNING : LOG_DEBUG, reason, e->message);
    }
}

// Shows a failure in the status and decides what follows from it.
static void conclude(struct reconcile *r, struct verdict *verdict) {
    struct error *e = &verdict->error;
    if (r->is_deferred) {
        verdict->kind = VERDICT_SLOW;
        return;
    }
    if (r->is_brief_wait) {
        verdict->kind = VERDICT_DONE;
        reconcile_log(r, LOG_DEBUG, r->reason, e->message);
        return;
    }
    const struct consequence *consequence = &consequences[e->class];
    bool is_special = r->reason[0] != '\0' && !consequence->may_pass;
    const char *reason = is_special ? r->reason : consequence->reason;
    verdict->kind = judge(consequence, e);
    verdict->retry_max_ms = consequence->retry_max_ms;
    log_failure(r, consequence, reason, e);
    r->is_lasting = consequence->may_pass && is_to_be_shown(r, reason, e);
    if (consequence->may_pass && !r->is_lasting) {
        return;
    }
    if (verdict->kind == VERDICT_RETRY && e->retry_after_ms < SHOWN_FAILURE_RETRY_MS) {
        e->retry_after_ms = SHOWN_FAILURE_RETRY_MS;
    }
    // Who may not read something must not see in an Event's count when it changes.
    r->is_retried = verdict->kind == VERDICT_RETRY && e->class != ERROR_FORBIDDEN;
    struct error failure;
    if (!status_publish(r, consequence->phase, reason, e->message, &failure)) {
        verdict->kind = VERDICT_RETRY;
        verdict->retry_max_ms = OUTAGE_WAIT_MAX_MS;
        *e = failure;
    }
}

bool reconcile_request(const struct reconcile *r, const struct api_request *request,
                       yyjson_doc **ret_document, struct error *e) {
    if (api_call(r->controller->api, request, ret_document, e)) {
        return true;
    }
    e->class = e->class == ERROR_FORBIDDEN ? ERROR_REFUSED : e->class;
    return false;
}

bool reconcile_get(const struct reconcile *r, const struct kube_resource *resource, const char *namespace,
                   const char *name, const char *version, yyjson_doc **ret_document, struct error *e) {
    const struct api_request request = {.verb = API_GET,
                                        .resource = resource,
                                        .namespace = namespace,
                                        .name = name,
                                        .resource_version = version};
    return reconcile_request(r, &request, ret_document, e);
}

struct kube_object *reconcile_find(const struct reconcile *r, const char *kind, const char *namespace,
                                   const char *name) {
    char key[KUBE_KEY_SIZE];
    struct store *store = watches_find_store(r->controller->watches, kind, namespace);
    kube_format_key(namespace, name, key);
    return store == nullptr ? nullptr : store_get(store, key);
}

// A grant may be taken back, which wakes nobody either.
static void look_again_for_grants(const struct controller *controller, struct verdict *verdict) {
    if (verdict->again_ms == 0 || verdict->again_ms > controller->grant_check_ms) {
        verdict->again_ms = controller->grant_check_ms;
    }
}

static struct kube_object *find_object(const struct watches *watches, const struct kind *kind,
                                       const char *key) {
    char namespace[KUBE_KEY_SIZE];
    snprintf(namespace, sizeof(namespace), "%.*s", (int)strcspn(key, "/"), key);
    struct store *store = watches_find_store(watches, kind->kind, namespace);
    return store == nullptr ? nullptr : store_get(store, key);
}

static void work_on(struct reconcile *r, struct verdict *verdict) {
    bool done = take_steps(r, &verdict->again_ms, &verdict->error);
    if (!done) {
        struct error ignored; // it is tried again with the object
        (void)output_release(r, &ignored);
        conclude(r, verdict);
    } else if (r->is_granted) {
        look_again_for_grants(r->controller, verdict);
    }
    if (done || !consequences[verdict->error.class].may_pass) {
        end_failing(r, r->object->key);
    }
}

void controller_reconcile(struct controller *controller, const struct kind *kind,
                          const struct kube_resource *resource, const char *key, const char *id,
                          bool may_be_slow, struct verdict *ret_verdict) {
    struct reconcile r = {
        .controller = controller,
        .kind = kind,
        .resource = resource,
        .id = id,
        .may_be_slow = may_be_slow,
        .context = {.now = clock_wall_seconds()},
    };
    *ret_verdict = (struct verdict){.kind = VERDICT_DONE};
    watches_take_up(controller->watches, resource, key);
    r.object = find_object(controller->watches, kind, key);
    if (r.object != nullptr && !r.object->deleting) {
        work_on(&r, ret_verdict);
    } else {
        end_failing(&r, key);
    }
    watches_lay_down(controller->watches, resource, key, r.written != nullptr ? r.written : r.object,
                     r.output);
    inputs_free(&r);
    output_free(&r);
    decoded_done(&r.decoded);
    kube_object_release(r.written);
    kube_object_release(r.object);
}
