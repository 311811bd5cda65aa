// The connections of a server, kept within its limits: evhttp, which reads and writes them, counts only the
// time since the last byte. For the HTTP server's own files; loop thread.
#pragma once

#include "net/http_server.h"

#include <event2/bufferevent.h>
#include <event2/http.h>

struct http_guard;

// identity NULL: without TLS. *ret_guard is owned; all else is borrowed, limits only during the call. Errors:
// NO_MEMORY.
[[nodiscard]] bool http_guard_create(struct event_base *base, struct server_identity *identity,
                                     const struct http_server_limits *limits, struct http_guard **ret_guard,
                                     struct error *e);

// For evhttp_set_bevcb; context is the guard: the buffers of a connection that is accepted next.
struct bufferevent *http_guard_accept(struct event_base *base, void *context);

// The request has come in whole and is answered now. False: its connection is none that the guard knows.
bool http_guard_answer(struct http_guard *guard, struct evhttp_request *request);

// Has gone(context) called once if the connection of request, which http_guard_answer has taken, ends before
// on_gone is called again; NULL: nobody wants to know any more.
void http_guard_on_gone(struct http_guard *guard, struct evhttp_request *request, void (*gone)(void *context),
                        void *context);

// Ends the connection of such a request.
void http_guard_cut(struct http_guard *guard, struct evhttp_request *request);

// How many requests are being received or answered.
size_t http_guard_busy(const struct http_guard *guard);

// Takes guard, once evhttp is freed; NULL is allowed.
void http_guard_free(struct http_guard *guard);
