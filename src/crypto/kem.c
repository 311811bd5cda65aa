#include "crypto/kem.h"

#include "crypto/handles.h"
#include "crypto/openssl.h"
#include "crypto/pkey_internal.h"

#include <openssl/core_names.h>
#include <openssl/params.h>

enum { ENCAPSULATION_RANDOM_SIZE = 32 }; // FIPS 203: m is 32 bytes for every parameter set

static bool encapsulate(const struct pkey *public_key, const OSSL_PARAM *parameters,
                        struct buffer *ciphertext, struct secret **ret_shared_secret, struct error *e) {
    const struct algorithm *algorithm = pkey_algorithm(public_key);
    cleanup_secret struct secret *shared = nullptr;
    char *room;
    if (!secret_create(algorithm->shared_secret_size, &shared, e) ||
        !buffer_reserve(ciphertext, algorithm->ciphertext_size, &room, e)) {
        return false;
    }
    cleanup_evp_pkey_ctx EVP_PKEY_CTX *context =
        EVP_PKEY_CTX_new_from_pkey(nullptr, pkey_evp(public_key), nullptr);
    size_t length = algorithm->ciphertext_size;
    size_t shared_length = secret_length(shared);
    if (context == nullptr || EVP_PKEY_encapsulate_init(context, parameters) != 1 ||
        EVP_PKEY_encapsulate(context, (unsigned char *)room, &length, secret_bytes(shared), &shared_length) !=
            1) {
        return crypto_error(e, ERROR_CRYPTO, "encapsulating with %s", algorithm->name);
    }
    buffer_advance(ciphertext, length);
    *ret_shared_secret = shared;
    shared = nullptr;
    return true;
}

bool kem_encapsulate(const struct pkey *public_key, struct buffer *ciphertext,
                     struct secret **ret_shared_secret, struct error *e) {
    return encapsulate(public_key, nullptr, ciphertext, ret_shared_secret, e);
}

bool kem_encapsulate_with(const struct pkey *public_key, const struct secret *m, struct buffer *ciphertext,
                          struct secret **ret_shared_secret, struct error *e) {
    if (secret_length(m) != ENCAPSULATION_RANDOM_SIZE) {
        return error_set(e, ERROR_INVALID_SPEC, "m has %zu bytes, encapsulation takes %d", secret_length(m),
                         ENCAPSULATION_RANDOM_SIZE);
    }
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(OSSL_KEM_PARAM_IKME, (void *)secret_view(m), secret_length(m)),
        OSSL_PARAM_construct_end(),
    };
    return encapsulate(public_key, parameters, ciphertext, ret_shared_secret, e);
}

bool kem_decapsulate(const struct pkey *private_key, const void *ciphertext, size_t length,
                     struct secret **ret_shared_secret, struct error *e) {
    const struct algorithm *algorithm = pkey_algorithm(private_key);
    if (!pkey_has_private(private_key)) {
        return error_set(e, ERROR_CRYPTO, "decapsulating needs a private key of %s", algorithm->name);
    }
    if (length != algorithm->ciphertext_size) {
        return error_set(e, ERROR_INVALID_SPEC, "a ciphertext of %s has %zu bytes, this one has %zu",
                         algorithm->name, algorithm->ciphertext_size, length);
    }
    cleanup_secret struct secret *shared = nullptr;
    if (!secret_create(algorithm->shared_secret_size, &shared, e)) {
        return false;
    }
    cleanup_evp_pkey_ctx EVP_PKEY_CTX *context =
        EVP_PKEY_CTX_new_from_pkey(nullptr, pkey_evp(private_key), nullptr);
    size_t shared_length = secret_length(shared);
    if (context == nullptr || EVP_PKEY_decapsulate_init(context, nullptr) != 1 ||
        EVP_PKEY_decapsulate(context, secret_bytes(shared), &shared_length, ciphertext, length) != 1) {
        return crypto_error(e, ERROR_CRYPTO, "decapsulating with %s", algorithm->name);
    }
    *ret_shared_secret = shared;
    shared = nullptr;
    return true;
}

bool kem_check_pair(const struct pkey *pkey, struct error *e) {
    cleanup_buffer struct buffer ciphertext = buffer_create(pkey_algorithm(pkey)->ciphertext_size);
    cleanup_secret struct secret *sent = nullptr;
    cleanup_secret struct secret *received = nullptr;
    if (!kem_encapsulate(pkey, &ciphertext, &sent, e) ||
        !kem_decapsulate(pkey, ciphertext.data, ciphertext.length, &received, e)) {
        return error_wrap(e, "checking a key pair");
    }
    return secret_equals(received, secret_view(sent), secret_length(sent)) ||
           error_set(e, ERROR_CRYPTO, "checking a key pair: what %s encapsulates does not come out",
                     pkey_algorithm(pkey)->name);
}
