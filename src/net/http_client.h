// HTTP/1.1 over TLS on the loop thread (libcurl's multi interface). Two ways to use it: a blocking call for
// workers, and a stream of bytes for watches. Every buffer that held a message is cleansed; for OpenSSL's own
// ones this needs its allocator to be base/memory before the first http_client_create or http_tls_create.
// Redirects are not followed. The proxy variables of the environment are honoured as curl does, loopback
// addresses excepted.
#pragma once

#include "base/buffer.h"
#include "net/loop.h"

struct http_client;
struct http_stream;
struct http_tls;

// Whom to trust and who we are. Counted: http_tls_release gives a count back; a request in flight keeps its
// own. All texts are PEM and copied; ca: these alone are trusted, NULL: the system's trust store; certificate
// (with its chain) and key NULL: no client certificate. A connection made under one is used under another
// only if all three texts are the same. Errors: INVALID_SPEC (not PEM, an encrypted key, key and certificate
// do not belong together), NO_MEMORY.
[[nodiscard]] bool http_tls_create(const char *ca, const char *certificate, const char *key,
                                   struct http_tls **ret_tls, struct error *e);

// Has a server show a certificate of this name or address, and asks for it by that name, in the place of the
// URL's host. Before tls is used; one client is used with one name for each URL, since connections are not
// told apart by it. Errors: NO_MEMORY.
[[nodiscard]] bool http_tls_set_server_name(struct http_tls *tls, const char *name, struct error *e);

struct http_tls *http_tls_retain(struct http_tls *tls); // NULL is allowed
void http_tls_release(struct http_tls *tls);            // NULL is allowed

struct http_request {
    const char *method;         // "GET", "POST", "PUT", "PATCH", "DELETE"
    const char *url;            // https://... (http:// is for tests and seed sources)
    const char *const *headers; // "Name: value", NULL-terminated; NULL: none
    const char *body;           // NULL: none; with one, headers must name its Content-Type
    size_t body_length;         // bytes
    size_t response_cap;        // bytes; a longer response is an error
    uint32_t timeout_ms;        // for the whole exchange, connecting included; must not be 0
    struct http_tls *tls;       // NULL: the system's trust store
    const char *proxy; // "http://[user:password@]host:port", https or socks5, for every host; NULL: as
                       // the environment says
    // Asked on the loop thread when the connection stands and the request's first byte goes out next, each
    // time that it is sent; false: it is not sent, and ends with RETRYABLE. NULL: it is sent.
    bool (*may_send)(void *context);
    void *may_send_context;
};

enum { HTTP_RETRY_AFTER_MAX_S = 3600 }; // what a server asks for beyond it is not believed

struct http_response {
    int status;
    uint32_t retry_after_ms; // from the Retry-After header (seconds or date), at most the maximum; 0: none
    struct buffer body;      // owned by the response
};
void http_response_done(struct http_response *response);
#define cleanup_response [[gnu::cleanup(http_response_done)]]

// Told on the loop thread of every new TLS connection: the negotiated group, "X25519MLKEM768" for example.
typedef void http_connection_observer(void *context, const char *group);

// *ret_client is owned; loop is borrowed until http_client_free. observer may be NULL. On the loop thread, or
// before the loop runs. Errors: NO_MEMORY, INTERNAL (libcurl is built without OpenSSL).
[[nodiscard]] bool http_client_create(struct loop *loop, http_connection_observer *observer,
                                      void *observer_context, struct http_client **ret_client,
                                      struct error *e);

// Ends what is in flight (blocked callers get RETRYABLE, and so does on_end of each stream that is still
// open, which its owner may close afterwards) and takes client once no caller is blocked any more. The loop
// must not be running. NULL is allowed.
void http_client_free(struct http_client *client);

// Makes the exchange and waits for it; never call it on the loop thread. Any HTTP status counts as success.
// The request is borrowed until the call returns. When the loop does not run, it gives up two seconds after
// the timeout. A request whose kept-alive connection was closed before any byte of an answer is sent again on
// a new one, so a POST may arrive twice. Errors: RETRYABLE (no connection, reset, deadline passed, client
// being freed), IO (TLS verification, response over its cap, malformed), NO_MEMORY, INTERNAL (an unknown
// method, the loop thread).
[[nodiscard]] bool http_client_call(struct http_client *client, const struct http_request *request,
                                    struct http_response *ret_response, struct error *e);

// Called on the loop thread. on_status comes once, before any data. on_data gives the body's bytes as they
// come, borrowed during the call and cleansed after it; after false the stream ends with an IO error. on_end
// comes exactly once, unless the stream is closed before: error NULL means that the server ended it in an
// orderly way. A status of 400 and above delivers its body through on_data too, up to 64 KiB, beyond which
// the stream ends with an IO error.
struct http_stream_events {
    void (*on_status)(void *context, int status, uint32_t retry_after_ms);
    bool (*on_data)(void *context, const char *bytes, size_t length);
    void (*on_end)(void *context, const struct error *error);
};

// Starts an exchange, on a connection of its own; on the loop thread (in any of these callbacks too), or
// before the loop runs. The request is copied; its timeout_ms bounds the stream's whole life and response_cap
// is not used. No callback comes before it returns. *ret_stream is owned. Errors: NO_MEMORY, INTERNAL.
[[nodiscard]] bool http_stream_open(struct http_client *client, const struct http_request *request,
                                    const struct http_stream_events *events, void *context,
                                    struct http_stream **ret_stream, struct error *e);

// Ends the exchange if it still runs, with no further callback, and takes stream; may be called in any of its
// callbacks. NULL is allowed. Loop thread only.
void http_stream_close(struct http_stream *stream);
