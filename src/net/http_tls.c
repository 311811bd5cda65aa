#include "net/http_tls.h"

#include "base/memory.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdatomic.h>
#include <string.h>

// The hybrid groups first; shares of X25519MLKEM768 and of X25519 are sent at once ("*"), so that an older
// server costs no further round trip. What the loaded OpenSSL does not know is passed over ("?").
static const char groups[] = "?*X25519MLKEM768:?SecP256r1MLKEM768:?*X25519:?P-256:?P-384";

struct http_tls {
    atomic_size_t count;
    char *ca;
    char *certificate;
    char *key;
};

// An encrypted key must fail to load: OpenSSL's own callback would ask for the password on the terminal.
static int refuse_password(char *buffer, int size, int writing, void *context) {
    (void)buffer;
    (void)size;
    (void)writing;
    (void)context;
    return -1;
}

static BIO *open_text(const char *text) {
    size_t length = strlen(text);
    return length > INT_MAX ? nullptr : BIO_new_mem_buf(text, (int)length);
}

// Reads all certificates of text; *ret_first is owned. All must be readable, and there must be one.
static bool read_certificates(const char *what, const char *text, X509 **ret_first, struct error *e) {
    BIO *bio = open_text(text);
    X509 *first = nullptr;
    X509 *next;
    while (bio != nullptr && (next = PEM_read_bio_X509(bio, nullptr, refuse_password, nullptr)) != nullptr) {
        if (first == nullptr) {
            first = next;
        } else {
            X509_free(next);
        }
    }
    // Reading ends well where no further PEM header is found.
    bool whole = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    ERR_clear_error();
    BIO_free(bio);
    if (first == nullptr || !whole) {
        X509_free(first);
        return error_set(e, ERROR_INVALID_SPEC, "%s is not one or more PEM certificates", what);
    }
    *ret_first = first;
    return true;
}

static bool check_ca(const char *ca, struct error *e) {
    X509 *certificate;
    if (!read_certificates("the CA", ca, &certificate, e)) {
        return false;
    }
    X509_free(certificate);
    return true;
}

static bool check_identity(const char *certificate_text, const char *key_text, struct error *e) {
    X509 *certificate;
    if (!read_certificates("the client certificate", certificate_text, &certificate, e)) {
        return false;
    }
    BIO *bio = open_text(key_text);
    EVP_PKEY *key =
        bio == nullptr ? nullptr : PEM_read_bio_PrivateKey(bio, nullptr, refuse_password, nullptr);
    bool matches = key != nullptr && X509_check_private_key(certificate, key) == 1;
    ERR_clear_error();
    BIO_free(bio);
    X509_free(certificate);
    EVP_PKEY_free(key);
    if (key == nullptr) {
        return error_set(e, ERROR_INVALID_SPEC, "the client key is not an unencrypted PEM private key");
    }
    return matches ||
           error_set(e, ERROR_INVALID_SPEC, "the client key does not belong to the client certificate");
}

static bool copy_text(const char *text, char **ret_copy) {
    *ret_copy = text == nullptr ? nullptr : memory_copy_text(text);
    return text == nullptr || *ret_copy != nullptr;
}

bool http_tls_create(const char *ca, const char *certificate, const char *key, struct http_tls **ret_tls,
                     struct error *e) {
    if ((certificate == nullptr) != (key == nullptr)) {
        return error_set(e, ERROR_INVALID_SPEC, "a client certificate and its key are needed together");
    }
    if (ca != nullptr && !check_ca(ca, e)) {
        return false;
    }
    if (certificate != nullptr && !check_identity(certificate, key, e)) {
        return false;
    }
    struct http_tls *tls = memory_allocate_zeroed(1, sizeof(*tls));
    if (tls == nullptr) {
        return error_no_memory(e, "TLS settings");
    }
    atomic_init(&tls->count, 1);
    if (!copy_text(ca, &tls->ca) || !copy_text(certificate, &tls->certificate) ||
        !copy_text(key, &tls->key)) {
        http_tls_release(tls);
        return error_no_memory(e, "TLS settings");
    }
    *ret_tls = tls;
    return true;
}

struct http_tls *http_tls_retain(struct http_tls *tls) {
    if (tls != nullptr) {
        atomic_fetch_add_explicit(&tls->count, 1, memory_order_relaxed);
    }
    return tls;
}

void http_tls_release(struct http_tls *tls) {
    if (tls != nullptr && atomic_fetch_sub_explicit(&tls->count, 1, memory_order_acq_rel) == 1) {
        memory_free(tls->ca);
        memory_free(tls->certificate);
        memory_free(tls->key);
        memory_free(tls);
    }
}

// An open connection's record buffers would keep the last plaintext otherwise.
static CURLcode harden(CURL *easy, void *context, void *parameter) {
    (void)easy;
    (void)parameter;
    SSL_CTX_set_options(context, SSL_OP_CLEANSE_PLAINTEXT);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    return CURLE_OK;
}

static unsigned set_blob(CURL *easy, CURLoption option, const char *text) {
    if (text == nullptr) {
        return CURLE_OK;
    }
    struct curl_blob blob = {.data = (void *)text, .len = strlen(text), .flags = CURL_BLOB_NOCOPY};
    return curl_easy_setopt(easy, option, &blob);
}

bool http_tls_apply(const struct http_tls *tls, CURL *easy, struct error *e) {
    unsigned failed = CURLE_OK;
    if (tls != nullptr) {
        failed |= set_blob(easy, CURLOPT_CAINFO_BLOB, tls->ca);
        failed |= set_blob(easy, CURLOPT_SSLCERT_BLOB, tls->certificate);
        failed |= set_blob(easy, CURLOPT_SSLKEY_BLOB, tls->key);
    }
    failed |= curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    failed |= curl_easy_setopt(easy, CURLOPT_SSL_EC_CURVES, groups);
    failed |= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    failed |= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    failed |= curl_easy_setopt(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L);
    failed |= curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, harden);
    return failed == CURLE_OK || error_no_memory(e, "TLS settings of a request");
}
