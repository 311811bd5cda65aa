// Chains of certificates, verified as strictly as OpenSSL does.
#include "base/memory.h"
#include "crypto/certificate_internal.h"
#include "crypto/handles.h"
#include "crypto/openssl.h"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

static void cleanup_stack_of(STACK_OF(X509) * *stack) {
    sk_X509_free(*stack);
}

// Says which certificate failed, and why.
static bool report_failure(X509_STORE_CTX *context, struct error *e) {
    int code = X509_STORE_CTX_get_error(context);
    X509 *current = X509_STORE_CTX_get_current_cert(context);
    ERR_clear_error();
    if (code == X509_V_ERR_OUT_OF_MEM || memory_has_failed()) {
        return error_no_memory(e, "verifying a certificate");
    }
    cleanup_buffer struct buffer subject = buffer_create(1024);
    struct certificate failed = {.x509 = current};
    struct error ignored;
    if (current != nullptr) {
        (void)certificate_append_subject(&failed, &subject, &ignored);
    }
    return error_set(e, ERROR_CRYPTO, "the certificate of \"%.200s\" does not verify: %s",
                     buffer_text(&subject), X509_verify_cert_error_string(code));
}

// Verifies for one of OpenSSL's purposes; 0: for none.
static bool verify_for(X509_STORE *store, const struct certificate *leaf, STACK_OF(X509) * intermediates,
                       int purpose, unsigned long flags, int64_t now, struct error *e) {
    cleanup_x509_store_ctx X509_STORE_CTX *context = X509_STORE_CTX_new();
    if (context == nullptr || X509_STORE_CTX_init(context, store, leaf->x509, intermediates) != 1) {
        return crypto_error(e, ERROR_CRYPTO, "verifying a certificate");
    }
    X509_VERIFY_PARAM *parameters = X509_STORE_CTX_get0_param(context);
    X509_VERIFY_PARAM_set_time(parameters, now);
    X509_VERIFY_PARAM_set_depth(parameters, CERTIFICATE_CHAIN_MAX);
    if (X509_VERIFY_PARAM_set_flags(parameters, flags) != 1 ||
        (purpose != 0 && X509_VERIFY_PARAM_set_purpose(parameters, purpose) != 1)) {
        return crypto_error(e, ERROR_CRYPTO, "verifying a certificate");
    }
    return X509_verify_cert(context) == 1 || report_failure(context, e);
}

// Of what has no purpose of OpenSSL's own, and of CAs: that the extended key usage of the leaf lists it.
static bool check_listed(const struct certificate *leaf, unsigned purposes, struct error *e) {
    uint32_t listed = X509_get_extended_key_usage(leaf->x509);
    for (size_t i = 0; i < CERTIFICATE_PURPOSE_COUNT; i++) {
        const struct certificate_purpose_names *names = &certificate_purpose_names[i];
        if ((purposes & names->own) != 0 && (listed & names->flag) == 0) {
            return error_set(e, ERROR_CRYPTO, "the certificate lacks an extended key usage that is wanted");
        }
    }
    return true;
}

static bool verify(const struct certificate *leaf, struct certificate *const *intermediates, size_t count,
                   const struct certificate *root, unsigned purposes, unsigned long flags, int64_t now,
                   struct error *e) {
    cleanup_x509_store X509_STORE *store = X509_STORE_new();
    [[gnu::cleanup(cleanup_stack_of)]] STACK_OF(X509) *stack = sk_X509_new_null();
    bool ready = store != nullptr && stack != nullptr && X509_STORE_add_cert(store, root->x509) == 1;
    for (size_t i = 0; ready && i < count; i++) {
        ready = sk_X509_push(stack, intermediates[i]->x509) > 0;
    }
    if (!ready) {
        return crypto_error(e, ERROR_CRYPTO, "verifying a certificate");
    }
    // A CA's purposes are those that it may issue for; what OpenSSL asks of a server's or client's own
    // certificate does not go for it.
    bool is_ca = certificate_is_ca(leaf);
    bool as_server = !is_ca && (purposes & CERTIFICATE_SERVER_AUTH) != 0;
    bool as_client = !is_ca && (purposes & CERTIFICATE_CLIENT_AUTH) != 0;
    if (!as_server && !as_client && !verify_for(store, leaf, stack, 0, flags, now, e)) {
        return false;
    }
    return (!as_server || verify_for(store, leaf, stack, X509_PURPOSE_SSL_SERVER, flags, now, e)) &&
           (!as_client || verify_for(store, leaf, stack, X509_PURPOSE_SSL_CLIENT, flags, now, e)) &&
           check_listed(leaf, purposes, e);
}

bool certificate_verify(const struct certificate *leaf, struct certificate *const *intermediates,
                        size_t count, const struct certificate *root, unsigned purposes, int64_t now,
                        struct error *e) {
    return verify(leaf, intermediates, count, root, purposes,
                  X509_V_FLAG_X509_STRICT | X509_V_FLAG_CHECK_SS_SIGNATURE, now, e);
}

bool certificate_verify_leniently(const struct certificate *leaf, struct certificate *const *intermediates,
                                  size_t count, const struct certificate *root, unsigned purposes,
                                  int64_t now, struct error *e) {
    return verify(leaf, intermediates, count, root, purposes, X509_V_FLAG_PARTIAL_CHAIN, now, e);
}
