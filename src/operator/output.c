// Steps 4 to 6 of a reconcile: the output Secret, examined, made, created or replaced.
#include "base/clock.h"
#include "base/memory.h"
#include "crypto/encoding.h"
#include "operator/reasons.h"
#include "operator/reconcile.h"
#include "operator/secret_metadata.h"

#include <stdio.h>
#include <string.h>

enum {
    BODY_MAX_BYTES = 2 * 1024 * 1024, // the API server takes no more
    RECIPE_MAX_BYTES = 512 * 1024,
};

static struct store *secret_store(const struct reconcile *r) {
    return watches_find_store(r->controller->watches, kube_secrets.kind, r->object->namespace);
}

static yyjson_val *metadata_of(const struct kube_object *object) {
    return yyjson_obj_get(object->root, "metadata");
}

// Whether secret is ours or may become so.
static bool check_ownership(struct reconcile *r, const struct kube_object *secret,
                            enum ownership *ret_ownership, struct error *e) {
    *ret_ownership = secret_metadata_ownership(r->kind, r->object, metadata_of(secret));
    if (*ret_ownership == OWNERSHIP_LEFT) {
        snprintf(r->reason, sizeof(r->reason), REASON_WAITING_FOR_GARBAGE_COLLECTION);
        return error_set(
            e, ERROR_NOT_FOUND,
            "Secret %s belongs to a deleted object of this name; waiting for Kubernetes to collect it",
            r->decoded.secret_name);
    }
    if (*ret_ownership == OWNERSHIP_FOREIGN) {
        return conflict_with_foreign(r, metadata_of(secret), e);
    }
    return true;
}

// ---- reading

// One entry, if the Secret has it.
static bool read_entry(yyjson_val *entries, const char *key, struct secret_data *data, struct error *e) {
    yyjson_val *value = yyjson_obj_get(entries, key);
    struct secret *bytes;
    if (!yyjson_is_str(value)) {
        return true;
    }
    if (!base64_decode(yyjson_get_str(value), yyjson_get_len(value), ENCODING_ONE_LINE, &bytes, e)) {
        return error_wrap(e, "the Secret's entry %s", key);
    }
    return secret_data_add(data, key, bytes, e);
}

// The entries of our own; what else people may have added is not looked at.
static bool read_entries(struct reconcile *r, struct error *e) {
    yyjson_val *entries = yyjson_obj_get(yyjson_doc_get_root(r->secret_document), "data");
    secret_data_free(&r->data);
    const char *key;
    for (size_t i = 0; (key = kind_entry(r->kind, r->decoded.spec, i)) != nullptr; i++) {
        if (!read_entry(entries, key, &r->data, e)) {
            return false;
        }
    }
    return read_entry(entries, kind_metadata_entry(r->kind), &r->data, e);
}

static void forget_output(struct reconcile *r) {
    json_free(r->secret_document);
    json_free(r->metadata_text);
    kube_object_release(r->output);
    r->secret_document = nullptr;
    r->metadata_text = nullptr;
    r->output = nullptr;
}

// Reads the Secret live into r. NOT_FOUND where there is none.
static bool read_secret(struct reconcile *r, struct error *e) {
    uint64_t removals = store_removals(secret_store(r));
    forget_output(r);
    if (!reconcile_get(r, &kube_secrets, r->object->namespace, r->decoded.secret_name, nullptr,
                       &r->secret_document, e)) {
        return false;
    }
    yyjson_val *root = yyjson_doc_get_root(r->secret_document);
    return kube_object_create_metadata(root, &r->output, e) &&
           store_apply_read(secret_store(r), kube_object_retain(r->output), removals, e);
}

static bool make_recipe(const struct reconcile *r, char ret_recipe[FINGERPRINT_SIZE], struct error *e) {
    ret_recipe[0] = '\0';
    if (r->kind->describe_recipe == nullptr) {
        return true;
    }
    cleanup_buffer struct buffer recipe = buffer_create(RECIPE_MAX_BYTES);
    return r->kind->describe_recipe(r->decoded.spec, &recipe, e) &&
           fingerprint_compute(buffer_text(&recipe), recipe.length, ret_recipe, e);
}

static bool inspect(struct reconcile *r, struct error *e) {
    json_mut_free(r->report.status);
    r->report = (struct report){0};
    return json_create(&r->report.status, e) &&
           kind_inspect(r->kind, r->decoded.spec, &r->data, &r->metadata, &r->occasion, &r->report, e);
}

// Whether the Secret that was read is as we would have left it.
static bool judge(struct reconcile *r, struct error *e) {
    if (!inspect(r, e)) {
        return false;
    }
    if (strcmp(r->report.fingerprint, r->metadata.fingerprint) != 0) {
        return error_set(e, ERROR_CRYPTO, "the Secret's fingerprint is %s, and its metadata says %s",
                         r->report.fingerprint, r->metadata.fingerprint);
    }
    return true;
}

// Whether the Secret was made from the inputs and the spec that there are now.
static bool is_current(const struct reconcile *r, bool *ret_current, struct error *e) {
    struct metadata wanted = {0};
    if (!inputs_describe(r, &r->metadata, &wanted, e) || !make_recipe(r, wanted.recipe, e)) {
        return false;
    }
    *ret_current =
        metadata_same_inputs(&wanted, &r->metadata) && strcmp(wanted.recipe, r->metadata.recipe) == 0;
    return true;
}

// What another spec or other inputs made is not looked at closely: it goes.
static bool examine_entries(struct reconcile *r, enum output_state *ret_state, struct error *ret_damage,
                            struct error *e) {
    bool current = false;
    if (!read_entries(r, ret_damage) ||
        !metadata_load(&r->data, kind_metadata_entry(r->kind), &r->metadata, &r->metadata_text, ret_damage)) {
        *ret_state = OUTPUT_DAMAGED;
        return true;
    }
    if (!is_current(r, &current, e)) {
        return false;
    }
    *ret_state = !current ? OUTPUT_STALE : judge(r, ret_damage) ? OUTPUT_GOOD : OUTPUT_DAMAGED;
    return true;
}

static bool examine_content(struct reconcile *r, enum ownership ownership, enum output_state *ret_state,
                            struct error *ret_damage, struct error *e) {
    enum output_state state;
    uint32_t wait_ms;
    if (!examine_entries(r, &state, ret_damage, e)) {
        return false;
    }
    if (state == OUTPUT_DAMAGED &&
        (ret_damage->class == ERROR_NO_MEMORY || ret_damage->class == ERROR_INTERNAL)) {
        *e = *ret_damage;
        return false;
    }
    if (ownership == OWNERSHIP_ADOPTABLE && state != OUTPUT_GOOD) {
        return conflict_with_left(
            r, state == OUTPUT_STALE ? "it was made from another spec or other inputs" : ret_damage->message,
            e);
    }
    struct renewal renewal = {r->report.renew_at, r->report.expires_at};
    bool due = state == OUTPUT_GOOD && !r->report.renewal_waits && reconcile_is_due(r, &renewal, &wait_ms);
    *ret_state = due ? OUTPUT_DUE : state;
    return true;
}

bool output_examine_live(struct reconcile *r, enum output_state *ret_state, struct error *ret_damage,
                         struct error *e) {
    if (!read_secret(r, e)) {
        *ret_state = OUTPUT_ABSENT;
        return e->class == ERROR_NOT_FOUND;
    }
    enum ownership ownership;
    return check_ownership(r, r->output, &ownership, e) &&
           examine_content(r, ownership, ret_state, ret_damage, e);
}

bool output_examine(struct reconcile *r, enum output_state *ret_state, struct error *ret_damage,
                    struct error *e) {
    cleanup_object struct kube_object *seen =
        reconcile_find(r, kube_secrets.kind, r->object->namespace, r->decoded.secret_name);
    if (seen == nullptr) {
        *ret_state = OUTPUT_ABSENT;
        return true;
    }
    enum ownership ownership;
    return check_ownership(r, seen, &ownership, e) && output_examine_live(r, ret_state, ret_damage, e);
}

// ---- making

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
    if (r->may_be_slow || r->kind->is_slow == nullptr || !r->kind->is_slow(r->decoded.spec, inputs)) {
        return true;
    }
    r->is_deferred = true;
    return error_set(e, ERROR_RETRYABLE, "slow work waits for its turn");
}

// Makes the output's entries and their metadata.
static bool produce_entries(struct reconcile *r, const struct input *inputs, struct error *e) {
    struct metadata metadata = {.generator = "qubesec/" QUBESEC_VERSION};
    clock_format(r->occasion.now, metadata.created);
    if (!kind_produce(r->kind, r->decoded.spec, inputs, &r->occasion, &r->data, &metadata.algorithm, e) ||
        !inputs_describe(r, nullptr, &metadata, e) || !make_recipe(r, metadata.recipe, e)) {
        return false;
    }
    metadata.standard = standard_of(r, metadata.algorithm);
    r->metadata = metadata;
    if (!inspect(r, e)) {
        e->class = e->class == ERROR_NO_MEMORY ? ERROR_NO_MEMORY : ERROR_CRYPTO;
        return error_wrap(e, "checking what was made");
    }
    memcpy(r->metadata.fingerprint, r->report.fingerprint, FINGERPRINT_SIZE);
    return metadata_store(&r->metadata, kind_metadata_entry(r->kind), &r->data, e);
}

// Replaces what r knows of the output by a newly made one, checked, with its metadata.
static bool produce(struct reconcile *r, struct error *e) {
    struct input inputs[KIND_INPUTS_MAX];
    if (!inputs_load_urls(r, e)) {
        return false;
    }
    inputs_list(r, inputs);
    cleanup_secret_data struct secret_data previous = r->data;
    r->data = (struct secret_data){0};
    r->occasion.previous = previous.count > 0 ? &previous : nullptr;
    bool done = produce_entries(r, inputs, e);
    if (!done) {
        inputs_explain(r, e);
    }
    r->occasion.previous = nullptr;
    return done;
}

bool output_judge(struct reconcile *r, struct error *e) {
    struct input inputs[KIND_INPUTS_MAX];
    inputs_list(r, inputs);
    json_mut_free(r->report.status);
    r->report = (struct report){0};
    if (json_create(&r->report.status, e) &&
        kind_judge(r->kind, r->decoded.spec, inputs, &r->occasion, &r->report, &r->metadata.algorithm, e)) {
        return true;
    }
    inputs_explain(r, e);
    return false;
}

static bool add_data(const struct reconcile *r, yyjson_mut_doc *document, yyjson_mut_val *root,
                     struct error *e) {
    yyjson_mut_val *data = yyjson_mut_obj_add_obj(document, root, "data");
    for (size_t i = 0; i < r->data.count; i++) {
        const struct secret_entry *entry = &r->data.entries[i];
        cleanup_buffer struct buffer text = buffer_create(BODY_MAX_BYTES);
        if (!base64_encode(secret_view(entry->value), secret_length(entry->value), &text, e)) {
            return false;
        }
        (void)yyjson_mut_obj_add_strncpy(document, data, entry->key, buffer_text(&text), text.length);
    }
    // What else the Secret to be replaced holds goes: an output holds our own entries only.
    yyjson_obj_iter others =
        yyjson_obj_iter_with(yyjson_obj_get(yyjson_doc_get_root(r->secret_document), "data"));
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&others)) != nullptr;) {
        if (secret_data_get(&r->data, yyjson_get_str(key)) == nullptr) {
            (void)yyjson_mut_obj_add_null(document, data, yyjson_get_str(key));
        }
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
           store_apply_own(secret_store(r), kube_object_retain(r->output), e);
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
    return add_data(r, document, root, e) &&
           write_secret(r, "POST", buffer_text(&path), nullptr, document, e);
}

// A merge patch of r->output that fails when it has changed since it was read.
static bool patch_secret(struct reconcile *r, bool with_data, struct error *e) {
    cleanup_buffer struct buffer path = buffer_create(PATH_MAX_BYTES);
    cleanup_json_mut yyjson_mut_doc *document = nullptr;
    if (!kube_resource_path(&kube_secrets, r->object->namespace, r->decoded.secret_name, nullptr, &path, e) ||
        !json_create(&document, e)) {
        return false;
    }
    yyjson_mut_val *root = yyjson_mut_doc_get_root(document);
    yyjson_mut_val *metadata = yyjson_mut_obj(document);
    if (!secret_metadata_patch(r->kind, r->object, &r->decoded.common, metadata_of(r->output), document,
                               metadata) &&
        !with_data) {
        // Nothing differs; or memory was out, and writing the document says so.
        cleanup_buffer struct buffer nothing = buffer_create(BODY_MAX_BYTES);
        return json_write(document, &nothing, e);
    }
    (void)yyjson_mut_obj_add_val(document, root, "metadata", metadata);
    (void)yyjson_mut_obj_add_str(document, metadata, "uid", r->output->uid);
    (void)yyjson_mut_obj_add_str(document, metadata, "resourceVersion", r->output->resource_version);
    if (with_data && !add_data(r, document, root, e)) {
        return false;
    }
    if (!write_secret(r, "PATCH", buffer_text(&path), KUBE_MERGE_PATCH, document, e)) {
        // Someone else wrote it meanwhile: look at it again.
        e->class = e->class == ERROR_CONFLICT || e->class == ERROR_NOT_FOUND ? ERROR_RETRYABLE : e->class;
        return false;
    }
    return true;
}

bool output_make(struct reconcile *r, struct error *e) {
    bool replace = r->output != nullptr;
    bool written = produce(r, e) && (replace ? patch_secret(r, true, e) : create_secret(r, e));
    if (written) {
        metrics_add(r->controller->metrics, METRIC_SECRETS_WRITTEN_TOTAL,
                    replace ? "operation=\"replace\"" : "operation=\"create\"", 1);
    }
    return written;
}

bool output_keep_metadata(struct reconcile *r, struct error *e) {
    return !upkeep_may_write(r) || patch_secret(r, false, e);
}

void output_free(struct reconcile *r) {
    secret_data_free(&r->data);
    json_mut_free(r->report.status);
    forget_output(r);
}
