#include "crypto/pkey.h"

#include "base/memory.h"
#include "crypto/handles.h"
#include "crypto/openssl.h"
#include "crypto/pkey_internal.h"

#include <openssl/core_names.h>
#include <openssl/encoder.h>
#include <openssl/objects.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdatomic.h>

struct pkey {
    const struct algorithm *algorithm;
    EVP_PKEY *evp; // owned
    bool has_private;
    atomic_uint count;
};

bool pkey_wrap(const struct algorithm *algorithm, EVP_PKEY *evp, bool has_private, struct pkey **ret_pkey,
               struct error *e) {
    struct pkey *pkey = memory_allocate_zeroed(1, sizeof(*pkey));
    if (pkey == nullptr) {
        EVP_PKEY_free(evp);
        return error_no_memory(e, "a key");
    }
    *pkey = (struct pkey){.algorithm = algorithm, .evp = evp, .has_private = has_private, .count = 1};
    *ret_pkey = pkey;
    return true;
}

EVP_PKEY *pkey_evp(const struct pkey *pkey) {
    return pkey->evp;
}

static bool generate(const struct algorithm *algorithm, const OSSL_PARAM *parameters, struct pkey **ret_pkey,
                     struct error *e) {
    cleanup_evp_pkey_ctx EVP_PKEY_CTX *context =
        EVP_PKEY_CTX_new_from_name(nullptr, algorithm->openssl_name, nullptr);
    EVP_PKEY *evp = nullptr;
    if (context == nullptr || EVP_PKEY_keygen_init(context) != 1 ||
        (parameters != nullptr && EVP_PKEY_CTX_set_params(context, parameters) != 1) ||
        EVP_PKEY_generate(context, &evp) != 1) {
        return crypto_error(e, ERROR_CRYPTO, "making an %s key pair", algorithm->name);
    }
    return pkey_wrap(algorithm, evp, true, ret_pkey, e);
}

bool pkey_generate(const struct algorithm *algorithm, struct pkey **ret_pkey, struct error *e) {
    return generate(algorithm, nullptr, ret_pkey, e);
}

// OpenSSL's name for it in all families (OSSL_PKEY_PARAM_ML_DSA_SEED and so on).
static const char seed_parameter[] = OSSL_PKEY_PARAM_ML_KEM_SEED;

bool pkey_from_seed(const struct algorithm *algorithm, const struct secret *seed, struct pkey **ret_pkey,
                    struct error *e) {
    if (secret_length(seed) != algorithm->seed_size) {
        return error_set(e, ERROR_INVALID_SPEC, "a seed of %s has %zu bytes, this one has %zu",
                         algorithm->name, algorithm->seed_size, secret_length(seed));
    }
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(seed_parameter, (void *)secret_view(seed), secret_length(seed)),
        OSSL_PARAM_construct_end(),
    };
    return generate(algorithm, parameters, ret_pkey, e);
}

bool pkey_from_private(const struct algorithm *algorithm, const void *bytes, size_t length,
                       struct pkey **ret_pkey, struct error *e) {
    if (length != algorithm->private_key_size) {
        return error_set(e, ERROR_INVALID_SPEC, "a private key of %s has %zu bytes, this one has %zu",
                         algorithm->name, algorithm->private_key_size, length);
    }
    EVP_PKEY *evp = EVP_PKEY_new_raw_private_key_ex(nullptr, algorithm->openssl_name, nullptr, bytes, length);
    if (evp == nullptr) {
        return crypto_error(e, ERROR_INVALID_SPEC, "not a private key of %s", algorithm->name);
    }
    return pkey_wrap(algorithm, evp, true, ret_pkey, e);
}

static bool refuse_public_size(const struct algorithm *algorithm, size_t length, struct error *e) {
    cleanup_buffer struct buffer others = buffer_create(1024);
    if (!algorithm_describe_sizes(algorithm->family, length, &others, e)) {
        return false;
    }
    bool known = others.length > 0;
    return error_set(e, ERROR_INVALID_SPEC, "a public key of %s has %zu bytes, this one has %zu%s%s%s",
                     algorithm->name, algorithm->public_key_size, length, known ? " (as one of " : "",
                     known ? buffer_text(&others) : "", known ? ")" : "");
}

bool pkey_from_public(const struct algorithm *algorithm, const void *bytes, size_t length,
                      struct pkey **ret_pkey, struct error *e) {
    if (length != algorithm->public_key_size) {
        return refuse_public_size(algorithm, length, e);
    }
    EVP_PKEY *evp = EVP_PKEY_new_raw_public_key_ex(nullptr, algorithm->openssl_name, nullptr, bytes, length);
    if (evp == nullptr) {
        return crypto_error(e, ERROR_INVALID_SPEC, "not a public key of %s", algorithm->name);
    }
    return pkey_wrap(algorithm, evp, false, ret_pkey, e);
}

struct pkey *pkey_retain(struct pkey *pkey) {
    atomic_fetch_add(&pkey->count, 1);
    return pkey;
}

void pkey_free(struct pkey *pkey) {
    if (pkey != nullptr && atomic_fetch_sub(&pkey->count, 1) == 1) {
        EVP_PKEY_free(pkey->evp);
        memory_free(pkey);
    }
}

const struct algorithm *pkey_algorithm(const struct pkey *pkey) {
    return pkey->algorithm;
}

bool pkey_has_private(const struct pkey *pkey) {
    return pkey->has_private;
}

bool pkey_public(const struct pkey *pkey, struct buffer *bytes, struct error *e) {
    size_t length = pkey->algorithm->public_key_size;
    char *room;
    if (!buffer_reserve(bytes, length, &room, e)) {
        return false;
    }
    if (EVP_PKEY_get_raw_public_key(pkey->evp, (unsigned char *)room, &length) != 1) {
        return crypto_error(e, ERROR_CRYPTO, "reading a public key of %s", pkey->algorithm->name);
    }
    buffer_advance(bytes, length);
    return true;
}

static bool require_private(const struct pkey *pkey, struct error *e) {
    return pkey->has_private ||
           error_set(e, ERROR_CRYPTO, "a public key of %s has no private key", pkey->algorithm->name);
}

bool pkey_private(const struct pkey *pkey, struct secret **ret_bytes, struct error *e) {
    cleanup_secret struct secret *bytes = nullptr;
    size_t length = pkey->algorithm->private_key_size;
    if (!require_private(pkey, e) || !secret_create(length, &bytes, e)) {
        return false;
    }
    if (EVP_PKEY_get_raw_private_key(pkey->evp, secret_bytes(bytes), &length) != 1) {
        return crypto_error(e, ERROR_CRYPTO, "reading a private key of %s", pkey->algorithm->name);
    }
    *ret_bytes = bytes;
    bytes = nullptr;
    return true;
}

// A SubjectPublicKeyInfo of one of our algorithms is its identifier without parameters and the raw key (RFC
// 9935, 9881, 9909). OpenSSL's encoder finds that out in ten times the time.
static bool write_spki(const struct algorithm *algorithm, const struct buffer *raw, BIO *pem) {
    cleanup_x509_pubkey X509_PUBKEY *spki = X509_PUBKEY_new();
    unsigned char *copy = OPENSSL_memdup(buffer_text(raw), raw->length);
    if (spki == nullptr || copy == nullptr ||
        X509_PUBKEY_set0_param(spki, OBJ_txt2obj(algorithm->openssl_name, 0), V_ASN1_UNDEF, nullptr, copy,
                               (int)raw->length) != 1) {
        OPENSSL_free(copy);
        return false;
    }
    return PEM_write_bio_X509_PUBKEY(pem, spki) == 1;
}

bool pkey_public_pem(const struct pkey *pkey, struct buffer *pem, struct error *e) {
    cleanup_buffer struct buffer raw = buffer_create(pkey->algorithm->public_key_size);
    cleanup_bio BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    if (!pkey_public(pkey, &raw, e)) {
        return false;
    }
    if (bio == nullptr || !write_spki(pkey->algorithm, &raw, bio)) {
        return crypto_error(e, ERROR_CRYPTO, "writing a public key of %s", pkey->algorithm->name);
    }
    long length = BIO_get_mem_data(bio, &text);
    return buffer_append(pem, text, (size_t)length, e);
}

bool pkey_private_pem(const struct pkey *pkey, struct secret **ret_pem, struct error *e) {
    if (!require_private(pkey, e)) {
        return false;
    }
    OSSL_ENCODER_CTX *context =
        OSSL_ENCODER_CTX_new_for_pkey(pkey->evp, EVP_PKEY_KEYPAIR, "PEM", "PrivateKeyInfo", nullptr);
    unsigned char *text = nullptr;
    size_t length = 0;
    bool done = context != nullptr && OSSL_ENCODER_to_data(context, &text, &length) == 1;
    OSSL_ENCODER_CTX_free(context);
    if (!done) {
        return crypto_error(e, ERROR_CRYPTO, "writing a private key of %s", pkey->algorithm->name);
    }
    done = secret_copy(text, length, ret_pem, e);
    OPENSSL_free(text); // which cleanses it
    return done;
}

bool pkey_has_seed(const struct pkey *pkey) {
    size_t length = 0;
    bool is_seed_itself = pkey->algorithm->seed_size > pkey->algorithm->private_key_size / 2; // FIPS 205
    return pkey->has_private &&
           (is_seed_itself || EVP_PKEY_get_octet_string_param(pkey->evp, OSSL_PKEY_PARAM_ML_KEM_SEED, nullptr,
                                                              0, &length) == 1);
}

// The private key of PKCS#8 is the raw one as an OCTET STRING of its own.
static bool fill_pkcs8(PKCS8_PRIV_KEY_INFO *pkcs8, const struct algorithm *algorithm,
                       const struct secret *raw) {
    ASN1_OCTET_STRING *inner = ASN1_OCTET_STRING_new();
    unsigned char *der = nullptr;
    int length = -1;
    if (inner != nullptr && ASN1_OCTET_STRING_set(inner, secret_view(raw), (int)secret_length(raw)) == 1) {
        length = i2d_ASN1_OCTET_STRING(inner, &der);
    }
    ASN1_STRING_clear_free(inner);
    bool done = length > 0 && PKCS8_pkey_set0(pkcs8, OBJ_txt2obj(algorithm->openssl_name, 0), 0, V_ASN1_UNDEF,
                                              nullptr, der, length) == 1;
    if (!done && length > 0) {
        OPENSSL_clear_free(der, (size_t)length);
    }
    return done;
}

bool pkey_expanded_pem(const struct pkey *pkey, struct secret **ret_pem, struct error *e) {
    cleanup_secret struct secret *raw = nullptr;
    cleanup_bio BIO *bio = BIO_new(BIO_s_mem());
    cleanup_pkcs8 PKCS8_PRIV_KEY_INFO *pkcs8 = PKCS8_PRIV_KEY_INFO_new();
    char *text;
    if (!pkey_private(pkey, &raw, e)) {
        return false;
    }
    if (bio == nullptr || pkcs8 == nullptr || !fill_pkcs8(pkcs8, pkey->algorithm, raw) ||
        PEM_write_bio_PKCS8_PRIV_KEY_INFO(bio, pkcs8) != 1) {
        return crypto_error(e, ERROR_CRYPTO, "writing a private key of %s", pkey->algorithm->name);
    }
    long length = BIO_get_mem_data(bio, &text);
    return secret_copy(text, (size_t)length, ret_pem, e);
}

bool pkey_best_pem(const struct pkey *pkey, struct secret **ret_pem, struct error *e) {
    return pkey_has_seed(pkey) ? pkey_private_pem(pkey, ret_pem, e) : pkey_expanded_pem(pkey, ret_pem, e);
}

static bool check_same_private(const struct pkey *one, const struct pkey *other, struct error *e) {
    cleanup_secret struct secret *left = nullptr;
    cleanup_secret struct secret *right = nullptr;
    if (!pkey_private(one, &left, e) || !pkey_private(other, &right, e)) {
        return false;
    }
    return secret_equals(left, secret_view(right), secret_length(right)) ||
           error_set(e, ERROR_CRYPTO, "the private keys differ");
}

bool pkey_check_same(const struct pkey *one, const struct pkey *other, struct error *e) {
    if (one->algorithm != other->algorithm) {
        return error_set(e, ERROR_CRYPTO, "one key is of %s, the other of %s", one->algorithm->name,
                         other->algorithm->name);
    }
    if (!secret_reveal(EVP_PKEY_eq(one->evp, other->evp) == 1)) {
        return crypto_error(e, ERROR_CRYPTO, "the public keys differ");
    }
    return !one->has_private || !other->has_private || check_same_private(one, other, e);
}
