#include "webhook/bundle.h"

#include "crypto/encoding.h"

#include <string.h>

enum { BUNDLE_MAX_BYTES = 256 * 1024, TIMEOUT_MS = 10000 };

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
// a webhook that has just been removed. The document borrows present and bundle.
static bool fill_body(yyjson_val *present, const char *bundle, yyjson_mut_doc *document, struct error *e) {
    yyjson_val *read = yyjson_obj_get(present, "metadata");
    yyjson_mut_val *root = yyjson_mut_doc_get_root(document);
    (void)yyjson_mut_obj_add_str(document, root, "apiVersion", "admissionregistration.k8s.io/v1");
    (void)yyjson_mut_obj_add_str(document, root, "kind", kube_validating_webhooks.kind);
    yyjson_mut_val *metadata = yyjson_mut_obj_add_obj(document, root, "metadata");
    static const char *const members[] = {"name", "uid", "resourceVersion"};
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        const char *text = json_member_text(read, members[i]);
        if (text == nullptr || text[0] == '\0') {
            return error_set(e, ERROR_IO, "the webhook's configuration has no metadata.%s", members[i]);
        }
        (void)yyjson_mut_obj_add_str(document, metadata, members[i], text);
    }
    yyjson_mut_val *webhook =
        yyjson_mut_arr_add_obj(document, yyjson_mut_obj_add_arr(document, root, "webhooks"));
    (void)yyjson_mut_obj_add_str(document, webhook, "name", WEBHOOK_NAME);
    yyjson_mut_val *client_config = yyjson_mut_obj_add_obj(document, webhook, "clientConfig");
    (void)yyjson_mut_obj_add_str(document, client_config, "caBundle", bundle);
    return true;
}

static bool apply(struct api api, yyjson_val *present, const char *bundle, struct error *e) {
    cleanup_json_mut yyjson_mut_doc *document = nullptr;
    if (!json_create(&document, e) || !fill_body(present, bundle, document, e)) {
        return false;
    }
    const struct api_request request = {
        .verb = API_APPLY,
        .resource = &kube_validating_webhooks,
        .name = json_text(json_find(present, "metadata", "name", nullptr)),
        .body = document,
        .field_manager = "qubesec-webhook",
        .timeout_ms = TIMEOUT_MS,
    };
    return api_call(api, &request, nullptr, e);
}

bool webhook_bundle_read(struct api api, const char *name, yyjson_doc **ret_configuration, struct error *e) {
    yyjson_doc *configuration = nullptr;
    if (!api_get(api, &kube_validating_webhooks, nullptr, name, TIMEOUT_MS, &configuration, e) &&
        e->class != ERROR_NOT_FOUND) {
        return false;
    }
    *ret_configuration = configuration;
    return true;
}

bool webhook_bundle_publish(struct api api, yyjson_doc *configuration, const struct buffer *pem,
                            enum webhook_bundle *ret_bundle, struct error *e) {
    cleanup_buffer struct buffer bundle = buffer_create(BUNDLE_MAX_BYTES);
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
    } else if (apply(api, present, buffer_text(&bundle), e)) {
        *ret_bundle = WEBHOOK_BUNDLE_WRITTEN;
    } else if (e->class == ERROR_CONFLICT || e->class == ERROR_NOT_FOUND) {
        *ret_bundle = WEBHOOK_BUNDLE_LOST;
    } else {
        return false;
    }
    return true;
}
