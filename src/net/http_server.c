#include "net/http_server.h"

#include "base/memory.h"
#include "net/http_guard.h"
#include "net/listener.h"

#include <event2/buffer.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    HEADERS_MAX = 8 * 1024,
    METHODS = EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST | EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE |
              EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE | EVHTTP_REQ_CONNECT | EVHTTP_REQ_PATCH,
};

const struct http_server_limits http_server_usual_limits = {
    .body_max = (size_t)7 * 1024 * 1024,
    .bodies_max = (size_t)64 * 1024 * 1024,
    .connections_max = 2000,
    .files_divisor = 2,
    .exchange_ms = 10000,
    .idle_seconds = 120,
};

const struct http_server_limits http_server_plain_limits = {
    .body_max = (size_t)8 * 1024,
    .bodies_max = (size_t)1024 * 1024,
    .connections_max = 128,
    .files_divisor = 8,
    .exchange_ms = 30000,
    .idle_seconds = 15,
};

struct http_server {
    struct evhttp *http;
    struct http_guard *guard;
    http_server_handler *handler;
    https_server_handler *https_handler; // NULL: plain HTTP
    void *context;
    uint16_t port;
    bool draining;
};

// The path of a request, decoded; owned. NULL: it has none that can be one.
static char *path_of(const struct evhttp_request *request) {
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
    const char *path = uri == nullptr ? nullptr : evhttp_uri_get_path(uri);
    size_t length = 0;
    char *decoded = path == nullptr ? nullptr : evhttp_uridecode(path, 0, &length);
    if (decoded != nullptr && strlen(decoded) != length) {
        memory_free(decoded);
        return nullptr;
    }
    return decoded;
}

static void add_headers(struct evhttp_request *request, const char *content_type) {
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
    (void)evhttp_add_header(headers, "Content-Type", content_type);
    (void)evhttp_add_header(headers, "X-Content-Type-Options", "nosniff");
}

static bool is_head(struct evhttp_request *request) {
    return evhttp_request_get_command(request) == EVHTTP_REQ_HEAD;
}

static void send_answer(struct evhttp_request *request, int status, const char *content_type,
                        const struct buffer *body) {
    char length[24];
    (void)snprintf(length, sizeof(length), "%zu", body->length);
    if (is_head(request)) {
        (void)evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Length", length);
    } else if (evbuffer_add(evhttp_request_get_output_buffer(request), buffer_text(body), body->length) !=
               0) {
        status = HTTP_INTERNAL;
    }
    add_headers(request, content_type);
    evhttp_send_reply(request, status, nullptr, nullptr);
}

static const char plain_text[] = "text/plain; charset=utf-8";

// ---- answers in parts

// An answer whose tail is being sent.
struct stream {
    struct http_server *server;
    struct evhttp_request *request;
    struct http_tail tail;
};

static void tail_done(const struct http_tail *tail) {
    if (tail->write != nullptr) {
        tail->free(tail->context);
    }
}

static void stream_free(struct stream *stream) {
    tail_done(&stream->tail);
    memory_free(stream);
}

// The client has gone, and evhttp leaves its request to us unless it is freed itself.
static void on_gone(void *context) {
    struct stream *stream = context;
    if (evhttp_request_get_connection(stream->request) == nullptr) {
        evhttp_request_free(stream->request);
    }
    stream_free(stream);
}

static void stream_end(struct stream *stream) {
    struct evhttp_request *request = stream->request;
    http_guard_on_gone(stream->server->guard, request, nullptr, nullptr);
    stream_free(stream);
    evhttp_send_reply_end(request);
}

static void send_part(struct evhttp_connection *, void *context);

// False: it could not be made, or not be kept.
static bool send_chunk(struct stream *stream, const struct buffer *part) {
    struct evbuffer *chunk = evbuffer_new();
    bool sent = chunk != nullptr && evbuffer_add(chunk, buffer_text(part), part->length) == 0;
    if (sent) {
        evhttp_send_reply_chunk_with_cb(stream->request, chunk, send_part, stream);
    }
    if (chunk != nullptr) {
        evbuffer_free(chunk);
    }
    return sent;
}

static void send_part(struct evhttp_connection *, void *context) {
    struct stream *stream = context;
    struct error e;
    cleanup_buffer struct buffer part = buffer_create(HTTP_SERVER_PART_MAX);
    bool written = stream->tail.write(stream->tail.context, &part, &e);
    if (written && part.length == 0) {
        stream_end(stream);
    } else if (!written || !send_chunk(stream, &part)) {
        http_guard_cut(stream->server->guard, stream->request);
    }
}

// Takes tail. The body is the first of its parts.
static void start_stream(struct http_server *server, struct evhttp_request *request, int status,
                         const struct buffer *body, const struct http_tail *tail) {
    struct stream *stream = memory_allocate(sizeof(*stream));
    if (stream == nullptr) {
        tail_done(tail);
        evhttp_send_error(request, HTTP_INTERNAL, nullptr);
        return;
    }
    *stream = (struct stream){server, request, *tail};
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
    add_headers(request, plain_text);
    http_guard_on_gone(server->guard, request, on_gone, stream);
    evhttp_send_reply_start(request, status, nullptr);
    if (evhttp_find_header(headers, "Transfer-Encoding") == nullptr) { // HTTP/1.0: the end is its end
        (void)evhttp_remove_header(headers, "Connection");
        (void)evhttp_add_header(headers, "Connection", "close");
    }
    if (body->length == 0) {
        send_part(nullptr, stream);
    } else if (!send_chunk(stream, body)) {
        http_guard_cut(server->guard, request);
    }
}

// ---- requests

static void on_request(struct evhttp_request *request, void *context) {
    struct http_server *server = context;
    cleanup_buffer struct buffer body = buffer_create(HTTP_SERVER_BODY_MAX);
    struct http_tail tail = {0};
    if (!http_guard_answer(server->guard, request)) {
        evhttp_send_error(request, HTTP_SERVUNAVAIL, nullptr);
        return;
    }
    cleanup_text char *path = path_of(request);
    int status = path == nullptr ? HTTP_BADREQUEST : server->handler(server->context, path, &body, &tail);
    if (tail.write == nullptr) {
        send_answer(request, status, plain_text, &body);
    } else if (is_head(request)) { // of a length that is not known
        tail_done(&tail);
        add_headers(request, plain_text);
        evhttp_send_reply(request, status, nullptr, nullptr);
    } else {
        start_stream(server, request, status, &body, &tail);
    }
}

static int answer_post(const struct http_server *server, struct evhttp_request *request, struct buffer *body,
                       const char **ret_content_type) {
    struct evbuffer *input = evhttp_request_get_input_buffer(request);
    cleanup_text char *path = path_of(request);
    size_t length = evbuffer_get_length(input);
    const unsigned char *bytes = length == 0 ? (const unsigned char *)"" : evbuffer_pullup(input, -1);
    if (path == nullptr) {
        return HTTP_BADREQUEST;
    }
    if (bytes == nullptr) {
        return HTTP_INTERNAL;
    }
    struct https_request whole = {
        .path = path,
        .content_type = evhttp_find_header(evhttp_request_get_input_headers(request), "Content-Type"),
        .body = (const char *)bytes,
        .body_length = length,
    };
    return server->https_handler(server->context, &whole, body, ret_content_type);
}

static void on_tls_request(struct evhttp_request *request, void *context) {
    const struct http_server *server = context;
    cleanup_buffer struct buffer body = buffer_create(HTTP_SERVER_BODY_MAX);
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
    const char *content_type = plain_text;
    int status;
    if (!http_guard_answer(server->guard, request)) {
        evhttp_send_error(request, HTTP_SERVUNAVAIL, nullptr);
        return;
    }
    if (evhttp_request_get_command(request) != EVHTTP_REQ_POST) {
        (void)evhttp_add_header(headers, "Allow", "POST");
        status = HTTP_BADMETHOD;
    } else {
        status = answer_post(server, request, &body, &content_type);
    }
    if (server->draining) {
        (void)evhttp_add_header(headers, "Connection", "close");
    }
    send_answer(request, status, content_type, &body);
}

static void set_plain(struct http_server *server) {
    evhttp_set_allowed_methods(server->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
    evhttp_set_gencb(server->http, on_request, server);
}

// The rest of a body that is too long is read and dropped, within the limit of time, so that a client which
// writes all before it reads gets its answer too.
static void set_tls(struct http_server *server) {
    evhttp_set_allowed_methods(server->http, METHODS);
    (void)evhttp_set_flags(server->http, EVHTTP_SERVER_LINGERING_CLOSE);
    evhttp_set_gencb(server->http, on_tls_request, server);
}

static bool start(struct http_server *server, struct loop *loop, const struct http_server_limits *limits,
                  int fd, struct error *e) {
    server->http = evhttp_new(loop_event_base(loop));
    if (server->http == nullptr) {
        return error_no_memory(e, "an HTTP server");
    }
    evhttp_set_max_headers_size(server->http, HEADERS_MAX);
    evhttp_set_timeout(server->http, (int)limits->idle_seconds);
    evhttp_set_max_body_size(server->http, (ssize_t)limits->body_max);
    evhttp_set_bevcb(server->http, http_guard_accept, server->guard);
    if (server->https_handler == nullptr) {
        set_plain(server);
    } else {
        set_tls(server);
    }
    return evhttp_accept_socket_with_handle(server->http, fd) != nullptr ||
           error_no_memory(e, "an HTTP server");
}

// wanted: the handler and its context. identity NULL: plain HTTP.
static bool create(struct loop *loop, const char *address, const struct http_server *wanted,
                   struct server_identity *identity, const struct http_server_limits *limits,
                   struct http_server **ret_server, struct error *e) {
    int fd = -1;
    struct http_server *server = memory_allocate(sizeof(*server));
    if (server == nullptr) {
        return error_no_memory(e, "an HTTP server");
    }
    *server = *wanted;
    if (!http_guard_create(loop_event_base(loop), identity, limits, &server->guard, e) ||
        !listener_open(address, &fd, e)) {
        http_server_free(server);
        return false;
    }
    server->port = listener_port(fd);
    if (!start(server, loop, limits, fd, e)) {
        close(fd);
        http_server_free(server);
        return false;
    }
    *ret_server = server;
    return true;
}

bool http_server_create(struct loop *loop, const char *address, const struct http_server_limits *limits,
                        http_server_handler *handler, void *context, struct http_server **ret_server,
                        struct error *e) {
    struct http_server wanted = {.handler = handler, .context = context};
    return create(loop, address, &wanted, nullptr, limits, ret_server, e);
}

bool https_server_create(struct loop *loop, const char *address, struct server_identity *identity,
                         const struct http_server_limits *limits, https_server_handler *handler,
                         void *context, struct http_server **ret_server, struct error *e) {
    struct http_server wanted = {.https_handler = handler, .context = context};
    return create(loop, address, &wanted, identity, limits, ret_server, e);
}

void http_server_drain(struct http_server *server) {
    server->draining = true;
}

bool http_server_is_quiet(const struct http_server *server) {
    return http_guard_busy(server->guard) == 0;
}

uint16_t http_server_port(const struct http_server *server) {
    return server->port;
}

void http_server_free(struct http_server *server) {
    if (server != nullptr) {
        if (server->http != nullptr) {
            evhttp_free(server->http);
        }
        http_guard_free(server->guard);
        memory_free(server);
    }
}
