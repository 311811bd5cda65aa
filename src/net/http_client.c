#include "net/http_client.h"

#include "base/condvar.h"
#include "base/memory.h"
#include "net/http_stream.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

enum {
    POOL_SIZE = 128, // connections; how many are opened is bounded by the number of callers
};

// libcurl is entered here and nowhere else while sockets are served; its callbacks may ask for streams to be
// opened or closed, which is done once it has been left.
static void serve(struct http_client *client, curl_socket_t socket, int ready) {
    int running;
    client->in_curl = true;
    CURLMcode code = curl_multi_socket_action(client->multi, socket, ready, &running);
    client->in_curl = false;
    client->wait_failed = client->wait_failed || code != CURLM_OK;
    http_streams_process_pending(client);
}

static void on_ready(evutil_socket_t socket, short what, void *context) {
    int ready = (what & EV_READ) != 0 ? CURL_CSELECT_IN : 0;
    ready |= (what & EV_WRITE) != 0 ? CURL_CSELECT_OUT : 0;
    serve(context, socket, ready);
}

static void on_timeout(evutil_socket_t socket, short what, void *context) {
    (void)socket;
    (void)what;
    serve(context, CURL_SOCKET_TIMEOUT, 0);
}

static void on_pending(evutil_socket_t socket, short what, void *context) {
    (void)socket;
    (void)what;
    http_streams_process_pending(context);
}

// CURLMOPT_SOCKETFUNCTION: libcurl wants to know when socket is ready; watching is the event of an earlier
// call.
static int watch_socket(CURL *easy, curl_socket_t socket, int what, void *context, void *watching) {
    (void)easy;
    struct http_client *client = context;
    if (watching != nullptr) {
        event_free(watching);
        (void)curl_multi_assign(client->multi, socket, nullptr);
    }
    if (what == CURL_POLL_REMOVE) {
        return 0;
    }
    int events = EV_PERSIST;
    events |= what == CURL_POLL_IN || what == CURL_POLL_INOUT ? EV_READ : 0;
    events |= what == CURL_POLL_OUT || what == CURL_POLL_INOUT ? EV_WRITE : 0;
    struct event *event = event_new(loop_event_base(client->loop), socket, (short)events, on_ready, client);
    if (event == nullptr || event_add(event, nullptr) != 0 ||
        curl_multi_assign(client->multi, socket, event) != CURLM_OK) {
        if (event != nullptr) {
            event_free(event);
        }
        client->wait_failed = true;
        return -1;
    }
    return 0;
}

// CURLMOPT_TIMERFUNCTION: milliseconds until libcurl wants to be called; -1: not at all.
static int set_timer(CURLM *multi, long milliseconds, void *context) {
    (void)multi;
    struct http_client *client = context;
    if (milliseconds < 0) {
        return evtimer_del(client->timer);
    }
    struct timeval delay = {.tv_sec = milliseconds / 1000, .tv_usec = milliseconds % 1000 * 1000};
    return evtimer_add(client->timer, &delay);
}

// As a kubectl user expects, a proxy of the environment is not used for loopback addresses.
static char *list_direct_hosts(void) {
    static const char loopback[] = "localhost,127.0.0.0/8,::1";
    const char *named = getenv("no_proxy");
    if (named == nullptr) {
        named = getenv("NO_PROXY");
    }
    if (named == nullptr || named[0] == '\0' || strcmp(named, "*") == 0) {
        return memory_copy_text(named == nullptr || named[0] == '\0' ? loopback : named);
    }
    size_t length = strlen(named);
    char *hosts = memory_allocate(length + 1 + sizeof(loopback));
    if (hosts != nullptr) {
        memcpy(hosts, named, length);
        hosts[length] = ',';
        memcpy(hosts + length + 1, loopback, sizeof(loopback));
    }
    return hosts;
}

static bool start_curl(struct error *e) {
    if (curl_global_init_mem(CURL_GLOBAL_DEFAULT, memory_allocate, memory_free, memory_resize,
                             memory_copy_text, memory_allocate_zeroed) != CURLE_OK) {
        return error_set(e, ERROR_INTERNAL, "libcurl does not start");
    }
    const char *library = curl_version_info(CURLVERSION_NOW)->ssl_version;
    if (library == nullptr || strncmp(library, "OpenSSL/", 8) != 0) {
        curl_global_cleanup();
        return error_set(e, ERROR_INTERNAL, "libcurl is built with %s, and OpenSSL is needed",
                         library == nullptr ? "no TLS" : library);
    }
    return true;
}

bool http_client_create(struct loop *loop, http_connection_observer *observer, void *observer_context,
                        struct http_client **ret_client, struct error *e) {
    if (!start_curl(e)) {
        return false;
    }
    struct http_client *client = memory_allocate_zeroed(1, sizeof(*client));
    if (client == nullptr) {
        curl_global_cleanup();
        return error_no_memory(e, "an HTTP client");
    }
    client->loop = loop;
    client->observer = observer;
    client->observer_context = observer_context;
    pthread_mutex_init(&client->lock, nullptr);
    condvar_create(&client->call_left);
    client->no_proxy = list_direct_hosts();
    client->timer = evtimer_new(loop_event_base(loop), on_timeout, client);
    client->pending = evtimer_new(loop_event_base(loop), on_pending, client);
    client->multi = curl_multi_init();
    if (client->no_proxy == nullptr || client->timer == nullptr || client->pending == nullptr ||
        client->multi == nullptr) {
        http_client_free(client);
        return error_no_memory(e, "an HTTP client");
    }
    (void)curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
    (void)curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
    (void)curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, set_timer);
    (void)curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
    (void)curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, (long)POOL_SIZE);
    *ret_client = client;
    return true;
}

static void free_event(struct event *event) {
    if (event != nullptr) {
        event_free(event);
    }
}

void http_client_free(struct http_client *client) {
    if (client == nullptr) {
        return;
    }
    http_calls_end(client);
    struct error error;
    (void)error_set(&error, ERROR_RETRYABLE, "the HTTP client is being shut down");
    while (client->streams != nullptr) {
        http_stream_finish(client->streams, &error);
    }
    (void)curl_multi_cleanup(client->multi);
    free_event(client->timer);
    free_event(client->pending);
    memory_free(client->no_proxy);
    pthread_cond_destroy(&client->call_left);
    pthread_mutex_destroy(&client->lock);
    memory_free(client);
    curl_global_cleanup();
}
