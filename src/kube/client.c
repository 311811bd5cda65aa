#include "kube/client.h"

#include "base/clock.h"
#include "base/condvar.h"
#include "base/failpoint.h"
#include "base/memory.h"
#include "kube/server_words.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum {
    ANSWER_CAP = 64 * 1024 * 1024, // bytes
    TIMEOUT_MS = 30000,
    TRIES_MAX = 11, // the first, and 10 more where the server says when
    UNAUTHORIZED = 401,
    HEADERS_MAX = 5,
};

struct kube_client {
    struct kube_config *config;
    struct http_client *http;
    kube_request_observer *observer;
    void *observer_context;
    bool (*may_write)(void *context); // NULL: always
    void *may_write_context;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool interrupted; // guarded by lock
};

bool kube_client_create(struct kube_config *config, struct http_client *http, kube_request_observer *observer,
                        void *observer_context, struct kube_client **ret_client, struct error *e) {
    struct kube_client *client = memory_allocate(sizeof(*client));
    if (client == nullptr) {
        return error_no_memory(e, "an API client");
    }
    *client = (struct kube_client){
        .config = config, .http = http, .observer = observer, .observer_context = observer_context};
    pthread_mutex_init(&client->lock, nullptr);
    condvar_create(&client->changed);
    *ret_client = client;
    return true;
}

void kube_client_free(struct kube_client *client) {
    if (client != nullptr) {
        pthread_cond_destroy(&client->changed);
        pthread_mutex_destroy(&client->lock);
        memory_free(client);
    }
}

void kube_client_set_fence(struct kube_client *client, bool (*may_write)(void *context), void *context) {
    client->may_write = may_write;
    client->may_write_context = context;
}

void kube_client_interrupt(struct kube_client *client) {
    pthread_mutex_lock(&client->lock);
    client->interrupted = true;
    pthread_cond_broadcast(&client->changed);
    pthread_mutex_unlock(&client->lock);
}

// ---- errors

// Whether something could not be created since its namespace is being deleted: that is refused with 403.
static bool is_of_ending_namespace(yyjson_val *status) {
    size_t index;
    size_t count;
    yyjson_val *cause;
    yyjson_arr_foreach(json_find(status, "details", "causes", nullptr), index, count, cause) {
        const char *reason = json_member_text(cause, "reason");
        if (reason != nullptr && strcmp(reason, "NamespaceTerminating") == 0) {
            return true;
        }
    }
    return false;
}

// Whether a version was asked for that is too old, or that the server does not know (any more).
static bool is_version_refused(int status, const char *reason, const char *message) {
    bool expired = reason != nullptr && (strcmp(reason, "Expired") == 0 || strcmp(reason, "Gone") == 0);
    bool unknown = message != nullptr && strstr(message, "Too large resource version") != nullptr;
    return status == 410 || ((status == 500 || status == 504) && (expired || unknown));
}

static enum error_class classify(int status, const char *reason, const char *message) {
    if (is_version_refused(status, reason, message)) {
        return ERROR_GONE;
    }
    switch (status) {
    case 400:
    case 413:
    case 422:
        return ERROR_REFUSED; // whether a user's spec is to blame for that is not known here
    case 403:
        return ERROR_FORBIDDEN;
    case 404:
        return ERROR_NOT_FOUND;
    case 409:
        return ERROR_CONFLICT;
    case UNAUTHORIZED:
    case 408:
    case 429:
        return ERROR_RETRYABLE;
    default:
        return status >= 500 ? ERROR_RETRYABLE : ERROR_IO;
    }
}

// The metav1.Status that body is, in *ret_document, which is owned; NULL: it is something else, such as a
// proxy's page.
static yyjson_val *find_status(const char *body, size_t length, yyjson_doc **ret_document) {
    struct error ignored;
    if (!json_parse(body, length, ret_document, &ignored)) {
        return nullptr;
    }
    yyjson_val *root = yyjson_doc_get_root(*ret_document);
    return json_member_is(root, "kind", "Status") ? root : nullptr;
}

void kube_status_reason(const char *body, size_t length, char ret_reason[KUBE_REASON_SIZE]) {
    cleanup_json yyjson_doc *document = nullptr;
    const char *reason = json_member_text(find_status(body, length, &document), "reason");
    snprintf(ret_reason, KUBE_REASON_SIZE, "%s", reason == nullptr ? "" : reason);
}

void kube_status_error(int status, uint32_t retry_after_ms, const char *body, size_t length,
                       struct error *e) {
    cleanup_json yyjson_doc *document = nullptr;
    yyjson_val *root = find_status(body, length, &document);
    const char *message = json_member_text(root, "message");
    enum error_class class = classify(status, json_member_text(root, "reason"), message);
    if (class == ERROR_FORBIDDEN && is_of_ending_namespace(root)) {
        class = ERROR_NOT_FOUND; // as a moment later
    }
    char words[SERVER_WORDS_SIZE];
    server_words_clean(message == nullptr ? "the API server refused" : message, words);
    error_set(e, class, "%s (HTTP status %d)", words, status);
    int64_t seconds = json_integer(json_find(root, "details", "retryAfterSeconds", nullptr), 0);
    if (retry_after_ms == 0 && seconds > 0) {
        retry_after_ms =
            (uint32_t)(seconds > HTTP_RETRY_AFTER_MAX_S ? HTTP_RETRY_AFTER_MAX_S : seconds) * 1000;
    }
    e->retry_after_ms = retry_after_ms;
}

// ---- one exchange

// What an exchange needs besides its request: all owned.
struct exchange {
    struct buffer url;
    struct http_tls *tls;
    char *authorization;
    struct buffer accept;
    struct buffer content_type;
    const char *headers[HEADERS_MAX];
    int64_t started_ms;
};

static void exchange_done(struct exchange *exchange) {
    buffer_done(&exchange->url);
    buffer_done(&exchange->accept);
    buffer_done(&exchange->content_type);
    http_tls_release(exchange->tls);
    memory_free(exchange->authorization);
}
#define cleanup_exchange [[gnu::cleanup(exchange_done)]]

static bool exchange_prepare(struct kube_client *client, const struct kube_request *request,
                             struct exchange *exchange, struct error *e) {
    static const char json[] = "application/json";
    size_t count = 0;
    *exchange = (struct exchange){
        .url = buffer_create(256 * 1024),
        .accept = buffer_create(1024),
        .content_type = buffer_create(1024),
        .started_ms = clock_monotonic_ms(),
    };
    if (!buffer_append_format(&exchange->url, e, "%s%s", kube_config_server(client->config), request->path) ||
        !buffer_append_format(&exchange->accept, e, "Accept: %s",
                              request->accept == nullptr ? json : request->accept) ||
        !buffer_append_format(&exchange->content_type, e, "Content-Type: %s",
                              request->content_type == nullptr ? json : request->content_type) ||
        !kube_config_credentials(client->config, &exchange->tls, &exchange->authorization, e)) {
        return false;
    }
    exchange->headers[count++] = buffer_text(&exchange->accept);
    exchange->headers[count++] = "User-Agent: qubesec/" QUBESEC_VERSION;
    if (request->body != nullptr) {
        exchange->headers[count++] = buffer_text(&exchange->content_type);
    }
    if (exchange->authorization != nullptr) {
        exchange->headers[count++] = exchange->authorization;
    }
    return true;
}

static struct http_request http_request(const struct kube_client *client, const struct kube_request *request,
                                        const struct exchange *exchange, uint32_t timeout_ms) {
    return (struct http_request){
        .method = request->method,
        .url = buffer_text(&exchange->url),
        .headers = exchange->headers,
        .body = request->body,
        .body_length = request->body_length,
        .response_cap = ANSWER_CAP,
        .timeout_ms = timeout_ms,
        .tls = exchange->tls,
        .proxy = kube_config_proxy(client->config),
    };
}

static void observe(const struct kube_client *client, const char *method, int code, int64_t started_ms) {
    if (client->observer != nullptr) {
        client->observer(client->observer_context, method, code,
                         (double)(clock_monotonic_ms() - started_ms) / 1000);
    }
}

static bool send_once(struct kube_client *client, const struct kube_request *request, uint32_t timeout_ms,
                      struct http_response *ret_response, struct error *e) {
    cleanup_exchange struct exchange exchange = {0};
    if (!exchange_prepare(client, request, &exchange, e)) {
        return false;
    }
    struct http_request http = http_request(client, request, &exchange, timeout_ms);
    if (strcmp(request->method, "GET") != 0) {
        http.may_send = client->may_write;
        http.may_send_context = client->may_write_context;
    }
    bool answered = http_client_call(client->http, &http, ret_response, e);
    observe(client, request->method, answered ? ret_response->status : 0, exchange.started_ms);
    if (answered && ret_response->status == UNAUTHORIZED) {
        kube_config_reject_token(client->config, exchange.started_ms);
    }
    return answered;
}

static bool take_answer(const struct http_response *response, yyjson_doc **ret_document, struct error *e) {
    if (response->status < 200 || response->status >= 300) {
        kube_status_error(response->status, response->retry_after_ms, buffer_text(&response->body),
                          response->body.length, e);
        return false;
    }
    if (ret_document == nullptr ||
        json_parse(buffer_text(&response->body), response->body.length, ret_document, e)) {
        return true;
    }
    e->class = e->class == ERROR_INVALID_SPEC ? ERROR_IO : e->class; // the fault is no user's
    return error_wrap(e, "the answer");
}

// What has been tried for one call.
struct attempts {
    int made;
    bool token_renewed;
};

// How long to wait before the same request is sent again; -1: it is not.
static int64_t retry_delay(struct attempts *attempts, int status, const struct error *e) {
    if (status == UNAUTHORIZED && !attempts->token_renewed) {
        attempts->token_renewed = true;
        return 0;
    }
    bool busy = status == 429 || (status >= 500 && e->class != ERROR_GONE);
    return busy && e->retry_after_ms > 0 && attempts->made < TRIES_MAX ? (int64_t)e->retry_after_ms : -1;
}

// False: interrupted.
static bool wait_until(struct kube_client *client, int64_t then_ms) {
    pthread_mutex_lock(&client->lock);
    while (!client->interrupted && condvar_wait_until(&client->changed, &client->lock, then_ms)) {
    }
    bool interrupted = client->interrupted;
    pthread_mutex_unlock(&client->lock);
    return !interrupted;
}

static bool call(struct kube_client *client, const struct kube_request *request, yyjson_doc **ret_document,
                 struct error *e) {
    int64_t deadline = clock_monotonic_ms() + (request->timeout_ms == 0 ? TIMEOUT_MS : request->timeout_ms);
    struct attempts attempts = {0};
    for (;;) {
        cleanup_response struct http_response response = {0};
        int64_t left = deadline - clock_monotonic_ms();
        attempts.made++;
        if (!send_once(client, request, left < 1 ? 1 : (uint32_t)left, &response, e)) {
            return false;
        }
        if (take_answer(&response, ret_document, e)) {
            return true;
        }
        int64_t delay = retry_delay(&attempts, response.status, e);
        int64_t next = clock_monotonic_ms() + delay;
        if (delay < 0 || next >= deadline || (delay > 0 && !wait_until(client, next))) {
            return false;
        }
    }
}

bool kube_client_call(struct kube_client *client, const struct kube_request *request,
                      yyjson_doc **ret_document, struct error *e) {
    failpoint(BEFORE_REQUEST, "%s %s", request->method, request->path);
    bool done = call(client, request, ret_document, e);
    failpoint(AFTER_REQUEST, "%s %s", request->method, request->path);
    return done || error_wrap(e, "%s %.500s", request->method, request->path);
}

// ---- the API's verbs

static const char *content_type_of(enum api_verb verb) {
    switch (verb) {
    case API_PATCH:
        return KUBE_MERGE_PATCH;
    case API_APPLY:
        return KUBE_APPLY_PATCH;
    default:
        return nullptr;
    }
}

static const char *accept_of(const struct api_request *request) {
    if (!request->metadata_only) {
        return nullptr;
    }
    return request->verb == API_LIST ? KUBE_METADATA_LIST_ONLY : KUBE_METADATA_ONLY;
}

static bool call_verb(void *client, const struct api_request *request, yyjson_doc **ret_document,
                      struct error *e) {
    cleanup_buffer struct buffer path = buffer_create(API_PATH_MAX);
    cleanup_buffer struct buffer body = buffer_create(API_BODY_MAX);
    bool has_body = request->body != nullptr;
    if (!api_append_path(request, &path, e) || (has_body && !json_write(request->body, &body, e))) {
        return false;
    }
    struct kube_request http = {
        .method = api_method(request->verb),
        .path = buffer_text(&path),
        .content_type = content_type_of(request->verb),
        .accept = accept_of(request),
        .body = has_body ? buffer_text(&body) : nullptr,
        .body_length = body.length,
        .timeout_ms = request->timeout_ms,
    };
    return kube_client_call(client, &http, ret_document, e);
}

struct api kube_client_api(struct kube_client *client) {
    return (struct api){.context = client, .call = call_verb};
}

// ---- streams

bool kube_client_stream(struct kube_client *client, const char *path, const char *accept, uint32_t timeout_ms,
                        const struct http_stream_events *events, void *context,
                        struct http_stream **ret_stream, struct error *e) {
    cleanup_exchange struct exchange exchange = {0};
    struct kube_request request = {.method = "GET", .path = path, .accept = accept};
    if (!exchange_prepare(client, &request, &exchange, e)) {
        return false;
    }
    struct http_request http = http_request(client, &request, &exchange, timeout_ms);
    return http_stream_open(client->http, &http, events, context, ret_stream, e);
}

void kube_client_stream_ended(struct kube_client *client, int status, int64_t started_ms) {
    observe(client, "GET", status, started_ms);
    if (status == UNAUTHORIZED) {
        kube_config_reject_token(client->config, started_ms);
    }
}
