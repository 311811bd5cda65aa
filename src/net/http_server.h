// A small plain-HTTP server on the loop thread, for health checks and metrics.
#pragma once

#include "base/buffer.h"
#include "net/loop.h"

struct http_server;

enum { HTTP_SERVER_BODY_MAX = 16 * 1024 * 1024 };

// Answers GET and HEAD: fills body (text/plain, up to HTTP_SERVER_BODY_MAX bytes, dropped for HEAD) and
// returns the status. path comes without its query and percent-decoded, borrowed during the call.
typedef int http_server_handler(void *context, const char *path, struct buffer *body);

// Listens on address "host:port", "[v6]:port" or ":port" (all interfaces); port 0: any free one. On the loop
// thread, or before the loop runs; loop and context are borrowed until http_server_free. Other methods are
// answered with 405, and a request with large headers or with a body is refused; a connection that is idle
// for 15 s is closed. *ret_server is owned. Errors: INVALID_SPEC (address), IO (cannot bind), NO_MEMORY.
[[nodiscard]] bool http_server_create(struct loop *loop, const char *address, http_server_handler *handler,
                                      void *context, struct http_server **ret_server, struct error *e);

// The port that it listens on.
uint16_t http_server_port(const struct http_server *server);

// Takes server; NULL is allowed. On the loop thread (not in its handler), or when the loop does not run.
void http_server_free(struct http_server *server);
