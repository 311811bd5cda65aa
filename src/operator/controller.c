#include "operator/controller.h"

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/log.h"
#include "base/memory.h"
#include "operator/reasons.h"
#include "operator/reconcile.h"

#include <stdio.h>
#include <string.h>

// A failure that is shown in the status seldom goes away in a few milliseconds.
// When an outage ends nobody is woken either, and many objects may have waited it out.
enum { REMAKE_KEY_SIZE = KUBE_KEY_SIZE + 64 };
enum { SHOWN_FAILURE_RETRY_MS = 1000, GRANT_WAIT_MAX_MS = 60000, OUTAGE_WAIT_MAX_MS = 60000 };

// How a failure of each class is shown and followed up. No reason: the status is left alone and the object is
// tried again, since nothing is known to be wrong with it.
static const struct consequence {
    const char *reason;
    enum phase phase;
    bool retry;
    uint32_t retry_max_ms; // 0: as long as the queue has it
} consequences[ERROR_CLASS_COUNT] = {
    [ERROR_RETRYABLE] = {.retry = true, .retry_max_ms = OUTAGE_WAIT_MAX_MS},
    [ERROR_CONFLICT] = {REASON_SECRET_CONFLICT, PHASE_FAILED, false}, // the Secret's end wakes the object
    [ERROR_NOT_FOUND] = {REASON_WAITING_FOR_INPUT, PHASE_PENDING,
                         false}, // the input's coming wakes the object
    [ERROR_GONE] = {.retry = true, .retry_max_ms = OUTAGE_WAIT_MAX_MS},
    [ERROR_FORBIDDEN] = {REASON_ACCESS_DENIED, PHASE_FAILED, true, GRANT_WAIT_MAX_MS}, // a grant wakes nobody
    [ERROR_INVALID_SPEC] = {REASON_INVALID_SPEC, PHASE_FAILED,
                            false}, // an edit, or another input, wakes the object
    [ERROR_REFUSED] = {REASON_REQUEST_REFUSED, PHASE_FAILED, true},
    [ERROR_KEY_LOST] = {REASON_KEY_LOST, PHASE_FAILED, false}, // the Secret's return, or an edit, wakes it
    [ERROR_KEY_MISMATCH] = {REASON_KEY_MISMATCH, PHASE_FAILED, false}, // so does a change of either key
    [ERROR_CRYPTO] = {REASON_CRYPTO_ERROR, PHASE_FAILED, true},
    [ERROR_IO] = {.retry = true, .retry_max_ms = OUTAGE_WAIT_MAX_MS},
    [ERROR_NO_MEMORY] = {.retry = true, .retry_max_ms = OUTAGE_WAIT_MAX_MS},
    [ERROR_INTERNAL] = {REASON_INTERNAL_ERROR, PHASE_FAILED, true},
};

void reconcile_log(const struct reconcile *r, enum log_level level, const char *what, const char *detail) {
    LOG(level, what, {"controller", r->kind->kind}, {"namespace", r->object->namespace},
        {"name", r->object->name}, {"reconcileID", r->id}, {"detail", detail});
}

void reconcile_record(const struct reconcile *r, bool warning, const char *reason, const char *action,
                      const char *note) {
    const struct event_words words = {warning, reason, action, note, r->id};
    event_record(r->controller->recorder, r->resource, r->object, &words);
}

static void tell(const struct reconcile *r, enum log_level level, const char *reason, const char *action,
                 const char *note) {
    reconcile_record(r, level == LOG_WARNING, reason, action, note);
    reconcile_log(r, level, reason, note);
}

static void warn(const struct reconcile *r, const char *reason, const char *action, const char *what,
                 const char *detail) {
    struct error note; // for its text: bounded and valid UTF-8
    error_set(&note, ERROR_NONE, "Secret %s %s%s", r->decoded.secret_name, what, detail);
    tell(r, LOG_WARNING, reason, action, note.message);
}

// Makes the output, and tells what is to be known about it.
static bool make(struct reconcile *r, struct error *e) {
    if (!output_make(r, e)) {
        return false;
    }
    if (r->report.warning_reason != nullptr) {
        tell(r, LOG_WARNING, r->report.warning_reason, "Make", r->report.warning);
    }
    return true;
}

static void format_remake_key(const struct reconcile *r, char ret_key[REMAKE_KEY_SIZE]) {
    snprintf(ret_key, REMAKE_KEY_SIZE, "%s/%s", r->kind->plural, r->object->key);
}

static void forget_remake(const struct reconcile *r) {
    char key[REMAKE_KEY_SIZE];
    format_remake_key(r, key);
    remakes_forget(r->controller->remakes, key);
}

// An output is made anew at once, and ever more slowly when that is needed again and again: the error is of
// class and says later then.
static bool may_remake(struct reconcile *r, enum error_class class, const char *later, struct error *e) {
    char key[REMAKE_KEY_SIZE];
    uint32_t wait_ms;
    format_remake_key(r, key);
    if (remakes_allow(r->controller->remakes, key, clock_monotonic_ms(), &wait_ms)) {
        return true;
    }
    error_set(e, class, "%s", later);
    e->retry_after_ms = wait_ms;
    return false;
}

// What cannot be made again is gone: whether something new may take its place.
static bool may_lose_key(struct reconcile *r, struct error *e) {
    if (r->decoded.common.fails_on_key_loss) {
        e->class = ERROR_KEY_LOST;
        return error_wrap(
            e,
            "Secret %s has lost its %s; nothing new is made, as spec.onKeyLoss says. Restore the "
            "Secret from a backup, or set spec.onKeyLoss to Recreate",
            r->decoded.secret_name, r->kind->precious);
    }
    r->occasion.may_lose_key = true;
    return true;
}

// Makes an output that takes the place of the one examined. Both the object and its inputs are seen to be
// what r has read before anything is replaced.
static bool replace(struct reconcile *r, const char *reason, const char *cause, struct error *e) {
    replacement_note(r, reason, cause);
    if (make(r, e)) {
        return true;
    }
    if (e->class != ERROR_KEY_LOST || !may_lose_key(r, e)) {
        return false;
    }
    replacement_note(r, REASON_SECRET_DAMAGED, e->message);
    return make(r, e);
}

static bool may_replace(struct reconcile *r, enum error_class class, const char *later, struct error *e) {
    if (!presence_confirm_all(r, e)) {
        return false;
    }
    status_read_record(r);
    return may_remake(r, class, later, e);
}

// What cannot be made again stays, if it is sound, and all else is rebuilt around it.
static bool mend(struct reconcile *r, const struct error *damage, struct error *e) {
    struct error later; // for its text
    error_set(&later, ERROR_NONE,
              "Secret %s is damaged again and will be put right later; its metadata.managedFields tell who "
              "writes to it: %s",
              r->decoded.secret_name, damage->message);
    if (!may_replace(r, ERROR_CRYPTO, later.message, e)) {
        if (e->class == ERROR_CRYPTO) {
            snprintf(r->reason, sizeof(r->reason), REASON_SECRET_DAMAGED);
        }
        return false;
    }
    if (r->kind->repair == nullptr) {
        return replace(r, REASON_SECRET_DAMAGED, damage->message, e);
    }
    replacement_note(r, REASON_SECRET_REPAIRED, damage->message);
    if (output_repair(r, e)) {
        warn(r, REASON_SECRET_REPAIRED, "Repair",
             "was damaged; what was wrong was rebuilt around what is kept: ", damage->message);
        return true;
    }
    if (e->class == ERROR_KEY_LOST && may_lose_key(r, e)) {
        return replace(r, REASON_SECRET_DAMAGED, damage->message, e);
    }
    forget_remake(r); // nothing was written, so what people do about it is taken up at once
    return false;
}

static bool remake_stale(struct reconcile *r, struct error *e) {
    return may_replace(r, ERROR_RETRYABLE, "an input has changed again and will be taken up later", e) &&
           replace(r, REASON_REPLACED, r->changed, e);
}

static bool renew(struct reconcile *r, struct error *e) {
    if (!may_replace(r, ERROR_RETRYABLE, "the output is due for renewal again and will be renewed later",
                     e)) {
        return false;
    }
    crash_point(BEFORE_RENEWAL, "%s %s", r->kind->kind, r->object->key);
    if (!replace(r, REASON_RENEWED, "it was due for renewal", e)) {
        return false;
    }
    crash_point(AFTER_RENEWAL, "%s %s", r->kind->kind, r->object->key);
    return true;
}

static bool bring_about(struct reconcile *r, enum output_state state, const struct error *damage,
                        struct error *e) {
    if (state != OUTPUT_GOOD && !output_may_make(r, e)) {
        return false;
    }
    switch (state) {
    case OUTPUT_GOOD:
        return output_keep_metadata(r, e);
    case OUTPUT_DUE:
        return renew(r, e);
    case OUTPUT_STALE:
        return remake_stale(r, e);
    case OUTPUT_DAMAGED:
        return mend(r, damage, e);
    default:
        // A name that was taken a moment ago, and is free now.
        return error_set(e, ERROR_RETRYABLE, "Secret %s has just gone", r->decoded.secret_name);
    }
}

// Makes an output in the place of one that the status has recorded, and that is gone.
static bool remake_lost(struct reconcile *r, struct error *e) {
    enum output_state state;
    struct error damage;
    if (!presence_confirm_all(r, e) || !output_examine_live(r, &state, &damage, e)) {
        return false;
    }
    if (state != OUTPUT_ABSENT) { // the watch has not shown it yet
        return bring_about(r, state, &damage, e);
    }
    replacement_note(r, REASON_SECRET_LOST, "it was lost");
    if (r->kind->repair == nullptr) {
        return make(r, e);
    }
    if (output_repair(r, e)) { // it can be made again after all: random bytes from a seed
        return true;
    }
    return e->class == ERROR_KEY_LOST && may_lose_key(r, e) && make(r, e);
}

// Creates the output, unless the Secret is there after all: then it decides.
static bool create(struct reconcile *r, struct error *e) {
    cleanup_text char *older =
        watches_find_older_claim(r->controller->watches, r->kind, r->object, r->decoded.secret_name);
    if (older != nullptr) {
        return error_set(
            e, ERROR_CONFLICT,
            "Secret %s is claimed by %s too, which is older; create this object again with another "
            "spec.outputSecretName",
            r->decoded.secret_name, older);
    }
    if (!output_may_make(r, e)) {
        return false;
    }
    bool lost = json_find(r->object->root, "status", "secretRef", nullptr) != nullptr;
    if (lost ? remake_lost(r, e) : make(r, e)) {
        return true;
    }
    if (e->class == ERROR_NOT_FOUND && r->reason[0] == '\0') { // no such namespace any more
        e->class = ERROR_RETRYABLE;
    }
    enum output_state state;
    struct error damage;
    return e->class == ERROR_CONFLICT && output_examine_live(r, &state, &damage, e) &&
           bring_about(r, state, &damage, e);
}

bool reconcile_is_due(const struct reconcile *r, const struct renewal *renewal, uint32_t *ret_wait_ms) {
    uint32_t wait_ms =
        renewal_wait_ms(renewal, r->controller->started, r->object->created, r->object->uid, r->occasion.now);
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
static bool judge_inputs(struct reconcile *r, struct error *e) {
    return output_judge(r, e) && status_publish(r, PHASE_SUCCESS, r->report.reason, r->report.message, e);
}

// Steps 4 to 7. *ret_again_ms: when to look at the output again; 0: never.
static bool bring_output(struct reconcile *r, uint32_t *ret_again_ms, struct error *e) {
    enum output_state state;
    struct error damage;
    status_read_record(r);
    if (!output_examine(r, &state, &damage, e) ||
        !(state == OUTPUT_ABSENT ? create(r, e) : bring_about(r, state, &damage, e))) {
        return false;
    }
    if (reconcile_output_is_due(r, ret_again_ms)) {
        *ret_again_ms = RENEWAL_LOOK_MS; // it waits
    }
    crash_point(BETWEEN_SECRET_AND_STATUS, "%s %s", r->kind->kind, r->object->key);
    replacement_tell(r);
    return status_publish(r, PHASE_SUCCESS, REASON_SUCCEEDED, "the output Secret is as specified", e);
}

// Slow work that lies ahead for sure waits for its turn before anything is read for it.
static bool may_begin(struct reconcile *r, struct error *e) {
    cleanup_object struct kube_object *output = nullptr;
    if (r->kind->entries != nullptr) {
        output = reconcile_find(r, kube_secrets.kind, r->object->namespace, r->decoded.secret_name);
    }
    return output != nullptr || output_may_make(r, e);
}

static bool take_steps(struct reconcile *r, uint32_t *ret_again_ms, struct error *e) {
    struct renewal renewal;
    if (!decode_object(r->kind, r->object, &r->decoded, e) || !inputs_resolve(r, e)) {
        return false;
    }
    r->occasion.secret_name = r->decoded.secret_name;
    if (status_is_settled(r, &renewal) && !reconcile_is_due(r, &renewal, ret_again_ms)) {
        return true;
    }
    return may_begin(r, e) && inputs_load(r, e) &&
           (r->kind->entries == nullptr ? judge_inputs(r, e) : bring_output(r, ret_again_ms, e));
}

static enum verdict_kind judge(const struct consequence *consequence, const struct error *e) {
    if (consequence->retry || e->retry_after_ms > 0) {
        return VERDICT_RETRY;
    }
    return consequence->phase == PHASE_PENDING ? VERDICT_DONE : VERDICT_TERMINAL;
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
    const char *reason = r->reason[0] != '\0' ? r->reason : consequence->reason;
    verdict->kind = judge(consequence, e);
    verdict->retry_max_ms = consequence->retry_max_ms;
    if (consequence->reason == nullptr) {
        reconcile_log(r, LOG_INFO, "could not finish, trying again", e->message);
        return;
    }
    if (verdict->kind == VERDICT_RETRY && e->retry_after_ms < SHOWN_FAILURE_RETRY_MS) {
        e->retry_after_ms = SHOWN_FAILURE_RETRY_MS;
    }
    reconcile_log(r, consequence->phase == PHASE_FAILED ? LOG_WARNING : LOG_DEBUG, reason, e->message);
    // Who may not read something must not see in an Event's count when it changes.
    r->is_retried = verdict->kind == VERDICT_RETRY && e->class != ERROR_FORBIDDEN;
    struct error failure;
    if (!status_publish(r, consequence->phase, reason, e->message, &failure)) {
        verdict->kind = VERDICT_RETRY;
        verdict->retry_max_ms = OUTAGE_WAIT_MAX_MS;
        *e = failure;
    }
}

bool reconcile_request(const struct reconcile *r, const struct kube_request *request,
                       yyjson_doc **ret_document, struct error *e) {
    if (kube_client_call(r->controller->client, request, ret_document, e)) {
        return true;
    }
    e->class = e->class == ERROR_FORBIDDEN ? ERROR_REFUSED : e->class;
    return false;
}

bool reconcile_get(const struct reconcile *r, const struct kube_resource *resource, const char *namespace,
                   const char *name, const char *version, yyjson_doc **ret_document, struct error *e) {
    cleanup_buffer struct buffer path = buffer_create(PATH_MAX_BYTES);
    if (!kube_resource_path(resource, namespace, name, nullptr, &path, e) ||
        (version != nullptr &&
         !(buffer_append_text(&path, "?resourceVersion=", e) && kube_append_encoded(&path, version, e)))) {
        return false;
    }
    struct kube_request request = {.method = "GET", .path = buffer_text(&path)};
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

void controller_reconcile(struct controller *controller, const struct kind *kind,
                          const struct kube_resource *resource, const char *key, const char *id,
                          bool may_be_slow, struct verdict *ret_verdict) {
    struct reconcile r = {
        .controller = controller,
        .kind = kind,
        .resource = resource,
        .id = id,
        .may_be_slow = may_be_slow,
        .occasion = {.now = clock_wall_seconds()},
    };
    *ret_verdict = (struct verdict){.kind = VERDICT_DONE};
    r.object = find_object(controller->watches, kind, key);
    if (r.object == nullptr || r.object->deleting) {
        kube_object_release(r.object);
        return;
    }
    if (!take_steps(&r, &ret_verdict->again_ms, &ret_verdict->error)) {
        conclude(&r, ret_verdict);
    } else if (r.is_granted) {
        look_again_for_grants(controller, ret_verdict);
    }
    inputs_free(&r);
    output_free(&r);
    decoded_free(&r.decoded);
    kube_object_release(r.object);
}
