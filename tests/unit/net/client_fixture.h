// A running loop with an HTTP client on it, and a scripted server to talk to.
#pragma once

#include "scripted_server.h"

#include "net/http_client.h"

struct client_fixture {
    struct loop *loop;
    struct http_client *client;
    struct http_tls *tls;
    struct server *server;
    pthread_t thread;
    bool running;
    atomic_int handshakes;    // as the observer was told
    atomic_int hybrid_groups; // those that were X25519MLKEM768
    char url[128];
};

static void observe_connection(void *context, const char *group) {
    struct client_fixture *fixture = context;
    atomic_fetch_add(&fixture->handshakes, 1);
    if (strcmp(group, "X25519MLKEM768") == 0) {
        atomic_fetch_add(&fixture->hybrid_groups, 1);
    }
}

static void *run_loop(void *context) {
    loop_run(context);
    return nullptr;
}

[[maybe_unused]] static void fixture_run(struct client_fixture *fixture) {
    pthread_create(&fixture->thread, nullptr, run_loop, fixture->loop);
    fixture->running = true;
}

[[maybe_unused]] static void fixture_halt(struct client_fixture *fixture) {
    if (fixture->running) {
        loop_stop(fixture->loop);
        pthread_join(fixture->thread, nullptr);
        fixture->running = false;
    }
}

// The loop does not run yet.
[[maybe_unused]] static void fixture_start(struct client_fixture *fixture, server_handler *handler,
                                           void *context) {
    struct error e;
    *fixture = (struct client_fixture){0};
    fixture->server = server_start(handler, context);
    snprintf(fixture->url, sizeof(fixture->url), "https://127.0.0.1:%d/path?query", fixture->server->port);
    assert_true(loop_create(&fixture->loop, &e));
    assert_true(http_client_create(fixture->loop, observe_connection, fixture, &fixture->client, &e));
    assert_true(http_tls_create(fixture->server->ca.certificate_pem, nullptr, nullptr, &fixture->tls, &e));
}

[[maybe_unused]] static void fixture_stop(struct client_fixture *fixture) {
    fixture_halt(fixture);
    http_client_free(fixture->client);
    http_tls_release(fixture->tls);
    loop_free(fixture->loop);
    server_stop(fixture->server);
}

[[maybe_unused]] static struct http_request fixture_request(const struct client_fixture *fixture,
                                                            const char *method) {
    return (struct http_request){.method = method,
                                 .url = fixture->url,
                                 .response_cap = 1024 * 1024,
                                 .timeout_ms = 20000,
                                 .tls = fixture->tls};
}

struct errand {
    void (*function)(void *context);
    void *context;
    pthread_mutex_t lock;
    pthread_cond_t ready;
    bool done;
};

static void do_errand(void *context) {
    struct errand *errand = context;
    errand->function(errand->context);
    pthread_mutex_lock(&errand->lock);
    errand->done = true;
    pthread_cond_signal(&errand->ready);
    pthread_mutex_unlock(&errand->lock);
}

// Calls function on the loop thread and waits until it returns.
[[maybe_unused]] static void fixture_do(struct client_fixture *fixture, void (*function)(void *context),
                                        void *context) {
    struct error e;
    struct errand errand = {.function = function, .context = context};
    pthread_mutex_init(&errand.lock, nullptr);
    pthread_cond_init(&errand.ready, nullptr);
    assert_true(loop_post(fixture->loop, do_errand, &errand, &e));
    pthread_mutex_lock(&errand.lock);
    while (!errand.done) {
        pthread_cond_wait(&errand.ready, &errand.lock);
    }
    pthread_mutex_unlock(&errand.lock);
    pthread_cond_destroy(&errand.ready);
    pthread_mutex_destroy(&errand.lock);
}
