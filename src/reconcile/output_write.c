#include "reconcile/output_write.h"

#include "base/clock.h"
#include "base/memory.h"
#include "crypto/encoding.h"
#include "reconcile/inputs.h"
#include "reconcile/kept.h"
#include "reconcile/output.h"
#include "reconcile/reasons.h"
#include "reconcile/recheck.h"
#include "reconcile/reconcile_metrics.h"
#include "reconcile/secret_metadata.h"
#include "reconcile/status_record.h"
#include "reconcile/upkeep.h"

#include <stdio.h>
#include <string.h>

enum { BODY_MAX_BYTES = 2 * 1024 * 1024 }; // the API server takes no more

static bool is_slow(const struct reconcile *r) {
    struct input inputs[KIND_INPUTS_MAX];
    inputs_list(r, inputs);
    return r->kind->is_slow != nullptr && r->kind->is_slow(r->decoded.spec, inputs);
}

bool output_may_make(struct reconcile *r, struct error *e) {
    enum queue_lane lane = inputs_have_url(r) ? QUEUE_REMOTE : is_slow(r) ? QUEUE_SLOW : QUEUE_FAST;
    if (r->attempt->lane == lane || lane == QUEUE_FAST) {
        return true;
    }
    r->outcome->result = RESULT_LANE;
    r->outcome->lane = lane;
    return error_set(e, ERROR_RETRYABLE, "work that takes seconds waits for its turn");
}

// What the engine says of making it, in words about the objects that the inputs come from.
static bool explain(struct reconcile *r, bool done, struct error *e) {
    if (done) {
        return true;
    }
    inputs_explain(r, e);
    if (e->class == ERROR_NOT_FOUND) { // the kind waits for another input, and not the API server
        snprintf(r->outcome->reason, sizeof(r->outcome->reason), REASON_WAITING_FOR_INPUT);
    }
    return false;
}

bool output_evaluate(struct reconcile *r, struct error *e) {
    inputs_list(r, r->production.inputs);
    if (production_evaluate(&r->production, e)) {
        return true;
    }
    inputs_explain(r, e);
    return false;
}

static bool add_entry(const struct secret_entry *entry, yyjson_mut_doc *document, yyjson_mut_val *data,
                      struct error *e) {
    cleanup_buffer struct buffer text = buffer_create(BODY_MAX_BYTES);
    if (!base64_encode(secret_view(entry->value), secret_length(entry->value), &text, e)) {
        return false;
    }
    (void)yyjson_mut_obj_add_strncpy(document, data, entry->key, buffer_text(&text), text.length);
    return true;
}

// Takes out what an earlier output had under names that this one does not use. What people have added stays.
static void remove_earlier(const struct reconcile *r, const struct provenance *earlier,
                           yyjson_mut_doc *document, yyjson_mut_val *data) {
    yyjson_val *present = yyjson_obj_get(yyjson_doc_get_root(r->secret_document), "data");
    yyjson_obj_iter names = yyjson_obj_iter_with(earlier->sizes);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&names)) != nullptr;) {
        const char *name = yyjson_get_str(key);
        if (secret_data_get(&r->production.data, name) == nullptr &&
            yyjson_obj_get(present, name) != nullptr) {
            (void)yyjson_mut_obj_add_null(document, data, name);
        }
    }
}

struct addition {
    yyjson_mut_doc *document;
    yyjson_mut_val *data;
};

static bool add_version_entry(void *context, const char *name, const struct secret *value, struct error *e) {
    const struct addition *addition = context;
    cleanup_buffer struct buffer text = buffer_create(BODY_MAX_BYTES);
    if (!base64_encode(secret_view(value), secret_length(value), &text, e)) {
        return false;
    }
    yyjson_mut_val *key = yyjson_mut_strcpy(addition->document, name);
    yyjson_mut_val *encoded = yyjson_mut_strncpy(addition->document, buffer_text(&text), text.length);
    (void)yyjson_mut_obj_add(addition->data, key, encoded);
    return true;
}

// Takes the entries of a version that has gone out of the Secret.
static void remove_version(const struct reconcile *r, enum version_place place, int64_t number,
                           const struct addition *addition) {
    yyjson_val *present = yyjson_obj_get(yyjson_doc_get_root(r->secret_document), "data");
    for (size_t i = 0; r->kind->entries[i] != nullptr; i++) {
        char name[VERSION_ENTRY_SIZE];
        version_entry_name(r->kind, place, number, r->kind->entries[i], name);
        if (yyjson_obj_get(present, name) != nullptr) {
            (void)yyjson_mut_obj_add(addition->data, yyjson_mut_strcpy(addition->document, name),
                                     yyjson_mut_null(addition->document));
        }
    }
}

// Versions but the present one: what there is of them, and what has gone since the Secret was read.
static bool add_versions(const struct reconcile *r, yyjson_mut_doc *document, yyjson_mut_val *data,
                         struct error *e) {
    const struct production *production = &r->production;
    struct addition addition = {document, data};
    if (!versions_visit_entries(&production->versions, r->kind, add_version_entry, &addition, e)) {
        return false;
    }
    for (size_t i = 0; i < production->read_count; i++) {
        if (!versions_keep(&production->versions, production->read[i].number)) {
            remove_version(r, VERSION_KEPT, production->read[i].number, &addition);
        }
    }
    if (production->has_read_next && !production->versions.has_next) {
        remove_version(r, VERSION_NEXT, 0, &addition);
    }
    return true;
}

// Which entries a write has.
enum content { CONTENT_NONE, CONTENT_PROVENANCE, CONTENT_ALL };

static bool add_data(const struct reconcile *r, enum content content, const struct provenance *earlier,
                     yyjson_mut_doc *document, yyjson_mut_val *root, struct error *e) {
    if (content == CONTENT_NONE) {
        return true;
    }
    yyjson_mut_val *data = yyjson_mut_obj_add_obj(document, root, "data");
    for (size_t i = 0; i < r->production.data.count; i++) {
        const struct secret_entry *entry = &r->production.data.entries[i];
        bool wanted = content == CONTENT_ALL || strcmp(entry->key, kind_metadata_entry(r->kind)) == 0;
        if (wanted && !add_entry(entry, document, data, e)) {
            return false;
        }
    }
    if (content == CONTENT_ALL && !add_versions(r, document, data, e)) {
        return false;
    }
    if (content == CONTENT_ALL && earlier != nullptr) {
        remove_earlier(r, earlier, document, data);
    }
    return true;
}

// Sends document and takes the metadata of the Secret that comes back.
static bool write_secret(struct reconcile *r, enum api_verb verb, const yyjson_mut_doc *document,
                         struct error *e) {
    cleanup_json yyjson_doc *answer = nullptr;
    const struct api_request request = {
        .verb = verb,
        .resource = &kube_secrets,
        .namespace = r->object->namespace,
        .name = verb == API_CREATE ? nullptr : r->decoded.secret_name,
        .body = document,
        .metadata_only = true,
    };
    if (!reconcile_request(r, &request, &answer, e)) {
        return error_wrap(e, "writing Secret %s", r->decoded.secret_name);
    }
    kube_object_release(r->output);
    r->output = nullptr;
    return kube_object_create(yyjson_doc_get_root(answer), &kept_of_secrets, &r->output, e) &&
           store_apply_own(output_store(r), kube_object_retain(r->output), e);
}

// A Secret that is to outlive its object has no owner, so that nobody collects what was made for one that has
// gone meanwhile, with its namespace perhaps: it would stay for ever in whatever has come in its place. So
// the object is asked for at the last moment.
static bool is_still_wanted(struct reconcile *r, struct error *e) {
    if (!r->decoded.common.retain) {
        return true;
    }
    bool is_there = recheck_object(r, e);
    status_read_record(r); // which borrows from what was read live
    return is_there;
}

static bool create_secret(struct reconcile *r, struct error *e) {
    cleanup_json_mut yyjson_mut_doc *document = nullptr;
    if (!json_create(&document, e)) {
        return false;
    }
    yyjson_mut_val *root = yyjson_mut_doc_get_root(document);
    (void)yyjson_mut_obj_add_str(document, root, "apiVersion", "v1");
    (void)yyjson_mut_obj_add_str(document, root, "kind", kube_secrets.kind);
    yyjson_mut_val *metadata = yyjson_mut_obj_add_obj(document, root, "metadata");
    (void)yyjson_mut_obj_add_str(document, metadata, "name", r->decoded.secret_name);
    (void)secret_metadata_patch(r->kind, r->object, &r->decoded.common, nullptr, document, metadata);
    (void)yyjson_mut_obj_add_str(document, root, "type",
                                 r->kind->secret_type != nullptr ? r->kind->secret_type : "Opaque");
    return add_data(r, CONTENT_ALL, nullptr, document, root, e) && is_still_wanted(r, e) &&
           write_secret(r, API_CREATE, document, e);
}

// A merge patch of r->output that fails when it has changed since it was read.
struct patch {
    yyjson_mut_doc *document; // owned
    yyjson_mut_val *metadata;
    bool differs; // labels, annotations or owner are not what they should be
    bool is_void; // nothing but the owner was to be written, and that was refused
};

static void patch_done(struct patch *patch) {
    json_mut_free(patch->document);
}
#define cleanup_patch [[gnu::cleanup(patch_done)]]

// present: as it was read, with the annotations of others, which r->output has not.
static bool patch_begin(const struct reconcile *r, yyjson_doc *present, struct patch *patch,
                        struct error *e) {
    if (!json_create(&patch->document, e)) {
        return false;
    }
    patch->metadata =
        yyjson_mut_obj_add_obj(patch->document, yyjson_mut_doc_get_root(patch->document), "metadata");
    patch->differs = secret_metadata_patch(r->kind, r->object, &r->decoded.common,
                                           yyjson_obj_get(yyjson_doc_get_root(present), "metadata"),
                                           patch->document, patch->metadata);
    return json_is_complete(patch->document, e);
}

// Whether the admission plug-in OwnerReferencesPermissionEnforcement has refused a patch for its owner alone.
static bool is_owner_guarded(const struct patch *patch, const struct error *e) {
    return e->class == ERROR_REFUSED && strstr(e->message, "cannot set an ownerRef") != nullptr &&
           yyjson_mut_obj_get(patch->metadata, "ownerReferences") != nullptr;
}

// The rest of such a patch is no business of the plug-in's, and must not wait for who may change its mind.
static bool send_without_owner(struct reconcile *r, struct patch *patch, enum content content,
                               struct error *e) {
    enum { PRECONDITIONS = 2 }; // uid and resourceVersion
    r->owner_refusal = *e;
    (void)yyjson_mut_obj_remove_key(patch->metadata, "ownerReferences");
    patch->is_void = content == CONTENT_NONE && yyjson_mut_obj_size(patch->metadata) == PRECONDITIONS;
    return patch->is_void || write_secret(r, API_PATCH, patch->document, e);
}

static bool patch_send(struct reconcile *r, struct patch *patch, enum content content,
                       const struct provenance *earlier, struct error *e) {
    yyjson_mut_val *root = yyjson_mut_doc_get_root(patch->document);
    (void)yyjson_mut_obj_add_str(patch->document, patch->metadata, "uid", r->output->uid);
    (void)yyjson_mut_obj_add_str(patch->document, patch->metadata, "resourceVersion",
                                 r->output->resource_version);
    if (!add_data(r, content, earlier, patch->document, root, e)) {
        return false;
    }
    if (write_secret(r, API_PATCH, patch->document, e) ||
        (is_owner_guarded(patch, e) && send_without_owner(r, patch, content, e))) {
        return true;
    }
    // Someone else wrote it meanwhile: look at it again.
    e->class = e->class == ERROR_CONFLICT || e->class == ERROR_NOT_FOUND ? ERROR_RETRYABLE : e->class;
    return false;
}

static bool replace_secret(struct reconcile *r, const struct provenance *earlier, struct error *e) {
    cleanup_patch struct patch patch = {0};
    return patch_begin(r, r->secret_document, &patch, e) && patch_send(r, &patch, CONTENT_ALL, earlier, e);
}

// Where the spec names the entry: whether it is free, or was ours.
static bool check_entry(const struct reconcile *r, const struct provenance *earlier, struct error *e) {
    yyjson_val *present = yyjson_obj_get(yyjson_doc_get_root(r->secret_document), "data");
    const char *name = r->kind->name_entry == nullptr ? nullptr : r->kind->name_entry(r->decoded.spec);
    bool is_taken = name != nullptr && earlier != nullptr && yyjson_obj_get(present, name) != nullptr &&
                    yyjson_obj_get(earlier->sizes, name) == nullptr;
    return !is_taken ||
           error_set(e, ERROR_CONFLICT,
                     "Secret %s has an entry %s that is not QubeSec's. Nothing was touched. Name "
                     "another entry in the spec; remove that one only if nobody needs it",
                     r->decoded.secret_name, name);
}

// Whether the entries of a version that the Secret has not had yet are free.
static bool check_version(const struct reconcile *r, enum version_place place, int64_t number,
                          struct error *e) {
    yyjson_val *present = yyjson_obj_get(yyjson_doc_get_root(r->secret_document), "data");
    for (size_t i = 0; r->kind->entries[i] != nullptr; i++) {
        char name[VERSION_ENTRY_SIZE];
        version_entry_name(r->kind, place, number, r->kind->entries[i], name);
        if (yyjson_obj_get(present, name) != nullptr) {
            return error_set(e, ERROR_CONFLICT,
                             "Secret %s has an entry %s that is not QubeSec's, and that a rotation would "
                             "write. Nothing was touched. Remove that entry; only if nobody needs it",
                             r->decoded.secret_name, name);
        }
    }
    return true;
}

static bool had_version(const struct production *production, int64_t number) {
    for (size_t i = 0; i < production->read_count; i++) {
        if (production->read[i].number == number) {
            return true;
        }
    }
    return false;
}

static bool check_versions(const struct reconcile *r, struct error *e) {
    const struct production *production = &r->production;
    const struct versions *versions = &production->versions;
    for (size_t i = 0; i < versions->kept_count; i++) {
        int64_t number = versions->kept[i].number;
        if (!had_version(production, number) && !check_version(r, VERSION_KEPT, number, e)) {
            return false;
        }
    }
    return !versions->has_next || production->has_read_next || check_version(r, VERSION_NEXT, 0, e);
}

static bool store(struct reconcile *r, const struct provenance *earlier, struct error *e) {
    bool replace = r->output != nullptr;
    if (replace && (!check_entry(r, earlier, e) || !check_versions(r, e))) {
        return false;
    }
    if (!(replace ? replace_secret(r, earlier, e) : create_secret(r, e))) {
        return false;
    }
    metrics_add(r->parts->metrics, &metric_secrets_written_total,
                replace ? "operation=\"replace\"" : "operation=\"create\"", 1);
    r->is_made = true;
    return true;
}

bool output_make(struct reconcile *r, struct error *e) {
    const struct provenance earlier = r->production.provenance;
    if (!inputs_load_urls(r, e)) {
        return false;
    }
    inputs_list(r, r->production.inputs);
    return explain(r, production_make(&r->production, e), e) &&
           store(r, r->production.has_provenance ? &earlier : nullptr, e);
}

bool output_repair(struct reconcile *r, struct error *e) {
    const struct provenance earlier = r->production.provenance;
    inputs_list(r, r->production.inputs);
    return explain(r, production_repair(&r->production, e), e) &&
           store(r, r->production.has_provenance ? &earlier : nullptr, e);
}

bool output_rotate(struct reconcile *r, struct error *e) {
    const struct provenance earlier = r->production.provenance;
    inputs_list(r, r->production.inputs);
    return explain(r, production_rotate(&r->production, &r->rotation, e), e) && store(r, &earlier, e);
}

// Whether the patch has an owner that was refused the last time, as the status says.
static bool has_refused_owner(const struct reconcile *r, const struct patch *patch) {
    yyjson_val *ready = status_find_ready(yyjson_obj_get(r->object->root, "status"));
    return yyjson_mut_obj_get(patch->metadata, "ownerReferences") != nullptr &&
           json_member_is(ready, "reason", REASON_OWNER_GUARDED) &&
           json_member_text(ready, "message") != nullptr;
}

bool output_keep_metadata(struct reconcile *r, struct error *e) {
    cleanup_patch struct patch patch = {0};
    bool is_noted = !r->production.provenance.is_brief && !r->is_answered_so; // all that is to be
    if (!patch_begin(r, r->secret_document, &patch, e)) {
        return false;
    }
    if (!upkeep_may_write(r, patch.differs || !is_noted)) {
        r->keeps_refusal = has_refused_owner(r, &patch);
        return true;
    }
    bool is_sent = (is_noted || production_rewrite_provenance(&r->production, e)) &&
                   patch_send(r, &patch, is_noted ? CONTENT_NONE : CONTENT_PROVENANCE, nullptr, e);
    if (!is_sent || patch.is_void) {
        upkeep_take_back(r); // it is tried again as any other failure, and told as what it is
    }
    return is_sent;
}

// Whether the object would take that Secret with it. NULL: there is none.
static bool is_bound(const struct reconcile *r, const struct kube_object *secret) {
    yyjson_val *metadata = secret == nullptr ? nullptr : yyjson_obj_get(secret->root, "metadata");
    return metadata != nullptr && secret_metadata_is_owned(r->object, metadata) &&
           secret_metadata_ownership(r->kind, r->object, metadata) == OWNERSHIP_OURS;
}

bool output_release(struct reconcile *r, struct error *e) {
    if (r->kind->entries == nullptr || !r->decoded.common.retain) {
        return true;
    }
    cleanup_object struct kube_object *seen = nullptr;
    cleanup_patch struct patch patch = {0};
    bool is_known =
        reconcile_look_up(r, kube_secrets.kind, r->object->namespace, r->decoded.secret_name, &seen, e);
    if (!is_known || !is_bound(r, seen)) {
        return is_known;
    }
    cleanup_json yyjson_doc *live = nullptr;
    const struct api_request request = {.verb = API_GET,
                                        .resource = &kube_secrets,
                                        .namespace = seen->namespace,
                                        .name = seen->name,
                                        .metadata_only = true};
    if (!reconcile_request(r, &request, &live, e)) {
        return e->class == ERROR_NOT_FOUND;
    }
    kube_object_release(r->output);
    r->output = nullptr;
    return kube_object_create(yyjson_doc_get_root(live), &kept_of_secrets, &r->output, e) &&
           (!is_bound(r, r->output) ||
            (patch_begin(r, live, &patch, e) && patch_send(r, &patch, CONTENT_NONE, nullptr, e)));
}
