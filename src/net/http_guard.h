// The connections of a server over TLS, kept within its limits: evhttp, which reads and writes them, counts
// only the time since the last byte. For the HTTP server's own files; loop thread.
#pragma once

#include "net/http_server.h"

#include <event2/bufferevent.h>
#include <event2/http.h>

struct http_guard;

// *ret_guard is owned; all else is borrowed. Errors: NO_MEMORY, INTERNAL.
[[nodiscard]] bool http_guard_create(struct event_base *base, struct server_identity *identity,
                                     const struct http_server_limits *limits, struct http_guard **ret_guard,
                                     struct error *e);

// For evhttp_set_bevcb, with the guard as its argument: the buffers of a connection that is accepted next.
struct bufferevent *http_guard_accept(struct event_base *base, void *guard);

// The request has come in whole and is answered now. False: its connection is none that the guard knows.
bool http_guard_answer(struct evhttp_request *request);

// How many requests are being received or answered.
size_t http_guard_busy(const struct http_guard *guard);

// Takes guard; its connections may outlive it. NULL is allowed.
void http_guard_free(struct http_guard *guard);
