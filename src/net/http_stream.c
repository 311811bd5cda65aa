#include "net/http_stream.h"

#include "base/memory.h"
#include "net/http_tls.h"

#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum {
    CONNECT_MS = 10000,      // at most, for connecting and the TLS handshake
    UNANSWERED_MS = 30000,   // sent bytes that stay unacknowledged this long end the connection
    KEEPALIVE_IDLE_S = 30,   // an idle connection is probed after this long,
    KEEPALIVE_PERIOD_S = 10, // then this often
    POOLED_IDLE_S = 75,      // less than the 90 s after which kube-apiserver closes an idle connection
    ERROR_BODY_MAX = 64 * 1024,
    PROXY_MAX = 64 * 1024,
    UPLOAD_BUFFER = 16 * 1024, // bytes; libcurl's least. Each request has one, which is cleansed in the end
};

// HEAD is left out: libcurl would wait for a body.
static bool is_method(const char *method) {
    static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (strcmp(method, methods[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void set_refused(struct http_stream *stream) {
    if (stream->state == STREAM_RUNNING) {
        stream->state = STREAM_REFUSED;
        stream->client->has_pending = true;
    }
}

// CURLOPT_HEADERFUNCTION: one header line. The empty one after a final status line ends them.
static size_t on_header(char *bytes, size_t size, size_t count, void *context) {
    struct http_stream *stream = context;
    size_t length = size * count;
    bool last = length <= 2 && (length == 0 || bytes[0] == '\r' || bytes[0] == '\n');
    if (!last || stream->status_told || stream->state != STREAM_RUNNING) {
        return length;
    }
    long status = 0;
    curl_off_t retry_after = 0;
    (void)curl_easy_getinfo(stream->easy, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(stream->easy, CURLINFO_RETRY_AFTER, &retry_after);
    if (status >= 200) {
        retry_after = retry_after > HTTP_RETRY_AFTER_MAX_S ? HTTP_RETRY_AFTER_MAX_S : retry_after;
        stream->status_told = true;
        stream->capped = stream->capped && status >= 400;
        stream->events.on_status(stream->context, (int)status, (uint32_t)retry_after * 1000);
    }
    return length;
}

static bool deliver(struct http_stream *stream, const char *bytes, size_t length) {
    if (stream->capped) {
        if (length > stream->error_room) {
            (void)snprintf(stream->curl_text, sizeof(stream->curl_text),
                           "an error answer of more than %d bytes", ERROR_BODY_MAX);
            return false;
        }
        stream->error_room -= length;
    }
    return stream->events.on_data(stream->context, bytes, length);
}

// CURLOPT_WRITEFUNCTION: a piece of the body. It lies in a transfer buffer that belongs to the multi handle
// and lives as long as any transfer runs, so it is cleansed here: libcurl passes it without const and does
// not look at it again (lib/cw-out.c), and the next read overwrites it. A piece that nobody wants is cleansed
// too instead of being refused, since libcurl would leave the rest of a refused buffer as it is.
static size_t on_body(char *bytes, size_t size, size_t count, void *context) {
    struct http_stream *stream = context;
    size_t length = size * count;
    if (stream->state == STREAM_RUNNING && !deliver(stream, bytes, length)) {
        set_refused(stream);
    }
    memory_cleanse(bytes, length);
    return length;
}

// CURLOPT_SOCKOPTFUNCTION: a peer that is gone is noticed even while only the peer would have something to
// say.
static int set_socket(void *context, curl_socket_t socket, curlsocktype purpose) {
    (void)context;
    (void)purpose;
    unsigned unanswered = UNANSWERED_MS;
    (void)setsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &unanswered, sizeof(unanswered));
    return CURL_SOCKOPT_OK;
}

// CURLOPT_PREREQFUNCTION: the connection stands, the request goes out next.
static int on_connected(void *context, char *to, char *from, int to_port, int from_port) {
    (void)to;
    (void)from;
    (void)to_port;
    (void)from_port;
    struct http_stream *stream = context;
    long connects = 0;
    const struct curl_tlssessioninfo *session = nullptr;
    (void)curl_easy_getinfo(stream->easy, CURLINFO_NUM_CONNECTS, &connects);
    (void)curl_easy_getinfo(stream->easy, CURLINFO_TLS_SSL_PTR, &session);
    if (connects > 0 && session != nullptr && session->internals != nullptr &&
        stream->client->observer != nullptr && stream->state == STREAM_RUNNING) {
        const char *group = SSL_get0_group_name(session->internals);
        stream->client->observer(stream->client->observer_context, group == nullptr ? "" : group);
    }
    stream->withheld = stream->may_send != nullptr && !stream->may_send(stream->may_send_context);
    return stream->withheld ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

static bool add_header(struct http_stream *stream, const char *line) {
    struct curl_slist *headers = curl_slist_append(stream->headers, line);
    if (headers == nullptr) {
        return false;
    }
    stream->headers = headers;
    return true;
}

static bool set_headers(struct http_stream *stream, const struct http_request *request) {
    for (const char *const *line = request->headers; line != nullptr && *line != nullptr; line++) {
        if (!add_header(stream, *line)) {
            return false;
        }
    }
    // Without this a large body waits for a "100 Continue" that kube-apiserver does not send early.
    return add_header(stream, "Expect:") &&
           curl_easy_setopt(stream->easy, CURLOPT_HTTPHEADER, stream->headers) == CURLE_OK;
}

static bool set_body(struct http_stream *stream, const struct http_request *request) {
    unsigned failed = curl_easy_setopt(stream->easy, CURLOPT_CUSTOMREQUEST, request->method);
    if (request->body != nullptr) {
        stream->body = memory_copy_span(request->body, request->body_length);
        failed |= stream->body == nullptr ? CURLE_OUT_OF_MEMORY : CURLE_OK;
        failed |=
            curl_easy_setopt(stream->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_length);
        failed |= curl_easy_setopt(stream->easy, CURLOPT_POSTFIELDS, stream->body);
    }
    return failed == CURLE_OK;
}

// As a kubectl user expects, a proxy that was named is used for every host, and told the server's name.
static bool set_proxy(struct http_stream *stream, const char *proxy) {
    static const char socks[] = "socks5://";
    cleanup_buffer struct buffer url = buffer_create(PROXY_MAX);
    struct error ignored;
    if (proxy == nullptr) {
        return curl_easy_setopt(stream->easy, CURLOPT_NOPROXY, stream->client->no_proxy) == CURLE_OK;
    }
    bool is_socks = strncmp(proxy, socks, sizeof(socks) - 1) == 0;
    return buffer_append_format(&url, &ignored, "%s%s", is_socks ? "socks5h://" : "",
                                is_socks ? proxy + sizeof(socks) - 1 : proxy) &&
           curl_easy_setopt(stream->easy, CURLOPT_PROXY, buffer_text(&url)) == CURLE_OK &&
           curl_easy_setopt(stream->easy, CURLOPT_NOPROXY, "") == CURLE_OK;
}

static bool set_target(struct http_stream *stream, const struct http_request *request) {
    unsigned failed = curl_easy_setopt(stream->easy, CURLOPT_URL, request->url);
    failed |= curl_easy_setopt(stream->easy, CURLOPT_PROTOCOLS_STR, "https,http");
    failed |= curl_easy_setopt(stream->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    failed |= curl_easy_setopt(stream->easy, CURLOPT_PATH_AS_IS, 1L);
    failed |= curl_easy_setopt(stream->easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    return failed == CURLE_OK && set_proxy(stream, request->proxy) && set_body(stream, request) &&
           set_headers(stream, request);
}

// Signals stay out of it, and so do waits: a resolver thread that hangs is left behind when its transfer
// ends, where the loop thread would wait for it otherwise (CURLOPT_QUICK_EXIT).
static bool set_limits(CURL *easy, uint32_t timeout_ms, bool own_connection) {
    long connect_ms = timeout_ms < CONNECT_MS ? (long)timeout_ms : CONNECT_MS;
    unsigned failed = curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    failed |= curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    failed |= curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, (long)UPLOAD_BUFFER);
    failed |= curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    failed |= curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, connect_ms);
    failed |= curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    failed |= curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, (long)KEEPALIVE_IDLE_S);
    failed |= curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, (long)KEEPALIVE_PERIOD_S);
    failed |= curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, (long)POOLED_IDLE_S);
    failed |= curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, own_connection ? 1L : 0L);
    failed |= curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, own_connection ? 1L : 0L);
    return failed == CURLE_OK;
}

static bool set_callbacks(struct http_stream *stream) {
    CURL *easy = stream->easy;
    unsigned failed = curl_easy_setopt(easy, CURLOPT_PRIVATE, stream);
    failed |= curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, stream->curl_text);
    failed |= curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    failed |= curl_easy_setopt(easy, CURLOPT_HEADERDATA, stream);
    failed |= curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    failed |= curl_easy_setopt(easy, CURLOPT_WRITEDATA, stream);
    failed |= curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, set_socket);
    failed |= curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_connected);
    failed |= curl_easy_setopt(easy, CURLOPT_PREREQDATA, stream);
    return failed == CURLE_OK;
}

// Gives back all but the struct itself. No callback comes from here on.
static void release(struct http_stream *stream) {
    struct http_client *client = stream->client;
    stream->state = STREAM_ENDED;
    if (stream->added) {
        (void)curl_multi_remove_handle(client->multi, stream->easy);
    }
    curl_easy_cleanup(stream->easy);
    curl_slist_free_all(stream->headers);
    memory_free(stream->body);
    http_tls_release(stream->tls);
    if (stream->started) {
        *(stream->previous == nullptr ? &client->streams : &stream->previous->next) = stream->next;
        if (stream->next != nullptr) {
            stream->next->previous = stream->previous;
        }
    }
}

bool http_stream_prepare(struct http_client *client, const struct http_request *request, bool own_connection,
                         const struct http_stream_events *events, void *context,
                         struct http_stream **ret_stream, struct error *e) {
    if (request->timeout_ms == 0 || !is_method(request->method)) {
        return error_set(e, ERROR_INTERNAL, "a request needs a timeout and a known method");
    }
    struct http_stream *stream = memory_allocate_zeroed(1, sizeof(*stream));
    if (stream == nullptr) {
        return error_no_memory(e, "a request");
    }
    stream->client = client;
    stream->events = *events;
    stream->context = context;
    stream->may_send = request->may_send;
    stream->may_send_context = request->may_send_context;
    stream->capped = own_connection;
    stream->error_room = ERROR_BODY_MAX;
    stream->tls = http_tls_retain(request->tls);
    stream->easy = curl_easy_init();
    if (stream->easy == nullptr || !set_target(stream, request) || !set_callbacks(stream) ||
        !set_limits(stream->easy, request->timeout_ms, own_connection) ||
        !http_tls_apply(stream->tls, stream->easy, own_connection, e)) {
        http_stream_close(stream);
        return error_no_memory(e, "a request");
    }
    *ret_stream = stream;
    return true;
}

void http_stream_start(struct http_stream *stream) {
    struct http_client *client = stream->client;
    stream->started = true;
    stream->next = client->streams;
    if (stream->next != nullptr) {
        stream->next->previous = stream;
    }
    client->streams = stream;
    client->has_pending = true;
    event_active(client->pending, EV_TIMEOUT, 0);
}

void http_stream_finish(struct http_stream *stream, const struct error *error) {
    release(stream);
    stream->events.on_end(stream->context, error);
}

static enum error_class classify(CURLcode code) {
    switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
        return ERROR_RETRYABLE;
    case CURLE_OUT_OF_MEMORY:
        return ERROR_NO_MEMORY;
    default:
        return ERROR_IO;
    }
}

// Which proxy of the environment is used, if any, libcurl finds out: so what a kubeconfig's may not be is
// said of it when it has failed.
static const char *explain(const struct http_stream *stream) {
    long verified = 0; // X509_V_OK, also where there is no such proxy
    (void)curl_easy_getinfo(stream->easy, CURLINFO_PROXY_SSL_VERIFYRESULT, &verified);
    return verified != 0 && http_tls_has_server_name(stream->tls)
               ? ": with tls-server-name the proxy must be http://host:port or socks5://host:port"
               : "";
}

static void finish_failed(struct http_stream *stream, enum error_class class, const char *otherwise) {
    struct error error;
    (void)error_set(&error, class, "%s%s", stream->curl_text[0] != '\0' ? stream->curl_text : otherwise,
                    explain(stream));
    http_stream_finish(stream, &error);
}

// Does what stream's state asks for, outside of libcurl.
static void settle(struct http_stream *stream) {
    switch (stream->state) {
    case STREAM_PREPARED:
        stream->state = STREAM_RUNNING;
        stream->added = curl_multi_add_handle(stream->client->multi, stream->easy) == CURLM_OK;
        if (!stream->added) {
            finish_failed(stream, ERROR_NO_MEMORY, "out of memory: starting a request");
        }
        break;
    case STREAM_REFUSED:
        finish_failed(stream, ERROR_IO, "the receiver ended the transfer");
        break;
    case STREAM_CLOSED:
        release(stream);
        memory_free(stream);
        break;
    case STREAM_RUNNING:
    case STREAM_ENDED:
        break;
    }
}

static struct http_stream *find_pending(struct http_client *client) {
    struct http_stream *stream = client->has_pending ? client->streams : nullptr;
    while (stream != nullptr && stream->state == STREAM_RUNNING) {
        stream = stream->next;
    }
    client->has_pending = stream != nullptr;
    return stream;
}

// Ends one stream whose transfer is done; false: there is none.
static bool finish_next(struct http_client *client) {
    int left;
    const CURLMsg *message = curl_multi_info_read(client->multi, &left);
    if (message == nullptr) {
        return false;
    }
    CURLcode code = message->data.result;
    struct http_stream *stream;
    (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &stream);
    if (code == CURLE_OK) {
        http_stream_finish(stream, nullptr);
    } else if (stream->withheld) {
        stream->curl_text[0] = '\0';
        finish_failed(stream, ERROR_RETRYABLE, "the request may not be sent any more");
    } else {
        finish_failed(stream, classify(code), curl_easy_strerror(code));
    }
    return true;
}

// libcurl would wait for ever, or runs nothing any more until all that it has is gone: so all of it ends.
static void end_all_added(struct http_client *client) {
    struct http_stream *stream = client->streams;
    while (stream != nullptr) {
        if (stream->added) {
            stream->curl_text[0] = '\0';
            finish_failed(stream, ERROR_NO_MEMORY, "out of memory: waiting for a connection");
            stream = client->streams; // on_end may have changed the list
        } else {
            stream = stream->next;
        }
    }
    client->wait_failed = false;
}

void http_streams_process_pending(struct http_client *client) {
    struct http_stream *stream;
    while ((stream = find_pending(client)) != nullptr || finish_next(client)) {
        if (stream != nullptr) {
            settle(stream);
        }
    }
    if (client->wait_failed) {
        end_all_added(client);
    }
}

bool http_stream_open(struct http_client *client, const struct http_request *request,
                      const struct http_stream_events *events, void *context, struct http_stream **ret_stream,
                      struct error *e) {
    if (!http_stream_prepare(client, request, true, events, context, ret_stream, e)) {
        return false;
    }
    http_stream_start(*ret_stream);
    return true;
}

void http_stream_close(struct http_stream *stream) {
    if (stream == nullptr) {
        return;
    }
    if (stream->started && stream->state != STREAM_ENDED && stream->client->in_curl) {
        stream->state = STREAM_CLOSED;
        stream->client->has_pending = true;
        return;
    }
    if (stream->state != STREAM_ENDED) {
        release(stream);
    }
    memory_free(stream);
}
