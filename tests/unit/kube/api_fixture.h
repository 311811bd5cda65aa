// A kube_client that talks to a scripted API server, with a kubeconfig in a folder of its own.
#pragma once

#include "../base/check.h"
#include "../net/client_fixture.h"

#include "kube/client.h"

enum { API_CALLS_MAX = 256 };

struct api_fixture {
    struct client_fixture net;
    struct kube_config *config;
    struct kube_client *client;
    char folder[64];
    char token_file[128];
    pthread_mutex_t lock; // guards what the observer notes
    int codes[API_CALLS_MAX];
    int observed;
};

[[maybe_unused]] static void write_file(const char *path, const char *text) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fputs(text, file) >= 0, true);
    assert_int_equal(fclose(file), 0);
}

static void observe_request(void *context, const char *method, int code, double seconds) {
    struct api_fixture *fixture = context;
    assert_true(method[0] != '\0' && seconds >= 0);
    pthread_mutex_lock(&fixture->lock);
    if (fixture->observed < API_CALLS_MAX) {
        fixture->codes[fixture->observed++] = code;
    }
    pthread_mutex_unlock(&fixture->lock);
}

[[maybe_unused]] static void api_start(struct api_fixture *fixture, server_handler *handler, void *context) {
    struct error e;
    *fixture = (struct api_fixture){.lock = PTHREAD_MUTEX_INITIALIZER};
    fixture_start(&fixture->net, handler, context);
    fixture_run(&fixture->net);
    snprintf(fixture->folder, sizeof(fixture->folder), "/tmp/qubesec-test-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    char path[128];
    char text[1024];
    snprintf(fixture->token_file, sizeof(fixture->token_file), "%s/token", fixture->folder);
    write_file(fixture->token_file, "first-token\n");
    snprintf(path, sizeof(path), "%s/ca.crt", fixture->folder);
    write_file(path, fixture->net.server->ca.certificate_pem);
    snprintf(path, sizeof(path), "%s/config", fixture->folder);
    snprintf(
        text, sizeof(text),
        "current-context: c\n"
        "contexts: [{name: c, context: {cluster: k, user: u}}]\n"
        "clusters: [{name: k, cluster: {server: 'https://127.0.0.1:%d', certificate-authority: ca.crt}}]\n"
        "users: [{name: u, user: {tokenFile: token}}]\n",
        fixture->net.server->port);
    write_file(path, text);
    must(kube_config_load(path, nullptr, &fixture->config, &e), e);
    must(kube_client_create(fixture->config, fixture->net.client, observe_request, fixture, &fixture->client,
                            &e),
         e);
}

[[maybe_unused]] static void api_stop(struct api_fixture *fixture) {
    fixture_halt(&fixture->net);
    kube_client_free(fixture->client);
    kube_config_free(fixture->config);
    fixture_stop(&fixture->net);
    static const char *const names[] = {"token", "ca.crt", "config"};
    for (size_t i = 0; i < 3; i++) {
        char path[128];
        snprintf(path, sizeof(path), "%s/%s", fixture->folder, names[i]);
        unlink(path);
    }
    rmdir(fixture->folder);
}
