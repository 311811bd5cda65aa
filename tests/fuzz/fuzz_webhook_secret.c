// The Secret with the webhook's CA and certificate: what is read of it holds together, and is written as a
// Secret that reads as the same.
#include "answers.h"

#include "webhook/secret.h"

static void check_key(const struct certificate *certificate, const struct pkey *key) {
    struct error e;
    CHECK((certificate == nullptr) == (key == nullptr));
    if (certificate != nullptr) {
        MUST(certificate_check_key(certificate, key, &e), e);
        CHECK(pkey_has_private(key));
    }
}

static void check_parts(const struct webhook_authority *authority) {
    check_key(authority->ca, authority->ca_key);
    check_key(authority->next_ca, authority->next_key);
    check_key(authority->leaf, authority->leaf_key);
    bool any = authority->next_ca != nullptr || authority->former_ca != nullptr || authority->leaf != nullptr;
    CHECK(authority->ca != nullptr || !any);
    CHECK(authority->next_ca == nullptr || authority->former_ca == nullptr);
    bool whole = authority->ca != nullptr && authority->leaf != nullptr;
    CHECK(whole == (authority->damage[0] == '\0'));
    CHECK(is_valid_text(authority->damage));
}

static bool same_certificate(const struct certificate *one, const struct certificate *other) {
    return one == nullptr || other == nullptr ? one == other : certificate_equals(one, other);
}

static void check_same(const struct webhook_authority *one, const struct webhook_authority *other) {
    CHECK(same_certificate(one->ca, other->ca) && same_certificate(one->next_ca, other->next_ca) &&
          same_certificate(one->former_ca, other->former_ca) && same_certificate(one->leaf, other->leaf));
    CHECK(one->overlap_since == other->overlap_since);
}

// Writes it, in place of present (NULL: as a new one), and reads what the API server would then have.
static void check_written(const struct webhook_authority *authority, yyjson_val *present) {
    struct error e = {0};
    struct webhook_authority again = {0};
    yyjson_doc *written = nullptr;
    cleanup_json_mut yyjson_mut_doc *document = nullptr;
    MUST(json_create(&document, &e), e);
    if (!webhook_secret_write(authority, "name", present, document, &e)) {
        check_refusal(&e, ERROR_CRYPTO); // a key whose seed is not known has no form to be written in
        return;
    }
    MUST(json_freeze(document, &written, &e), e);
    yyjson_val *root = yyjson_doc_get_root(written);
    yyjson_doc *merged = present == nullptr ? copy_of(root) : patched(present, root);
    CHECK(webhook_secret_is_ours(yyjson_doc_get_root(merged)));
    MUST(webhook_secret_read(yyjson_doc_get_root(merged), &again, &e), e);
    check_parts(&again);
    CHECK(again.damage[0] == '\0');
    check_same(authority, &again);
    webhook_authority_done(&again);
    json_free(written);
    json_free(merged);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct error e = {0};
    struct webhook_authority authority;
    cleanup_json yyjson_doc *document = json_of(data, size);
    yyjson_val *secret = yyjson_doc_get_root(document);
    if (!yyjson_is_obj(secret)) {
        return 0;
    }
    start_crypto();
    (void)webhook_secret_is_ours(secret);
    MUST(webhook_secret_read(secret, &authority, &e), e);
    check_parts(&authority);
    if (authority.damage[0] == '\0') {
        check_written(&authority, nullptr);
        check_written(&authority, secret);
    }
    webhook_authority_done(&authority);
    return 0;
}
