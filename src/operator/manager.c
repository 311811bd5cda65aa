#include "operator/manager.h"

#include "base/clock.h"
#include "base/memory.h"
#include "crypto/openssl.h"
#include "net/http_server.h"
#include "operator/controller.h"
#include "operator/debug.h"
#include "operator/gauges.h"
#include "operator/reasons.h"
#include "operator/reconcile_id.h"
#include "operator/workers.h"

#include <ctype.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

enum { STOP_DEADLINE_MS = 8000, LABELS_SIZE = 256 };

struct manager {
    const struct settings *settings;
    const struct kind *const *kinds;
    const char *host; // of the API server, for metrics
    struct loop *loop;
    struct kube_config *config;
    struct http_client *http;
    struct kube_client *client;
    struct event_recorder *recorder;
    struct queue *queue;
    struct watches *watches;
    struct workers *workers;
    struct metrics *metrics;
    struct remakes *remakes;
    struct http_server *server;
    struct loop_timer *deadline;
    struct controller controller;
    char settings_key[KUBE_KEY_SIZE]; // of the ConfigMap
    char name[128];                   // of this process
    atomic_bool stopping;
};

// ---- metrics

static const char *controller_label(const char *kind, char labels[LABELS_SIZE]) {
    size_t used = (size_t)snprintf(labels, LABELS_SIZE, "controller=\"");
    for (; *kind != '\0' && *kind != '/' && used < LABELS_SIZE - 2; kind++) {
        labels[used++] = (char)tolower((unsigned char)*kind);
    }
    labels[used++] = '"';
    labels[used] = '\0';
    return labels;
}

// There is one queue for all controllers.
static const char queue_label[] = "name=\"qubesec\"";

static void key_added(void *context, const char *) {
    metrics_add(((struct manager *)context)->metrics, METRIC_QUEUE_ADDS_TOTAL, queue_label, 1);
}

static void key_retried(void *context, const char *) {
    metrics_add(((struct manager *)context)->metrics, METRIC_QUEUE_RETRIES_TOTAL, queue_label, 1);
}

static void key_started(void *context, const char *, double seconds) {
    metrics_observe(((struct manager *)context)->metrics, METRIC_QUEUE_DURATION_SECONDS, queue_label,
                    seconds);
}

static void key_finished(void *context, const char *, double seconds) {
    metrics_observe(((struct manager *)context)->metrics, METRIC_QUEUE_WORK_DURATION_SECONDS, queue_label,
                    seconds);
}

static void request_done(void *context, const char *method, int code, double seconds) {
    struct manager *m = context;
    char labels[LABELS_SIZE];
    char code_text[16];
    snprintf(code_text, sizeof(code_text), "%d", code);
    snprintf(labels, sizeof(labels), "code=\"%s\",host=\"%.128s\",method=\"%s\"",
             code == 0 ? "<error>" : code_text, m->host, method);
    metrics_add(m->metrics, METRIC_REST_REQUESTS_TOTAL, labels, 1);
    snprintf(labels, sizeof(labels), "host=\"%.128s\",verb=\"%s\"", m->host, method);
    metrics_observe(m->metrics, METRIC_REST_REQUEST_DURATION_SECONDS, labels, seconds);
}

static void connection_opened(void *context, const char *group) {
    struct manager *m = context;
    char labels[LABELS_SIZE];
    snprintf(labels, sizeof(labels), "group=\"%s\"", group);
    metrics_add(m->metrics, METRIC_TLS_CONNECTIONS_TOTAL, labels, 1);
    LOG(LOG_DEBUG, "TLS connection", {"group", group});
}

static void refresh_gauges(struct manager *m) {
    double unfinished;
    double longest = queue_longest_running(m->queue, &unfinished);
    metrics_set(m->metrics, METRIC_QUEUE_DEPTH, queue_label, (double)queue_depth(m->queue));
    metrics_set(m->metrics, METRIC_QUEUE_LONGEST_RUNNING_SECONDS, queue_label, longest);
    metrics_set(m->metrics, METRIC_QUEUE_UNFINISHED_WORK_SECONDS, queue_label, unfinished);
    gauges_measure(m->watches, m->controller.started, m->metrics);
}

// ---- work

static void set_workers(struct manager *m, unsigned count) {
    struct error e;
    if (!workers_set_count(m->workers, count, &e)) {
        LOG(LOG_ERROR, "could not start all workers", {"detail", e.message});
    }
    for (const struct kind *const *kind = m->kinds; *kind != nullptr; kind++) {
        char labels[LABELS_SIZE];
        metrics_set(m->metrics, METRIC_MAX_CONCURRENT_RECONCILES, controller_label((*kind)->kind, labels),
                    count);
    }
}

// What the ConfigMap does not say stays as the flags have it.
static bool apply_config_map(struct manager *m, yyjson_val *data, struct error *e) {
    const char *level_text = json_member_text(data, "log-level");
    const char *workers_text = json_member_text(data, "workers");
    enum log_level level = m->settings->log_level;
    unsigned workers = m->settings->workers;
    if (level_text != nullptr && !settings_parse_level("log-level", level_text, &level, e)) {
        return false;
    }
    if (workers_text != nullptr && !settings_parse_workers("workers", workers_text, &workers, e)) {
        return false;
    }
    log_set_level(level);
    set_workers(m, workers);
    LOG(LOG_INFO, "settings applied", {"configMap", m->settings_key}, {"log-level", level_text},
        {"workers", workers_text});
    return true;
}

// People look at the object that they have edited.
static void tell_of_fault(struct manager *m, yyjson_val *config_map, const char *fault) {
    const struct event_words words = {true, REASON_INVALID_SETTINGS, "Reload", fault, nullptr};
    cleanup_object struct kube_object *object = nullptr;
    struct error ignored;
    if (kube_object_create_metadata(config_map, &object, &ignored)) {
        event_record(m->recorder, &kube_config_maps, object, &words);
    }
}

static bool reload_settings(struct manager *m, struct error *e) {
    cleanup_buffer struct buffer path = buffer_create(KUBE_KEY_SIZE * 4);
    cleanup_json yyjson_doc *document = nullptr;
    char *name = strchr(m->settings_key, '/') + 1;
    cleanup_text char *namespace = memory_copy_span(m->settings_key, (size_t)(name - m->settings_key - 1));
    if (namespace == nullptr) {
        return error_no_memory(e, "settings");
    }
    if (!kube_resource_path(&kube_config_maps, namespace, name, nullptr, &path, e)) {
        return false;
    }
    struct kube_request request = {.method = "GET", .path = buffer_text(&path)};
    if (!kube_client_call(m->client, &request, &document, e) && e->class != ERROR_NOT_FOUND) {
        return false;
    }
    yyjson_val *root = yyjson_doc_get_root(document);
    bool applied = apply_config_map(m, yyjson_obj_get(root, "data"), e);
    if (!applied && e->class == ERROR_INVALID_SPEC) {
        tell_of_fault(m, root, e->message);
    }
    return applied;
}

static const char *result_label(const struct verdict *verdict) {
    if (verdict->kind == VERDICT_DONE) {
        return verdict->again_ms > 0 ? "requeue_after" : "success";
    }
    if (verdict->kind == VERDICT_SLOW) {
        return "requeue";
    }
    if (verdict->kind == VERDICT_TERMINAL) {
        return "error";
    }
    return verdict->error.retry_after_ms > 0 ? "requeue_after" : "error";
}

static void count_reconcile(struct manager *m, const struct kind *kind, const struct verdict *verdict,
                            double seconds) {
    char labels[LABELS_SIZE];
    char with_more[2 * LABELS_SIZE];
    controller_label(kind->kind, labels);
    metrics_observe(m->metrics, METRIC_RECONCILE_TIME_SECONDS, labels, seconds);
    snprintf(with_more, sizeof(with_more), "%s,result=\"%s\"", labels, result_label(verdict));
    metrics_add(m->metrics, METRIC_RECONCILE_TOTAL, with_more, 1);
    if (verdict->kind == VERDICT_RETRY || verdict->kind == VERDICT_TERMINAL) {
        snprintf(with_more, sizeof(with_more), "%s,class=\"%s\"", labels,
                 error_class_name(verdict->error.class));
        metrics_add(m->metrics, METRIC_RECONCILE_ERRORS_TOTAL, with_more, 1);
    }
    if (verdict->kind == VERDICT_TERMINAL) {
        metrics_add(m->metrics, METRIC_TERMINAL_RECONCILE_ERRORS_TOTAL, labels, 1);
    }
}

static bool queue_next(struct manager *m, const char *key, const struct verdict *verdict, struct error *e) {
    uint32_t delay_ms;
    switch (verdict->kind) {
    case VERDICT_RETRY:
        return queue_retry(m->queue, key, verdict->error.retry_after_ms, &delay_ms, e);
    case VERDICT_SLOW:
        return queue_add_slow(m->queue, key, e);
    default:
        queue_forget(m->queue, key);
        return verdict->again_ms == 0 || queue_add_after(m->queue, key, verdict->again_ms, e);
    }
}

static void follow_up(struct manager *m, const char *key, const struct verdict *verdict) {
    struct error e;
    if (!queue_next(m, key, verdict, &e)) {
        LOG(LOG_ERROR, "could not queue a key again", {"key", key}, {"detail", e.message});
    }
}

static void work(void *context, const char *key, bool may_be_slow) {
    struct manager *m = context;
    char labels[LABELS_SIZE];
    char plural[64];
    char id[RECONCILE_ID_SIZE];
    const struct kube_resource *resource;
    struct verdict verdict = {.kind = VERDICT_DONE};
    const char *slash = strchr(key, '/');
    snprintf(plural, sizeof(plural), "%.*s", (int)(slash - key), key);
    const struct kind *kind = watches_find_plural(m->watches, plural, &resource);
    if (kind != nullptr) {
        reconcile_id_next(id);
        metrics_add(m->metrics, METRIC_ACTIVE_WORKERS, controller_label(kind->kind, labels), 1);
        double started = clock_monotonic_seconds();
        controller_reconcile(&m->controller, kind, resource, slash + 1, id, may_be_slow, &verdict);
        count_reconcile(m, kind, &verdict, clock_monotonic_seconds() - started);
        metrics_add(m->metrics, METRIC_ACTIVE_WORKERS, labels, -1);
    } else if (!reload_settings(m, &verdict.error)) {
        verdict.kind = verdict.error.class == ERROR_INVALID_SPEC ? VERDICT_TERMINAL : VERDICT_RETRY;
        LOG(LOG_WARNING, "settings were not applied", {"configMap", slash + 1},
            {"detail", verdict.error.message});
    }
    follow_up(m, key, &verdict);
}

// ---- watches and health

static void watch_failed(void *context, const struct kube_resource *resource, const struct error *error) {
    struct manager *m = context;
    char labels[LABELS_SIZE];
    snprintf(labels, sizeof(labels), "resource=\"%s\",class=\"%s\"", resource->plural,
             error_class_name(error->class));
    metrics_add(m->metrics, METRIC_WATCH_FAILURES_TOTAL, labels, 1);
    LOG(LOG_WARNING, "list or watch failed, trying again", {"resource", resource->plural},
        {"detail", error->message});
}

static void all_synced(void *context) {
    struct manager *m = context;
    if (!atomic_load(&m->stopping)) {
        LOG(LOG_INFO, "all resources listed, starting workers");
        set_workers(m, m->settings->workers);
    }
}

static int answer_ready(struct manager *m, struct buffer *body) {
    struct error ignored;
    const char *missing = nullptr;
    if (atomic_load(&m->stopping)) {
        (void)buffer_append_text(body, "stopping\n", &ignored);
        return 503;
    }
    if (!watches_are_alive(m->watches, &missing)) {
        (void)buffer_append_format(body, &ignored, "%s: not listed yet, or not heard of lately\n", missing);
        return 503;
    }
    (void)buffer_append_text(body, "ok\n", &ignored);
    return 200;
}

static int answer(void *context, const char *path, struct buffer *body) {
    struct manager *m = context;
    struct error ignored;
    const struct debug_view view = {m->watches, m->queue, m->workers, m->controller.started,
                                    .is_leader = true};
    if (strcmp(path, "/healthz") == 0) {
        (void)buffer_append_text(body, "ok\n", &ignored);
        return 200;
    }
    if (strcmp(path, "/readyz") == 0 || strcmp(path, "/readyz/watches") == 0) {
        return answer_ready(m, body);
    }
    if (strcmp(path, "/metrics") == 0) {
        refresh_gauges(m);
        return metrics_write(m->metrics, body, &ignored) ? 200 : 500;
    }
    int status;
    if (m->settings->debug_endpoints && debug_answer(&view, path, body, &status)) {
        return status;
    }
    (void)buffer_append_text(body, "not found; there are /healthz, /readyz and /metrics\n", &ignored);
    return 404;
}

// ---- start and stop

// Keys must not reach a core file or a debugger.
static bool harden(const struct settings *settings, struct error *e) {
    if (settings->allow_memory_dump) {
        return true;
    }
    struct rlimit none = {0};
    return (prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L) == 0 && setrlimit(RLIMIT_CORE, &none) == 0) ||
           error_set(e, ERROR_INTERNAL, "forbidding core dumps of this process failed");
}

static void stop_late(void *) {
    LOG(LOG_WARNING, "some work did not finish in time, leaving it");
    _exit(0);
}

// Waits where the loop thread must not: workers in the middle of a request still need the loop.
static void *stop(void *context) {
    struct manager *m = context;
    workers_join(m->workers);
    event_recorder_free(m->recorder);
    m->recorder = nullptr;
    loop_stop(m->loop);
    return nullptr;
}

static void stop_requested(void *context) {
    struct manager *m = context;
    pthread_t thread;
    if (atomic_exchange(&m->stopping, true)) {
        return;
    }
    LOG(LOG_INFO, "stopping");
    loop_timer_start(m->deadline, STOP_DEADLINE_MS);
    queue_shut_down(m->queue);
    kube_client_interrupt(m->client);
    if (pthread_create(&thread, nullptr, stop, m) != 0) {
        stop_late(nullptr);
    }
    pthread_detach(thread);
}

static bool start_base(struct manager *m, struct error *e) {
    struct queue_observer observer = {m, key_added, key_retried, key_started, key_finished};
    m->remakes = remakes_create();
    if (m->remakes == nullptr) {
        return error_no_memory(e, "starting");
    }
    return metrics_create(&m->metrics, e) && queue_create(&observer, &m->queue, e) &&
           workers_create(m->queue, work, m, &m->workers, e) && loop_create(&m->loop, e) &&
           loop_timer_create(m->loop, stop_late, nullptr, &m->deadline, e) &&
           loop_on_signal(m->loop, SIGTERM, stop_requested, m, e) &&
           loop_on_signal(m->loop, SIGINT, stop_requested, m, e);
}

static bool start_client(struct manager *m, struct error *e) {
    char host[65] = "qubesec";
    (void)gethostname(host, sizeof(host) - 1);
    snprintf(m->name, sizeof(m->name), "%s-%d", host, (int)getpid());
    if (!kube_config_load(m->settings->kubeconfig, m->settings->context, &m->config, e)) {
        return false;
    }
    m->host = strstr(kube_config_server(m->config), "://") + 3;
    return http_client_create(m->loop, connection_opened, m, &m->http, e) &&
           kube_client_create(m->config, m->http, request_done, m, &m->client, e) &&
           event_recorder_create(m->client, "qubesec.io/operator", m->name, &m->recorder, e);
}

static bool start_watches(struct manager *m, struct error *e) {
    const char *namespace = m->settings->namespace;
    namespace = namespace == nullptr || namespace[0] == '\0' ? kube_config_namespace(m->config) : namespace;
    kube_format_key(namespace, m->settings->config_map, m->settings_key);
    struct watches_options options = {
        .kinds = m->kinds,
        .loop = m->loop,
        .client = m->client,
        .queue = m->queue,
        .settings_key = m->settings_key,
        .failed = watch_failed,
        .synced = all_synced,
        .context = m,
    };
    if (!watches_create(&options, &m->watches, e)) {
        return false;
    }
    m->controller = (struct controller){
        .watches = m->watches,
        .client = m->client,
        .http = m->http,
        .recorder = m->recorder,
        .metrics = m->metrics,
        .remakes = m->remakes,
        .seed_url_prefixes = m->settings->seed_url_prefixes,
        .started = clock_wall_seconds(),
    };
    return http_server_create(m->loop, m->settings->bind_address, answer, m, &m->server, e);
}

static void log_start(const struct manager *m) {
    char port[8];
    snprintf(port, sizeof(port), "%u", (unsigned)http_server_port(m->server));
    metrics_set(m->metrics, METRIC_BUILD_INFO, "version=\"" QUBESEC_VERSION "\"", 1);
    LOG(LOG_INFO, "started", {"version", QUBESEC_VERSION}, {"openssl", crypto_version()},
        {"server", kube_config_server(m->config)}, {"configMap", m->settings_key}, {"port", port});
}

// The loop does not run, and no other thread does.
static void release(struct manager *m) {
    http_server_free(m->server);
    watches_free(m->watches);
    event_recorder_free(m->recorder);
    workers_free(m->workers);
    kube_client_free(m->client);
    http_client_free(m->http);
    kube_config_free(m->config);
    loop_timer_free(m->deadline);
    loop_free(m->loop);
    queue_free(m->queue);
    remakes_free(m->remakes);
    metrics_free(m->metrics);
}

bool manager_run(const struct settings *settings, const struct kind *const *kinds, struct error *e) {
    struct manager m = {.settings = settings, .kinds = kinds};
    log_set_level(settings->log_level);
    signal(SIGPIPE, SIG_IGN);
    bool started = harden(settings, e) && crypto_start(e) && start_base(&m, e) && start_client(&m, e) &&
                   start_watches(&m, e);
    if (started) {
        log_start(&m);
        loop_run(m.loop);
        LOG(LOG_INFO, "stopped");
    }
    release(&m);
    return started;
}
