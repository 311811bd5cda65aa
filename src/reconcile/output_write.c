// Steps 5 and 6 of a reconcile: the output, made or rebuilt, checked, and written.
#include "base/clock.h"
#include "base/memory.h"
#include "crypto/encoding.h"
#include "reconcile/reasons.h"
#include "reconcile/reconcile.h"
#include "reconcile/reconcile_metrics.h"
#include "reconcile/secret_metadata.h"

#include <stdio.h>
#include <string.h>

enum { BODY_MAX_BYTES = 2 * 1024 * 1024 }; // the API server takes no more

// The standard that the output follows: the kind's, or its algorithm's own.
static const char *standard_of(const struct reconcile *r, const char *algorithm_name) {
    if (r->kind->standard != nullptr) {
        return r->kind->standard;
    }
    const struct algorithm *algorithm = algorithm_find(ALGORITHM_SIGNATURE, algorithm_name);
    return algorithm == nullptr ? "" : algorithm->standard;
}

bool output_may_make(struct reconcile *r, struct error *e) {
    struct input inputs[KIND_INPUTS_MAX];
    inputs_list(r, inputs);
    if (r->attempt->is_slow || r->kind->is_slow == nullptr || !r->kind->is_slow(r->decoded.spec, inputs)) {
        return true;
    }
    r->outcome->result = RESULT_SLOW;
    return error_set(e, ERROR_RETRYABLE, "slow work waits for its turn");
}

// kind_produce or kind_repair.
typedef bool maker(const struct kind *kind, const void *spec, const struct input *inputs,
                   const struct produce_context *context, struct secret_data *data,
                   const char **ret_algorithm, struct error *e);

// What the output to be stored takes the place of, if it is another one than that.
static void complete_replaced(const struct reconcile *r, struct replaced *replaced) {
    const struct secret_data *previous = r->context.previous;
    const char *gone = r->kind->precious;
    if (replaced->reason[0] == '\0') {
        return;
    }
    bool is_same =
        replaced->fingerprint[0] != '\0' && strcmp(replaced->fingerprint, r->report.fingerprint) == 0;
    if (!is_same && previous != nullptr && r->kind->find_gone != nullptr) {
        gone = r->kind->find_gone(r->decoded.spec, previous, &r->data);
    }
    snprintf(replaced->gone, sizeof(replaced->gone), "%s", is_same || gone == nullptr ? "" : gone);
}

// Fills r->data with entries that are made by make, checked, and their metadata.
static bool fill(struct reconcile *r, maker *make, const struct provenance *kept, struct error *e) {
    struct provenance metadata = {.generator = "qubesec/" QUBESEC_VERSION, .replaced = r->replaced};
    clock_format(r->context.now, metadata.created);
    if (kept != nullptr) {
        memcpy(metadata.created, kept->created, sizeof(metadata.created));
    }
    if (!make(r->kind, r->decoded.spec, r->inputs, &r->context, &r->data, &metadata.algorithm, e) ||
        !output_describe(r, kept, &metadata, e)) {
        return false;
    }
    metadata.standard = standard_of(r, metadata.algorithm);
    r->provenance = metadata;
    if (!output_inspect(r, e)) {
        e->class = e->class == ERROR_NO_MEMORY ? ERROR_NO_MEMORY : ERROR_CRYPTO;
        return error_wrap(e, "checking what was made");
    }
    memcpy(r->provenance.fingerprint, r->report.fingerprint, FINGERPRINT_SIZE);
    complete_replaced(r, &r->provenance.replaced);
    return provenance_store(&r->provenance, kind_metadata_entry(r->kind), &r->data, e);
}

// Replaces what r knows of the output by what make makes, which may keep some of what there was. When that
// fails r knows what it knew.
static bool remake(struct reconcile *r, maker *make, bool is_repair, struct error *e) {
    struct secret_data previous = r->data;
    const struct provenance metadata = r->provenance;
    r->data = (struct secret_data){0};
    r->context.previous = is_repair || r->output != nullptr ? &previous : nullptr;
    r->context.previous_provenance = r->output != nullptr && r->has_provenance ? &metadata : nullptr;
    bool done = fill(r, make, is_repair ? r->context.previous_provenance : nullptr, e);
    r->context.previous = nullptr;
    r->context.previous_provenance = nullptr;
    if (!done) {
        inputs_explain(r, e);
        if (e->class == ERROR_NOT_FOUND) { // the kind waits for another input, and not the API server
            snprintf(r->outcome->reason, sizeof(r->outcome->reason), REASON_WAITING_FOR_INPUT);
        }
        secret_data_done(&r->data);
        r->data = previous;
        r->provenance = metadata;
        return false;
    }
    secret_data_done(&previous);
    return true;
}

static bool produce(struct reconcile *r, struct error *e) {
    if (!inputs_load_urls(r, e)) {
        return false;
    }
    inputs_list(r, r->inputs);
    r->context.inputs = r->inputs;
    return remake(r, kind_produce, false, e);
}

bool output_evaluate(struct reconcile *r, struct error *e) {
    inputs_list(r, r->inputs);
    r->context.inputs = r->inputs;
    json_mut_free(r->report.status);
    r->report = (struct report){0};
    if (json_create(&r->report.status, e) && kind_evaluate(r->kind, r->decoded.spec, r->inputs, &r->context,
                                                           &r->report, &r->provenance.algorithm, e)) {
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
        if (secret_data_get(&r->data, name) == nullptr && yyjson_obj_get(present, name) != nullptr) {
            (void)yyjson_mut_obj_add_null(document, data, name);
        }
    }
}

// Which entries a write has.
enum content { CONTENT_NONE, CONTENT_METADATA, CONTENT_ALL };

static bool add_data(const struct reconcile *r, enum content content, const struct provenance *earlier,
                     yyjson_mut_doc *document, yyjson_mut_val *root, struct error *e) {
    if (content == CONTENT_NONE) {
        return true;
    }
    yyjson_mut_val *data = yyjson_mut_obj_add_obj(document, root, "data");
    for (size_t i = 0; i < r->data.count; i++) {
        const struct secret_entry *entry = &r->data.entries[i];
        bool wanted = content == CONTENT_ALL || strcmp(entry->key, kind_metadata_entry(r->kind)) == 0;
        if (wanted && !add_entry(entry, document, data, e)) {
            return false;
        }
    }
    if (content == CONTENT_ALL && earlier != nullptr) {
        remove_earlier(r, earlier, document, data);
    }
    return true;
}

// Sends document and takes the metadata of the Secret that comes back.
static bool write_secret(struct reconcile *r, const char *method, const char *path, const char *content_type,
                         const yyjson_mut_doc *document, struct error *e) {
    cleanup_buffer struct buffer body = buffer_create(BODY_MAX_BYTES);
    cleanup_json yyjson_doc *answer = nullptr;
    if (!json_write(document, &body, e)) {
        return false;
    }
    struct kube_request request = {
        .method = method,
        .path = path,
        .content_type = content_type,
        .accept = KUBE_METADATA_ONLY,
        .body = buffer_text(&body),
        .body_length = body.length,
    };
    if (!reconcile_request(r, &request, &answer, e)) {
        return error_wrap(e, "writing Secret %s", r->decoded.secret_name);
    }
    kube_object_release(r->output);
    r->output = nullptr;
    return kube_object_create_metadata(yyjson_doc_get_root(answer), &r->output, e) &&
           store_apply_own(output_store(r), kube_object_retain(r->output), e);
}

static bool create_secret(struct reconcile *r, struct error *e) {
    cleanup_buffer struct buffer path = buffer_create(PATH_MAX_BYTES);
    cleanup_json_mut yyjson_mut_doc *document = nullptr;
    if (!kube_resource_path(&kube_secrets, r->object->namespace, nullptr, nullptr, &path, e) ||
        !json_create(&document, e)) {
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
    return add_data(r, CONTENT_ALL, nullptr, document, root, e) &&
           write_secret(r, "POST", buffer_text(&path), nullptr, document, e);
}

// A merge patch of r->output that fails when it has changed since it was read.
static bool patch_secret(struct reconcile *r, enum content content, const struct provenance *earlier,
                         struct error *e) {
    cleanup_buffer struct buffer path = buffer_create(PATH_MAX_BYTES);
    cleanup_json_mut yyjson_mut_doc *document = nullptr;
    if (!kube_resource_path(&kube_secrets, r->object->namespace, r->decoded.secret_name, nullptr, &path, e) ||
        !json_create(&document, e)) {
        return false;
    }
    yyjson_mut_val *root = yyjson_mut_doc_get_root(document);
    yyjson_mut_val *metadata = yyjson_mut_obj(document);
    if (!secret_metadata_patch(r->kind, r->object, &r->decoded.common,
                               yyjson_obj_get(r->output->root, "metadata"), document, metadata) &&
        content == CONTENT_NONE) {
        // Nothing differs; or memory was out, and writing the document says so.
        cleanup_buffer struct buffer nothing = buffer_create(BODY_MAX_BYTES);
        return json_write(document, &nothing, e);
    }
    (void)yyjson_mut_obj_add_val(document, root, "metadata", metadata);
    (void)yyjson_mut_obj_add_str(document, metadata, "uid", r->output->uid);
    (void)yyjson_mut_obj_add_str(document, metadata, "resourceVersion", r->output->resource_version);
    if (!add_data(r, content, earlier, document, root, e)) {
        return false;
    }
    if (!write_secret(r, "PATCH", buffer_text(&path), KUBE_MERGE_PATCH, document, e)) {
        // Someone else wrote it meanwhile: look at it again.
        e->class = e->class == ERROR_CONFLICT || e->class == ERROR_NOT_FOUND ? ERROR_RETRYABLE : e->class;
        return false;
    }
    return true;
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

static bool store(struct reconcile *r, const struct provenance *earlier, struct error *e) {
    bool replace = r->output != nullptr;
    if (replace && !check_entry(r, earlier, e)) {
        return false;
    }
    if (!(replace ? patch_secret(r, CONTENT_ALL, earlier, e) : create_secret(r, e))) {
        return false;
    }
    metrics_add(r->parts->metrics, &metric_secrets_written_total,
                replace ? "operation=\"replace\"" : "operation=\"create\"", 1);
    r->is_made = true;
    return true;
}

bool output_make(struct reconcile *r, struct error *e) {
    const struct provenance earlier = r->provenance;
    return produce(r, e) && store(r, r->has_provenance ? &earlier : nullptr, e);
}

bool output_repair(struct reconcile *r, struct error *e) {
    const struct provenance earlier = r->provenance;
    inputs_list(r, r->inputs);
    r->context.inputs = r->inputs;
    return remake(r, kind_repair, true, e) && store(r, r->has_provenance ? &earlier : nullptr, e);
}

bool output_keep_metadata(struct reconcile *r, struct error *e) {
    if (!upkeep_may_write(r)) {
        return true;
    }
    if (!r->provenance.is_brief) {
        return patch_secret(r, CONTENT_NONE, nullptr, e);
    }
    secret_data_remove(&r->data, kind_metadata_entry(r->kind));
    return provenance_store(&r->provenance, kind_metadata_entry(r->kind), &r->data, e) &&
           patch_secret(r, CONTENT_METADATA, nullptr, e);
}

bool output_release(struct reconcile *r, struct error *e) {
    cleanup_object struct kube_object *seen = nullptr;
    if (r->kind->entries == nullptr || !r->decoded.common.retain) {
        return true;
    }
    seen = reconcile_find(r, kube_secrets.kind, r->object->namespace, r->decoded.secret_name);
    yyjson_val *metadata = seen == nullptr ? nullptr : yyjson_obj_get(seen->root, "metadata");
    if (metadata == nullptr || secret_metadata_ownership(r->kind, r->object, metadata) != OWNERSHIP_OURS ||
        !secret_metadata_is_owned(r->object, metadata)) {
        return true;
    }
    kube_object_release(r->output);
    r->output = seen;
    seen = nullptr;
    return patch_secret(r, CONTENT_NONE, nullptr, e);
}
