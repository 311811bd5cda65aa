#include "operator/webhook_bundle.h"

#include "crypto/encoding.h"
#include "json/write.h"

#include <string.h>

enum { PATH_MAX_BYTES = 2048, BODY_MAX_BYTES = 256 * 1024, TRIES_MAX = 3, TIMEOUT_MS = 10000 };

// NULL: there is none of our name.
static yyjson_val *find_webhook(yyjson_val *configuration) {
    size_t index;
    size_t count;
    yyjson_val *webhook;
    yyjson_arr_foreach(yyjson_obj_get(configuration, "webhooks"), index, count, webhook) {
        const char *name = json_member_text(webhook, "name");
        if (name != nullptr && strcmp(name, WEBHOOK_NAME) == 0) {
            return webhook;
        }
    }
    return nullptr;
}

// uid and resourceVersion: otherwise an apply would make a configuration anew that has just been deleted, and
// a webhook that has just been removed.
static bool write_body(yyjson_val *present, const char *bundle, struct buffer *body, struct error *e) {
    cleanup_json_mut yyjson_mut_doc *document = nullptr;
    if (!json_create(&document, e)) {
        return false;
    }
    yyjson_val *read = yyjson_obj_get(present, "metadata");
    yyjson_mut_val *root = yyjson_mut_doc_get_root(document);
    (void)yyjson_mut_obj_add_str(document, root, "apiVersion", "admissionregistration.k8s.io/v1");
    (void)yyjson_mut_obj_add_str(document, root, "kind", kube_validating_webhooks.kind);
    yyjson_mut_val *metadata = yyjson_mut_obj_add_obj(document, root, "metadata");
    static const char *const members[] = {"name", "uid", "resourceVersion"};
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        (void)yyjson_mut_obj_add_str(document, metadata, members[i], json_member_text(read, members[i]));
    }
    yyjson_mut_val *webhook =
        yyjson_mut_arr_add_obj(document, yyjson_mut_obj_add_arr(document, root, "webhooks"));
    (void)yyjson_mut_obj_add_str(document, webhook, "name", WEBHOOK_NAME);
    yyjson_mut_val *client_config = yyjson_mut_obj_add_obj(document, webhook, "clientConfig");
    (void)yyjson_mut_obj_add_str(document, client_config, "caBundle", bundle);
    return json_write(document, body, e);
}

static bool apply(struct kube_client *client, const char *path, yyjson_val *present, const char *bundle,
                  struct error *e) {
    cleanup_buffer struct buffer body = buffer_create(BODY_MAX_BYTES);
    cleanup_buffer struct buffer query = buffer_create(PATH_MAX_BYTES);
    if (!write_body(present, bundle, &body, e) ||
        !buffer_append_format(&query, e, "%s?fieldManager=qubesec-webhook&force=true", path)) {
        return false;
    }
    struct kube_request request = {
        .method = "PATCH",
        .path = buffer_text(&query),
        .content_type = KUBE_APPLY_PATCH,
        .body = buffer_text(&body),
        .body_length = body.length,
        .timeout_ms = TIMEOUT_MS,
    };
    return kube_client_call(client, &request, nullptr, e);
}

static bool try_once(struct kube_client *client, const char *path, const char *bundle,
                     enum webhook_bundle *ret_bundle, struct error *e) {
    cleanup_json yyjson_doc *document = nullptr;
    struct kube_request request = {.method = "GET", .path = path, .timeout_ms = TIMEOUT_MS};
    if (!kube_client_call(client, &request, &document, e) && e->class != ERROR_NOT_FOUND) {
        return false;
    }
    yyjson_val *present = document == nullptr ? nullptr : yyjson_doc_get_root(document);
    yyjson_val *webhook = find_webhook(present);
    const char *published = json_text(json_find(webhook, "clientConfig", "caBundle", nullptr));
    if (webhook == nullptr) {
        *ret_bundle = WEBHOOK_BUNDLE_ABSENT;
        return true;
    }
    if (published != nullptr && strcmp(published, bundle) == 0) {
        *ret_bundle = WEBHOOK_BUNDLE_SAME;
        return true;
    }
    if (!apply(client, path, present, bundle, e)) {
        return false;
    }
    *ret_bundle = WEBHOOK_BUNDLE_WRITTEN;
    return true;
}

bool webhook_bundle_publish(struct kube_client *client, const char *configuration, const struct buffer *pem,
                            enum webhook_bundle *ret_bundle, struct error *e) {
    cleanup_buffer struct buffer path = buffer_create(PATH_MAX_BYTES);
    cleanup_buffer struct buffer bundle = buffer_create(BODY_MAX_BYTES);
    if (!kube_resource_path(&kube_validating_webhooks, nullptr, configuration, nullptr, &path, e) ||
        !base64_encode(buffer_text(pem), pem->length, &bundle, e)) {
        return false;
    }
    for (int tries = 0; tries < TRIES_MAX; tries++) {
        if (try_once(client, buffer_text(&path), buffer_text(&bundle), ret_bundle, e)) {
            return true;
        }
        if (e->class != ERROR_CONFLICT && e->class != ERROR_NOT_FOUND) { // else it was changed meanwhile
            return false;
        }
    }
    e->class = ERROR_RETRYABLE;
    return false;
}
