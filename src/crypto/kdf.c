#include "crypto/kdf.h"

#include "crypto/handles.h"
#include "crypto/openssl.h"

#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/sha.h>

static bool check_lengths(size_t input, size_t info, size_t length, struct error *e) {
    if (input == 0) {
        return error_set(e, ERROR_INVALID_SPEC, "the secret to derive from is empty");
    }
    if (info > KDF_HKDF_INFO_MAX) {
        return error_set(e, ERROR_INVALID_SPEC, "info has %zu bytes, at most %d are allowed", info,
                         KDF_HKDF_INFO_MAX);
    }
    if (length == 0 || length > KDF_HKDF_SHA256_OUTPUT_MAX) {
        return error_set(e, ERROR_INVALID_SPEC, "%zu bytes were asked for, HKDF-SHA256 gives 1 to %d", length,
                         KDF_HKDF_SHA256_OUTPUT_MAX);
    }
    return true;
}

bool kdf_hkdf_sha256(const struct secret *input, const void *salt, size_t salt_length, const void *info,
                     size_t info_length, size_t length, struct secret **ret_key, struct error *e) {
    // "If not provided, salt is set to a string of HashLen zeros" (RFC 5869 section 2.2). It is given in
    // full, since what OpenSSL does with an empty one has changed from version to version.
    static const uint8_t no_salt[SHA256_DIGEST_LENGTH];
    if (salt_length == 0) {
        salt = no_salt;
        salt_length = sizeof(no_salt);
    }
    if (!check_lengths(secret_length(input), info_length, length, e)) {
        return false;
    }
    cleanup_evp_kdf EVP_KDF *kdf = EVP_KDF_fetch(nullptr, "HKDF", nullptr);
    cleanup_evp_kdf_ctx EVP_KDF_CTX *context = kdf == nullptr ? nullptr : EVP_KDF_CTX_new(kdf);
    cleanup_secret struct secret *key = nullptr;
    if (context == nullptr) {
        return crypto_error(e, ERROR_CRYPTO, "preparing HKDF-SHA256");
    }
    if (!secret_create(length, &key, e)) {
        return false;
    }
    int mode = EVP_KDF_HKDF_MODE_EXTRACT_AND_EXPAND;
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)"SHA2-256", 0),
        OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)secret_view(input),
                                          secret_length(input)),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)salt, salt_length),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)info, info_length),
        OSSL_PARAM_construct_end(),
    };
    if (EVP_KDF_derive(context, secret_bytes(key), length, parameters) != 1) {
        return crypto_error(e, ERROR_CRYPTO, "deriving %zu bytes with HKDF-SHA256", length);
    }
    *ret_key = key;
    key = nullptr;
    return true;
}
