// The parts of the HTTP client, for its own files: http_client.c ties libcurl's multi handle to the loop,
// http_stream.c is one exchange, http_call.c makes a blocking call out of one. All but the client's lock, and
// what is said to be guarded by it, belongs to the loop thread.
#pragma once

#include "net/http_client.h"

#include <curl/curl.h>
#include <pthread.h>

struct event;
struct http_call;

struct http_client {
    struct loop *loop;
    CURLM *multi;
    struct event *timer;   // when libcurl wants to be called next
    struct event *pending; // calls http_streams_process_pending when it is activated
    char *no_proxy;        // hosts that are reached directly; owned
    http_connection_observer *observer;
    void *observer_context;
    struct http_stream *streams; // those that have not ended
    bool in_curl;                // libcurl is on the stack: it must not be entered again
    bool has_pending;            // some stream waits for libcurl to be left
    bool wait_failed;            // there was no memory for what libcurl, or we for it, must wait for

    pthread_mutex_t lock;     // guards all below
    pthread_cond_t call_left; // signalled when a caller has left
    struct http_call *calls;  // those whose caller or exchange still needs them
    bool closing;
};

enum http_stream_state {
    STREAM_PREPARED, // not given to libcurl yet
    STREAM_RUNNING,
    STREAM_REFUSED, // its receiver wants no more
    STREAM_CLOSED,  // closed while libcurl was on the stack
    STREAM_ENDED,   // all is released but the struct itself
};

struct http_stream {
    struct http_client *client;
    struct http_stream *next;
    struct http_stream *previous;
    enum http_stream_state state;
    CURL *easy;
    struct curl_slist *headers;
    char *body;
    struct http_tls *tls;
    struct http_stream_events events;
    void *context;
    bool (*may_send)(void *context); // see http_request; NULL: always
    void *may_send_context;
    bool started; // once in client->streams
    bool added;   // in the multi handle
    bool status_told;
    bool withheld;     // may_send said no
    bool capped;       // an error's body is cut short
    size_t error_room; // bytes of an error's body that may still come
    char curl_text[CURL_ERROR_SIZE];
};

// Makes an exchange that is not started; any thread. own_connection: not from the pool and not for it, and an
// error's body is capped. *ret_stream is owned. Errors: NO_MEMORY, INTERNAL.
[[nodiscard]] bool http_stream_prepare(struct http_client *client, const struct http_request *request,
                                       bool own_connection, const struct http_stream_events *events,
                                       void *context, struct http_stream **ret_stream, struct error *e);

// Has the next http_streams_process_pending hand a prepared stream to libcurl. Whatever goes wrong is told by
// on_end.
void http_stream_start(struct http_stream *stream);

// Ends a stream: releases what it has, then calls on_end with error, which may close it.
void http_stream_finish(struct http_stream *stream, const struct error *error);

// Does what had to wait until libcurl was left: starts, ends and closes streams.
void http_streams_process_pending(struct http_client *client);

// Ends all calls with RETRYABLE and waits until their callers have left. The loop must not be running.
void http_calls_end(struct http_client *client);
