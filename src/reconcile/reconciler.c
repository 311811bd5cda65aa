#include "reconcile/reconciler.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/memory.h"
#include "reconcile/expiry.h"
#include "reconcile/inputs.h"
#include "reconcile/output.h"
#include "reconcile/output_apply.h"
#include "reconcile/output_write.h"
#include "reconcile/ready_message.h"
#include "reconcile/reasons.h"
#include "reconcile/renew_request.h"
#include "reconcile/replacement.h"
#include "reconcile/rollover.h"
#include "reconcile/rotation.h"
#include "reconcile/status.h"
#include "reconcile/status_record.h"
#include "reconcile/trust_bundle.h"
#include "reconcile/unknown_version.h"

#include <stdio.h>
#include <string.h>

// A failure that is shown in the status seldom goes away in a few milliseconds.
// When an outage ends nobody is woken either, and many objects may have waited it out.
enum { SHOWN_FAILURE_RETRY_MS = 1000, GRANT_WAIT_MAX_MS = 60000, OUTAGE_WAIT_MAX_MS = 60000 };
enum { GUARD_LOOK_MS = 600000 }; // a role that is given wakes nobody
enum { UNWATCHED_LOOK_MS = 60000 };

// A transient failure lasts from then on: the third try in a row, but not within the first second, in which
// there may be a dozen; or a minute.
enum { LASTING_COUNT = 3, LASTING_COUNT_MS = 1000, LASTING_MS = 60000 };

// How a failure of each class is shown and followed up. Of a transient one nothing is shown unless it lasts.
#define OUTAGE {REASON_RETRYING, PHASE_PENDING, true, OUTAGE_WAIT_MAX_MS, true}
static const struct consequence {
    const char *reason;
    enum phase phase;
    bool retry;
    uint32_t retry_max_ms; // 0: as long as the queue has it
    bool is_transient;
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

// Steps 4 to 7 for a kind without an output Secret.
static bool evaluate_inputs(struct reconcile *r, struct error *e) {
    return output_evaluate(r, e) &&
           status_publish(r, PHASE_SUCCESS, r->production.report.reason, r->production.report.message, e);
}

static const char guarded_owner_text[] =
    "its owner is as before, and spec.deletionPolicy not in force: this API server lets only those change an "
    "object's owner who may delete it; give the operator the role qubesec-owner-references "
    "(config/components/owner-references): ";

// The object is looked at again after wait_ms, or earlier.
static void look_again_after(struct reconcile *r, uint32_t wait_ms) {
    uint32_t *requeue_after_ms = &r->outcome->requeue_after_ms;
    if (*requeue_after_ms == 0 || *requeue_after_ms > wait_ms) {
        *requeue_after_ms = wait_ms;
    }
}

static const char contested_text[] =
    "the output Secret holds what is specified, but somebody else changes its labels, annotations or owner "
    "again and again; they are put right ever more slowly. Its metadata.managedFields tell who writes to it";

// The output is good, and somebody else changes what is around it.
static bool publish_contested(struct reconcile *r, struct error *e) {
    look_again_after(r, r->upkeep_wait_ms);
    r->production.report.is_alarming = true;
    return status_publish(r, PHASE_SUCCESS, REASON_METADATA_CONTESTED, contested_text, e);
}

// The output is good, and the API server lets the operator change all of its Secret but the owner. Somebody
// else may change the rest all the same: that is told beside it, so that the reason stays one.
static bool publish_guarded(struct reconcile *r, struct error *e) {
    struct error told = {0};
    look_again_after(r, GUARD_LOOK_MS);
    if (r->upkeep_wait_ms > 0) {
        look_again_after(r, r->upkeep_wait_ms);
    }
    r->production.report.is_alarming = true;
    if (r->keeps_refusal) {
        yyjson_val *ready = status_find_ready(yyjson_obj_get(r->object->root, "status"));
        error_set(&told, ERROR_REFUSED, "%s", json_member_text(ready, "message"));
    } else {
        error_set(&told, ERROR_REFUSED, "%s%s%s%s",
                  r->is_contested ? contested_text : "the output Secret holds what is specified",
                  r->is_contested ? ". Besides, " : ", but ", guarded_owner_text, r->owner_refusal.message);
    }
    return status_publish(r, PHASE_SUCCESS, REASON_OWNER_GUARDED, told.message, e);
}

static bool publish_as_found(struct reconcile *r, struct error *e) {
    if (r->owner_refusal.class != ERROR_NONE || r->keeps_refusal) {
        return publish_guarded(r, e);
    }
    if (r->is_contested) {
        return publish_contested(r, e);
    }
    struct error text;
    ready_message_describe(r, &text);
    r->deed = ready_message_deed(r);
    return status_publish(r, PHASE_SUCCESS, REASON_SUCCEEDED, text.message, e);
}

// The output is good, and the status says so. That its rotation was refused stands beside whatever else is to
// be known of it.
static bool publish_good(struct reconcile *r, struct error *e) {
    const char **warning = &r->production.report.warning;
    const char *other = *warning;
    struct error text; // for its text
    if (r->unrotated.class == ERROR_NONE) {
        return publish_as_found(r, e);
    }
    error_set(&text, ERROR_NONE, "the rotation was refused and is tried again: %s%s%s", r->unrotated.message,
              other == nullptr ? "" : "; besides, ", other == nullptr ? "" : other);
    *warning = text.message;
    r->telling = TELL_AS_BEFORE; // the server's words may vary
    bool published = publish_as_found(r, e);
    *warning = other;
    return published;
}

// When to look again at an output that is as it should be for now.
static void plan_next_look(struct reconcile *r) {
    if (reconcile_output_is_due(r, &r->outcome->requeue_after_ms)) {
        bool is_next = r->renewal_wait_ms == 0 && (r->production.is_waiting || r->taken == ROTATION_LIST);
        r->outcome->requeue_after_ms = is_next ? SHOWN_FAILURE_RETRY_MS : RENEWAL_LOOK_MS; // it waits
    }
    uint32_t rotation_ms = rotation_wait_ms(r);
    if (rotation_ms > 0) {
        look_again_after(r, rotation_ms);
    }
    if (r->renewal_wait_ms > 0) {
        look_again_after(r, r->renewal_wait_ms);
    } else if (renew_request_asks(r, REQUEST_RENEW) &&
               !rotation_takes_renewal(r)) { // something else was done first
        look_again_after(r, SHOWN_FAILURE_RETRY_MS);
    }
}

// Steps 4 to 7.
static bool reconcile_output(struct reconcile *r, struct error *e) {
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
    rollover_note_turn(r);
    if (!rotation_examine(r, e)) {
        return false;
    }
    plan_next_look(r);
    failpoint(BETWEEN_SECRET_AND_STATUS, "%s %s", r->kind->kind, r->object->key);
    struct error of_bundle;
    bool is_bundle_kept = trust_bundle_keep(r, &of_bundle);
    if (r->bundle.wait_ms > 0) {
        look_again_after(r, r->bundle.wait_ms);
    }
    rotation_tell(r); // which nothing tells of any more, should the status not be written
    if (!publish_good(r, e)) {
        return false;
    }
    // Once: what a status that could not be written has not recorded is told then.
    unknown_versions_tell(r);
    replacement_tell(r);
    trust_bundle_tell(r);
    if (!is_bundle_kept) { // the output is told of all the same
        *e = of_bundle;
    }
    return is_bundle_kept;
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
        indexes_expect_output(r->parts->indexes, r->key, r->decoded.secret_name);
    }
    return decoded;
}

// Of a settled object: whether nothing is to be written. A Ready condition that somebody has taken off is put
// back, ever more slowly where that goes on.
static bool may_rest(struct reconcile *r) {
    uint32_t wait_ms;
    if (status_says_ready(r)) {
        return true;
    }
    r->is_ready_counted = regenerate_backoff_allow(r->parts->backoff, r->key, REGENERATED_READY,
                                                   clock_monotonic_ms(), &wait_ms);
    if (r->is_ready_counted) {
        return false;
    }
    look_again_after(r, wait_ms);
    return true;
}

static bool reconcile_steps(struct reconcile *r, struct error *e) {
    struct renewal renewal;
    uint32_t rotation_ms = 0;
    if (!decode(r, e) || !renew_request_read(r, e) || !inputs_resolve(r, e)) {
        return false;
    }
    r->production.context.secret_name = r->decoded.secret_name;
    if (status_is_settled(r, &renewal) && trust_bundle_is_settled(r) && !renew_request_is_new(r) &&
        !reconcile_is_due(r, &renewal, &r->outcome->requeue_after_ms) && !rotation_is_due(r, &rotation_ms) &&
        may_rest(r)) {
        if (rotation_ms > 0) {
            look_again_after(r, rotation_ms);
        }
        return true;
    }
    if (!may_begin(r, e) || !inputs_load(r, e) ||
        !(r->kind->entries == nullptr ? evaluate_inputs(r, e) : reconcile_output(r, e))) {
        return false;
    }
    renew_request_refuse(r);
    return true;
}

static enum result choose_result(const struct consequence *consequence, const struct error *e) {
    if (consequence->retry || e->retry_after_ms > 0) {
        return RESULT_RETRY;
    }
    return consequence->phase == PHASE_PENDING ? RESULT_OK : RESULT_TERMINAL;
}

// What is to be looked at at a certain time is not tried again later than that.
static uint32_t choose_retry_max(const struct outcome *outcome, uint32_t retry_max_ms) {
    uint32_t look_ms = outcome->requeue_after_ms;
    return look_ms > 0 && (retry_max_ms == 0 || look_ms < retry_max_ms) ? look_ms : retry_max_ms;
}

// What the Ready condition calls it.
static const char *choose_reason(const struct outcome *outcome, const struct consequence *consequence) {
    bool is_special = outcome->reason[0] != '\0' && !consequence->is_transient;
    return is_special ? outcome->reason : consequence->reason;
}

// Who may not read something must not see in an Event's count when it changes.
static enum telling choose_telling(const struct outcome *outcome) {
    if (outcome->result != RESULT_RETRY || outcome->error.class == ERROR_FORBIDDEN) {
        return TELL_ANEW;
    }
    return outcome->is_transient ? TELL_AS_BEFORE : TELL_EACH_TIME;
}

// Whether a transient failure is to be shown in the status: when it lasts, but not in the place of what a
// finished object's status says and nothing is known against. An Event tells of that, once, after a minute.
static bool is_to_be_shown(const struct reconcile *r, const char *reason) {
    const struct queue_attempt *attempt = r->attempt;
    int64_t since_ms = attempt->failures > 0 ? attempt->first_failure_ms : attempt->started_ms;
    int64_t lasted_ms = attempt->started_ms - since_ms;
    bool is_long = lasted_ms >= LASTING_MS;
    if (!status_stands(r)) {
        return is_long || (attempt->failures + 1 >= LASTING_COUNT && lasted_ms >= LASTING_COUNT_MS);
    }
    if (is_long && attempt->last_failure_ms - since_ms < LASTING_MS) {
        reconcile_record(r, true, reason, "Reconcile", r->outcome->error.message);
    }
    return false;
}

static void log_failure(const struct reconcile *r, const struct consequence *consequence,
                        const char *reason) {
    const char *message = r->outcome->error.message;
    if (consequence->is_transient) {
        reconcile_log(r, LOG_INFO, "could not finish, trying again", message);
    } else {
        reconcile_log(r, consequence->phase == PHASE_FAILED ? LOG_WARNING : LOG_DEBUG, reason, message);
    }
}

static void show_failure(struct reconcile *r, const struct consequence *consequence, const char *reason) {
    struct outcome *outcome = r->outcome;
    struct error *e = &outcome->error;
    struct error failure;
    if (outcome->result == RESULT_RETRY && e->retry_after_ms < SHOWN_FAILURE_RETRY_MS) {
        e->retry_after_ms = SHOWN_FAILURE_RETRY_MS;
    }
    r->telling = choose_telling(outcome);
    if (!status_publish(r, consequence->phase, reason, e->message, &failure)) {
        outcome->result = RESULT_RETRY;
        outcome->is_transient = consequences[failure.class].is_transient;
        outcome->retry_max_ms = choose_retry_max(outcome, OUTAGE_WAIT_MAX_MS);
        *e = failure;
        return;
    }
    expiry_tell(r, e->message);
}

// A step has failed: completes the outcome.
static void handle_error(struct reconcile *r) {
    struct outcome *outcome = r->outcome;
    if (outcome->result == RESULT_LANE) {
        return;
    }
    if (r->telling == TELL_NOTHING) {
        reconcile_log(r, LOG_DEBUG, outcome->reason, outcome->error.message);
        return;
    }
    const struct consequence *consequence = &consequences[outcome->error.class];
    const char *reason = choose_reason(outcome, consequence);
    outcome->result = choose_result(consequence, &outcome->error);
    outcome->is_transient = consequence->is_transient;
    outcome->retry_max_ms = choose_retry_max(outcome, consequence->retry_max_ms);
    log_failure(r, consequence, reason);
    if (!outcome->is_transient || is_to_be_shown(r, reason)) {
        show_failure(r, consequence, reason);
    }
}

// Of an object that waits or has failed: that its key would go with it all the same is told beside why.
static void add_owner_refusal(const struct reconcile *r, struct error *e) {
    uint32_t retry_after_ms = e->retry_after_ms;
    error_set(e, e->class, "%s; besides, %s%s", e->message, guarded_owner_text, r->owner_refusal.message);
    e->retry_after_ms = retry_after_ms;
}

// Whether objects of that kind are watched; namespace NULL or "": the object's own.
static bool is_watched(const struct reconcile *r, const char *kind, const char *namespace) {
    bool has_own = namespace != nullptr && namespace[0] != '\0';
    const struct store *store =
        informers_find_store(r->parts->informers, kind, has_own ? namespace : r->object->namespace);
    return store == nullptr || store_is_complete(store);
}

// Whether a change of its output, and of whatever its inputs may be, wakes the object.
static bool is_woken(const struct reconcile *r) {
    bool woken = is_watched(r, kube_secrets.kind, nullptr);
    for (size_t i = 0; i < r->decoded.request_count; i++) {
        const struct input_request *request = &r->decoded.requests[i];
        for (const struct input_source *from = request->sources; from->kind != nullptr; from++) {
            woken = woken && is_watched(r, from->kind, request->reference.namespace);
        }
    }
    return woken;
}

// It waits, or has failed. What nothing wakes it for is looked at again.
static void end_badly(struct reconcile *r) {
    struct error failure;
    // What is in it is about an output that is good.
    r->outcome->requeue_after_ms = 0;
    if (r->is_ready_counted) { // nothing came of it: the queue's back-off holds it
        regenerate_backoff_take_back(r->parts->backoff, r->key, REGENERATED_READY);
    }
    if (!output_release(r, &failure)) {
        reconcile_log(r, LOG_WARNING, "deletionPolicy Retain is not in force yet", failure.message);
        look_again_after(r, UNWATCHED_LOOK_MS);
    }
    if (r->owner_refusal.class != ERROR_NONE) {
        add_owner_refusal(r, &r->outcome->error);
    }
    if (!is_woken(r)) {
        look_again_after(r, UNWATCHED_LOOK_MS);
    }
    uint32_t expiry_ms = expiry_wait_ms(r);
    if (expiry_ms > 0) {
        look_again_after(r, expiry_ms);
    }
    expiry_describe(r, &r->outcome->error);
    handle_error(r);
}

static void reconcile_object(struct reconcile *r) {
    if (!reconcile_steps(r, &r->outcome->error)) {
        end_badly(r);
    } else if (r->is_granted) { // a grant may be taken back, which wakes nobody either
        look_again_after(r, r->parts->grant_check_ms);
    }
}

void reconciler_reconcile(void *context, const struct object_key *key, const struct queue_attempt *attempt,
                          struct outcome *ret_outcome) {
    const struct reconciler_parts *parts = context;
    struct reconcile r = {
        .parts = parts,
        .kind = indexes_find_kind(parts->indexes, key->resource),
        .key = key,
        .attempt = attempt,
        .outcome = ret_outcome,
        .production = {.context = {.now = clock_wall_seconds()}},
    };
    r.production.decoded = &r.decoded;
    reconcile_id_next(r.id);
    indexes_take_up(parts->indexes, key);
    r.object = reconcile_find(&r, key->resource->kind, key->namespace, key->name);
    if (r.object != nullptr && !r.object->deleting) {
        reconcile_object(&r);
    }
    indexes_lay_down(parts->indexes, key, r.written != nullptr ? r.written : r.object, r.output);
    inputs_done(&r);
    output_done(&r);
    trust_bundle_done(&r);
    json_free(r.live);
    decoded_done(&r.decoded);
    kube_object_release(r.written);
    kube_object_release(r.object);
}
