#include "net/http_server.h"

#include "base/memory.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/http.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    IDLE_SECONDS = 15,
    HEADERS_MAX = 8 * 1024,
    REQUEST_BODY_MAX = 1024,
    BACKLOG = 128,
    HOST_SIZE = 256,
    PORT_SIZE = 6,
};

struct http_server {
    struct evhttp *http;
    http_server_handler *handler;
    void *context;
    uint16_t port;
};

struct address {
    char host[HOST_SIZE]; // "": all interfaces
    char port[PORT_SIZE];
};

static bool parse_port(const char *text, char port[PORT_SIZE]) {
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits >= PORT_SIZE || text[digits] != '\0') {
        return false;
    }
    unsigned value = 0;
    for (size_t i = 0; i < digits; i++) {
        value = value * 10 + (unsigned)(text[i] - '0');
    }
    memcpy(port, text, digits + 1);
    return value <= UINT16_MAX;
}

static bool parse_address(const char *text, struct address *ret_address, struct error *e) {
    struct address address = {0};
    const char *colon = strrchr(text, ':');
    const char *host = text;
    size_t length = colon == nullptr ? 0 : (size_t)(colon - text);
    bool bracketed = length >= 2 && host[0] == '[' && host[length - 1] == ']';
    if (bracketed) {
        host++;
        length -= 2;
    }
    bool plain = memchr(host, ':', length) == nullptr && memchr(host, '[', length) == nullptr;
    if (colon == nullptr || length >= HOST_SIZE || (bracketed ? length == 0 : !plain) ||
        !parse_port(colon + 1, address.port)) {
        (void)error_set(e, ERROR_INVALID_SPEC, "\"%s\" is not host:port, [v6]:port or :port", text);
        return false;
    }
    memcpy(address.host, host, length);
    *ret_address = address;
    return true;
}

// A listening socket, or -1 with errno set.
static int listen_on(const struct addrinfo *candidate) {
    int fd = socket(candidate->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    int yes = 1;
    int no = 0;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof(yes));
    if (candidate->ai_family == AF_INET6) {
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no));
    }
    if (bind(fd, candidate->ai_addr, candidate->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
        int cause = errno;
        close(fd);
        errno = cause;
        return -1;
    }
    return fd;
}

// "All interfaces" is one IPv6 socket that takes IPv4 too, where the system has IPv6.
static int listen_on_first(const struct addrinfo *candidates, bool all_interfaces) {
    int fd = -1;
    for (const struct addrinfo *one = candidates; all_interfaces && one != nullptr && fd < 0;
         one = one->ai_next) {
        fd = one->ai_family == AF_INET6 ? listen_on(one) : -1;
    }
    for (const struct addrinfo *one = candidates; one != nullptr && fd < 0; one = one->ai_next) {
        fd = listen_on(one);
    }
    return fd;
}

static bool open_socket(const struct address *address, int *ret_fd, struct error *e) {
    bool all = address->host[0] == '\0';
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *candidates;
    int failure = getaddrinfo(all ? nullptr : address->host, address->port, &hints, &candidates);
    if (failure != 0) {
        (void)error_set(e, ERROR_INVALID_SPEC, "%s: %s", address->host, gai_strerror(failure));
        return false;
    }
    int fd = listen_on_first(candidates, all);
    int cause = errno;
    freeaddrinfo(candidates);
    if (fd < 0) {
        (void)error_set(e, ERROR_IO, "cannot listen on %s:%s: %s", address->host, address->port,
                        strerror(cause));
        return false;
    }
    *ret_fd = fd;
    return true;
}

static uint16_t bound_port(int fd) {
    struct sockaddr_storage address = {0};
    socklen_t length = sizeof(address);
    (void)getsockname(fd, (struct sockaddr *)&address, &length);
    return ntohs(address.ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)&address)->sin6_port
                                               : ((const struct sockaddr_in *)&address)->sin_port);
}

static int handle(const struct http_server *server, const char *path, struct buffer *body) {
    size_t length = 0;
    cleanup_text char *decoded = path == nullptr ? nullptr : evhttp_uridecode(path, 0, &length);
    if (decoded == nullptr || strlen(decoded) != length) {
        return HTTP_BADREQUEST;
    }
    return server->handler(server->context, decoded, body);
}

static void on_request(struct evhttp_request *request, void *context) {
    const struct http_server *server = context;
    cleanup_buffer struct buffer body = buffer_create(HTTP_SERVER_BODY_MAX);
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
    int status = handle(server, uri == nullptr ? nullptr : evhttp_uri_get_path(uri), &body);
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
    char length[24];
    (void)snprintf(length, sizeof(length), "%zu", body.length);
    if (evhttp_request_get_command(request) == EVHTTP_REQ_HEAD) {
        (void)evhttp_add_header(headers, "Content-Length", length);
    } else if (evbuffer_add(evhttp_request_get_output_buffer(request), buffer_text(&body), body.length) !=
               0) {
        status = HTTP_INTERNAL;
    }
    (void)evhttp_add_header(headers, "Content-Type", "text/plain; charset=utf-8");
    (void)evhttp_add_header(headers, "X-Content-Type-Options", "nosniff");
    evhttp_send_reply(request, status, nullptr, nullptr);
}

static bool start(struct http_server *server, struct loop *loop, int fd, struct error *e) {
    server->http = evhttp_new(loop_event_base(loop));
    if (server->http == nullptr) {
        return error_no_memory(e, "an HTTP server");
    }
    evhttp_set_allowed_methods(server->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
    evhttp_set_timeout(server->http, IDLE_SECONDS);
    evhttp_set_max_headers_size(server->http, HEADERS_MAX);
    evhttp_set_max_body_size(server->http, REQUEST_BODY_MAX);
    evhttp_set_gencb(server->http, on_request, server);
    if (evhttp_accept_socket_with_handle(server->http, fd) == nullptr) {
        return error_no_memory(e, "an HTTP server");
    }
    return true;
}

bool http_server_create(struct loop *loop, const char *address, http_server_handler *handler, void *context,
                        struct http_server **ret_server, struct error *e) {
    struct address parsed;
    int fd = -1;
    if (!parse_address(address, &parsed, e) || !open_socket(&parsed, &fd, e)) {
        return false;
    }
    struct http_server *server = memory_allocate_zeroed(1, sizeof(*server));
    if (server == nullptr) {
        close(fd);
        return error_no_memory(e, "an HTTP server");
    }
    *server = (struct http_server){.handler = handler, .context = context, .port = bound_port(fd)};
    if (!start(server, loop, fd, e)) {
        close(fd);
        http_server_free(server);
        return false;
    }
    *ret_server = server;
    return true;
}

uint16_t http_server_port(const struct http_server *server) {
    return server->port;
}

void http_server_free(struct http_server *server) {
    if (server != nullptr) {
        if (server->http != nullptr) {
            evhttp_free(server->http);
        }
        memory_free(server);
    }
}
