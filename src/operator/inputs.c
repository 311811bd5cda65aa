// Step 3 of a reconcile: an object's inputs, found in the stores and read live.
#include "base/memory.h"
#include "crypto/encoding.h"
#include "operator/reconcile.h"

#include <stdio.h>
#include <string.h>

enum { PATH_MAX_BYTES = 2048, URL_BYTES_MAX = 64 * 1024, URL_TIMEOUT_MS = 10000, RECHECK_MS = 1000 };

static const char url_kind[] = "URL";

static bool is_finished(const struct kube_object *object) {
    yyjson_val *status = yyjson_obj_get(object->root, "status");
    const char *phase = json_member_text(status, "status");
    return phase != nullptr && strcmp(phase, "Success") == 0 &&
           json_integer(yyjson_obj_get(status, "observedGeneration"), -1) == object->generation;
}

// "waiting for Kind name: why", with the reason WaitingForKind.
static bool wait_for(struct reconcile *r, const struct source *source, const char *name, const char *why,
                     struct error *e) {
    snprintf(r->reason, sizeof(r->reason), "WaitingFor%s", source->from->kind);
    return error_set(e, ERROR_NOT_FOUND, "spec.%s: waiting for %s %s, which %s", source->request->field,
                     source->from->kind, name, why);
}

// One of our own resources: its bytes are in its output Secret, in the very version that it has verified.
static bool resolve_upstream(struct reconcile *r, struct source *source, struct error *e) {
    const char *name = source->request->reference.name;
    if (!is_finished(source->upstream)) {
        return wait_for(r, source, name, "is not finished", e);
    }
    yyjson_val *secret = json_find(source->upstream->root, "status", "secretRef", nullptr);
    const char *secret_name = json_member_text(secret, "name");
    const char *uid = json_member_text(secret, "uid");
    const char *version = json_member_text(secret, "resourceVersion");
    if (secret_name == nullptr || uid == nullptr || version == nullptr) {
        return wait_for(r, source, name, "names no Secret in its status", e);
    }
    char key[KUBE_KEY_SIZE];
    kube_format_key(r->object->namespace, secret_name, key);
    source->resource = &kube_secrets;
    source->name = secret_name;
    source->data_key = source->from->data_key;
    source->seen = store_get(watches_find_objects(r->controller->watches, kube_secrets.kind), key);
    if (source->seen != nullptr &&
        (strcmp(source->seen->uid, uid) != 0 || strcmp(source->seen->resource_version, version) != 0)) {
        error_set(e, ERROR_RETRYABLE, "spec.%s: Secret %s was changed and is about to be verified by %s %s",
                  source->request->field, secret_name, source->from->kind, name);
        e->retry_after_ms = RECHECK_MS;
        return false;
    }
    return true;
}

static bool resolve_foreign(struct reconcile *r, struct source *source) {
    const struct reference *reference = &source->request->reference;
    bool is_secret = strcmp(source->from->kind, kube_secrets.kind) == 0;
    char key[KUBE_KEY_SIZE];
    kube_format_key(r->object->namespace, reference->name, key);
    source->resource = is_secret ? &kube_secrets : &kube_config_maps;
    source->name = reference->name;
    source->data_key = reference->key;
    source->seen = store_get(watches_find_objects(r->controller->watches, source->resource->kind), key);
    return true;
}

// Whether the server could take the URL for one with another path than it shows.
static bool has_hidden_path(const char *url) {
    return strstr(url, "..") != nullptr || strcasestr(url, "%2e") != nullptr || strchr(url, '\\') != nullptr;
}

static bool resolve_url(const struct reconcile *r, struct source *source, struct error *e) {
    source->name = source->request->reference.name;
    for (const char *const *prefix = r->controller->seed_url_prefixes; *prefix != nullptr; prefix++) {
        if (strncmp(source->name, *prefix, strlen(*prefix)) == 0 && !has_hidden_path(source->name)) {
            return true;
        }
    }
    return error_set(e, ERROR_INVALID_SPEC,
                     "spec.%s: %.200s is refused; the operator fetches only from URLs that start with one of "
                     "its --seed-url-prefix settings",
                     source->request->field, source->name);
}

// Chooses where the input comes from: the kind that the reference names, else the first default one that
// exists.
static bool choose_source(struct reconcile *r, struct source *source) {
    const struct reference *reference = &source->request->reference;
    const struct input_source *first = nullptr;
    char key[KUBE_KEY_SIZE];
    kube_format_key(r->object->namespace, reference->name, key);
    for (const struct input_source *from = source->request->sources; from->kind != nullptr; from++) {
        bool wanted =
            reference->kind == nullptr ? from->by_default : strcmp(reference->kind, from->kind) == 0;
        if (!wanted) {
            continue;
        }
        first = first == nullptr ? from : first;
        source->from = from;
        if (from->data_key == nullptr) {
            return true;
        }
        source->upstream = store_get(watches_find_objects(r->controller->watches, from->kind), key);
        if (source->upstream != nullptr) {
            return true;
        }
    }
    source->from = first != nullptr ? first : source->request->sources;
    return false;
}

static bool resolve(struct reconcile *r, struct source *source, struct error *e) {
    const struct reference *reference = &source->request->reference;
    if (reference->namespace != nullptr && strcmp(reference->namespace, r->object->namespace) != 0) {
        return error_set(e, ERROR_FORBIDDEN,
                         "spec.%s.namespace: %s is another namespace; references must stay in %s",
                         source->request->field, reference->namespace, r->object->namespace);
    }
    if (!choose_source(r, source)) {
        return wait_for(r, source, reference->name, "does not exist", e);
    }
    if (source->upstream != nullptr) {
        return resolve_upstream(r, source, e);
    }
    if (strcmp(source->from->kind, url_kind) == 0) {
        return resolve_url(r, source, e);
    }
    return resolve_foreign(r, source);
}

bool inputs_resolve(struct reconcile *r, struct error *e) {
    for (size_t i = 0; i < r->decoded.request_count; i++) {
        r->sources[i].request = &r->decoded.requests[i];
        if (!resolve(r, &r->sources[i], e)) {
            return false;
        }
    }
    return true;
}

// The bytes of the entry: base64 in `data` of a Secret and `binaryData` of a ConfigMap, text in `data` of the
// latter.
static bool take_bytes(struct reconcile *r, struct source *source, yyjson_val *root, struct error *e) {
    yyjson_val *encoded =
        json_find(root, source->resource == &kube_secrets ? "data" : "binaryData", source->data_key, nullptr);
    if (yyjson_is_str(encoded)) {
        return base64_decode(yyjson_get_str(encoded), yyjson_get_len(encoded), ENCODING_ONE_LINE,
                             &source->bytes, e);
    }
    yyjson_val *text = json_find(root, "data", source->data_key, nullptr);
    if (source->resource == &kube_config_maps && yyjson_is_str(text)) {
        return secret_copy(yyjson_get_str(text), yyjson_get_len(text), &source->bytes, e);
    }
    char why[320];
    snprintf(why, sizeof(why), "has no entry %s", source->data_key);
    return wait_for(r, source, source->name, why, e);
}

// What was read must be what its owner verified.
static bool check_version(const struct source *source, struct error *e) {
    if (source->upstream == nullptr) {
        return true;
    }
    const char *verified =
        json_text(json_find(source->upstream->root, "status", "secretRef", "resourceVersion", nullptr));
    if (verified == nullptr || strcmp(verified, source->read->resource_version) != 0) {
        error_set(e, ERROR_RETRYABLE, "spec.%s: Secret %s was changed after %s %s verified it",
                  source->request->field, source->name, source->from->kind, source->request->reference.name);
        e->retry_after_ms = RECHECK_MS;
        return false;
    }
    return true;
}

static bool load(struct reconcile *r, struct source *source, struct error *e) {
    struct store *store = watches_find_objects(r->controller->watches, source->resource->kind);
    uint64_t removals = store_removals(store);
    cleanup_buffer struct buffer path = buffer_create(PATH_MAX_BYTES);
    cleanup_json yyjson_doc *document = nullptr;
    if (!kube_resource_path(source->resource, r->object->namespace, source->name, nullptr, &path, e)) {
        return false;
    }
    struct kube_request request = {.method = "GET", .path = buffer_text(&path)};
    if (!kube_client_call(r->controller->client, &request, &document, e)) {
        return e->class == ERROR_NOT_FOUND ? wait_for(r, source, source->name, "does not exist", e) : false;
    }
    yyjson_val *root = yyjson_doc_get_root(document);
    if (!kube_object_create_metadata(root, &source->read, e) || !check_version(source, e) ||
        !take_bytes(r, source, root, e)) {
        return false;
    }
    return store_apply_read(store, kube_object_retain(source->read), removals, e);
}

bool inputs_load(struct reconcile *r, struct error *e) {
    for (size_t i = 0; i < r->decoded.request_count; i++) {
        if (r->sources[i].resource != nullptr && !load(r, &r->sources[i], e)) {
            return false;
        }
    }
    return true;
}

static bool load_url(struct reconcile *r, struct source *source, struct error *e) {
    struct http_request request = {
        .method = "GET",
        .url = source->name,
        .response_cap = URL_BYTES_MAX,
        .timeout_ms = URL_TIMEOUT_MS,
    };
    cleanup_response struct http_response response = {0};
    if (!http_client_call(r->controller->http, &request, &response, e)) {
        return error_wrap(e, "spec.%s: %.200s", source->request->field, source->name);
    }
    if (response.status != 200) {
        return error_set(e, ERROR_RETRYABLE, "spec.%s: %.200s answered with HTTP status %d",
                         source->request->field, source->name, response.status);
    }
    return secret_copy(buffer_text(&response.body), response.body.length, &source->bytes, e);
}

bool inputs_load_urls(struct reconcile *r, struct error *e) {
    for (size_t i = 0; i < r->decoded.request_count; i++) {
        if (r->sources[i].resource == nullptr && !load_url(r, &r->sources[i], e)) {
            return false;
        }
    }
    return true;
}

static void copy_known(const char *field, const struct metadata *known,
                       char ret_fingerprint[FINGERPRINT_SIZE]) {
    for (size_t i = 0; known != nullptr && i < known->input_count; i++) {
        if (strcmp(known->inputs[i].field, field) == 0) {
            memcpy(ret_fingerprint, known->inputs[i].fingerprint, FINGERPRINT_SIZE);
        }
    }
}

bool inputs_describe(const struct reconcile *r, const struct metadata *known, struct metadata *metadata,
                     struct error *e) {
    metadata->input_count = r->decoded.request_count;
    for (size_t i = 0; i < r->decoded.request_count; i++) {
        const struct source *source = &r->sources[i];
        struct metadata_input *input = &metadata->inputs[i];
        *input = (struct metadata_input){.field = source->request->field};
        if (source->bytes == nullptr) {
            copy_known(input->field, known, input->fingerprint);
        } else if (!fingerprint_compute(secret_view(source->bytes), secret_length(source->bytes),
                                        input->fingerprint, e)) {
            return false;
        }
    }
    return true;
}

void inputs_free(struct reconcile *r) {
    for (size_t i = 0; i < KIND_INPUTS_MAX; i++) {
        struct source *source = &r->sources[i];
        kube_object_release(source->upstream);
        kube_object_release(source->seen);
        kube_object_release(source->read);
        secret_free(source->bytes);
        *source = (struct source){0};
    }
}
