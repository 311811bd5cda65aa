// A small plain-HTTP server on the loop thread, for health checks and metrics.
#pragma once

#include "base/buffer.h"
#include "net/loop.h"

struct http_server;

// Answers GET and HEAD: fills body (text/plain) and returns the status.
typedef int http_server_handler(void *context, const char *path, struct buffer *body);

// Listens on address "host:port", "[v6]:port" or ":port" (all interfaces); port 0: any free one. *ret_server is
// owned. Errors: INVALID_SPEC (address), IO (cannot bind), NO_MEMORY.
[[nodiscard]] bool http_server_create(struct loop *loop, const char *address, http_server_handler *handler,
                                      void *context, struct http_server **ret_server, struct error *e);

// The port that it listens on.
uint16_t http_server_port(const struct http_server *server);

// Takes server; NULL is allowed.
void http_server_free(struct http_server *server);
