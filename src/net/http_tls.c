#include "net/http_tls.h"

#include "base/memory.h"
#include "base/pem_form.h"
#include "net/pem.h"

#include <openssl/ssl.h>
#include <openssl/x509v3.h>
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
    char *server_name; // NULL: the URL's host
};

static bool check_ca(const char *ca, struct error *e) {
    STACK_OF(X509) * certificates;
    bool good = pem_read_certificates("the CA", ca, &certificates, e);
    if (good) {
        pem_free_certificates(certificates);
    }
    return good;
}

static bool check_identity(const char *certificate_text, const char *key_text, struct error *e) {
    STACK_OF(X509) * certificates;
    EVP_PKEY *key;
    bool good = pem_read_identity("client", certificate_text, key_text, &certificates, &key, e);
    if (good) {
        pem_free_certificates(certificates);
        EVP_PKEY_free(key);
    }
    return good;
}

// As libcurl reads it.
static bool copy_pem(const char *text, char **ret_copy, struct error *e) {
    cleanup_buffer struct buffer normal = {0};
    if (text == nullptr) {
        return true;
    }
    if (!pem_form_normalize(text, strlen(text), &normal, e)) {
        return false;
    }
    *ret_copy = memory_copy_text(buffer_text(&normal));
    return *ret_copy != nullptr || error_no_memory(e, "TLS settings");
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
    if (!copy_pem(ca, &tls->ca, e) || !copy_pem(certificate, &tls->certificate, e) ||
        !copy_pem(key, &tls->key, e)) {
        http_tls_release(tls);
        return false;
    }
    *ret_tls = tls;
    return true;
}

bool http_tls_set_server_name(struct http_tls *tls, const char *name, struct error *e) {
    tls->server_name = memory_copy_text(name);
    return tls->server_name != nullptr || error_no_memory(e, "TLS settings");
}

bool http_tls_has_server_name(const struct http_tls *tls) {
    return tls != nullptr && tls->server_name != nullptr;
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
        memory_free(tls->server_name);
        memory_free(tls);
    }
}

// Says in the first message whom we want. (An address is no name that could be said there.)
static void ask_for_server(const SSL *ssl, int where, int) {
    SSL *own = (SSL *)ssl; // a callback's is const, and this is what this one is for
    const char *name = X509_VERIFY_PARAM_get0_host(SSL_get0_param(own), 0);
    if ((where & SSL_CB_HANDSHAKE_START) != 0 && name != nullptr) {
        (void)SSL_set_tlsext_host_name(own, name);
    }
}

// libcurl knows of no name but the URL's host, so OpenSSL compares it.
static bool set_server_name(SSL_CTX *context, const char *name) {
    X509_VERIFY_PARAM *parameters = SSL_CTX_get0_param(context);
    SSL_CTX_set_info_callback(context, ask_for_server);
    X509_VERIFY_PARAM_set_hostflags(parameters, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return X509_VERIFY_PARAM_set1_ip_asc(parameters, name) == 1 ||
           X509_VERIFY_PARAM_set1_host(parameters, name, 0) == 1;
}

static CURLcode prepare(SSL_CTX *context, const struct http_tls *tls) {
    SSL_CTX_set_options(context, SSL_OP_CLEANSE_PLAINTEXT);
    bool named = tls == nullptr || tls->server_name == nullptr || set_server_name(context, tls->server_name);
    return named ? CURLE_OK : CURLE_OUT_OF_MEMORY;
}

// An open connection's record buffers would keep the last plaintext otherwise. Those of a connection that is
// used by one request after the other are kept, since freeing one means to cleanse all of its 17 KB; those of
// a connection of its own, which a watch has and seldom uses, are not.
static CURLcode prepare_own(CURL *, void *context, void *tls) {
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    return prepare(context, tls);
}

static CURLcode prepare_pooled(CURL *, void *context, void *tls) {
    SSL_CTX_clear_mode(context, SSL_MODE_RELEASE_BUFFERS); // which older versions of libcurl set
    return prepare(context, tls);
}

static unsigned set_blob(CURL *easy, CURLoption option, const char *text) {
    if (text == nullptr) {
        return CURLE_OK;
    }
    struct curl_blob blob = {.data = (void *)text, .len = strlen(text), .flags = CURL_BLOB_NOCOPY};
    return curl_easy_setopt(easy, option, &blob);
}

bool http_tls_apply(const struct http_tls *tls, CURL *easy, bool own_connection, struct error *e) {
    unsigned failed = CURLE_OK;
    if (tls != nullptr) {
        failed |= set_blob(easy, CURLOPT_CAINFO_BLOB, tls->ca);
        failed |= set_blob(easy, CURLOPT_PROXY_CAINFO_BLOB, tls->ca);
        if (tls->ca != nullptr) { // else the system's trust store would be trusted beside it
            failed |= curl_easy_setopt(easy, CURLOPT_CAPATH, nullptr);
            failed |= curl_easy_setopt(easy, CURLOPT_PROXY_CAPATH, nullptr);
        }
        failed |= set_blob(easy, CURLOPT_SSLCERT_BLOB, tls->certificate);
        failed |= set_blob(easy, CURLOPT_SSLKEY_BLOB, tls->key);
    }
    failed |= curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    failed |= curl_easy_setopt(easy, CURLOPT_SSL_EC_CURVES, groups);
    failed |= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    bool is_named = http_tls_has_server_name(tls); // then prepare sees to it
    failed |= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, is_named ? 0L : 2L);
    failed |= curl_easy_setopt(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L);
    failed |= curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, own_connection ? prepare_own : prepare_pooled);
    failed |= curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, (void *)tls);
    return failed == CURLE_OK || error_no_memory(e, "TLS settings of a request");
}
