// Step 7 of a reconcile: the status, compared with what is there and patched where it differs.
#include "base/clock.h"
#include "kube/server_words.h"
#include "reconcile/reasons.h"
#include "reconcile/reconcile.h"
#include "reconcile/secret_metadata.h"
#include "json/write.h"

#include <string.h>

enum { BODY_MAX_BYTES = 512 * 1024, OLD_WORDS_S = 600 };

static const char *const phase_names[] = {"Pending", "Success", "Failed"};
static const char *const ready_texts[] = {"False", "True", "False"}; // by phase, too

// What status.status says of a finished object.
static const char *const outcomes[] = {"Success", "Valid", "Invalid"};

static yyjson_val *status_of(const struct reconcile *r) {
    return yyjson_obj_get(r->object->root, "status");
}

static bool same_text(yyjson_val *object, const char *field, const char *text) {
    const char *present = json_member_text(object, field);
    return present != nullptr && text != nullptr && strcmp(present, text) == 0;
}

// ---- settled?

static const char *source_kind(const struct source *source) {
    return source->resource == nullptr ? "URL" : source->resource->kind;
}

bool status_names(yyjson_val *recorded, const struct kube_object *object) {
    return same_text(recorded, "uid", object->uid) &&
           same_text(recorded, "resourceVersion", object->resource_version);
}

static bool input_is_settled(const struct source *source, yyjson_val *recorded) {
    if (!same_text(recorded, "field", source->request->field) ||
        !same_text(recorded, "kind", source_kind(source)) || !same_text(recorded, "name", source->name)) {
        return false;
    }
    if (source->resource == nullptr) {
        return true; // what was fetched once from a URL is not fetched again
    }
    return same_text(recorded, "namespace", source->namespace) && source->seen != nullptr &&
           status_names(recorded, source->seen);
}

static bool output_is_as_recorded(const struct reconcile *r, yyjson_val *recorded) {
    if (!same_text(recorded, "name", r->decoded.secret_name)) {
        return false;
    }
    cleanup_object struct kube_object *seen =
        reconcile_find(r, kube_secrets.kind, r->object->namespace, r->decoded.secret_name);
    yyjson_val *metadata = seen == nullptr ? nullptr : yyjson_obj_get(seen->root, "metadata");
    return seen != nullptr && status_names(recorded, seen) &&
           secret_metadata_ownership(r->kind, r->object, metadata) == OWNERSHIP_OURS &&
           secret_metadata_is_of_version(r->object, metadata);
}

bool status_has_origin(const struct reconcile *r, const struct source *source) {
    size_t index;
    size_t count;
    yyjson_val *input;
    yyjson_arr_foreach(yyjson_obj_get(status_of(r), "inputs"), index, count, input) {
        if (!same_text(input, "field", source->request->field)) {
            continue;
        }
        char from[SOURCE_FROM_SIZE] = "";
        if (source->upstream != nullptr) {
            source_format_from(source->from->kind, source->upstream->name, from);
        }
        const char *recorded = json_member_text(input, "from");
        bool same_name = source->upstream != nullptr || same_text(input, "name", source->name);
        return strcmp(recorded == nullptr ? "" : recorded, from) == 0 && same_name &&
               same_text(input, "kind", source_kind(source)) &&
               (source->resource == nullptr || same_text(input, "namespace", source->namespace));
    }
    return true; // nothing is recorded of another one
}

static bool is_finished(yyjson_val *status) {
    for (size_t i = 0; i < sizeof(outcomes) / sizeof(outcomes[0]); i++) {
        if (same_text(status, "status", outcomes[i])) {
            return true;
        }
    }
    return false;
}

int64_t status_time(yyjson_val *status, const char *field) {
    const char *text = json_member_text(status, field);
    int64_t seconds = 0;
    return text != nullptr && clock_parse(text, &seconds) ? seconds : 0;
}

static bool is_of_generation(const struct reconcile *r, yyjson_val *object) {
    return json_integer(yyjson_obj_get(object, "observedGeneration"), -1) == r->object->generation;
}

// Whether an input is known to be another one than the output was made from.
static bool has_known_change(const struct reconcile *r) {
    yyjson_val *inputs = yyjson_obj_get(status_of(r), "inputs");
    for (size_t i = 0; i < r->decoded.request_count; i++) {
        const struct source *source = &r->sources[i];
        if (source->seen != nullptr && !input_is_settled(source, yyjson_arr_get(inputs, i))) {
            return true;
        }
    }
    return false;
}

bool status_stands(const struct reconcile *r) {
    yyjson_val *status = status_of(r);
    if (r->kind->entries == nullptr || r->is_outdated || has_known_change(r) || !is_finished(status) ||
        !is_of_generation(r, status)) {
        return false;
    }
    int64_t expires = status_time(status, RENEWAL_EXPIRY_FIELD);
    cleanup_object struct kube_object *seen =
        reconcile_find(r, kube_secrets.kind, r->object->namespace, r->decoded.secret_name);
    return seen != nullptr && same_text(yyjson_obj_get(status, "secretRef"), "uid", seen->uid) &&
           (expires == 0 || r->context.now < expires);
}

static bool inputs_are_settled(const struct reconcile *r) {
    yyjson_val *inputs = yyjson_obj_get(status_of(r), "inputs");
    if (yyjson_arr_size(inputs) != r->decoded.request_count) {
        return false;
    }
    for (size_t i = 0; i < r->decoded.request_count; i++) {
        if (!input_is_settled(&r->sources[i], yyjson_arr_get(inputs, i))) {
            return false;
        }
    }
    return true;
}

// Whether the status says that the present generation was served, with the inputs that the watch now shows.
static bool is_served(const struct reconcile *r) {
    yyjson_val *status = status_of(r);
    return is_finished(status) && is_of_generation(r, status) && inputs_are_settled(r);
}

// The same, whatever has failed since then. (Version 0.1.0 did not note the generation with the output.)
static bool was_served(const struct reconcile *r) {
    yyjson_val *generation = json_find(status_of(r), "secretRef", "generation", nullptr);
    return generation == nullptr
               ? is_served(r)
               : json_integer(generation, -1) == r->object->generation && inputs_are_settled(r);
}

static const char *text_or_nothing(yyjson_val *object, const char *field) {
    const char *text = json_member_text(object, field);
    return text == nullptr ? "" : text;
}

bool status_has_key(const struct reconcile *r) {
    yyjson_mut_val *present = yyjson_mut_obj_get(yyjson_mut_doc_get_root(r->report.status), "publicKeyPEM");
    yyjson_val *recorded = yyjson_obj_get(status_of(r), "publicKeyPEM");
    return present != nullptr && recorded != nullptr && kube_status_says(recorded, present, r->report.status);
}

// What is long in a status is only there in full where the object was read live.
void status_read_record(struct reconcile *r) {
    yyjson_val *items = yyjson_obj_get(yyjson_doc_get_root(r->live), "items");
    yyjson_val *live = yyjson_obj_get(yyjson_arr_get_first(items), "status");
    yyjson_val *status = live != nullptr ? live : status_of(r);
    r->context.record = (struct record){
        .fingerprint = text_or_nothing(status, "fingerprint"),
        .digest = text_or_nothing(status, "digest"),
        .public_key_digest = text_or_nothing(status, "publicKeyDigest"),
        .ciphertext = text_or_nothing(live, "ciphertext"),
        .public_key_pem = text_or_nothing(live, "publicKeyPEM"),
        .is_current = was_served(r),
    };
}

bool status_is_settled(const struct reconcile *r, struct renewal *ret_renewal) {
    yyjson_val *status = status_of(r);
    if (!is_served(r) || same_text(status_find_ready(status), "reason", REASON_METADATA_CONTESTED) ||
        (r->kind->is_public && json_member_text(status, "digest") == nullptr) ||
        (r->kind->entries != nullptr && !output_is_as_recorded(r, yyjson_obj_get(status, "secretRef")))) {
        return false;
    }
    *ret_renewal = (struct renewal){
        .expires_at = status_time(status, RENEWAL_EXPIRY_FIELD),
        .valid_from = status_time(status, RENEWAL_START_FIELD),
        .renew_at = status_time(status, RENEWAL_FIELD),
    };
    return true;
}

// ---- building

struct status_writer {
    struct reconcile *r;
    yyjson_mut_doc *document;
    yyjson_mut_val *status;
    char now[CLOCK_TEXT_SIZE];
    bool transition; // the Ready condition changed its status or reason
    bool lost;       // the output is another object's
};

static void add_text(struct status_writer *w, yyjson_mut_val *object, const char *field, const char *text) {
    if (text != nullptr && text[0] != '\0') {
        (void)yyjson_mut_obj_add_strcpy(w->document, object, field, text);
    }
}

static bool is_ready(yyjson_val *condition) {
    return same_text(condition, "type", "Ready");
}

yyjson_val *status_find_ready(yyjson_val *status) {
    size_t index;
    size_t count;
    yyjson_val *condition;
    yyjson_arr_foreach(yyjson_obj_get(status, "conditions"), index, count, condition) {
        if (is_ready(condition)) {
            return condition;
        }
    }
    return nullptr;
}

// The Ready condition, and whatever other conditions others have put there. Its lastTransitionTime moves only
// with its status.
static void add_conditions(struct status_writer *w, enum phase phase, const char *reason,
                           const char *message) {
    yyjson_val *present = status_of(w->r);
    yyjson_val *old = status_find_ready(present);
    const char *ready = ready_texts[phase];
    bool same_status = same_text(old, "status", ready);
    w->transition = !same_status || !same_text(old, "reason", reason);
    yyjson_mut_val *conditions = yyjson_mut_obj_add_arr(w->document, w->status, "conditions");
    size_t index;
    size_t count;
    yyjson_val *condition;
    yyjson_arr_foreach(yyjson_obj_get(present, "conditions"), index, count, condition) {
        if (!is_ready(condition)) {
            (void)yyjson_mut_arr_append(conditions, yyjson_val_mut_copy(w->document, condition));
        }
    }
    yyjson_mut_val *own = yyjson_mut_arr_add_obj(w->document, conditions);
    const char *since = json_member_text(old, "lastTransitionTime");
    add_text(w, own, "type", "Ready");
    add_text(w, own, "status", ready);
    (void)yyjson_mut_obj_add_sint(w->document, own, "observedGeneration", w->r->object->generation);
    add_text(w, own, "lastTransitionTime", same_status && since != nullptr ? since : w->now);
    add_text(w, own, "reason", reason);
    (void)yyjson_mut_obj_add_strcpy(w->document, own, "message", message);
}

static void add_object_identity(struct status_writer *w, yyjson_mut_val *object,
                                const struct kube_object *identity) {
    if (identity != nullptr) {
        add_text(w, object, "uid", identity->uid);
        add_text(w, object, "resourceVersion", identity->resource_version);
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
        add_text(w, input, "field", source->request->field);
        if (source->upstream != nullptr) {
            char from[SOURCE_FROM_SIZE];
            source_format_from(source->from->kind, source->upstream->name, from);
            add_text(w, input, "from", from);
        }
        add_text(w, input, "kind", source_kind(source));
        add_text(w, input, "name", source->name);
        if (source->resource != nullptr) {
            add_text(w, input, "namespace", source->namespace);
        }
        add_object_identity(w, input, source->read);
    }
}

static void add_secret(struct status_writer *w) {
    const struct reconcile *r = w->r;
    yyjson_mut_val *secret = yyjson_mut_obj_add_obj(w->document, w->status, "secretRef");
    add_text(w, secret, "name", r->decoded.secret_name);
    add_object_identity(w, secret, r->output);
    (void)yyjson_mut_obj_add_sint(w->document, secret, "generation", r->object->generation);
    if (r->kind->name_entry != nullptr) {
        add_text(w, secret, "key", r->kind->name_entry(r->decoded.spec));
    }
}

// What a served object's status says of its output.
static void add_output(struct status_writer *w) {
    const struct reconcile *r = w->r;
    add_text(w, w->status, "algorithm", r->provenance.algorithm);
    add_text(w, w->status, "fingerprint", r->report.fingerprint);
    add_text(w, w->status, "digest", r->report.digest);
    add_text(w, w->status, "warning", r->report.warning);
    if (r->kind->entries != nullptr) {
        add_secret(w);
    }
    if (r->report.renew_at != 0) {
        char text[CLOCK_TEXT_SIZE];
        clock_format(r->report.renew_at, text);
        add_text(w, w->status, RENEWAL_FIELD, text);
    }
    add_inputs(w);
    yyjson_mut_obj_iter own = yyjson_mut_obj_iter_with(yyjson_mut_doc_get_root(r->report.status));
    for (yyjson_mut_val *key; (key = yyjson_mut_obj_iter_next(&own)) != nullptr;) {
        yyjson_mut_val *value = yyjson_mut_val_mut_copy(w->document, yyjson_mut_obj_iter_get_val(key));
        (void)yyjson_mut_obj_add(w->status, yyjson_mut_val_mut_copy(w->document, key), value);
    }
}

static void build(struct status_writer *w, enum phase phase, const char *reason, const char *message) {
    bool evaluated = phase == PHASE_SUCCESS && w->r->report.outcome != nullptr;
    add_text(w, w->status, "status", evaluated ? w->r->report.outcome : phase_names[phase]);
    (void)yyjson_mut_obj_add_sint(w->document, w->status, "observedGeneration", w->r->object->generation);
    add_conditions(w, phase, reason, message);
    if (phase == PHASE_FAILED) {
        add_text(w, w->status, "error", message);
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

// What a status that is not written in full leaves as it is: when and by which reconcile it was last written,
// and what it says of an output Secret, which is still there when its object waits or has failed, or is to
// come back. Where the Secret is another's, what identifies the output stays, so that it is known again, and
// known to be lost. A evaluation ends with its inputs.
static bool is_left_alone(const struct status_writer *w, enum phase phase, const char *field) {
    static const char *const of_writing[] = {"lastUpdateTime", "reconcileID", nullptr};
    static const char *const identity[] = {"secretRef",       "fingerprint", "digest", "inputs",
                                           "publicKeyDigest", "ciphertext",  nullptr};
    if (is_one_of(field, of_writing)) {
        return true;
    }
    if (w->r->kind->entries == nullptr || phase == PHASE_SUCCESS) {
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
    bool same = r->telling != TELL_ANEW && present != nullptr && is_of_generation(r, ready) &&
                same_text(ready, "status", ready_texts[phase]) && same_text(ready, "reason", reason) &&
                server_words_are_alike(present, message);
    bool is_old = r->context.now - status_time(status_of(r), "lastUpdateTime") >= OLD_WORDS_S;
    return same && !is_old ? present : message;
}

// Adds null for each member that the present status has and the wanted one has not. Whether there is any
// difference.
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
        if (!is_left_alone(w, phase, name) && yyjson_mut_obj_get(w->status, name) == nullptr) {
            (void)yyjson_mut_obj_add_null(w->document, w->status, name);
            different = true;
        }
    }
    return different;
}

// The resourceVersion guards against writing to an object that has changed since, or is another one of the
// same name. *ret_written: the object as it is then, a count that is the caller's.
static bool patch(struct status_writer *w, yyjson_mut_val *root, struct kube_object **ret_written,
                  struct error *e) {
    struct reconcile *r = w->r;
    cleanup_buffer struct buffer path = buffer_create(PATH_MAX_BYTES);
    cleanup_buffer struct buffer body = buffer_create(BODY_MAX_BYTES);
    cleanup_json yyjson_doc *answer = nullptr;
    struct kube_object *written;
    add_text(w, w->status, "lastUpdateTime", w->now);
    add_text(w, w->status, "reconcileID", r->id);
    yyjson_mut_val *metadata = yyjson_mut_obj_add_obj(w->document, root, "metadata");
    add_text(w, metadata, "resourceVersion", r->object->resource_version);
    if (!kube_resource_path(r->key->resource, r->object->namespace, r->object->name, "status", &path, e) ||
        !json_write(w->document, &body, e)) {
        return false;
    }
    struct kube_request request = {
        .method = "PATCH",
        .path = buffer_text(&path),
        .content_type = KUBE_MERGE_PATCH,
        .body = buffer_text(&body),
        .body_length = body.length,
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
    if (!kube_object_create(yyjson_doc_get_root(answer), &written, e)) {
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
        if (!patch(&w, root, &written, e)) {
            return false;
        }
        kube_object_release(r->written);
        r->written = written;
    }
    bool is_alarming = phase == PHASE_FAILED || r->outcome->is_transient ||
                       (phase == PHASE_SUCCESS && r->report.is_alarming);
    if (w.transition || r->telling == TELL_EACH_TIME) {
        reconcile_record(r, is_alarming, reason, "Reconcile", message);
    }
    if (w.transition && phase == PHASE_SUCCESS) {
        reconcile_log(r, is_alarming ? LOG_WARNING : LOG_INFO, reason, message);
    }
    return true;
}
