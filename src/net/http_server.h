// Small HTTP/1.1 servers on the loop thread: a plain one, for health checks and metrics, and one over TLS
// that takes bodies, for admission.
#pragma once

#include "base/buffer.h"
#include "net/loop.h"
#include "net/server_identity.h"

struct http_server;

enum { HTTP_SERVER_BODY_MAX = 16 * 1024 * 1024, HTTP_SERVER_PART_MAX = 256 * 1024 };

// What follows the body of a long answer, in parts: each is made when the client has taken what was before.
struct http_tail {
    // Appends the next part, up to HTTP_SERVER_PART_MAX bytes; nothing: there is no more. An error ends the
    // connection, so that the client sees that something is missing. NULL: the body is all.
    bool (*write)(void *context, struct buffer *part, struct error *e);
    void (*free)(void *context); // takes context; called once, whatever becomes of the answer
    void *context;
};

// Answers GET and HEAD: fills body (text/plain, up to HTTP_SERVER_BODY_MAX bytes, dropped for HEAD) and, if
// need be, *ret_tail, and returns the status. path comes without its query and percent-decoded, borrowed
// during the call.
typedef int http_server_handler(void *context, const char *path, struct buffer *body,
                                struct http_tail *ret_tail);

// What one client, or all of them together, may cost.
struct http_server_limits {
    size_t body_max; // bytes; a longer one, chunked or not, is answered with 413; who sends twice is cut off
    size_t bodies_max; // bytes of all requests that are being received; beyond it the largest is cut off
    // Of all, and half of it from one peer, which is an IPv4 address or the first 64 bits of an IPv6 address.
    // One more ends another: see http_crowd_find_excess.
    size_t connections_max;
    size_t files_divisor; // never more connections than the files that the process may open, divided by this
    // For a handshake; for a request, from its first byte to its last one; and for the answer to be taken.
    // Who is slower is cut off.
    uint32_t exchange_ms;
    uint32_t idle_seconds; // between requests
};

// Over TLS: 7 MiB, 64 MiB, 2,000 connections or half of the files, 10 s, 120 s. Go's clients close a
// connection after 90 s, so they never write into one that is being closed here.
extern const struct http_server_limits http_server_usual_limits;

// Without TLS: 8 KiB, 1 MiB, 128 connections or an eighth of the files, 30 s, 15 s.
extern const struct http_server_limits http_server_plain_limits;

// Listens on address "host:port", "[v6]:port" or ":port" (all interfaces); port 0: any free one. On the loop
// thread, or before the loop runs; loop and context are borrowed until http_server_free. Other methods are
// answered with 501, and a request with large headers or a large body is refused. *ret_server is owned.
// Errors: INVALID_SPEC (address), IO (cannot bind), NO_MEMORY.
[[nodiscard]] bool http_server_create(struct loop *loop, const char *address,
                                      const struct http_server_limits *limits, http_server_handler *handler,
                                      void *context, struct http_server **ret_server, struct error *e);

// A POST request; all is borrowed during the call. path is as above.
struct https_request {
    const char *path;
    const char *content_type; // NULL: it does not say
    const char *body;         // no NUL follows it
    size_t body_length;
};

// Answers a request as http_server_handler does; *ret_content_type (static text) is text/plain unless it is
// set.
typedef int https_server_handler(void *context, const struct https_request *request, struct buffer *body,
                                 const char **ret_content_type);

// As http_server_create, over TLS 1.2 or later under identity, which is borrowed too. Takes POST only; other
// methods are answered with 405.
[[nodiscard]] bool https_server_create(struct loop *loop, const char *address,
                                       struct server_identity *identity,
                                       const struct http_server_limits *limits, https_server_handler *handler,
                                       void *context, struct http_server **ret_server, struct error *e);

// From now on every answer of a server over TLS ends its connection. Loop thread.
void http_server_drain(struct http_server *server);

// Whether no request is being received or answered. Loop thread.
bool http_server_is_quiet(const struct http_server *server);

// The port that it listens on.
uint16_t http_server_port(const struct http_server *server);

// Takes server; NULL is allowed. On the loop thread (not in its handler), or when the loop does not run.
void http_server_free(struct http_server *server);
