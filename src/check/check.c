#include "check/context.h"

#include "crypto/openssl.h"

#include <string.h>

static const struct check {
    const char *name;
    const char *group;
    check_function *run;
    bool is_local; // does not ask the API server
} checks[] = {
    {"openssl", "OpenSSL of this program", check_openssl, true},
    {"api-server", "API server", check_api_server, false},
    {"definitions", "Custom resources", check_definitions, false},
    {"rights", "Rights of the operator", check_rights, false},
    {"webhook", "Admission webhook", check_webhook, false},
    {"deployment", "Operator", check_deployment, false},
    {"leader", "Operator", check_leader, false},
    {"encryption", "Encryption of Secrets in etcd", check_encryption, false},
    {"objects", "Objects", check_objects, false},
};
enum { CHECK_COUNT = sizeof(checks) / sizeof(checks[0]) };

static void connection_opened(void *memory, const char *group) {
    struct check_context *context = memory;
    pthread_mutex_lock(&context->lock);
    size_t length = strnlen(group, CHECK_GROUP_SIZE - 1);
    memcpy(context->tls_group, group, length);
    context->tls_group[length] = '\0';
    pthread_mutex_unlock(&context->lock);
}

static void *run_loop(void *context) {
    loop_run(((struct check_context *)context)->loop);
    return nullptr;
}

// The loop gets a thread of its own, so that checks can be plain sequential code on this one.
static bool start(struct check_context *context, pthread_t *ret_thread, struct error *e) {
    if (!loop_create(&context->loop, e) ||
        !http_client_create(context->loop, connection_opened, context, &context->http, e) ||
        !kube_client_create(context->config, context->http, nullptr, nullptr, &context->client, e)) {
        return false;
    }
    return pthread_create(ret_thread, nullptr, run_loop, context) == 0 ||
           error_set(e, ERROR_INTERNAL, "no thread could be started");
}

static void release(struct check_context *context) {
    kube_client_free(context->client);
    http_client_free(context->http);
    kube_config_free(context->config);
    loop_free(context->loop);
    pthread_mutex_destroy(&context->lock);
}

static void run_all(struct check_context *context, struct check_report *report) {
    for (size_t i = 0; i < CHECK_COUNT; i++) {
        if (checks[i].is_local || !context->api_is_unreachable) {
            check_report_begin(report, checks[i].name, checks[i].group);
            checks[i].run(context, report);
        }
    }
}

// Without OpenSSL as it has to be there is no TLS either.
static bool start_openssl(struct check_report *report) {
    struct error e;
    if (crypto_start(&e)) {
        return true;
    }
    check_report_begin(report, checks[0].name, checks[0].group);
    check_note(report, CHECK_FAIL, "version", "%s", e.message);
    check_advise(report, "Give the program OpenSSL 3.5 or later; nothing else was checked.");
    return false;
}

bool check_run(const struct check_options *options, struct check_report *report, struct error *e) {
    struct check_context context = {.options = options, .lock = PTHREAD_MUTEX_INITIALIZER};
    pthread_t thread;
    if (!start_openssl(report)) {
        return true;
    }
    (void)kube_config_load_with(options->kubeconfig, options->context, options->runner, &context.config,
                                &context.config_error);
    bool started = start(&context, &thread, e);
    if (started) {
        run_all(&context, report);
        loop_stop(context.loop);
        pthread_join(thread, nullptr);
    }
    release(&context);
    return started;
}
