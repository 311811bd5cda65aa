// For the files of this folder only: cleanup attributes for OpenSSL's objects. A variable that carries one
// owns what it points to until it is set to nullptr.
#pragma once

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/x509.h>

#define CRYPTO_CLEANUP(name, type, release)                                                                  \
    static inline void name##_cleanup(type **handle) {                                                       \
        release(*handle);                                                                                    \
    }

CRYPTO_CLEANUP(evp_pkey, EVP_PKEY, EVP_PKEY_free)
CRYPTO_CLEANUP(evp_pkey_ctx, EVP_PKEY_CTX, EVP_PKEY_CTX_free)
CRYPTO_CLEANUP(evp_md_ctx, EVP_MD_CTX, EVP_MD_CTX_free)
CRYPTO_CLEANUP(evp_kdf, EVP_KDF, EVP_KDF_free)
CRYPTO_CLEANUP(evp_kdf_ctx, EVP_KDF_CTX, EVP_KDF_CTX_free)
CRYPTO_CLEANUP(evp_rand, EVP_RAND, EVP_RAND_free)
CRYPTO_CLEANUP(evp_rand_ctx, EVP_RAND_CTX, EVP_RAND_CTX_free)
CRYPTO_CLEANUP(bio, BIO, BIO_free_all)
CRYPTO_CLEANUP(x509, X509, X509_free)
CRYPTO_CLEANUP(x509_store, X509_STORE, X509_STORE_free)
CRYPTO_CLEANUP(x509_store_ctx, X509_STORE_CTX, X509_STORE_CTX_free)
CRYPTO_CLEANUP(x509_pubkey, X509_PUBKEY, X509_PUBKEY_free)
CRYPTO_CLEANUP(pkcs8, PKCS8_PRIV_KEY_INFO, PKCS8_PRIV_KEY_INFO_free)

#undef CRYPTO_CLEANUP

#define cleanup_evp_pkey [[gnu::cleanup(evp_pkey_cleanup)]]
#define cleanup_evp_pkey_ctx [[gnu::cleanup(evp_pkey_ctx_cleanup)]]
#define cleanup_evp_md_ctx [[gnu::cleanup(evp_md_ctx_cleanup)]]
#define cleanup_evp_kdf [[gnu::cleanup(evp_kdf_cleanup)]]
#define cleanup_evp_kdf_ctx [[gnu::cleanup(evp_kdf_ctx_cleanup)]]
#define cleanup_evp_rand [[gnu::cleanup(evp_rand_cleanup)]]
#define cleanup_evp_rand_ctx [[gnu::cleanup(evp_rand_ctx_cleanup)]]
#define cleanup_bio [[gnu::cleanup(bio_cleanup)]]
#define cleanup_x509 [[gnu::cleanup(x509_cleanup)]]
#define cleanup_x509_store [[gnu::cleanup(x509_store_cleanup)]]
#define cleanup_x509_store_ctx [[gnu::cleanup(x509_store_ctx_cleanup)]]
#define cleanup_x509_pubkey [[gnu::cleanup(x509_pubkey_cleanup)]]
#define cleanup_pkcs8 [[gnu::cleanup(pkcs8_cleanup)]]
