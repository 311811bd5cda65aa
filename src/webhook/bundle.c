#include "webhook/bundle.h"

#include "crypto/encoding.h"
#include "json/write.h"

#include <string.h>

enum { PATH_MAX_BYTES = 2048, BODY_MAX_BYTES = 256 * 1024, TIMEOUT_MS = 10000 };

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

static bool apply(struct kube_client *client, yyjson_val *present, const char *bundle, struct error *e) {
    cleanup_buffer struct buffer body = buffer_create(BODY_MAX_BYTES);
    cleanup_buffer struct buffer path = buffer_create(PATH_MAX_BYTES);
    const char *name = json_text(json_find(present, "metadata", "name", nullptr));
    if (!write_body(present, bundle, &body, e) ||
        !kube_resource_path(&kube_validating_webhooks, nullptr, name, nullptr, &path, e) ||
        !buffer_append_text(&path, "?fieldManager=qubesec-webhook&force=true", e)) {
        return false;
    }
    struct kube_request request = {
        .method = "PATCH",
        .path = buffer_text(&path),
        .content_type = KUBE_APPLY_PATCH,
        .body = buffer_text(&body),
        .body_length = body.length,
        .timeout_ms = TIMEOUT_MS,
    };
    return kube_client_call(client, &request, nullptr, e);
}

bool webhook_bundle_read(struct kube_client *client, const char *name, yyjson_doc **ret_configuration,
                         struct error *e) {
    cleanup_buffer struct buffer path = buffer_create(PATH_MAX_BYTES);
    yyjson_doc *configuration = nullptr;
    if (!kube_resource_path(&kube_validating_webhooks, nullptr, name, nullptr, &path, e)) {
        return false;
    }
    struct kube_request request = {.method = "GET", .path = buffer_text(&path), .timeout_ms = TIMEOUT_MS};
    if (!kube_client_call(client, &request, &configuration, e) && e->class != ERROR_NOT_FOUND) {
        return false;
    }
    *ret_configuration = configuration;
    return true;
}

bool webhook_bundle_publish(struct kube_client *client, yyjson_doc *configuration, const struct buffer *pem,
                            enum webhook_bundle *ret_bundle, struct error *e) {
    cleanup_buffer struct buffer bundle = buffer_create(BODY_MAX_BYTES);
    yyjson_val *present = yyjson_doc_get_root(configuration);
    yyjson_val *webhook = find_webhook(present);
    const char *published = json_text(json_find(webhook, "clientConfig", "caBundle", nullptr));
    if (!base64_encode(buffer_text(pem), pem->length, &bundle, e)) {
        return false;
    }
    if (webhook == nullptr) {
        *ret_bundle = WEBHOOK_BUNDLE_ABSENT;
    } else if (published != nullptr && strcmp(published, buffer_text(&bundle)) == 0) {
        *ret_bundle = WEBHOOK_BUNDLE_SAME;
    } else if (apply(client, present, buffer_text(&bundle), e)) {
        *ret_bundle = WEBHOOK_BUNDLE_WRITTEN;
    } else if (e->class == ERROR_CONFLICT || e->class == ERROR_NOT_FOUND) {
        *ret_bundle = WEBHOOK_BUNDLE_LOST;
    } else {
        return false;
    }
    return true;
}
