#include "reconcile/status.h"

#include "base/clock.h"
#include "kube/server_words.h"
#include "reconcile/inputs.h"
#include "reconcile/kept.h"
#include "reconcile/reasons.h"
#include "reconcile/recheck.h"
#include "reconcile/renew_request.h"
#include "reconcile/rotation.h"
#include "reconcile/status_record.h"
#include "reconcile/trust_bundle.h"
#include "json/write.h"

#include <string.h>

enum { OLD_WORDS_S = 600 };

static const char *const phase_names[] = {"Pending", "Success", "Failed"};
static const char *const ready_texts[] = {"False", "True", "False"}; // by phase, too

static yyjson_val *status_of(const struct reconcile *r) {
    return yyjson_obj_get(r->object->root, "status");
}

// ---- building

struct status_writer {
    struct reconcile *r;
    yyjson_mut_doc *document;
    yyjson_mut_val *status;
    char now[CLOCK_TEXT_SIZE];
    bool transition; // the Ready condition changed its status or reason
    bool was_ready;
    bool lost; // the output is another object's
};

// The Ready condition, and whatever other conditions others have put there. Its lastTransitionTime moves only
// with its status.
static void add_conditions(struct status_writer *w, enum phase phase, const char *reason,
                           const char *message) {
    yyjson_val *present = status_of(w->r);
    yyjson_val *old = status_find_ready(present);
    const char *ready = ready_texts[phase];
    bool same_status = json_member_is(old, "status", ready);
    w->was_ready = json_member_is(old, "status", ready_texts[PHASE_SUCCESS]);
    w->transition = !same_status || !json_member_is(old, "reason", reason);
    yyjson_mut_val *conditions = yyjson_mut_obj_add_arr(w->document, w->status, "conditions");
    size_t index;
    size_t count;
    yyjson_val *condition;
    yyjson_arr_foreach(yyjson_obj_get(present, "conditions"), index, count, condition) {
        if (!json_member_is(condition, "type", "Ready")) {
            (void)yyjson_mut_arr_append(conditions, yyjson_val_mut_copy(w->document, condition));
        }
    }
    yyjson_mut_val *own = yyjson_mut_arr_add_obj(w->document, conditions);
    const char *since = json_member_text(old, "lastTransitionTime");
    json_add_text(w->document, own, "type", "Ready");
    json_add_text(w->document, own, "status", ready);
    (void)yyjson_mut_obj_add_sint(w->document, own, "observedGeneration", w->r->object->generation);
    json_add_text(w->document, own, "lastTransitionTime", same_status && since != nullptr ? since : w->now);
    json_add_text(w->document, own, "reason", reason);
    (void)yyjson_mut_obj_add_strcpy(w->document, own, "message", message);
}

static void add_object_identity(struct status_writer *w, yyjson_mut_val *object,
                                const struct kube_object *identity) {
    if (identity != nullptr) {
        json_add_text(w->document, object, "uid", identity->uid);
        json_add_text(w->document, object, "resourceVersion", identity->resource_version);
    }
}

static void add_inputs(struct status_writer *w) {
    const struct reconcile *r = w->r;
    if (r->decoded.request_count == 0) {
        return;
    }
    yyjson_mut_val *inputs = yyjson_mut_obj_add_arr(w->document, w->status, "inputs");
    for (size_t i = 0; i < r->decoded.request_count; i++) {
        const struct source *source = &r->sources[i];
        yyjson_mut_val *input = yyjson_mut_arr_add_obj(w->document, inputs);
        json_add_text(w->document, input, "field", source->request->field);
        if (source->upstream != nullptr) {
            char from[SOURCE_FROM_SIZE];
            source_format_from(source->from->kind, source->upstream->name, from);
            json_add_text(w->document, input, "from", from);
        }
        json_add_text(w->document, input, "kind", source_kind(source));
        char shown[SOURCE_SHOWN_SIZE];
        source_show(source->name, shown);
        json_add_text(w->document, input, "name", shown);
        if (source->resource != nullptr) {
            json_add_text(w->document, input, "namespace", source->namespace);
        }
        if (source->request->reference.version != 0) {
            (void)yyjson_mut_obj_add_sint(w->document, input, VERSION_FIELD,
                                          source->request->reference.version);
        }
        add_object_identity(w, input, source->read);
    }
}

static void add_secret(struct status_writer *w) {
    const struct reconcile *r = w->r;
    yyjson_mut_val *secret = yyjson_mut_obj_add_obj(w->document, w->status, "secretRef");
    json_add_text(w->document, secret, "name", r->decoded.secret_name);
    add_object_identity(w, secret, r->output);
    (void)yyjson_mut_obj_add_sint(w->document, secret, "generation", r->object->generation);
    if (r->kind->name_entry != nullptr) {
        json_add_text(w->document, secret, "key", r->kind->name_entry(r->decoded.spec));
    }
}

// What a served object's status says of its output.
static void add_output(struct status_writer *w) {
    const struct reconcile *r = w->r;
    json_add_text(w->document, w->status, "algorithm", r->production.provenance.algorithm);
    json_add_text(w->document, w->status, "fingerprint", r->production.report.fingerprint);
    json_add_text(w->document, w->status, "digest", r->production.report.digest);
    json_add_text(w->document, w->status, "warning", r->production.report.warning);
    if (r->kind->entries != nullptr) {
        add_secret(w);
    }
    bool is_rotated = r->kind->is_renewable && r->rotation.next_at != 0 && rotation_takes_renewal(r);
    int64_t renew_at = is_rotated ? rotation_next_time(r) : r->production.report.renew_at;
    if (renew_at != 0) {
        char text[CLOCK_TEXT_SIZE];
        clock_format(renew_at, text);
        json_add_text(w->document, w->status, RENEWAL_FIELD, text);
    }
    rotation_report(r, w->document, w->status);
    trust_bundle_report(r, w->document, w->status);
    add_inputs(w);
    yyjson_mut_obj_iter own = yyjson_mut_obj_iter_with(yyjson_mut_doc_get_root(r->production.report.status));
    for (yyjson_mut_val *key; (key = yyjson_mut_obj_iter_next(&own)) != nullptr;) {
        yyjson_mut_val *value = yyjson_mut_val_mut_copy(w->document, yyjson_mut_obj_iter_get_val(key));
        (void)yyjson_mut_obj_add(w->status, yyjson_mut_val_mut_copy(w->document, key), value);
    }
}

static void build(struct status_writer *w, enum phase phase, const char *reason, const char *message) {
    bool evaluated = phase == PHASE_SUCCESS && w->r->production.report.outcome != nullptr;
    json_add_text(w->document, w->status, "status",
                  evaluated ? w->r->production.report.outcome : phase_names[phase]);
    (void)yyjson_mut_obj_add_sint(w->document, w->status, "observedGeneration", w->r->object->generation);
    add_conditions(w, phase, reason, message);
    for (size_t i = 0; i < REQUEST_COUNT; i++) {
        json_add_text(w->document, w->status, renew_request_field(i),
                      renew_request_answered(w->r, i, phase == PHASE_SUCCESS));
    }
    if (phase == PHASE_FAILED) {
        json_add_text(w->document, w->status, "error", message);
    }
    if (phase == PHASE_SUCCESS) {
        add_output(w);
    }
}

// ---- writing

static bool is_one_of(const char *field, const char *const *fields) {
    while (*fields != nullptr && strcmp(*fields, field) != 0) {
        fields++;
    }
    return *fields != nullptr;
}

// Whether nothing is left alone of the present status. The API server has half the work with one that
// replaces it as with a patch. What the stores do not keep of a status cannot be sent again: that needs a
// patch.
static bool is_whole(const struct status_writer *w, enum phase phase) {
    return w->r->kind->entries == nullptr || phase == PHASE_SUCCESS;
}

// What a status that is not written in full leaves as it is: when and by which reconcile it was last written,
// and what it says of an output Secret, which is still
// there when its object waits or has failed, or is to come back. Where the Secret is another's, what
// identifies the output stays, so that it is known again, and known to be lost. A evaluation ends with its
// inputs.
static bool is_left_alone(const struct status_writer *w, enum phase phase, const char *field) {
    static const char *const of_writing[] = {"lastUpdateTime", "reconcileID", nullptr};
    static const char *const identity[] = {"secretRef",   "fingerprint",     "digest",
                                           "inputs",      "publicKeyDigest", "ciphertext",
                                           VERSION_FIELD, VERSIONS_FIELD,    nullptr};
    if (is_one_of(field, of_writing)) {
        return true;
    }
    if (is_whole(w, phase)) {
        return false;
    }
    return w->lost ? is_one_of(field, identity) : strcmp(field, "error") != 0;
}

// What the status is to say: its present message where that is the same but for what varies, and not an old
// one.
static const char *choose_words(const struct reconcile *r, enum phase phase, const char *reason,
                                const char *message) {
    yyjson_val *ready = status_find_ready(status_of(r));
    const char *present = json_member_text(ready, "message");
    bool same = r->telling != TELL_ANEW && present != nullptr && status_is_of_generation(r, ready) &&
                json_member_is(ready, "status", ready_texts[phase]) &&
                json_member_is(ready, "reason", reason) && server_words_are_alike(present, message);
    bool is_old = r->production.context.now - status_time(status_of(r), "lastUpdateTime") >= OLD_WORDS_S;
    return same && !is_old ? present : message;
}

// Whether the wanted status differs from the present one. In a patch null takes a member away.
static bool differs(struct status_writer *w, enum phase phase) {
    yyjson_val *present = status_of(w->r);
    bool different = false;
    yyjson_mut_obj_iter wanted = yyjson_mut_obj_iter_with(w->status);
    for (yyjson_mut_val *key; (key = yyjson_mut_obj_iter_next(&wanted)) != nullptr;) {
        yyjson_val *old = yyjson_obj_get(present, yyjson_mut_get_str(key));
        different = different || !kube_status_says(old, yyjson_mut_obj_iter_get_val(key), w->document);
    }
    yyjson_obj_iter members = yyjson_obj_iter_with(present);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&members)) != nullptr;) {
        const char *name = yyjson_get_str(key);
        if (is_left_alone(w, phase, name) || yyjson_mut_obj_get(w->status, name) != nullptr) {
            continue;
        }
        different = true;
        if (!is_whole(w, phase)) {
            (void)yyjson_mut_obj_add_null(w->document, w->status, name);
        }
    }
    return different;
}

// The resourceVersion guards against writing to an object that has changed since, or is another one of the
// same name. *ret_written: the object as it is then, a count that is the caller's.
static bool send(struct status_writer *w, yyjson_mut_val *root, enum phase phase,
                 struct kube_object **ret_written, struct error *e) {
    struct reconcile *r = w->r;
    cleanup_json yyjson_doc *answer = nullptr;
    struct kube_object *written;
    char version[KUBE_API_VERSION_SIZE];
    json_add_text(w->document, w->status, "lastUpdateTime", w->now);
    json_add_text(w->document, w->status, "reconcileID", r->id);
    kube_format_api_version(r->key->resource, version);
    json_add_text(w->document, root, "apiVersion", version);
    json_add_text(w->document, root, "kind", r->kind->kind);
    yyjson_mut_val *metadata = yyjson_mut_obj_add_obj(w->document, root, "metadata");
    json_add_text(w->document, metadata, "namespace", r->object->namespace);
    json_add_text(w->document, metadata, "name", r->object->name);
    json_add_text(w->document, metadata, "uid", r->object->uid);
    json_add_text(w->document, metadata, "resourceVersion", r->object->resource_version);
    const struct api_request request = {
        .verb = is_whole(w, phase) ? API_UPDATE : API_PATCH,
        .resource = r->key->resource,
        .namespace = r->object->namespace,
        .name = r->object->name,
        .subresource = "status",
        .body = w->document,
    };
    if (!reconcile_request(r, &request, &answer, e)) {
        // Changed, deleted, or deleted and made anew.
        struct error ignored;
        if (e->class == ERROR_CONFLICT || e->class == ERROR_NOT_FOUND) {
            (void)recheck_object(r, &ignored); // so that the next try begins with the news
            e->class = ERROR_RETRYABLE;
        }
        return error_wrap(e, "writing the status");
    }
    if (!kube_object_create(yyjson_doc_get_root(answer), &kept_of_kinds, &written, e)) {
        return false;
    }
    struct store *store = informers_find_store(r->parts->informers, r->kind->kind, r->object->namespace);
    if (!store_apply_own(store, kube_object_retain(written), e)) {
        kube_object_release(written);
        return false;
    }
    *ret_written = written;
    return true;
}

static void tell(const struct reconcile *r, bool is_alarming, const char *reason, const char *message) {
    struct error note; // for its text: bounded and valid UTF-8
    error_set(&note, ERROR_NONE, "%s%s%s", r->deed == nullptr ? "" : r->deed, r->deed == nullptr ? "" : ": ",
              message);
    reconcile_record(r, is_alarming, reason, "Reconcile", note.message);
}

bool status_publish(struct reconcile *r, enum phase phase, const char *reason, const char *message,
                    struct error *e) {
    cleanup_json_mut yyjson_mut_doc *document = nullptr;
    if (!json_create(&document, e)) {
        return false;
    }
    yyjson_mut_val *root = yyjson_mut_doc_get_root(document);
    struct status_writer w = {.r = r, .document = document};
    w.status = yyjson_mut_obj_add_obj(document, root, "status");
    w.lost = strcmp(reason, REASON_SECRET_CONFLICT) == 0;
    clock_format(clock_wall_seconds(), w.now);
    message = choose_words(r, phase, reason, message);
    build(&w, phase, reason, message);
    if (differs(&w, phase)) {
        struct kube_object *written;
        if (!send(&w, root, phase, &written, e)) {
            return false;
        }
        kube_object_release(r->written);
        r->written = written;
    }
    bool is_alarming = phase == PHASE_FAILED || r->outcome->is_transient ||
                       (phase == PHASE_PENDING && w.was_ready) ||
                       (phase == PHASE_SUCCESS && r->production.report.is_alarming);
    if (w.transition || r->telling == TELL_EACH_TIME) {
        tell(r, is_alarming, reason, message);
    }
    if (w.transition && phase == PHASE_SUCCESS) {
        reconcile_log(r, is_alarming ? LOG_WARNING : LOG_INFO, reason, message);
    }
    return true;
}
