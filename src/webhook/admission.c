#include "webhook/admission.h"

#include "engine/decode.h"
#include "engine/unknown_field.h"
#include "json/write.h"

#include <string.h>

enum {
    MESSAGE_MAX = 32 * 1024, // bytes of the text that holds all faults; the causes are always whole
    CAUSES_MAX = 500,
    WARNINGS_MAX = 32,
    WARNING_MAX = 256, // the API server cuts there
    FIELD_MAX = 160,
    IDENTITY_MAX = 253, // bytes of what is said again in the answer
};

struct review {
    yyjson_val *request;
    const char *kind_name; // as asked
    const char *name;      // of the object; "" when it has none yet
    yyjson_val *object;
    yyjson_val *old_object; // NULL: there is none

    yyjson_mut_doc *answer;
    yyjson_mut_val *warnings; // NULL: none so far
    yyjson_mut_val *causes;   // NULL: none so far
    struct buffer message;    // all causes as one text
};

// ---- the answer

static void add_cause(struct review *r, const char *reason, const char *field, const char *message) {
    yyjson_mut_doc *answer = r->answer;
    struct error ignored;
    if (r->causes == nullptr) {
        r->causes = yyjson_mut_arr(answer);
    }
    if (yyjson_mut_arr_size(r->causes) >= CAUSES_MAX) {
        return;
    }
    yyjson_mut_val *cause = yyjson_mut_arr_add_obj(answer, r->causes);
    (void)yyjson_mut_obj_add_str(answer, cause, "reason", reason);
    (void)yyjson_mut_obj_add_strcpy(answer, cause, "field", field);
    (void)yyjson_mut_obj_add_strcpy(answer, cause, "message", message);
    // One that has no room is left out of the text.
    (void)buffer_append_format(&r->message, &ignored, "%s%s: %s", r->message.length > 0 ? "; " : "", field,
                               message);
}

static void add_warning(struct review *r, const char *field, const char *message) {
    cleanup_buffer struct buffer text = buffer_create(WARNING_MAX);
    struct error ignored;
    if (r->warnings == nullptr) {
        r->warnings = yyjson_mut_arr(r->answer);
    }
    if (yyjson_mut_arr_size(r->warnings) < WARNINGS_MAX &&
        buffer_append_format(&text, &ignored, "%s%s%s", field, field[0] == '\0' ? "" : ": ", message)) {
        (void)yyjson_mut_arr_add_strcpy(r->answer, r->warnings, buffer_text(&text));
    }
}

static void on_spec_note(void *context, enum spec_note note, const char *field, const char *message) {
    if (note == SPEC_FAULT) {
        add_cause(context, "FieldValueInvalid", field, message);
    } else {
        add_warning(context, field, message);
    }
}

// metav1.Status, as the API server makes it itself for an object that is invalid; kubectl lists the causes.
static void add_status(struct review *r, yyjson_mut_val *response) {
    yyjson_mut_doc *answer = r->answer;
    yyjson_mut_val *status = yyjson_mut_obj_add_obj(answer, response, "status");
    (void)yyjson_mut_obj_add_str(answer, status, "status", "Failure");
    (void)yyjson_mut_obj_add_int(answer, status, "code", 422);
    (void)yyjson_mut_obj_add_str(answer, status, "reason", "Invalid");
    (void)yyjson_mut_obj_add_strcpy(answer, status, "message", buffer_text(&r->message));
    yyjson_mut_val *details = yyjson_mut_obj_add_obj(answer, status, "details");
    (void)yyjson_mut_obj_add_strcpy(answer, details, "name", r->name);
    (void)yyjson_mut_obj_add_str(answer, details, "group", QUBESEC_GROUP);
    (void)yyjson_mut_obj_add_strcpy(answer, details, "kind", r->kind_name);
    (void)yyjson_mut_obj_add_val(answer, details, "causes", r->causes);
}

static bool write_answer(struct review *r, yyjson_val *root, struct buffer *text, struct error *e) {
    yyjson_mut_doc *answer = r->answer;
    yyjson_mut_val *review = yyjson_mut_doc_get_root(answer);
    (void)yyjson_mut_obj_add_strcpy(answer, review, "apiVersion", json_member_text(root, "apiVersion"));
    (void)yyjson_mut_obj_add_strcpy(answer, review, "kind", json_member_text(root, "kind"));
    yyjson_mut_val *response = yyjson_mut_obj_add_obj(answer, review, "response");
    (void)yyjson_mut_obj_add_strcpy(answer, response, "uid", json_member_text(r->request, "uid"));
    (void)yyjson_mut_obj_add_bool(answer, response, "allowed", r->causes == nullptr);
    if (r->causes != nullptr) {
        add_status(r, response);
    }
    if (r->warnings != nullptr) {
        (void)yyjson_mut_obj_add_val(answer, response, "warnings", r->warnings);
    }
    return json_write(answer, text, e);
}

// ---- validation

static void refuse_change(void *context, const struct spec_field *field) {
    struct review *r = context;
    const char *alias = field->alias;
    char path[FIELD_MAX];
    bool is_alias = alias != nullptr && json_find(r->object, "spec", alias, nullptr) != nullptr;
    snprintf(path, sizeof(path), "spec.%s", is_alias ? alias : field->name);
    add_cause(r, "FieldValueForbidden", path, DECODED_IMMUTABLE);
}

static bool same_text(const char *one, const char *other) {
    return strcmp(one == nullptr ? "" : one, other == nullptr ? "" : other) == 0;
}

// What was stored may be at fault itself, from a time before this check: then everything may be changed.
static bool check_change(struct review *r, const struct decoded *now, struct error *e) {
    cleanup_decoded struct decoded old = {0};
    if (decode_spec(now->kind, r->name, yyjson_obj_get(r->old_object, "spec"), nullptr, nullptr, &old, e)) {
        decoded_compare(&old, now, refuse_change, r);
        return true;
    }
    return e->class == ERROR_INVALID_SPEC;
}

static const char *applied_text(yyjson_val *object) {
    static const char annotation[] = "kubectl.kubernetes.io/last-applied-configuration";
    return json_text(json_find(object, "metadata", "annotations", annotation, nullptr));
}

static bool is_applied_by_kubectl(const struct review *r) {
    return same_text(json_text(json_find(r->request, "options", "fieldManager", nullptr)),
                     "kubectl-client-side-apply");
}

static bool is_of_object(yyjson_val *applied, const struct review *r) {
    return same_text(json_member_text(applied, "apiVersion"), json_member_text(r->object, "apiVersion")) &&
           same_text(json_member_text(applied, "kind"), r->kind_name) &&
           same_text(json_text(json_find(applied, "metadata", "name", nullptr)), r->name);
}

// A name that the CRD does not know has been dropped from the object, if kubectl's validation was off. Where
// kubectl apply has written down in this very request what it was given, the name is found there, and is a
// fault. Who else brings that annotation along restores the object from a backup, say: it may be of any time,
// and is only warned of.
static bool check_applied(struct review *r, const struct kind *kind, struct error *e) {
    const char *text = applied_text(r->object);
    cleanup_json yyjson_doc *document = nullptr;
    struct error unreadable;
    char path[UNKNOWN_FIELD_SIZE];
    if (text == nullptr || same_text(text, applied_text(r->old_object))) {
        return true;
    }
    if (!json_parse(text, strlen(text), &document, &unreadable)) {
        return unreadable.class != ERROR_NO_MEMORY || error_no_memory(e, "reading an annotation");
    }
    yyjson_val *applied = yyjson_doc_get_root(document);
    if (!is_of_object(applied, r) || !unknown_field_find(kind, yyjson_obj_get(applied, "spec"), path)) {
        return true;
    }
    if (is_applied_by_kubectl(r)) {
        add_cause(r, "FieldValueInvalid", path,
                  "there is no such field, and the API server has dropped it, as validation is off "
                  "(--validate=false); correct the name, or remove it");
    } else {
        add_warning(r, path,
                    "there is no such field; the annotation of an earlier kubectl apply has it, the object "
                    "has not");
    }
    return true;
}

// Fills r->causes and r->warnings.
static bool check_object(struct review *r, const struct kind *kind, struct error *e) {
    cleanup_decoded struct decoded decoded = {0};
    if (!check_applied(r, kind, e)) {
        return false;
    }
    bool good = decode_spec(kind, r->name, yyjson_obj_get(r->object, "spec"), on_spec_note, r, &decoded, e);
    if (!good) {
        return e->class == ERROR_INVALID_SPEC;
    }
    return r->old_object == nullptr || check_change(r, &decoded, e);
}

static bool same_spec(const struct review *r) {
    return json_equals(yyjson_obj_get(r->object, "spec"), yyjson_obj_get(r->old_object, "spec"));
}

static bool needs_check(const struct review *r) {
    const char *operation = json_member_text(r->request, "operation");
    const char *subresource = json_member_text(r->request, "subResource");
    bool is_update = same_text(operation, "UPDATE");
    return (is_update || same_text(operation, "CREATE")) && same_text(subresource, "") &&
           json_find(r->object, "metadata", "deletionTimestamp", nullptr) == nullptr &&
           !(is_update && same_spec(r));
}

static const struct kind *find_kind(const struct kind *const *kinds, const struct review *r) {
    for (; *kinds != nullptr; kinds++) {
        if (strcmp((*kinds)->kind, r->kind_name) == 0) {
            return *kinds;
        }
    }
    return nullptr;
}

static bool validate(struct review *r, const struct kind *const *kinds, const struct kind **ret_kind,
                     struct error *e) {
    yyjson_val *asked = yyjson_obj_get(r->request, "kind");
    if (!same_text(json_member_text(asked, "group"), QUBESEC_GROUP)) {
        add_warning(r, "", "validate.qubesec.io was asked about an object that is none of qubesec.io");
        return true;
    }
    const struct kind *kind = find_kind(kinds, r);
    if (kind == nullptr || !same_text(json_member_text(asked, "version"), kind->version)) {
        add_cause(r, "FieldValueNotSupported", kind == nullptr ? "kind" : "apiVersion",
                  "this version of the operator does not serve it; update the operator, or remove the CRD");
        return true;
    }
    *ret_kind = kind;
    return !needs_check(r) || check_object(r, kind, e);
}

// ---- the review

static const char *name_of(yyjson_val *request, yyjson_val *object) {
    const char *name = json_member_text(request, "name");
    if (name == nullptr || name[0] == '\0') {
        name = json_text(json_find(object, "metadata", "name", nullptr));
    }
    return name == nullptr ? "" : name;
}

// An object or nothing: deletion has none, and creation no old one.
static bool is_object_or_null(yyjson_val *value) {
    return value == nullptr || yyjson_is_null(value) || yyjson_is_obj(value);
}

// What the answer repeats must be there, and short.
static bool check_identity(yyjson_val *root, yyjson_val *request, const char *kind, struct error *e) {
    const char *uid = json_member_text(request, "uid");
    if (!same_text(json_member_text(root, "apiVersion"), "admission.k8s.io/v1") ||
        !same_text(json_member_text(root, "kind"), "AdmissionReview")) {
        return error_set(e, ERROR_INVALID_SPEC, "not an AdmissionReview of admission.k8s.io/v1");
    }
    if (uid == nullptr || json_member_text(request, "operation") == nullptr || kind == nullptr) {
        return error_set(e, ERROR_INVALID_SPEC, "the AdmissionReview's request lacks uid, operation or kind");
    }
    return (strlen(uid) <= IDENTITY_MAX && strlen(kind) <= IDENTITY_MAX) ||
           error_set(e, ERROR_INVALID_SPEC, "the AdmissionReview's uid or kind has more than %d bytes",
                     IDENTITY_MAX);
}

static bool check_objects(yyjson_val *request, struct error *e) {
    yyjson_val *object = yyjson_obj_get(request, "object");
    yyjson_val *old_object = yyjson_obj_get(request, "oldObject");
    const char *operation = json_member_text(request, "operation");
    bool is_update = same_text(operation, "UPDATE");
    if (!is_object_or_null(object) || !is_object_or_null(old_object)) {
        return error_set(e, ERROR_INVALID_SPEC, "the AdmissionReview's object or oldObject is no object");
    }
    bool changes = is_update || same_text(operation, "CREATE");
    bool lacks = !yyjson_is_obj(object) || (is_update && !yyjson_is_obj(old_object));
    return !changes || !lacks ||
           error_set(e, ERROR_INVALID_SPEC, "the AdmissionReview of %s lacks its object or oldObject",
                     operation);
}

static bool read_review(yyjson_val *root, struct review *r, struct error *e) {
    yyjson_val *request = yyjson_obj_get(root, "request");
    yyjson_val *old_object = yyjson_obj_get(request, "oldObject");
    const char *kind = json_text(json_find(request, "kind", "kind", nullptr));
    if (!check_identity(root, request, kind, e) || !check_objects(request, e)) {
        return false;
    }
    r->request = request;
    r->kind_name = kind;
    r->object = yyjson_obj_get(request, "object");
    r->old_object = yyjson_is_obj(old_object) ? old_object : nullptr;
    r->name = name_of(request, r->object);
    return true;
}

bool admission_review(const struct kind *const *kinds, const char *review, size_t length,
                      struct buffer *answer, struct admission_outcome *ret_outcome, struct error *e) {
    cleanup_json yyjson_doc *document = nullptr;
    cleanup_json_mut yyjson_mut_doc *built = nullptr;
    struct review r = {.message = buffer_create(MESSAGE_MAX)};
    const struct kind *kind = nullptr;
    if (!json_parse(review, length, &document, e)) {
        return false;
    }
    yyjson_val *root = yyjson_doc_get_root(document);
    if (!read_review(root, &r, e) || !json_create(&built, e)) {
        return false;
    }
    r.answer = built;
    bool answered = validate(&r, kinds, &kind, e) && write_answer(&r, root, answer, e);
    buffer_done(&r.message);
    if (answered) {
        *ret_outcome =
            (struct admission_outcome){kind == nullptr ? nullptr : kind->kind, r.causes == nullptr};
    }
    return answered;
}
