#include "net/server_identity_internal.h"

#include "base/memory.h"
#include "net/pem.h"

#include <openssl/err.h>
#include <pthread.h>

// A client that knows a post-quantum group is asked for it, even where it would have begun with another; "/"
// divides what is preferred from what is taken besides. What the loaded OpenSSL does not know is passed over.
static const char groups[] = "?X25519MLKEM768:?SecP256r1MLKEM768/?X25519:?P-256:?P-384";

// A context is not changed any more once it is here, and every connection has a count of its own. What was in
// use is given up by the thread that used it: no other one need know when its last connection has ended.
struct server_identity {
    SSL_CTX *tls; // the server's thread's
    pthread_mutex_t lock;
    SSL_CTX *next; // takes its place with the next connection; NULL: none; under lock
    bool is_set;   // under lock
};

// Errors: NO_MEMORY, INTERNAL.
static bool create_tls(SSL_CTX **ret_tls, struct error *e) {
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
    if (tls == nullptr) {
        ERR_clear_error();
        return error_no_memory(e, "TLS settings of a server");
    }
    SSL_CTX_set_options(tls, SSL_OP_CLEANSE_PLAINTEXT | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
    if (SSL_CTX_set_num_tickets(tls, 0) != 1 || SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set1_groups_list(tls, groups) != 1) {
        SSL_CTX_free(tls);
        ERR_clear_error();
        return error_set(e, ERROR_INTERNAL, "OpenSSL does not take the TLS settings of a server");
    }
    *ret_tls = tls;
    return true;
}

bool server_identity_create(struct server_identity **ret_identity, struct error *e) {
    struct server_identity *identity = memory_allocate_zeroed(1, sizeof(*identity));
    if (identity == nullptr) {
        return error_no_memory(e, "a server's identity");
    }
    if (!create_tls(&identity->tls, e)) {
        memory_free(identity);
        return false;
    }
    pthread_mutex_init(&identity->lock, nullptr);
    *ret_identity = identity;
    return true;
}

static bool use(SSL_CTX *tls, STACK_OF(X509) * chain, EVP_PKEY *key, struct error *e) {
    bool done =
        SSL_CTX_use_certificate(tls, sk_X509_value(chain, 0)) == 1 && SSL_CTX_use_PrivateKey(tls, key) == 1;
    for (int i = 1; done && i < sk_X509_num(chain); i++) {
        done = SSL_CTX_add1_chain_cert(tls, sk_X509_value(chain, i)) == 1;
    }
    const char *reason = ERR_reason_error_string(ERR_peek_error());
    ERR_clear_error();
    return done || error_set(e, ERROR_INVALID_SPEC, "TLS cannot use the server certificate: %s",
                             reason == nullptr ? "of an unknown kind" : reason);
}

// Compiles a complete new context, so that no connection ever sees half of a change.
static bool compile(const char *chain_text, const char *key_text, SSL_CTX **ret_tls, struct error *e) {
    STACK_OF(X509) * chain;
    EVP_PKEY *key;
    SSL_CTX *tls = nullptr;
    if (!pem_read_identity("server", chain_text, key_text, &chain, &key, e)) {
        return false;
    }
    bool done = create_tls(&tls, e) && use(tls, chain, key, e);
    pem_free_certificates(chain);
    EVP_PKEY_free(key);
    if (!done) {
        SSL_CTX_free(tls);
        return false;
    }
    *ret_tls = tls;
    return true;
}

bool server_identity_set(struct server_identity *identity, const char *chain, const char *key,
                         struct error *e) {
    SSL_CTX *tls;
    if (!compile(chain, key, &tls, e)) {
        return false;
    }
    pthread_mutex_lock(&identity->lock);
    SSL_CTX *unused = identity->next;
    identity->next = tls;
    identity->is_set = true;
    pthread_mutex_unlock(&identity->lock);
    SSL_CTX_free(unused);
    return true;
}

bool server_identity_is_set(struct server_identity *identity) {
    pthread_mutex_lock(&identity->lock);
    bool is_set = identity->is_set;
    pthread_mutex_unlock(&identity->lock);
    return is_set;
}

SSL *server_identity_begin(struct server_identity *identity) {
    pthread_mutex_lock(&identity->lock);
    SSL_CTX *next = identity->next;
    identity->next = nullptr;
    pthread_mutex_unlock(&identity->lock);
    if (next != nullptr) {
        SSL_CTX_free(identity->tls);
        identity->tls = next;
    }
    return SSL_new(identity->tls);
}

void server_identity_free(struct server_identity *identity) {
    if (identity != nullptr) {
        SSL_CTX_free(identity->tls);
        SSL_CTX_free(identity->next);
        pthread_mutex_destroy(&identity->lock);
        memory_free(identity);
    }
}
