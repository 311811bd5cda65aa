// A TLS server for tests: one thread for each connection, answers written by the test's own handler, on a
// free port of the loopback interface, with certificates made on the spot.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SERVER_CONNECTIONS_MAX = 64, SERVER_HEAD_MAX = 16384 };

// As the operator does it. Must come before anything else uses OpenSSL.
static void *openssl_allocate(size_t size, const char *file, int line) {
    (void)file;
    (void)line;
    return memory_allocate(size);
}

static void *openssl_resize(void *block, size_t size, const char *file, int line) {
    (void)file;
    (void)line;
    return memory_resize(block, size);
}

static void openssl_free(void *block, const char *file, int line) {
    (void)file;
    (void)line;
    memory_free(block);
}

[[maybe_unused]] static void use_own_heap(void) {
    if (CRYPTO_set_mem_functions(openssl_allocate, openssl_resize, openssl_free) != 1) {
        fputs("OpenSSL was used too early\n", stderr);
        abort();
    }
}

// A certificate and its key, as objects and as PEM.
struct identity {
    X509 *certificate;
    EVP_PKEY *key;
    char *certificate_pem;
    char *key_pem;
};

static char *take_bio_text(BIO *bio) {
    char *data;
    long length = BIO_get_mem_data(bio, &data);
    char *text = strndup(data, (size_t)length);
    BIO_free(bio);
    return text;
}

static void add_extension(X509 *certificate, X509 *issuer, int nid, const char *value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

// issuer NULL: a CA of its own; else a leaf for 127.0.0.1 and for clients.
[[maybe_unused]] static struct identity make_identity(const char *name, const struct identity *issuer) {
    static long serial = 1;
    struct identity made = {.key = EVP_EC_gen("P-256"), .certificate = X509_new()};
    const struct identity *signer = issuer == nullptr ? &made : issuer;
    X509_set_version(made.certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(made.certificate), serial++);
    X509_gmtime_adj(X509_getm_notBefore(made.certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(made.certificate), 3600);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(made.certificate), "CN", MBSTRING_ASC,
                               (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(made.certificate, X509_get_subject_name(signer->certificate));
    X509_set_pubkey(made.certificate, made.key);
    if (issuer == nullptr) {
        add_extension(made.certificate, signer->certificate, NID_basic_constraints, "critical,CA:TRUE");
        add_extension(made.certificate, signer->certificate, NID_key_usage, "critical,keyCertSign");
    } else {
        add_extension(made.certificate, signer->certificate, NID_subject_alt_name, "IP:127.0.0.1");
        add_extension(made.certificate, signer->certificate, NID_ext_key_usage, "serverAuth,clientAuth");
    }
    X509_sign(made.certificate, signer->key, EVP_sha256());
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(bio, made.certificate);
    made.certificate_pem = take_bio_text(bio);
    bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(bio, made.key, nullptr, nullptr, 0, nullptr, nullptr);
    made.key_pem = take_bio_text(bio);
    return made;
}

[[maybe_unused]] static void free_identity(struct identity *identity) {
    X509_free(identity->certificate);
    EVP_PKEY_free(identity->key);
    free(identity->certificate_pem);
    free(identity->key_pem);
    *identity = (struct identity){0};
}

struct server;

struct connection {
    struct server *server;
    int number; // from 1, in the order of arrival
    int fd;
    SSL *ssl;
    pthread_t thread;
};

struct received {
    char head[SERVER_HEAD_MAX]; // request line and headers
    char method[16];
    char path[2048];
    char *body; // NUL-terminated
    size_t body_length;
    char client[256]; // the common name in the client's certificate; "": it showed none
};

// Answers one request through server_send; false: the connection is closed after it. Called on the
// connection's thread.
typedef bool server_handler(void *context, struct connection *connection, const struct received *request);

struct server {
    struct identity ca;
    struct identity leaf;
    SSL_CTX *tls;
    int fd;
    uint16_t port;
    server_handler *handler;
    void *context;
    pthread_t thread;
    pthread_mutex_t lock;
    struct connection connections[SERVER_CONNECTIONS_MAX];
    int count; // connections so far, under lock
    atomic_bool stopping;
    atomic_int requests;
};

[[maybe_unused]] static void server_send_bytes(struct connection *connection, const char *bytes,
                                               size_t length) {
    if (length > 0) {
        (void)SSL_write(connection->ssl, bytes, (int)length);
    }
}

[[maybe_unused]] static void server_send(struct connection *connection, const char *text) {
    server_send_bytes(connection, text, strlen(text));
}

// A whole answer; headers: further lines, each ending in \r\n, or "".
[[maybe_unused]] static void server_reply(struct connection *connection, int status, const char *headers,
                                          const char *body) {
    char head[1024];
    snprintf(head, sizeof(head), "HTTP/1.1 %d Scripted\r\nContent-Length: %zu\r\n%s\r\n", status,
             strlen(body), headers);
    server_send(connection, head);
    server_send(connection, body);
}

// Waits until the client closes the connection or the server is stopped.
[[maybe_unused]] static void server_hang(struct connection *connection) {
    char byte;
    while (SSL_read(connection->ssl, &byte, 1) > 0) {
    }
}

// The request line: method and path, each ended by a space.
static bool split_line(struct received *request) {
    size_t method = strcspn(request->head, " \r");
    const char *path = request->head + method + 1;
    size_t length = strcspn(path, " \r");
    bool fits =
        request->head[method] == ' ' && method < sizeof(request->method) && length < sizeof(request->path);
    if (fits) {
        memcpy(request->method, request->head, method);
        memcpy(request->path, path, length);
    }
    return fits;
}

static bool receive_head(struct connection *connection, struct received *request) {
    size_t length = 0;
    while (length < SERVER_HEAD_MAX - 1 && SSL_read(connection->ssl, request->head + length, 1) == 1) {
        request->head[++length] = '\0';
        if (length >= 4 && strcmp(request->head + length - 4, "\r\n\r\n") == 0) {
            return split_line(request);
        }
    }
    return false;
}

static bool receive(struct connection *connection, struct received *request) {
    if (!receive_head(connection, request)) {
        return false;
    }
    const char *length = strcasestr(request->head, "\r\nContent-Length:");
    request->body_length = length == nullptr ? 0 : strtoul(length + 17, nullptr, 10);
    request->body = calloc(1, request->body_length + 1);
    size_t got = 0;
    while (got < request->body_length) {
        int more = SSL_read(connection->ssl, request->body + got, (int)(request->body_length - got));
        if (more <= 0) {
            return false;
        }
        got += (size_t)more;
    }
    return true;
}

static void *serve_connection(void *context) {
    struct connection *connection = context;
    struct server *server = connection->server;
    connection->ssl = SSL_new(server->tls);
    SSL_set_fd(connection->ssl, connection->fd);
    bool open = SSL_accept(connection->ssl) == 1;
    while (open) {
        struct received *request = calloc(1, sizeof(*request));
        X509 *peer = SSL_get1_peer_certificate(connection->ssl);
        if (peer != nullptr) {
            X509_NAME_get_text_by_NID(X509_get_subject_name(peer), NID_commonName, request->client,
                                      sizeof(request->client));
            X509_free(peer);
        }
        open = receive(connection, request);
        if (open) {
            atomic_fetch_add(&server->requests, 1);
            open = server->handler(server->context, connection, request) && !atomic_load(&server->stopping);
        }
        free(request->body);
        free(request);
    }
    (void)SSL_shutdown(connection->ssl);
    SSL_free(connection->ssl);
    ERR_clear_error();
    shutdown(connection->fd, SHUT_RDWR);
    return nullptr;
}

static void *accept_connections(void *context) {
    struct server *server = context;
    int fd;
    while ((fd = accept4(server->fd, nullptr, nullptr, SOCK_CLOEXEC)) >= 0) {
        int yes = 1;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
        pthread_mutex_lock(&server->lock);
        if (server->count == SERVER_CONNECTIONS_MAX) {
            abort();
        }
        struct connection *connection = &server->connections[server->count++];
        *connection = (struct connection){.server = server, .number = server->count, .fd = fd};
        pthread_create(&connection->thread, nullptr, serve_connection, connection);
        pthread_mutex_unlock(&server->lock);
    }
    return nullptr;
}

[[maybe_unused]] static struct server *server_start(server_handler *handler, void *context) {
    (void)signal(SIGPIPE, SIG_IGN);
    struct server *server = calloc(1, sizeof(*server));
    server->handler = handler;
    server->context = context;
    server->ca = make_identity("scripted CA", nullptr);
    server->leaf = make_identity("scripted server", &server->ca);
    server->tls = SSL_CTX_new(TLS_server_method());
    SSL_CTX_use_certificate(server->tls, server->leaf.certificate);
    SSL_CTX_use_PrivateKey(server->tls, server->leaf.key);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(server->tls), server->ca.certificate);
    SSL_CTX_set_verify(server->tls, SSL_VERIFY_PEER, nullptr);
    pthread_mutex_init(&server->lock, nullptr);
    server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    if (bind(server->fd, (struct sockaddr *)&address, length) != 0 || listen(server->fd, 64) != 0 ||
        getsockname(server->fd, (struct sockaddr *)&address, &length) != 0) {
        abort();
    }
    server->port = ntohs(address.sin_port);
    pthread_create(&server->thread, nullptr, accept_connections, server);
    return server;
}

// How many connections were made so far.
[[maybe_unused]] static int server_connections(struct server *server) {
    pthread_mutex_lock(&server->lock);
    int count = server->count;
    pthread_mutex_unlock(&server->lock);
    return count;
}

[[maybe_unused]] static void server_stop(struct server *server) {
    atomic_store(&server->stopping, true);
    shutdown(server->fd, SHUT_RDWR);
    pthread_join(server->thread, nullptr);
    close(server->fd);
    for (int i = 0; i < server->count; i++) {
        shutdown(server->connections[i].fd, SHUT_RDWR);
        pthread_join(server->connections[i].thread, nullptr);
        close(server->connections[i].fd);
    }
    SSL_CTX_free(server->tls);
    free_identity(&server->leaf);
    free_identity(&server->ca);
    pthread_mutex_destroy(&server->lock);
    free(server);
}

// The value of a header of request, up to its line's end, or NULL.
[[maybe_unused]] static const char *header_of(const struct received *request, const char *name,
                                              char value[512]) {
    char pattern[128];
    snprintf(pattern, sizeof(pattern), "\r\n%s: ", name);
    const char *found = strcasestr(request->head, pattern);
    if (found == nullptr) {
        return nullptr;
    }
    snprintf(value, 512, "%.*s", (int)strcspn(found + strlen(pattern), "\r"), found + strlen(pattern));
    return value;
}
