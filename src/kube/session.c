#include "kube/session.h"

#include "base/memory.h"

#include <pthread.h>

struct kube_session {
    struct kube_config *config;
    struct loop *loop;
    struct http_client *http;
    struct kube_client *client;
    pthread_t thread;
    bool is_running;
};

static void *run_loop(void *loop) {
    loop_run(loop);
    return nullptr;
}

static bool start(struct kube_session *session, const char *path, const char *context,
                  const struct exec_runner *runner, struct error *e) {
    if (!kube_config_load_with(path, context, runner, &session->config, e) ||
        !loop_create(&session->loop, e) ||
        !http_client_create(session->loop, nullptr, nullptr, &session->http, e) ||
        !kube_client_create(session->config, session->http, nullptr, nullptr, &session->client, e)) {
        return false;
    }
    session->is_running = pthread_create(&session->thread, nullptr, run_loop, session->loop) == 0;
    return session->is_running || error_set(e, ERROR_INTERNAL, "no thread could be started");
}

bool kube_session_open(const char *path, const char *context, const struct exec_runner *runner,
                       struct kube_session **ret_session, struct error *e) {
    struct kube_session *session = memory_allocate_zeroed(1, sizeof(*session));
    if (session == nullptr) {
        return error_no_memory(e, "a session");
    }
    if (!start(session, path, context, runner, e)) {
        kube_session_close(session);
        return false;
    }
    *ret_session = session;
    return true;
}

void kube_session_close(struct kube_session *session) {
    if (session == nullptr) {
        return;
    }
    if (session->is_running) {
        loop_stop(session->loop);
        pthread_join(session->thread, nullptr);
    }
    kube_client_free(session->client);
    http_client_free(session->http);
    kube_config_free(session->config);
    loop_free(session->loop);
    memory_free(session);
}

struct api kube_session_api(struct kube_session *session) {
    return kube_client_api(session->client);
}

const char *kube_session_namespace(const struct kube_session *session) {
    return kube_config_namespace(session->config);
}
