#include "crypto/signature.h"

#include "crypto/handles.h"
#include "crypto/openssl.h"
#include "crypto/pkey_internal.h"

#include <openssl/core_names.h>
#include <openssl/params.h>
#include <string.h>

static bool check_context(const struct algorithm *algorithm, const struct signature_input *input,
                          struct error *e) {
    if (algorithm->instead != nullptr && input->context_length > 0) {
        return error_set(e, ERROR_INVALID_SPEC, "%s has no contexts", algorithm->name);
    }
    return input->context_length <= SIGNATURE_CONTEXT_MAX ||
           error_set(e, ERROR_INVALID_SPEC, "a context has at most %d bytes, this one has %zu",
                     SIGNATURE_CONTEXT_MAX, input->context_length);
}

// What is empty may be given as NULL, which OpenSSL must not see.
static const unsigned char *bytes_of(const void *bytes, size_t length) {
    static const unsigned char none;
    return length == 0 ? &none : bytes;
}

static const unsigned char *message_of(const struct signature_input *input) {
    return bytes_of(input->message, input->message_length);
}

// An OpenSSL context to sign or verify with, whose digest is the algorithm's own (NULL); NULL: it cannot be
// had.
static EVP_MD_CTX *start(const struct pkey *pkey, const struct signature_input *input, bool is_signing,
                         int deterministic) {
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(OSSL_SIGNATURE_PARAM_CONTEXT_STRING,
                                          (void *)bytes_of(input->context, input->context_length),
                                          input->context_length),
        is_signing ? OSSL_PARAM_construct_int(OSSL_SIGNATURE_PARAM_DETERMINISTIC, &deterministic)
                   : OSSL_PARAM_construct_end(),
        OSSL_PARAM_construct_end(),
    };
    const OSSL_PARAM *given = pkey_algorithm(pkey)->instead == nullptr ? parameters : nullptr;
    EVP_PKEY *evp = pkey_evp(pkey);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (context != nullptr &&
        (is_signing
             ? EVP_DigestSignInit_ex(context, nullptr, nullptr, nullptr, nullptr, evp, given)
             : EVP_DigestVerifyInit_ex(context, nullptr, nullptr, nullptr, nullptr, evp, given)) != 1) {
        EVP_MD_CTX_free(context);
        return nullptr;
    }
    return context;
}

static bool sign(const struct pkey *private_key, const struct signature_input *input, int deterministic,
                 struct buffer *signature, struct error *e) {
    const struct algorithm *algorithm = pkey_algorithm(private_key);
    size_t length = algorithm->signature_size;
    char *room;
    if (!pkey_has_private(private_key)) {
        return error_set(e, ERROR_CRYPTO, "signing needs a private key of %s", algorithm->name);
    }
    if (!check_context(algorithm, input, e) || !buffer_reserve(signature, length, &room, e)) {
        return false;
    }
    cleanup_evp_md_ctx EVP_MD_CTX *context = start(private_key, input, true, deterministic);
    if (context == nullptr || EVP_DigestSign(context, (unsigned char *)room, &length, message_of(input),
                                             input->message_length) != 1) {
        return crypto_error(e, ERROR_CRYPTO, "signing with %s", algorithm->name);
    }
    bool valid = false;
    if (!signature_verify(private_key, input, room, length, &valid, e)) {
        return error_wrap(e, "checking a signature that was made");
    }
    if (!valid) {
        return error_set(e, ERROR_CRYPTO, "a signature that was made with %s does not verify",
                         algorithm->name);
    }
    buffer_advance(signature, length);
    return true;
}

bool signature_sign(const struct pkey *private_key, const struct signature_input *input,
                    struct buffer *signature, struct error *e) {
    return sign(private_key, input, 0, signature, e);
}

bool signature_sign_deterministic(const struct pkey *private_key, const struct signature_input *input,
                                  struct buffer *signature, struct error *e) {
    return sign(private_key, input, 1, signature, e);
}

static bool check_length(const struct algorithm *algorithm, size_t length, struct error *e) {
    bool fits = algorithm->signature_varies ? length <= algorithm->signature_size
                                            : length == algorithm->signature_size;
    return fits || error_set(e, ERROR_INVALID_SPEC, "a signature of %s has %s%zu bytes, this one has %zu",
                             algorithm->name, algorithm->signature_varies ? "at most " : "",
                             algorithm->signature_size, length);
}

bool signature_verify(const struct pkey *public_key, const struct signature_input *input,
                      const void *signature, size_t length, bool *ret_valid, struct error *e) {
    const struct algorithm *algorithm = pkey_algorithm(public_key);
    if (!check_length(algorithm, length, e) || !check_context(algorithm, input, e)) {
        return false;
    }
    cleanup_evp_md_ctx EVP_MD_CTX *context = start(public_key, input, false, 0);
    if (context == nullptr) {
        return crypto_error(e, ERROR_CRYPTO, "verifying with %s", algorithm->name);
    }
    bool valid = EVP_DigestVerify(context, signature, length, message_of(input), input->message_length) == 1;
    struct error reason = {0};
    if (!valid) {
        (void)crypto_error(&reason, ERROR_CRYPTO, "verifying with %s", algorithm->name);
    }
    if (reason.class == ERROR_NO_MEMORY) { // which OpenSSL takes for a wrong signature
        *e = reason;
        return false;
    }
    *ret_valid = valid;
    return true;
}

// FIPS 205: the public root is a function of the private seeds, which OpenSSL computes anew.
static bool check_slh_dsa(const struct pkey *pkey, struct error *e) {
    cleanup_evp_pkey_ctx EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(nullptr, pkey_evp(pkey), nullptr);
    return (context != nullptr && EVP_PKEY_pairwise_check(context) == 1) ||
           crypto_error(e, ERROR_CRYPTO, "checking a key pair of %s", pkey_algorithm(pkey)->name);
}

static bool check_by_signing(const struct pkey *pkey, struct error *e) {
    static const char message[] = "a key pair that is being checked";
    struct signature_input input = {.message = message, .message_length = sizeof(message) - 1};
    cleanup_buffer struct buffer signature = buffer_create(SIGNATURE_MAX);
    return signature_sign(pkey, &input, &signature, e) || error_wrap(e, "checking a key pair");
}

bool signature_check_pair(const struct pkey *pkey, struct error *e) {
    bool is_slh_dsa = strcmp(pkey_algorithm(pkey)->standard, "FIPS 205") == 0;
    return is_slh_dsa ? check_slh_dsa(pkey, e) : check_by_signing(pkey, e);
}
