#include "webhook/webhook.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "net/http_server.h"
#include "webhook/admission.h"
#include "webhook/webhook_metrics.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { LABELS_SIZE = 160, DRAIN_STEP_MS = 50, PATIENCE_MAX_MS = 30000 };

static const char path[] = "/validate";
static const char media_type[] = "application/json";
static const char path_label[] = "webhook=\"/validate\"";

struct webhook {
    const struct kind *const *kinds;
    struct metrics *metrics;
    struct server_identity *identity;
    struct loop *loop;
    pthread_t thread; // runs the loop
    bool is_running;
    struct http_server *server;
    struct loop_timer *drain_timer;
    int64_t last_review_ms; // when it came; this one and all below monotonic
    int64_t drain_from_ms;
    uint32_t grace_ms;

    pthread_mutex_t lock; // guards what follows
    pthread_cond_t changed;
    bool drained;
};

// ---- requests

static bool is_json(const char *content_type) {
    size_t length = sizeof(media_type) - 1;
    return content_type != nullptr && strncasecmp(content_type, media_type, length) == 0 &&
           (content_type[length] == '\0' || content_type[length] == ';' || content_type[length] == ' ');
}

static int refuse(int status, const char *text, struct buffer *body) {
    struct error ignored;
    (void)buffer_append_format(body, &ignored, "%s\n", text);
    return status;
}

static void count_review(struct webhook *webhook, const struct admission_outcome *outcome) {
    char labels[LABELS_SIZE];
    snprintf(labels, sizeof(labels), "kind=\"%s\",result=\"%s\"",
             outcome->kind == nullptr ? "other" : outcome->kind, outcome->allowed ? "allowed" : "denied");
    metrics_add(webhook->metrics, &metric_admission_total, labels, 1);
}

static int answer(struct webhook *webhook, const struct https_request *request, struct buffer *body,
                  const char **ret_content_type) {
    struct admission_outcome outcome;
    struct error e;
    if (strcmp(request->path, path) != 0) {
        return refuse(404, "not found; there is /validate", body);
    }
    if (!is_json(request->content_type)) {
        return refuse(415, "the Content-Type must be application/json", body);
    }
    if (!admission_review(webhook->kinds, request->body, request->body_length, body, &outcome, &e)) {
        // What anybody can send is no warning.
        LOG(e.class == ERROR_INVALID_SPEC ? LOG_DEBUG : LOG_WARNING, "an admission review was not answered",
            {"detail", e.message});
        return refuse(e.class == ERROR_INVALID_SPEC ? 400 : 500, e.message, body);
    }
    count_review(webhook, &outcome);
    *ret_content_type = media_type;
    return 200;
}

static int handle(void *context, const struct https_request *request, struct buffer *body,
                  const char **ret_content_type) {
    struct webhook *webhook = context;
    char labels[LABELS_SIZE];
    double started = clock_monotonic_seconds();
    int64_t came_ms = clock_monotonic_ms();
    metrics_add(webhook->metrics, &metric_webhook_requests_in_flight, path_label, 1);
    int status = answer(webhook, request, body, ret_content_type);
    webhook->last_review_ms = status == 200 ? came_ms : webhook->last_review_ms; // others are no API server's
    metrics_add(webhook->metrics, &metric_webhook_requests_in_flight, path_label, -1);
    metrics_observe(webhook->metrics, &metric_webhook_latency_seconds, path_label,
                    clock_monotonic_seconds() - started);
    snprintf(labels, sizeof(labels), "code=\"%d\",%s", status, path_label);
    metrics_add(webhook->metrics, &metric_webhook_requests_total, labels, 1);
    return status;
}

// ---- the certificate

bool webhook_set_identity(struct webhook *webhook, const char *chain_pem, const char *key_pem,
                          struct error *e) {
    return server_identity_set(webhook->identity, chain_pem, key_pem, e);
}

bool webhook_is_ready(struct webhook *webhook) {
    return webhook == nullptr || server_identity_is_set(webhook->identity);
}

uint16_t webhook_port(const struct webhook *webhook) {
    return http_server_port(webhook->server);
}

// ---- the end

static void signal_drained(struct webhook *webhook) {
    pthread_mutex_lock(&webhook->lock);
    webhook->drained = true;
    pthread_cond_broadcast(&webhook->changed);
    pthread_mutex_unlock(&webhook->lock);
}

// For how long callers are expected at least, and then again for how long after the last.
static int64_t patience(uint32_t grace_ms) {
    return grace_ms / 3 < PATIENCE_MAX_MS ? grace_ms / 3 : PATIENCE_MAX_MS;
}

bool webhook_may_be_called(int64_t ending_ms, int64_t since_review_ms, uint32_t grace_ms) {
    int64_t least = patience(grace_ms);
    return (ending_ms < least || since_review_ms < least) && ending_ms < least * 5 / 2;
}

bool webhook_may_be_answering(int64_t ending_ms, uint32_t grace_ms) {
    return ending_ms < patience(grace_ms) * 13 / 5;
}

static bool is_needed(const struct webhook *webhook, int64_t now) {
    int64_t ending_ms = now - webhook->drain_from_ms;
    return webhook_may_be_called(ending_ms, now - webhook->last_review_ms, webhook->grace_ms) ||
           (webhook_may_be_answering(ending_ms, webhook->grace_ms) && !http_server_is_quiet(webhook->server));
}

static void check_drained(void *context) {
    struct webhook *webhook = context;
    // Without a certificate nobody can have called.
    if (webhook_is_ready(webhook) && is_needed(webhook, clock_monotonic_ms())) {
        loop_timer_start(webhook->drain_timer, DRAIN_STEP_MS);
        return;
    }
    signal_drained(webhook);
}

static void drain(void *context) {
    struct webhook *webhook = context;
    http_server_drain(webhook->server);
    check_drained(webhook);
}

void webhook_drain(struct webhook *webhook, uint32_t grace_ms) {
    struct error e;
    if (webhook == nullptr) {
        return;
    }
    webhook->drain_from_ms = clock_monotonic_ms();
    webhook->grace_ms = grace_ms;
    if (!loop_post(webhook->loop, drain, webhook, &e)) {
        LOG(LOG_WARNING, "the webhook ends without a warning to its callers", {"detail", e.message});
        signal_drained(webhook);
    }
}

void webhook_wait_drained(struct webhook *webhook) {
    if (webhook == nullptr) {
        return;
    }
    pthread_mutex_lock(&webhook->lock);
    while (!webhook->drained) {
        pthread_cond_wait(&webhook->changed, &webhook->lock);
    }
    pthread_mutex_unlock(&webhook->lock);
}

static void *run(void *context) {
    loop_run(((struct webhook *)context)->loop);
    return nullptr;
}

static bool start(struct webhook *webhook, const char *address, struct error *e) {
    if (!server_identity_create(&webhook->identity, e) || !loop_create(&webhook->loop, e) ||
        !loop_timer_create(webhook->loop, check_drained, webhook, &webhook->drain_timer, e) ||
        !https_server_create(webhook->loop, address, webhook->identity, &http_server_usual_limits, handle,
                             webhook, &webhook->server, e)) {
        return false;
    }
    int failure = pthread_create(&webhook->thread, nullptr, run, webhook);
    webhook->is_running = failure == 0;
    return webhook->is_running || error_set(e, ERROR_INTERNAL, "starting its thread: %s", strerror(failure));
}

bool webhook_create(const char *address, const struct kind *const *kinds, struct metrics *metrics,
                    struct webhook **ret_webhook, struct error *e) {
    struct webhook *webhook = memory_allocate_zeroed(1, sizeof(*webhook));
    if (webhook == nullptr) {
        return error_no_memory(e, "the webhook");
    }
    webhook->kinds = kinds;
    webhook->metrics = metrics;
    pthread_mutex_init(&webhook->lock, nullptr);
    pthread_cond_init(&webhook->changed, nullptr);
    if (!start(webhook, address, e)) {
        webhook_free(webhook);
        return error_wrap(e, "the webhook");
    }
    *ret_webhook = webhook;
    return true;
}

void webhook_free(struct webhook *webhook) {
    if (webhook == nullptr) {
        return;
    }
    if (webhook->is_running) {
        loop_stop(webhook->loop);
        pthread_join(webhook->thread, nullptr);
    }
    http_server_free(webhook->server);
    loop_timer_free(webhook->drain_timer);
    loop_free(webhook->loop);
    server_identity_free(webhook->identity);
    pthread_cond_destroy(&webhook->changed);
    pthread_mutex_destroy(&webhook->lock);
    memory_free(webhook);
}
