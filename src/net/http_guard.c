#include "net/http_guard.h"

#include "base/memory.h"
#include "net/server_identity_internal.h"

#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <threads.h>

enum phase { HANDSHAKE, IDLE, RECEIVING, ANSWERING };

// Lives as long as its SSL, to which it is attached: libevent frees that in its own time.
struct guarded {
    struct http_guard *guard; // NULL: it is gone, and with it all that follows
    struct guarded *next;     // in the order of the last change of phase
    struct guarded *previous;
    SSL *ssl;
    struct evbuffer *input; // what came in, decrypted
    struct event *deadline;
    enum phase phase;
    size_t received; // bytes of the request at hand
    bool cut;        // on its way out
};

struct http_guard {
    struct event_base *base;
    struct server_identity *identity;
    struct http_server_limits limits;
    struct guarded *first; // the one whose phase has not changed for longest
    struct guarded *last;
    size_t count;
    size_t busy;     // in the last two phases
    size_t received; // bytes, of all
};

// ---- one connection

static void link_last(struct http_guard *guard, struct guarded *one) {
    one->next = nullptr;
    one->previous = guard->last;
    if (guard->last == nullptr) {
        guard->first = one;
    } else {
        guard->last->next = one;
    }
    guard->last = one;
}

static void take_out(struct http_guard *guard, struct guarded *one) {
    *(one->previous == nullptr ? &guard->first : &one->previous->next) = one->next;
    *(one->next == nullptr ? &guard->last : &one->next->previous) = one->previous;
}

static void forget_received(struct guarded *one) {
    one->guard->received -= one->received;
    one->received = 0;
}

// The socket's end reaches evhttp as any other, and evhttp then frees what it has.
static void cut(struct guarded *one) {
    forget_received(one);
    one->cut = true;
    (void)shutdown(SSL_get_fd(one->ssl), SHUT_RDWR);
}

static void on_deadline(evutil_socket_t fd, short what, void *context) {
    (void)fd;
    (void)what;
    cut(context);
}

// The one that has sent most, when all together have sent too much.
static void cut_largest(struct http_guard *guard) {
    struct guarded *largest = nullptr;
    for (struct guarded *one = guard->first; one != nullptr; one = one->next) {
        largest = !one->cut && (largest == nullptr || one->received > largest->received) ? one : largest;
    }
    if (largest != nullptr) {
        cut(largest);
    }
}

static void count_received(struct guarded *one, size_t bytes) {
    struct http_guard *guard = one->guard;
    one->received += bytes;
    guard->received += bytes;
    // Somewhat more than the limit, so that who sends too much can be told, and not just be cut off.
    if (one->received > guard->limits.body_max * 2) {
        cut(one);
    } else if (guard->received > guard->limits.bodies_max) {
        cut_largest(guard);
    }
}

static bool is_busy(enum phase phase) {
    return phase == RECEIVING || phase == ANSWERING;
}

static void enter(struct guarded *one, enum phase phase) {
    struct http_guard *guard = one->guard;
    uint32_t ms = guard->limits.exchange_ms;
    struct timeval delay = {.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};
    guard->busy -= is_busy(one->phase) ? 1 : 0;
    guard->busy += is_busy(phase) ? 1 : 0;
    one->phase = phase;
    take_out(guard, one);
    link_last(guard, one);
    if (phase == IDLE) {
        (void)evtimer_del(one->deadline);
    } else {
        (void)evtimer_add(one->deadline, &delay);
    }
    if (!is_busy(phase)) {
        forget_received(one);
    }
}

static void on_input(struct evbuffer *input, const struct evbuffer_cb_info *info, void *context) {
    (void)input;
    struct guarded *one = context;
    if (one->guard == nullptr || one->cut || info->n_added == 0) {
        return;
    }
    if (one->phase == IDLE) {
        enter(one, RECEIVING);
    }
    count_received(one, info->n_added);
}

// Called when an SSL is freed.
static void release(void *ssl, void *pointer, CRYPTO_EX_DATA *data, int index, long number, void *argument) {
    (void)ssl;
    (void)data;
    (void)index;
    (void)number;
    (void)argument;
    struct guarded *one = pointer;
    if (one != nullptr && one->guard != nullptr) {
        struct http_guard *guard = one->guard;
        forget_received(one);
        guard->busy -= is_busy(one->phase) ? 1 : 0;
        guard->count--;
        take_out(guard, one);
        event_free(one->deadline);
    }
    memory_free(one);
}

static int place;

static void reserve_place(void) {
    place = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, release);
}

static struct guarded *guarded_of(const SSL *ssl) {
    return SSL_get_ex_data(ssl, place);
}

static void on_handshake(const SSL *ssl, int where, int result) {
    (void)result;
    struct guarded *one = guarded_of(ssl);
    if ((where & SSL_CB_HANDSHAKE_DONE) != 0 && one->guard != nullptr && one->phase == HANDSHAKE) {
        enter(one, IDLE);
    }
}

// ---- all of them

// The one that has been in phase for longest; NULL: there is none.
static struct guarded *find_oldest(const struct http_guard *guard, enum phase phase) {
    struct guarded *one = guard->first;
    while (one != nullptr && (one->cut || one->phase != phase)) {
        one = one->next;
    }
    return one;
}

// Makes room for one more; false: there is none, since all are at work.
static bool make_room(struct http_guard *guard) {
    if (guard->count < guard->limits.connections_max) {
        return true;
    }
    struct guarded *one = find_oldest(guard, HANDSHAKE); // nobody's loss yet
    one = one == nullptr ? find_oldest(guard, IDLE) : one;
    if (one != nullptr) {
        cut(one);
    }
    return one != nullptr;
}

static bool attach(struct http_guard *guard, SSL *ssl, struct bufferevent *buffers) {
    struct guarded *one = memory_allocate_zeroed(1, sizeof(*one));
    struct event *deadline = one == nullptr ? nullptr : evtimer_new(guard->base, on_deadline, one);
    if (deadline == nullptr || SSL_set_ex_data(ssl, place, one) != 1) {
        if (deadline != nullptr) {
            event_free(deadline);
        }
        memory_free(one);
        return false;
    }
    bool fits = make_room(guard);
    *one = (struct guarded){
        .guard = guard, .ssl = ssl, .input = bufferevent_get_input(buffers), .deadline = deadline};
    link_last(guard, one);
    guard->count++;
    enter(one, HANDSHAKE);
    if (!fits) {
        event_active(deadline, EV_TIMEOUT, 0); // once the socket is known
    }
    SSL_set_info_callback(ssl, on_handshake);
    return evbuffer_add_cb(one->input, on_input, one) != nullptr;
}

struct bufferevent *http_guard_accept(struct event_base *base, void *context) {
    struct http_guard *guard = context;
    SSL *ssl = server_identity_begin(guard->identity);
    struct bufferevent *buffers =
        ssl == nullptr
            ? nullptr
            : bufferevent_openssl_socket_new(base, -1, ssl, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
    if (buffers == nullptr) {
        SSL_free(ssl);
        return nullptr; // evhttp goes on without TLS then; http_guard_answer finds it out
    }
    if (!attach(guard, ssl, buffers)) {
        bufferevent_free(buffers);
        return nullptr;
    }
    bufferevent_openssl_set_allow_dirty_shutdown(buffers, 1);
    return buffers;
}

static void on_answered(struct evhttp_request *request, void *context) {
    (void)request;
    struct guarded *one = context;
    if (one->guard != nullptr) {
        enter(one, IDLE);
        size_t waiting = evbuffer_get_length(one->input);
        if (waiting > 0 && !one->cut) { // the next request is here already
            enter(one, RECEIVING);
            count_received(one, waiting);
        }
    }
}

bool http_guard_answer(struct evhttp_request *request) {
    struct bufferevent *buffers = evhttp_connection_get_bufferevent(evhttp_request_get_connection(request));
    const SSL *ssl = bufferevent_openssl_get_ssl(buffers);
    struct guarded *one = ssl == nullptr ? nullptr : guarded_of(ssl);
    if (one == nullptr || one->guard == nullptr) {
        return false;
    }
    enter(one, ANSWERING);
    evhttp_request_set_on_complete_cb(request, on_answered, one);
    return true;
}

size_t http_guard_busy(const struct http_guard *guard) {
    return guard->busy;
}

// Half of the files that the process may open: accepting fails for good where there is none left.
static size_t limit_connections(size_t wanted) {
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == RLIM_INFINITY) {
        return wanted;
    }
    return files.rlim_cur / 2 < wanted ? files.rlim_cur / 2 : wanted;
}

bool http_guard_create(struct event_base *base, struct server_identity *identity,
                       const struct http_server_limits *limits, struct http_guard **ret_guard,
                       struct error *e) {
    static once_flag once = ONCE_FLAG_INIT;
    call_once(&once, reserve_place);
    if (place < 0) {
        return error_set(e, ERROR_INTERNAL, "OpenSSL has no place for a server's own data");
    }
    struct http_guard *guard = memory_allocate_zeroed(1, sizeof(*guard));
    if (guard == nullptr) {
        return error_no_memory(e, "an HTTP server");
    }
    guard->base = base;
    guard->identity = identity;
    guard->limits = *limits;
    guard->limits.connections_max = limit_connections(limits->connections_max);
    *ret_guard = guard;
    return true;
}

void http_guard_free(struct http_guard *guard) {
    if (guard == nullptr) {
        return;
    }
    for (struct guarded *one = guard->first; one != nullptr; one = one->next) {
        event_free(one->deadline);
        one->guard = nullptr;
    }
    memory_free(guard);
}
