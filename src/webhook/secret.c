#include "webhook/secret.h"

#include "base/clock.h"
#include "base/memory.h"
#include "crypto/encoding.h"
#include "json/read.h"
#include "json/write.h"

#include <stdio.h>
#include <string.h>

static const char managed_label[] = "app.kubernetes.io/managed-by";
static const char manager_name[] = "qubesec";

enum { ENTRY_MAX_BYTES = 64 * 1024, TRUSTED_MAX = 2 };

static bool text_is(const char *text, const char *expected) {
    return text != nullptr && strcmp(text, expected) == 0;
}

bool webhook_secret_is_ours(yyjson_val *secret) {
    const char *label = json_text(json_find(secret, "metadata", "labels", managed_label, nullptr));
    bool is_empty = true; // a Secret of type kubernetes.io/tls cannot be without entries
    yyjson_obj_iter entries = yyjson_obj_iter_with(yyjson_obj_get(secret, "data"));
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&entries)) != nullptr;) {
        yyjson_val *value = yyjson_obj_iter_get_val(key);
        is_empty = is_empty && yyjson_get_len(value) == 0;
    }
    return is_empty || text_is(label, manager_name);
}

// ---- reading: each function fails where something is missing or damaged too

static bool read_entry(yyjson_val *secret, const char *key, struct secret **ret_value, struct error *e) {
    yyjson_val *value = json_find(secret, "data", key, nullptr);
    if (!yyjson_is_str(value)) {
        return error_set(e, ERROR_INVALID_SPEC, "%s is missing", key);
    }
    if (yyjson_get_len(value) > ENTRY_MAX_BYTES) {
        return error_set(e, ERROR_INVALID_SPEC, "%s is too long", key);
    }
    return base64_decode(yyjson_get_str(value), yyjson_get_len(value), ENCODING_ONE_LINE, ret_value, e) ||
           error_wrap(e, "%s", key);
}

static bool read_key(yyjson_val *secret, const char *key, struct pkey **ret_key, struct error *e) {
    cleanup_secret struct secret *pem = nullptr;
    return read_entry(secret, key, &pem, e) &&
           (serving_key_read(secret_view(pem), secret_length(pem), ret_key, e) || error_wrap(e, "%s", key));
}

static bool read_chain(yyjson_val *secret, const char *key, struct certificate_chain *ret_chain,
                       struct error *e) {
    cleanup_secret struct secret *pem = nullptr;
    return read_entry(secret, key, &pem, e) &&
           (certificate_chain_read(pem, ret_chain, e) || error_wrap(e, "%s", key));
}

// Takes the certificate of that key out of the chain, if it is in there.
static struct certificate *take_of_key(struct certificate_chain *chain, const struct pkey *key) {
    struct error ignored;
    for (size_t i = 0; i < chain->count; i++) {
        struct certificate *certificate = chain->certificates[i];
        if (certificate != nullptr && certificate_check_key(certificate, key, &ignored)) {
            chain->certificates[i] = nullptr;
            return certificate;
        }
    }
    return nullptr;
}

static struct certificate *take_any(struct certificate_chain *chain) {
    struct certificate *taken = nullptr;
    for (size_t i = 0; i < chain->count && taken == nullptr; i++) {
        taken = chain->certificates[i];
        chain->certificates[i] = nullptr;
    }
    return taken;
}

// Which of the trusted CAs is which: their keys tell.
static bool read_cas(yyjson_val *secret, struct webhook_authority *authority, struct error *e) {
    cleanup_certificate_chain struct certificate_chain trusted = {0};
    bool introducing = json_find(secret, "data", WEBHOOK_NEXT_CA_KEY_ENTRY, nullptr) != nullptr;
    if (!read_chain(secret, "ca.crt", &trusted, e) ||
        !read_key(secret, WEBHOOK_CA_KEY_ENTRY, &authority->ca_key, e) ||
        (introducing && !read_key(secret, WEBHOOK_NEXT_CA_KEY_ENTRY, &authority->next_key, e))) {
        return false;
    }
    if (trusted.count > TRUSTED_MAX) {
        return error_set(e, ERROR_INVALID_SPEC, "ca.crt has more than %d certificates", TRUSTED_MAX);
    }
    authority->ca = take_of_key(&trusted, authority->ca_key);
    authority->next_ca = introducing ? take_of_key(&trusted, authority->next_key) : nullptr;
    authority->former_ca = take_any(&trusted);
    bool complete = authority->ca != nullptr && (!introducing || authority->next_ca != nullptr);
    return complete || error_set(e, ERROR_INVALID_SPEC, "ca.crt lacks the certificate of a CA's key");
}

static bool read_leaf(yyjson_val *secret, struct webhook_authority *authority, struct error *e) {
    cleanup_certificate_chain struct certificate_chain chain = {0};
    if (!read_chain(secret, "tls.crt", &chain, e) || !read_key(secret, "tls.key", &authority->leaf_key, e)) {
        return false;
    }
    if (chain.count != 2 || !certificate_equals(chain.certificates[1], authority->ca)) {
        return error_set(e, ERROR_INVALID_SPEC, "tls.crt is not a certificate and its CA");
    }
    authority->leaf = chain.certificates[0];
    chain.certificates[0] = nullptr;
    return certificate_check_key(authority->leaf, authority->leaf_key, e);
}

static void read_annotations(yyjson_val *secret, struct webhook_authority *authority) {
    yyjson_val *annotations = json_find(secret, "metadata", "annotations", nullptr);
    yyjson_val *request = yyjson_obj_get(annotations, WEBHOOK_ROTATE_ANNOTATION);
    const char *wanted = json_text(request);
    const char *since = json_member_text(annotations, WEBHOOK_OVERLAP_ANNOTATION);
    if (since == nullptr || !clock_parse(since, &authority->overlap_since)) {
        authority->overlap_since = 0;
    }
    authority->request = request == nullptr        ? WEBHOOK_REQUEST_NONE
                         : text_is(wanted, "leaf") ? WEBHOOK_REQUEST_LEAF
                         : text_is(wanted, "ca")   ? WEBHOOK_REQUEST_CA
                                                   : WEBHOOK_REQUEST_UNKNOWN;
}

static void forget_leaf(struct webhook_authority *authority) {
    certificate_free(authority->leaf);
    pkey_free(authority->leaf_key);
    authority->leaf = nullptr;
    authority->leaf_key = nullptr;
}

// Reads one part, after which memory that ran out is told from damage.
static bool read_part(bool (*read)(yyjson_val *, struct webhook_authority *, struct error *),
                      yyjson_val *secret, struct webhook_authority *authority, bool *ret_sound,
                      struct error *e) {
    (void)memory_take_failure();
    bool sound = read(secret, authority, e);
    if (!sound && (memory_take_failure() || e->class == ERROR_NO_MEMORY)) {
        return error_no_memory(e, "reading the webhook's Secret");
    }
    if (!sound) {
        snprintf(authority->damage, sizeof(authority->damage), "%.200s", e->message);
    }
    *ret_sound = sound;
    return true;
}

bool webhook_secret_read(yyjson_val *secret, struct webhook_authority *ret_authority, struct error *e) {
    cleanup_authority struct webhook_authority authority = {0};
    bool sound = false;
    if (!read_part(read_cas, secret, &authority, &sound, e)) {
        return false;
    }
    if (!sound) {
        struct webhook_authority damaged = {0};
        memcpy(damaged.damage, authority.damage, sizeof(damaged.damage));
        *ret_authority = damaged;
        return true;
    }
    if (!read_part(read_leaf, secret, &authority, &sound, e)) {
        return false;
    }
    if (!sound) {
        forget_leaf(&authority);
    }
    read_annotations(secret, &authority);
    *ret_authority = authority;
    authority = (struct webhook_authority){0};
    return true;
}

// ---- writing

static bool add_bytes(const void *bytes, size_t length, const char *key, yyjson_mut_doc *document,
                      yyjson_mut_val *data, struct error *e) {
    cleanup_buffer struct buffer text = buffer_create(2 * ENTRY_MAX_BYTES);
    if (!base64_encode(bytes, length, &text, e)) {
        return false;
    }
    (void)yyjson_mut_obj_add_strncpy(document, data, key, buffer_text(&text), text.length);
    return true;
}

static bool add_certificates(bool (*append)(const struct webhook_authority *, struct buffer *,
                                            struct error *),
                             const struct webhook_authority *authority, const char *key,
                             yyjson_mut_doc *document, yyjson_mut_val *data, struct error *e) {
    cleanup_buffer struct buffer pem = buffer_create(ENTRY_MAX_BYTES);
    return append(authority, &pem, e) && add_bytes(buffer_text(&pem), pem.length, key, document, data, e);
}

static bool add_key(const struct pkey *pkey, const char *key, yyjson_mut_doc *document, yyjson_mut_val *data,
                    struct error *e) {
    cleanup_secret struct secret *pem = nullptr;
    return pkey_private_pem(pkey, &pem, e) &&
           add_bytes(secret_view(pem), secret_length(pem), key, document, data, e);
}

static bool add_data(const struct webhook_authority *authority, bool is_patch, yyjson_mut_doc *document,
                     yyjson_mut_val *data, struct error *e) {
    if (authority->next_key == nullptr && is_patch) {
        (void)yyjson_mut_obj_add_null(document, data, WEBHOOK_NEXT_CA_KEY_ENTRY);
    }
    return add_certificates(webhook_authority_append_chain, authority, "tls.crt", document, data, e) &&
           add_key(authority->leaf_key, "tls.key", document, data, e) &&
           add_certificates(webhook_authority_append_bundle, authority, "ca.crt", document, data, e) &&
           add_key(authority->ca_key, WEBHOOK_CA_KEY_ENTRY, document, data, e) &&
           (authority->next_key == nullptr ||
            add_key(authority->next_key, WEBHOOK_NEXT_CA_KEY_ENTRY, document, data, e));
}

static void add_annotations(const struct webhook_authority *authority, bool is_patch,
                            yyjson_mut_doc *document, yyjson_mut_val *metadata) {
    yyjson_mut_val *annotations = yyjson_mut_obj_add_obj(document, metadata, "annotations");
    if (authority->overlap_since != 0) {
        char text[CLOCK_TEXT_SIZE];
        clock_format(authority->overlap_since, text);
        (void)yyjson_mut_obj_add_strcpy(document, annotations, WEBHOOK_OVERLAP_ANNOTATION, text);
    } else if (is_patch) {
        (void)yyjson_mut_obj_add_null(document, annotations, WEBHOOK_OVERLAP_ANNOTATION);
    }
    if (authority->request == WEBHOOK_REQUEST_NONE && is_patch) {
        (void)yyjson_mut_obj_add_null(document, annotations, WEBHOOK_ROTATE_ANNOTATION);
    }
}

bool webhook_secret_write(const struct webhook_authority *authority, const char *name, yyjson_val *present,
                          yyjson_mut_doc *document, struct error *e) {
    yyjson_mut_val *root = yyjson_mut_doc_get_root(document);
    yyjson_mut_val *metadata = yyjson_mut_obj_add_obj(document, root, "metadata");
    yyjson_mut_val *labels = yyjson_mut_obj_add_obj(document, metadata, "labels");
    bool is_patch = present != nullptr;
    (void)yyjson_mut_obj_add_str(document, labels, managed_label, manager_name);
    if (is_patch) {
        yyjson_val *read = yyjson_obj_get(present, "metadata");
        (void)yyjson_mut_obj_add_strcpy(document, metadata, "uid", json_member_text(read, "uid"));
        (void)yyjson_mut_obj_add_strcpy(document, metadata, "resourceVersion",
                                        json_member_text(read, "resourceVersion"));
    } else {
        (void)yyjson_mut_obj_add_str(document, root, "apiVersion", "v1");
        (void)yyjson_mut_obj_add_str(document, root, "kind", "Secret");
        (void)yyjson_mut_obj_add_str(document, root, "type", "kubernetes.io/tls");
        (void)yyjson_mut_obj_add_strcpy(document, metadata, "name", name);
    }
    add_annotations(authority, is_patch, document, metadata);
    yyjson_mut_val *data = yyjson_mut_obj_add_obj(document, root, "data");
    return add_data(authority, is_patch, document, data, e);
}
