#include "reconcile/status_record.h"

#include "base/clock.h"
#include "reconcile/inputs.h"
#include "reconcile/reasons.h"
#include "reconcile/secret_metadata.h"

#include <string.h>

enum { OVERDUE_S = 3600 }; // so that a short outage at the time of a renewal is none of its

// What status.status says of a finished object.
static const char *const outcomes[] = {"Success", "Valid", "Invalid"};

static yyjson_val *status_of(const struct reconcile *r) {
    return yyjson_obj_get(r->object->root, "status");
}

bool status_is_written(yyjson_val *status) {
    return yyjson_obj_get(status, "observedGeneration") != nullptr;
}

yyjson_val *status_find_ready(yyjson_val *status) {
    size_t index;
    size_t count;
    yyjson_val *condition;
    yyjson_arr_foreach(yyjson_obj_get(status, "conditions"), index, count, condition) {
        if (json_member_is(condition, "type", "Ready")) {
            return condition;
        }
    }
    return nullptr;
}

bool status_names(yyjson_val *recorded, const struct kube_object *object) {
    return json_member_is(recorded, "uid", object->uid) &&
           json_member_is(recorded, "resourceVersion", object->resource_version);
}

static bool input_is_settled(const struct source *source, yyjson_val *recorded) {
    if (!json_member_is(recorded, "field", source->request->field) ||
        !json_member_is(recorded, "kind", source_kind(source)) || !source_is_named(source, recorded)) {
        return false;
    }
    if (source->resource == nullptr) {
        return true; // what was fetched once from a URL is not fetched again
    }
    return json_member_is(recorded, "namespace", source->namespace) && source->seen != nullptr &&
           status_names(recorded, source->seen);
}

static bool output_is_as_recorded(const struct reconcile *r, yyjson_val *recorded) {
    if (!json_member_is(recorded, "name", r->decoded.secret_name)) {
        return false;
    }
    struct error ignored; // it is met again when the Secret is examined
    cleanup_object struct kube_object *seen = nullptr;
    if (!reconcile_look_up(r, kube_secrets.kind, r->object->namespace, r->decoded.secret_name, &seen,
                           &ignored)) {
        return false;
    }
    yyjson_val *metadata = seen == nullptr ? nullptr : yyjson_obj_get(seen->root, "metadata");
    return seen != nullptr && status_names(recorded, seen) &&
           secret_metadata_ownership(r->kind, r->object, metadata) == OWNERSHIP_OURS &&
           secret_metadata_is_of_version(r->object, metadata);
}

// What the status says of the input of that field; NULL: nothing.
static yyjson_val *find_input(const struct reconcile *r, const char *field) {
    size_t index;
    size_t count;
    yyjson_val *input;
    yyjson_arr_foreach(yyjson_obj_get(status_of(r), "inputs"), index, count, input) {
        if (json_member_is(input, "field", field)) {
            return input;
        }
    }
    return nullptr;
}

bool status_has_origin(const struct reconcile *r, const struct source *source) {
    yyjson_val *input = find_input(r, source->request->field);
    char from[SOURCE_FROM_SIZE] = "";
    if (input == nullptr) {
        return true; // nothing is recorded of another one
    }
    if (source->upstream != nullptr) {
        source_format_from(source->from->kind, source->upstream->name, from);
    }
    const char *recorded = json_member_text(input, "from");
    bool same_name = source->upstream != nullptr || source_is_named(source, input);
    return strcmp(recorded == nullptr ? "" : recorded, from) == 0 && same_name &&
           json_member_is(input, "kind", source_kind(source)) &&
           (source->resource == nullptr || json_member_is(input, "namespace", source->namespace));
}

bool status_has_version(const struct reconcile *r, const struct source *source) {
    yyjson_val *input = find_input(r, source->request->field);
    return input == nullptr ||
           json_integer(yyjson_obj_get(input, VERSION_FIELD), 0) == source->request->reference.version;
}

static bool is_finished(yyjson_val *status) {
    for (size_t i = 0; i < sizeof(outcomes) / sizeof(outcomes[0]); i++) {
        if (json_member_is(status, "status", outcomes[i])) {
            return true;
        }
    }
    return false;
}

int64_t status_time(yyjson_val *status, const char *field) {
    return clock_read(json_member_text(status, field));
}

bool status_is_of_generation(const struct reconcile *r, yyjson_val *object) {
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

// Whether nothing is known against the Secret that the status names.
static bool output_may_stand(const struct reconcile *r) {
    cleanup_object struct kube_object *seen =
        reconcile_find(r, kube_secrets.kind, r->object->namespace, r->decoded.secret_name);
    return seen == nullptr ? !store_is_complete(informers_find_store(r->parts->informers, kube_secrets.kind,
                                                                     r->object->namespace))
                           : json_member_is(json_find(status_of(r), "secretRef", nullptr), "uid", seen->uid);
}

// Whether the certificate that the status tells of has ended, or ought to have been renewed for so long that
// whoever looks at it has to know why it was not.
static bool is_overdue(const struct reconcile *r) {
    int64_t now = r->production.context.now;
    int64_t expires = status_time(status_of(r), RENEWAL_EXPIRY_FIELD);
    int64_t renewal = status_time(status_of(r), RENEWAL_FIELD);
    return (expires != 0 && now >= expires) || (renewal != 0 && now >= renewal + OVERDUE_S);
}

bool status_stands(const struct reconcile *r) {
    yyjson_val *status = status_of(r);
    if (r->kind->entries == nullptr || r->is_outdated || has_known_change(r) || !is_finished(status) ||
        !status_is_of_generation(r, status)) {
        return false;
    }
    return output_may_stand(r) && !is_overdue(r);
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
    return is_finished(status) && status_is_of_generation(r, status) && inputs_are_settled(r);
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

static yyjson_mut_val *present_key(const struct reconcile *r) {
    return yyjson_mut_obj_get(yyjson_mut_doc_get_root(r->production.report.status), "publicKeyPEM");
}

bool status_has_key(const struct reconcile *r) {
    yyjson_mut_val *present = present_key(r);
    yyjson_val *recorded = yyjson_obj_get(status_of(r), "publicKeyPEM");
    return present != nullptr && recorded != nullptr &&
           kube_status_says(recorded, present, r->production.report.status);
}

bool status_has_other_key(const struct reconcile *r) {
    return present_key(r) != nullptr && yyjson_obj_get(status_of(r), "publicKeyPEM") != nullptr &&
           !status_has_key(r);
}

// What is long in a status is only there in full where the object was read live.
void status_read_record(struct reconcile *r) {
    yyjson_val *items = yyjson_obj_get(yyjson_doc_get_root(r->live), "items");
    yyjson_val *live = yyjson_obj_get(yyjson_arr_get_first(items), "status");
    yyjson_val *status = live != nullptr ? live : status_of(r);
    r->production.context.record = (struct record){
        .fingerprint = text_or_nothing(status, "fingerprint"),
        .digest = text_or_nothing(status, "digest"),
        .public_key_digest = text_or_nothing(status, "publicKeyDigest"),
        .ciphertext = text_or_nothing(live, "ciphertext"),
        .public_key_pem = text_or_nothing(live, "publicKeyPEM"),
        .renew_request =
            text_or_nothing(status, r->kind->is_renewable ? RENEW_STATUS_FIELD : ROTATE_STATUS_FIELD),
        .rotate_request = text_or_nothing(status, ROTATE_STATUS_FIELD),
        .version = json_integer(yyjson_obj_get(status, VERSION_FIELD), 0),
        .versions = yyjson_obj_get(status, VERSIONS_FIELD),
        .renew_at = status_time(status, RENEWAL_FIELD),
        .is_current = was_served(r),
    };
}

// Whether an earlier release wrote more of a URL than is shown.
static bool shows_whole_url(const struct reconcile *r) {
    yyjson_val *inputs = yyjson_obj_get(status_of(r), "inputs");
    for (size_t i = 0; i < r->decoded.request_count; i++) {
        char shown[SOURCE_SHOWN_SIZE];
        source_show(r->sources[i].name, shown);
        if (r->sources[i].resource == nullptr && !json_member_is(yyjson_arr_get(inputs, i), "name", shown)) {
            return true;
        }
    }
    return false;
}

const char *status_says_unrotated(const struct reconcile *r) {
    const char *message = json_member_text(status_find_ready(status_of(r)), "message");
    const char *found = message == nullptr ? nullptr : strstr(message, UNROTATED);
    return found == nullptr ? nullptr : found + sizeof(UNROTATED) - 1;
}

bool status_says_ready(const struct reconcile *r) {
    return json_member_is(status_find_ready(status_of(r)), "status", "True");
}

bool status_is_settled(const struct reconcile *r, struct renewal *ret_renewal) {
    yyjson_val *status = status_of(r);
    if (!is_served(r) || shows_whole_url(r) || status_says_unrotated(r) != nullptr ||
        json_member_is(status_find_ready(status), "reason", REASON_METADATA_CONTESTED) ||
        json_member_is(status_find_ready(status), "reason", REASON_OWNER_GUARDED) ||
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
