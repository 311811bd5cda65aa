#include "net/http_guard.h"

#include "base/clock.h"
#include "base/memory.h"
#include "net/http_crowd.h"
#include "net/server_identity_internal.h"

#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/socket.h>

// Lives until evhttp ends the connection.
struct guarded {
    struct http_visitor visitor;
    struct http_guard *guard;
    struct bufferevent *buffers;
    struct evhttp_connection *connection; // NULL: evhttp does not have it yet, and buffers are held
    struct event *deadline;
    void (*gone)(void *context); // NULL: nobody wants to know
    void *context;
};

struct http_guard {
    struct event_base *base;
    struct server_identity *identity; // NULL: plain HTTP
    struct http_server_limits limits;
    struct http_crowd crowd;
};

static struct guarded *guarded_of(struct http_visitor *visitor) {
    return (struct guarded *)((char *)visitor - offsetof(struct guarded, visitor));
}

// ---- one connection

static struct evbuffer *input_of(const struct guarded *one) { // what came in, decrypted
    return bufferevent_get_input(one->buffers);
}

// The socket's end reaches evhttp as any other, and evhttp then frees what it has.
static void cut(struct guarded *one) {
    http_crowd_dismiss(&one->guard->crowd, &one->visitor);
    (void)shutdown(bufferevent_getfd(one->buffers), SHUT_RDWR);
}

static void count_received(struct guarded *one, size_t bytes) {
    struct http_guard *guard = one->guard;
    http_crowd_receive(&guard->crowd, &one->visitor, bytes);
    // Somewhat more than the limit, so that who sends too much can be told, and not just be cut off.
    if (one->visitor.received > guard->limits.body_max * 2) {
        cut(one);
    } else if (guard->crowd.received > guard->limits.bodies_max) {
        cut(guarded_of(http_crowd_find_largest(&guard->crowd)));
    }
}

static void start_deadline(struct guarded *one) {
    uint32_t ms = one->guard->limits.exchange_ms;
    struct timeval delay = {.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};
    if (one->visitor.phase == HTTP_IDLE) {
        (void)evtimer_del(one->deadline);
    } else {
        (void)evtimer_add(one->deadline, &delay);
    }
}

static void enter(struct guarded *one, enum http_phase phase) {
    http_crowd_enter(&one->guard->crowd, &one->visitor, phase, clock_monotonic_ms());
    start_deadline(one);
}

static void on_input(struct evbuffer *input, const struct evbuffer_cb_info *info, void *context) {
    (void)input;
    struct guarded *one = context;
    if (one->visitor.leaving || info->n_added == 0) {
        return;
    }
    if (one->visitor.phase == HTTP_IDLE) {
        enter(one, HTTP_RECEIVING);
    }
    count_received(one, info->n_added);
}

static void on_handshake(const SSL *ssl, int where, int result) {
    (void)result;
    struct guarded *one = SSL_get_app_data(ssl);
    if ((where & SSL_CB_HANDSHAKE_DONE) != 0 && one->visitor.phase == HTTP_HANDSHAKE) {
        enter(one, HTTP_IDLE);
    }
}

static void release(struct guarded *one) {
    SSL *ssl = bufferevent_openssl_get_ssl(one->buffers);
    if (ssl != nullptr) {
        SSL_set_info_callback(ssl, nullptr);
    }
    (void)evbuffer_remove_cb(input_of(one), on_input, one);
    http_crowd_leave(&one->guard->crowd, &one->visitor);
    event_free(one->deadline);
    memory_free(one);
}

static void on_closed(struct evhttp_connection *connection, void *context) {
    (void)connection;
    struct guarded *one = context;
    if (one->gone != nullptr) {
        one->gone(one->context);
    }
    release(one);
}

static struct http_peer find_peer(const struct guarded *one) {
    struct sockaddr_storage address = {0};
    socklen_t length = sizeof(address);
    (void)getpeername(bufferevent_getfd(one->buffers), (struct sockaddr *)&address, &length);
    return http_peer_of((const struct sockaddr *)&address);
}

// evhttp has taken the buffers, with the socket, right after it was given them. Its connection is the context
// of its own callbacks.
static void meet(struct guarded *one) {
    struct http_guard *guard = one->guard;
    bufferevent_event_cb taken = nullptr;
    void *connection = nullptr;
    bufferevent_getcb(one->buffers, nullptr, nullptr, &taken, &connection);
    if (taken == nullptr) { // or had no memory for them
        struct bufferevent *buffers = one->buffers;
        release(one);
        (void)bufferevent_decref(buffers);
        return;
    }
    (void)bufferevent_decref(one->buffers);
    one->connection = connection;
    evhttp_connection_set_closecb(one->connection, on_closed, one);
    const struct http_peer peer = find_peer(one);
    http_crowd_meet(&guard->crowd, &one->visitor, &peer);
    start_deadline(one);
    struct http_visitor *excess = http_crowd_find_excess(&guard->crowd, &one->visitor, clock_monotonic_ms());
    if (excess != nullptr) {
        cut(guarded_of(excess));
    }
}

static void on_deadline(evutil_socket_t fd, short what, void *context) {
    (void)fd;
    (void)what;
    struct guarded *one = context;
    if (one->connection == nullptr) {
        meet(one);
    } else {
        cut(one);
    }
}

// ---- all of them

static bool attach(struct http_guard *guard, struct bufferevent *buffers) {
    struct guarded *one = memory_allocate_zeroed(1, sizeof(*one));
    struct event *deadline = one == nullptr ? nullptr : evtimer_new(guard->base, on_deadline, one);
    if (deadline == nullptr || evbuffer_add_cb(bufferevent_get_input(buffers), on_input, one) == nullptr) {
        if (deadline != nullptr) {
            event_free(deadline);
        }
        memory_free(one);
        return false;
    }
    one->guard = guard;
    one->buffers = buffers;
    one->deadline = deadline;
    bufferevent_incref(buffers);
    SSL *ssl = bufferevent_openssl_get_ssl(buffers);
    if (ssl != nullptr) {
        SSL_set_app_data(ssl, one);
        SSL_set_info_callback(ssl, on_handshake);
    }
    http_crowd_join(&guard->crowd, &one->visitor, ssl == nullptr ? HTTP_IDLE : HTTP_HANDSHAKE,
                    clock_monotonic_ms());
    event_active(deadline, EV_TIMEOUT, 0);
    return true;
}

static struct bufferevent *open_tls(struct event_base *base, struct server_identity *identity) {
    SSL *ssl = server_identity_begin(identity);
    struct bufferevent *buffers =
        ssl == nullptr
            ? nullptr
            : bufferevent_openssl_socket_new(base, -1, ssl, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
    if (buffers == nullptr) {
        SSL_free(ssl);
        return nullptr;
    }
    bufferevent_openssl_set_allow_dirty_shutdown(buffers, 1);
    return buffers;
}

struct bufferevent *http_guard_accept(struct event_base *base, void *context) {
    struct http_guard *guard = context;
    struct bufferevent *buffers = guard->identity == nullptr
                                      ? bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE)
                                      : open_tls(base, guard->identity);
    if (buffers != nullptr && !attach(guard, buffers)) {
        bufferevent_free(buffers);
        return nullptr;
    }
    return buffers; // NULL: evhttp goes on with plain ones of its own; http_guard_answer finds it out
}

// Whose request has just come in whole is among the last.
static struct guarded *find(const struct http_guard *guard, struct evhttp_request *request) {
    const struct evhttp_connection *connection = evhttp_request_get_connection(request);
    struct http_visitor *visitor = connection == nullptr ? nullptr : guard->crowd.last;
    while (visitor != nullptr && guarded_of(visitor)->connection != connection) {
        visitor = visitor->previous;
    }
    return visitor == nullptr ? nullptr : guarded_of(visitor);
}

static void on_answered(struct evhttp_request *request, void *context) {
    (void)request;
    struct guarded *one = context;
    enter(one, HTTP_IDLE);
    size_t waiting = evbuffer_get_length(input_of(one));
    if (waiting > 0 && !one->visitor.leaving) { // the next request is here already
        enter(one, HTTP_RECEIVING);
        count_received(one, waiting);
    }
}

bool http_guard_answer(struct http_guard *guard, struct evhttp_request *request) {
    struct guarded *one = find(guard, request);
    if (one == nullptr) {
        return false;
    }
    enter(one, HTTP_ANSWERING);
    evhttp_request_set_on_complete_cb(request, on_answered, one);
    return true;
}

void http_guard_on_gone(struct http_guard *guard, struct evhttp_request *request, void (*gone)(void *context),
                        void *context) {
    struct guarded *one = find(guard, request);
    if (one != nullptr) {
        one->gone = gone;
        one->context = context;
    }
}

void http_guard_cut(struct http_guard *guard, struct evhttp_request *request) {
    struct guarded *one = find(guard, request);
    if (one != nullptr) {
        cut(one);
    }
}

size_t http_guard_busy(const struct http_guard *guard) {
    return http_crowd_busy(&guard->crowd);
}

// Accepting fails for good where no file is left that the process may open.
static size_t limit_connections(const struct http_server_limits *limits) {
    struct rlimit files;
    size_t wanted = limits->connections_max;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == RLIM_INFINITY) {
        return wanted;
    }
    size_t most = files.rlim_cur / limits->files_divisor;
    return most < wanted ? most : wanted;
}

bool http_guard_create(struct event_base *base, struct server_identity *identity,
                       const struct http_server_limits *limits, struct http_guard **ret_guard,
                       struct error *e) {
    struct http_guard *guard = memory_allocate_zeroed(1, sizeof(*guard));
    if (guard == nullptr) {
        return error_no_memory(e, "an HTTP server");
    }
    size_t most = limit_connections(limits);
    guard->base = base;
    guard->identity = identity;
    guard->limits = *limits;
    guard->crowd = (struct http_crowd){.visitors_max = most, .peer_max = most < 2 ? most : most / 2};
    *ret_guard = guard;
    return true;
}

void http_guard_free(struct http_guard *guard) {
    while (guard != nullptr && guard->crowd.first != nullptr) { // those that were not met yet
        struct guarded *one = guarded_of(guard->crowd.first);
        struct bufferevent *buffers = one->buffers;
        release(one);
        (void)bufferevent_decref(buffers);
    }
    memory_free(guard);
}
