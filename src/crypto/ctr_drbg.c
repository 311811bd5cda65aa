#include "crypto/ctr_drbg.h"

#include "crypto/handles.h"
#include "crypto/openssl.h"

#include <openssl/core_names.h>
#include <openssl/params.h>

enum { STRENGTH = 256 };

static bool make_context(const char *name, EVP_RAND_CTX *parent, EVP_RAND_CTX **ret_context,
                         struct error *e) {
    cleanup_evp_rand EVP_RAND *rand = EVP_RAND_fetch(nullptr, name, nullptr);
    EVP_RAND_CTX *context = rand == nullptr ? nullptr : EVP_RAND_CTX_new(rand, parent);
    if (context == nullptr) {
        return crypto_error(e, ERROR_CRYPTO, "making the random generator %s", name);
    }
    *ret_context = context;
    return true;
}

// OpenSSL's generator takes entropy from a parent only; TEST-RAND is a parent that returns the bytes it was
// given.
static bool make_source(const struct secret *entropy, EVP_RAND_CTX **ret_source, struct error *e) {
    cleanup_evp_rand_ctx EVP_RAND_CTX *source = nullptr;
    if (!make_context("TEST-RAND", nullptr, &source, e)) {
        return false;
    }
    unsigned strength = STRENGTH;
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_uint(OSSL_RAND_PARAM_STRENGTH, &strength),
        OSSL_PARAM_construct_octet_string(OSSL_RAND_PARAM_TEST_ENTROPY, (void *)secret_view(entropy),
                                          secret_length(entropy)),
        OSSL_PARAM_construct_end(),
    };
    if (EVP_RAND_instantiate(source, STRENGTH, 0, nullptr, 0, parameters) != 1) {
        return crypto_error(e, ERROR_CRYPTO, "giving the seed to the random generator");
    }
    *ret_source = source;
    source = nullptr;
    return true;
}

static bool instantiate(EVP_RAND_CTX *source, const struct secret *personalization, EVP_RAND_CTX **ret_drbg,
                        struct error *e) {
    cleanup_evp_rand_ctx EVP_RAND_CTX *drbg = nullptr;
    if (!make_context("CTR-DRBG", source, &drbg, e)) {
        return false;
    }
    int use_derivation_function = 0;
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_DRBG_PARAM_CIPHER, (char *)"AES-256-CTR", 0),
        OSSL_PARAM_construct_int(OSSL_DRBG_PARAM_USE_DF, &use_derivation_function),
        OSSL_PARAM_construct_end(),
    };
    // Never NULL: OpenSSL would personalize with a text of its own then.
    const uint8_t *bytes = personalization == nullptr ? (const uint8_t *)"" : secret_view(personalization);
    size_t length = personalization == nullptr ? 0 : secret_length(personalization);
    if (EVP_RAND_instantiate(drbg, STRENGTH, 0, bytes, length, parameters) != 1) {
        return crypto_error(e, ERROR_CRYPTO, "instantiating the random generator");
    }
    *ret_drbg = drbg;
    drbg = nullptr;
    return true;
}

bool ctr_drbg_generate(const struct secret *entropy, const struct secret *personalization, size_t length,
                       struct secret **ret_secret, struct error *e) {
    if (secret_length(entropy) != CTR_DRBG_ENTROPY_SIZE) {
        return error_set(e, ERROR_INVALID_SPEC, "the seed has %zu bytes, the generator takes %d",
                         secret_length(entropy), CTR_DRBG_ENTROPY_SIZE);
    }
    if (personalization != nullptr && secret_length(personalization) > CTR_DRBG_ENTROPY_SIZE) {
        return error_set(e, ERROR_INVALID_SPEC,
                         "the personalization has %zu bytes, the generator takes up to %d",
                         secret_length(personalization), CTR_DRBG_ENTROPY_SIZE);
    }
    if (length == 0 || length > CTR_DRBG_REQUEST_MAX) {
        return error_set(e, ERROR_INVALID_SPEC, "%zu bytes were asked for, the generator gives 1 to %d",
                         length, CTR_DRBG_REQUEST_MAX);
    }
    cleanup_evp_rand_ctx EVP_RAND_CTX *source = nullptr;
    cleanup_evp_rand_ctx EVP_RAND_CTX *drbg = nullptr;
    cleanup_secret struct secret *secret = nullptr;
    if (!make_source(entropy, &source, e) || !instantiate(source, personalization, &drbg, e) ||
        !secret_create(length, &secret, e)) {
        return false;
    }
    if (EVP_RAND_generate(drbg, secret_bytes(secret), length, STRENGTH, 0, nullptr, 0) != 1) {
        return crypto_error(e, ERROR_CRYPTO, "generating %zu bytes", length);
    }
    *ret_secret = secret;
    secret = nullptr;
    return true;
}
