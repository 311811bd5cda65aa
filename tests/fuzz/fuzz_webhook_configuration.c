// The ValidatingWebhookConfiguration: its caBundle is written where it is another one, of our webhook alone,
// and only if the configuration is still the one that was read.
#include "answers.h"

#include "webhook/bundle.h"

static const char pem_text[] = "the CAs that are trusted";
static const char encoded[] = "dGhlIENBcyB0aGF0IGFyZSB0cnVzdGVk";

// Our webhook in the configuration; NULL: it has none.
static yyjson_val *ours(yyjson_val *configuration) {
    yyjson_val *webhooks = yyjson_obj_get(configuration, "webhooks");
    size_t index;
    size_t count;
    yyjson_val *webhook;
    yyjson_arr_foreach(webhooks, index, count, webhook) {
        if (json_member_is(webhook, "name", WEBHOOK_NAME)) {
            return webhook;
        }
    }
    return nullptr;
}

static void check_applied(yyjson_val *configuration, yyjson_val *applied) {
    static const char *const conditions[] = {"name", "uid", "resourceVersion"};
    yyjson_val *webhooks = yyjson_obj_get(applied, "webhooks");
    for (size_t i = 0; i < sizeof(conditions) / sizeof(conditions[0]); i++) {
        const char *text = json_text(json_find(applied, "metadata", conditions[i], nullptr));
        CHECK(text != nullptr && text[0] != '\0');
        CHECK(json_member_is(yyjson_obj_get(configuration, "metadata"), conditions[i], text));
    }
    CHECK(yyjson_obj_size(yyjson_obj_get(applied, "metadata")) == 3 && yyjson_arr_size(webhooks) == 1);
    CHECK(json_member_is(json_find(ours(applied), "clientConfig", nullptr), "caBundle", encoded));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct error e = {0};
    yyjson_doc *configuration = nullptr;
    enum webhook_bundle bundle = WEBHOOK_BUNDLE_LOST;
    cleanup_buffer struct buffer pem = buffer_create(1024);
    cleanup_json yyjson_doc *document = json_of(data, size);
    struct answering answering = {.answer = yyjson_doc_get_root(document), .failure = ERROR_NOT_FOUND};
    const struct api api = {&answering, answer_request};
    MUST(buffer_append_text(&pem, pem_text, &e), e);
    MUST(webhook_bundle_read(api, "qubesec", &configuration, &e), e);
    CHECK((configuration == nullptr) == (document == nullptr));
    yyjson_val *root = yyjson_doc_get_root(configuration);
    bool published = webhook_bundle_publish(api, configuration, &pem, &bundle, &e);
    bool is_same = json_member_is(json_find(ours(root), "clientConfig", nullptr), "caBundle", encoded);
    if (!published) {
        check_refusal(&e, ERROR_IO);
        CHECK(answering.body == nullptr && ours(root) != nullptr && !is_same &&
              bundle == WEBHOOK_BUNDLE_LOST);
    } else if (ours(root) == nullptr) {
        CHECK(bundle == WEBHOOK_BUNDLE_ABSENT && answering.body == nullptr);
    } else {
        CHECK(bundle == (is_same ? WEBHOOK_BUNDLE_SAME : WEBHOOK_BUNDLE_WRITTEN));
        CHECK(is_same == (answering.body == nullptr));
    }
    if (answering.body != nullptr) {
        check_applied(root, yyjson_doc_get_root(answering.body));
    }
    json_free(configuration);
    json_free(answering.body);
    return 0;
}
