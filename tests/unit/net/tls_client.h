// A TLS client for tests of servers: blocking, on the test's own thread.
#pragma once

#include "scripted_server.h"

struct tls_client {
    SSL *ssl; // NULL: the handshake failed
    int fd;
};

static int connect_loopback(uint16_t port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

[[maybe_unused]] static struct tls_client tls_connect(uint16_t port) {
    static SSL_CTX *context; // making one takes long
    context = context == nullptr ? SSL_CTX_new(TLS_client_method()) : context;
    struct tls_client client = {.ssl = SSL_new(context), .fd = connect_loopback(port)};
    SSL_set_fd(client.ssl, client.fd);
    if (SSL_connect(client.ssl) != 1) {
        ERR_clear_error();
        SSL_free(client.ssl);
        client.ssl = nullptr;
    }
    return client;
}

[[maybe_unused]] static void tls_close(struct tls_client *client) {
    SSL_free(client->ssl);
    close(client->fd);
    ERR_clear_error();
    *client = (struct tls_client){.fd = -1};
}

// False: the server is gone.
[[maybe_unused]] static bool tls_send(const struct tls_client *client, const char *bytes, size_t length) {
    while (length > 0) {
        int part = SSL_write(client->ssl, bytes, length > 100000 ? 100000 : (int)length);
        if (part <= 0) {
            ERR_clear_error();
            return false;
        }
        bytes += part;
        length -= (size_t)part;
    }
    return true;
}

[[maybe_unused]] static bool tls_say(const struct tls_client *client, const char *text) {
    return tls_send(client, text, strlen(text));
}

// Reads until the text so far contains end or the server closes; the text is static.
[[maybe_unused]] static const char *tls_read_until(const struct tls_client *client, const char *end) {
    static char text[65536];
    size_t length = 0;
    int more = 1;
    text[0] = '\0';
    while (more > 0 && (end == nullptr || strstr(text, end) == nullptr) && length < sizeof(text) - 1) {
        more = SSL_read(client->ssl, text + length, (int)(sizeof(text) - 1 - length));
        length += more > 0 ? (size_t)more : 0;
        text[length] = '\0';
    }
    ERR_clear_error();
    return text;
}

// Waits for the server to close; true: it said nothing before.
[[maybe_unused]] static bool tls_is_cut(const struct tls_client *client) {
    return tls_read_until(client, nullptr)[0] == '\0';
}

// Common name of the server's certificate; static.
[[maybe_unused]] static const char *tls_peer(const struct tls_client *client) {
    static char name[256];
    X509 *certificate = SSL_get1_peer_certificate(client->ssl);
    X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name, sizeof(name));
    X509_free(certificate);
    return name;
}
