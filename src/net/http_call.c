#include "base/clock.h"
#include "base/memory.h"
#include "net/http_stream.h"

#include <errno.h>
#include <semaphore.h>

// A call is made by its caller's thread and answered on the loop thread. Whoever needs it last frees it: the
// caller, or the loop thread when the caller has given up waiting. Its flags and links are guarded by the
// client's lock. The semaphore is posted once, after all else, and by the loop thread without the lock (which
// the caller, woken, would have to wait for); whoever saw that the call is answered takes that post before he
// frees it.
enum { LATE_MS = 2000 }; // the caller gives up this long after the timeout, which ends the exchange normally

struct http_call {
    struct http_client *client;
    struct http_call *next;
    struct http_call *previous;
    struct http_stream *stream; // owned until answered; the loop thread's
    struct http_response response;
    struct error error;
    bool overflown;
    bool failed;
    bool answered;
    bool abandoned;
    sem_t ready; // posted when it is answered
};

static void on_status(void *context, int status, uint32_t retry_after_ms) {
    struct http_call *call = context;
    call->response.status = status;
    call->response.retry_after_ms = retry_after_ms;
}

static bool on_data(void *context, const char *bytes, size_t length) {
    struct http_call *call = context;
    if (buffer_append(&call->response.body, bytes, length, &call->error)) {
        return true;
    }
    call->overflown = true;
    return false;
}

static void free_call(struct http_call *call) {
    http_stream_close(call->stream);
    http_response_done(&call->response);
    sem_destroy(&call->ready);
    memory_free(call);
}

// With the lock held.
static void enlist(struct http_call *call) {
    call->next = call->client->calls;
    if (call->next != nullptr) {
        call->next->previous = call;
    }
    call->client->calls = call;
}

// With the lock held.
static void delist(struct http_call *call) {
    struct http_client *client = call->client;
    *(call->previous == nullptr ? &client->calls : &call->previous->next) = call->next;
    if (call->next != nullptr) {
        call->next->previous = call->previous;
    }
    pthread_cond_signal(&client->call_left);
}

// The exchange is over: hands the call back to its caller, or frees it.
static void answer(struct http_call *call) {
    struct http_client *client = call->client;
    http_stream_close(call->stream);
    call->stream = nullptr;
    pthread_mutex_lock(&client->lock);
    bool abandoned = call->abandoned;
    call->answered = true;
    if (abandoned) {
        delist(call);
    }
    pthread_mutex_unlock(&client->lock);
    if (abandoned) {
        free_call(call);
    } else {
        sem_post(&call->ready);
    }
}

static void on_end(void *context, const struct error *error) {
    struct http_call *call = context;
    call->failed = error != nullptr;
    if (error != nullptr && !call->overflown) {
        call->error = *error;
    } else if (call->overflown && call->error.class == ERROR_INTERNAL) {
        (void)error_set(&call->error, ERROR_IO, "the answer is larger than %zu bytes",
                        call->response.body.cap);
    }
    answer(call);
}

static void start(void *context) {
    struct http_call *call = context;
    http_stream_start(call->stream);
}

static bool prepare(struct http_client *client, const struct http_request *request,
                    struct http_call **ret_call, struct error *e) {
    static const struct http_stream_events events = {
        .on_status = on_status, .on_data = on_data, .on_end = on_end};
    struct http_call *call = memory_allocate_zeroed(1, sizeof(*call));
    if (call == nullptr) {
        (void)error_no_memory(e, "a request");
        return false;
    }
    call->client = client;
    call->response.body = buffer_create(request->response_cap);
    sem_init(&call->ready, 0, 0);
    if (!http_stream_prepare(client, request, false, &events, call, &call->stream, e)) {
        free_call(call);
        return false;
    }
    *ret_call = call;
    return true;
}

// Puts the call where the loop thread and http_client_free find it.
static bool submit(struct http_call *call, struct error *e) {
    struct http_client *client = call->client;
    pthread_mutex_lock(&client->lock);
    bool submitted = false;
    if (client->closing) {
        (void)error_set(e, ERROR_RETRYABLE, "the HTTP client is being shut down");
    } else if (loop_post(client->loop, start, call, e)) {
        enlist(call);
        submitted = true;
    }
    pthread_mutex_unlock(&client->lock);
    return submitted;
}

// Takes the semaphore's post; false: there was none in time.
static bool take_post(struct http_call *call, int64_t until_ms) {
    struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
    int result;
    do {
        result = sem_clockwait(&call->ready, CLOCK_MONOTONIC, &until);
    } while (result != 0 && errno == EINTR);
    return result == 0;
}

// Waits until the call is answered; false: it took too long and is now the loop thread's to free.
static bool wait_for_answer(struct http_call *call, uint32_t timeout_ms) {
    struct http_client *client = call->client;
    bool taken = take_post(call, clock_monotonic_ms() + timeout_ms + LATE_MS);
    pthread_mutex_lock(&client->lock);
    bool answered = call->answered;
    if (answered) {
        delist(call);
    } else {
        call->abandoned = true;
        pthread_cond_signal(&client->call_left);
    }
    pthread_mutex_unlock(&client->lock);
    while (answered && !taken) { // its answer came in this very moment, and the post is on its way
        taken = sem_wait(&call->ready) == 0;
    }
    return answered;
}

bool http_client_call(struct http_client *client, const struct http_request *request,
                      struct http_response *ret_response, struct error *e) {
    struct http_call *call;
    if (loop_is_current(client->loop)) {
        return error_set(e, ERROR_INTERNAL, "the loop thread must not wait for itself");
    }
    if (!prepare(client, request, &call, e)) {
        return false;
    }
    if (!submit(call, e)) {
        free_call(call);
        return false;
    }
    if (!wait_for_answer(call, request->timeout_ms)) {
        return error_set(e, ERROR_RETRYABLE, "no answer within %u milliseconds",
                         (unsigned)request->timeout_ms);
    }
    bool done = !call->failed;
    if (done) {
        *ret_response = call->response;
        call->response = (struct http_response){0};
    } else {
        *e = call->error;
    }
    free_call(call);
    return done;
}

// One that has a caller, or one that has none; NULL: none is left. With the lock held.
static struct http_call *find(const struct http_client *client, bool abandoned) {
    struct http_call *call = client->calls;
    while (call != nullptr && call->abandoned != abandoned) {
        call = call->next;
    }
    return call;
}

void http_calls_end(struct http_client *client) {
    pthread_mutex_lock(&client->lock);
    client->closing = true;
    for (struct http_call *call = client->calls; call != nullptr; call = call->next) {
        loop_unpost(client->loop, call);
        if (!call->answered) {
            http_stream_close(call->stream);
            call->stream = nullptr;
            (void)error_set(&call->error, ERROR_RETRYABLE, "the HTTP client is being shut down");
            call->failed = true;
            call->answered = true;
            sem_post(&call->ready);
        }
    }
    while (find(client, false) != nullptr) {
        pthread_cond_wait(&client->call_left, &client->lock);
    }
    struct http_call *call;
    while ((call = find(client, true)) != nullptr) {
        delist(call);
        free_call(call);
    }
    pthread_mutex_unlock(&client->lock);
}

void http_response_done(struct http_response *response) {
    buffer_done(&response->body);
}
