#include "operator/manager.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/secret.h"
#include "base/text.h"
#include "crypto/openssl.h"
#include "net/http_server.h"
#include "operator/certificate_metrics.h"
#include "operator/debug.h"
#include "operator/dynamic_config.h"
#include "operator/instrumentation.h"
#include "operator/metrics_list.h"
#include "operator/rotation_metrics.h"
#include "reconcile/reconciler.h"
#include "runtime/background_tasks.h"
#include "runtime/leader.h"
#include "runtime/workers.h"
#include "webhook/certificate.h"
#include "webhook/webhook.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

// As what a Go controller's client sends by default: work comes first, and the API server is everybody's.
static const struct event_rate_limit event_rate_limit = {.interval_ms = 50, .burst = 25};

static const char task_settings[] = "settings";
static const char task_certificate[] = "webhook-certificate";

struct manager {
    const struct settings *settings;
    const struct kind *const *kinds;
    struct instrumentation instrumentation;
    struct loop *loop;
    struct kube_config *config;
    struct http_client *http;
    struct kube_client *client;
    struct kube_client *writer; // what reconciles write with: only while we lead
    struct leader *leader;
    struct event_recorder *recorder;
    struct queue *queue;
    struct informers *informers;
    struct indexes *indexes;
    struct workers *workers;
    struct background_tasks *tasks;
    struct regenerate_backoff *backoff;
    struct access_reviewer *access;
    struct text_list namespaces;
    struct text_list excluded;
    struct http_server *server;
    struct webhook *webhook; // NULL: there is none
    struct webhook_certificate *certificate;
    struct loop_timer *deadline;
    struct reconciler_parts parts;
    struct controller controller;
    char settings_key[KUBE_KEY_SIZE]; // of the ConfigMap
    char name[128];                   // of this process
    atomic_bool stopping;
    atomic_bool settled; // the informers have
    atomic_bool leading;
};

// ---- work

static void set_workers(struct manager *m, unsigned count) {
    struct error e;
    if (!workers_set_count(m->workers, count, &e)) {
        LOG(LOG_ERROR, "could not start all workers", {"detail", e.message});
    }
    for (const struct kind *const *kind = m->kinds; *kind != nullptr; kind++) {
        instrument_workers(&m->instrumentation, *kind, count);
    }
}

static bool reload_settings(void *context, uint32_t *, struct error *e) {
    struct manager *m = context;
    struct dynamic_config live;
    if (dynamic_config_read(kube_client_api(m->client), m->recorder, m->settings_key, m->settings, &live,
                            e)) {
        char workers[16];
        snprintf(workers, sizeof(workers), "%u", live.workers);
        log_set_level(live.log_level);
        set_workers(m, live.workers);
        LOG(LOG_INFO, "settings applied", {"configMap", m->settings_key},
            {"log-level", log_level_name(live.log_level)}, {"workers", workers});
        return true;
    }
    LOG(LOG_WARNING, "settings were not applied", {"configMap", m->settings_key}, {"detail", e->message});
    return false;
}

// ---- watches and health

// What goes on failing in the same way is told once.
static void watch_failed(void *context, const struct kube_resource *resource, const char *namespace,
                         const struct error *error, bool known) {
    struct manager *m = context;
    instrument_watch_failure(&m->instrumentation, resource, error);
    LOG(known ? LOG_DEBUG : LOG_WARNING, "list or watch failed, trying again", {"resource", resource->plural},
        {"namespace", namespace}, {"detail", error->message});
}

static void watch_recovered(void *, const struct kube_resource *resource, const char *namespace) {
    LOG(LOG_INFO, "list or watch works again", {"resource", resource->plural}, {"namespace", namespace});
}

// Work begins when all is known that can be, and we lead, whichever comes last.
static void meet_condition(struct manager *m, atomic_bool *condition) {
    struct error e;
    atomic_store(condition, true);
    if (!atomic_load(&m->settled) || !atomic_load(&m->leading) || atomic_load(&m->stopping)) {
        return;
    }
    LOG(LOG_INFO, "starting workers");
    if (!workers_begin(m->workers, &e)) {
        LOG(LOG_ERROR, "could not start all workers", {"detail", e.message});
    }
}

static void watches_settled(void *context) {
    struct manager *m = context;
    meet_condition(m, &m->settled);
}

static void leading_started(void *context) {
    struct manager *m = context;
    meet_condition(m, &m->leading);
}

// Another replica may be at work by now: not one step more, least of all an orderly stop.
static void leading_lost(void *) {
    _exit(1);
}

static void settings_changed(void *context) {
    background_tasks_ask(((struct manager *)context)->tasks, task_settings);
}

// Whether the API server may send us reviews. What is not heard of is no reason against it: the webhook needs
// none of it, and without us nothing of our kinds could be created or edited at all.
static int answer_ready(struct manager *m, struct buffer *body) {
    struct error ignored;
    if (atomic_load(&m->stopping)) {
        (void)buffer_append_text(body, "stopping\n", &ignored);
        return 503;
    }
    if (!webhook_is_ready(m->webhook)) {
        (void)buffer_append_text(body, "webhook: no certificate yet\n", &ignored);
        return 503;
    }
    (void)buffer_append_text(body, "ok\n", &ignored);
    return 200;
}

static void write_watch(void *context, const struct informer_state *state) {
    struct error ignored;
    bool has_detail = state->detail[0] != '\0';
    if (!state->is_up) {
        (void)buffer_append_format(context, &ignored, "%s%s%s: %s%s%s\n", state->resource,
                                   state->namespace == nullptr ? "" : " in namespace ",
                                   state->namespace == nullptr ? "" : state->namespace, state->condition,
                                   has_detail ? ": " : "", state->detail);
    }
}

// A line for each watch that is not up.
static int answer_watches(const struct manager *m, struct buffer *body) {
    struct error ignored;
    informers_describe(m->informers, write_watch, body);
    if (body->length > 0) {
        return 503;
    }
    (void)buffer_append_text(body, "ok\n", &ignored);
    return 200;
}

static bool write_objects(void *context, struct buffer *part, struct error *e) {
    return object_metrics_write(context, part, e);
}

static void free_objects(void *context) {
    object_metrics_free(context);
}

static int answer_metrics(struct manager *m, struct buffer *body, struct http_tail *ret_tail) {
    static const struct object_metrics_family *const families[] = {&certificate_metrics, &rotation_metrics,
                                                                   nullptr};
    struct error ignored;
    struct object_metrics *objects;
    instrument_refresh(&m->instrumentation, m->queue, m->informers, m->indexes, m->parts.started);
    if (!metrics_write(m->instrumentation.metrics, body, &ignored) ||
        !object_metrics_create(m->indexes, families, &objects, &ignored)) {
        return 500;
    }
    *ret_tail = (struct http_tail){write_objects, free_objects, objects};
    return 200;
}

static int answer(void *context, const char *path, struct buffer *body, struct http_tail *ret_tail) {
    struct manager *m = context;
    struct error ignored;
    const struct debug_view view = {m->informers, m->queue, m->workers, m->parts.started,
                                    .is_leader = leader_may_write(m->leader)};
    if (strcmp(path, "/healthz") == 0) {
        bool healthy = atomic_load(&m->stopping) || leader_is_healthy(m->leader);
        (void)buffer_append_text(body, healthy ? "ok\n" : "the lease is overdue\n", &ignored);
        return healthy ? 200 : 500;
    }
    if (strcmp(path, "/readyz") == 0) {
        return answer_ready(m, body);
    }
    if (strcmp(path, "/readyz/watches") == 0) {
        return answer_watches(m, body);
    }
    if (strcmp(path, "/metrics") == 0) {
        return answer_metrics(m, body, ret_tail);
    }
    int status;
    if (m->settings->debug_endpoints && debug_answer(&view, path, body, &status)) {
        return status;
    }
    (void)buffer_append_text(body, "not found; there are /healthz, /readyz, /readyz/watches and /metrics\n",
                             &ignored);
    return 404;
}

// ---- start and stop

static void stop_late(void *) {
    LOG(LOG_WARNING, "some work did not finish in the grace period, leaving it");
    _exit(0);
}

// Waits where the loop thread must not: workers in the middle of a request still need the loop.
static void *stop(void *context) {
    struct manager *m = context;
    background_tasks_stop(m->tasks); // which may start workers
    workers_join(m->workers);
    event_recorder_free(m->recorder);
    m->recorder = nullptr;
    leader_release(m->leader); // nothing is written any more
    webhook_wait_drained(m->webhook);
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
    uint32_t grace_ms = m->settings->termination_grace_ms;
    loop_timer_start(m->deadline, grace_ms - grace_ms / 12);
    leader_decline(m->leader);
    webhook_drain(m->webhook, grace_ms);
    queue_shut_down(m->queue);
    kube_client_interrupt(m->client);
    kube_client_interrupt(m->writer);
    if (pthread_create(&thread, nullptr, stop, m) != 0) {
        stop_late(nullptr);
    }
    pthread_detach(thread);
}

static bool start_base(struct manager *m, struct error *e) {
    struct queue_observer observer = instrument_queue(&m->instrumentation);
    m->backoff = regenerate_backoff_create();
    if (m->backoff == nullptr) {
        return error_no_memory(e, "starting");
    }
    if (!text_split(m->settings->namespaces, &m->namespaces, e) ||
        !text_split(m->settings->excluded_namespaces, &m->excluded, e) ||
        !metrics_create(metrics_list, &m->instrumentation.metrics, e) ||
        !queue_create(&observer, &m->queue, e) ||
        !workers_create(m->queue, controller_process, &m->controller, &m->workers, e)) {
        return false;
    }
    m->controller = (struct controller){
        .queue = m->queue,
        .reconciler = {.context = &m->parts, .reconcile = reconciler_reconcile},
        .observer = instrument_controller(&m->instrumentation),
    };
    workers_hold(m->workers);
    return loop_create(&m->loop, e) && loop_timer_create(m->loop, stop_late, nullptr, &m->deadline, e) &&
           loop_on_signal(m->loop, SIGTERM, stop_requested, m, e) &&
           loop_on_signal(m->loop, SIGINT, stop_requested, m, e);
}

static const char *own_namespace(const struct manager *m) {
    const char *namespace = m->settings->namespace;
    return namespace == nullptr || namespace[0] == '\0' ? kube_config_namespace(m->config) : namespace;
}

static bool create_leader(struct manager *m, struct error *e) {
    const struct leader_options options = {
        .elect = m->settings->leader_elect,
        .namespace = own_namespace(m),
        .name = m->settings->leader_election_lease,
        .timing = m->settings->leader_election,
        .loop = m->loop,
        .config = m->config,
        .recorder = m->recorder,
        .metrics = m->instrumentation.metrics,
        .connected = instrument_connection,
        .requested = instrument_request,
        .observer = &m->instrumentation,
        .started = leading_started,
        .lost = leading_lost,
        .context = m,
    };
    if (!leader_create(&options, &m->leader, e)) {
        return false;
    }
    kube_client_set_fence(m->writer, leader_may_write, m->leader);
    return true;
}

static bool start_client(struct manager *m, struct error *e) {
    char host[65] = "qubesec";
    (void)gethostname(host, sizeof(host) - 1);
    snprintf(m->name, sizeof(m->name), "%s-%d", host, (int)getpid());
    if (!kube_config_load(m->settings->kubeconfig, m->settings->context, &m->config, e)) {
        return false;
    }
    const struct event_source source = {"qubesec.io/operator", m->name, "qubesec.io/reconcile-id"};
    m->instrumentation.host = strstr(kube_config_server(m->config), "://") + 3;
    if (!http_client_create(m->loop, instrument_connection, &m->instrumentation, &m->http, e) ||
        !kube_client_create(m->config, m->http, instrument_request, &m->instrumentation, &m->client, e) ||
        !kube_client_create(m->config, m->http, instrument_request, &m->instrumentation, &m->writer, e) ||
        !access_reviewer_create(kube_client_api(m->client), &m->access, e)) {
        return false;
    }
    access_reviewer_limit(m->access, m->settings->grant_check_ms);
    return event_recorder_create(kube_client_api(m->writer), &source, &event_rate_limit, &m->recorder, e) &&
           create_leader(m, e);
}

static bool keep_certificate(void *context, uint32_t *ret_again_ms, struct error *e) {
    return webhook_certificate_keep(((struct manager *)context)->certificate, ret_again_ms, e);
}

static bool start_background_tasks(struct manager *m, struct error *e) {
    const struct background_task list[] = {{task_settings, reload_settings, m},
                                           {task_certificate, keep_certificate, m}};
    size_t count = m->certificate == nullptr ? 1 : 2;
    return background_tasks_create(list, count, &m->tasks, e);
}

static bool create_indexes(struct manager *m, struct error *e) {
    const struct indexes_options options = {
        .kinds = m->kinds,
        .namespaces = m->namespaces.items,
        .excluded = m->excluded.items,
        .queue = m->queue,
        .settings_key = m->settings_key,
        .settings_changed = settings_changed,
        .context = m,
    };
    return informers_create(&m->informers, e) && indexes_create(&options, m->informers, &m->indexes, e);
}

static void record_event(void *context, const struct kube_resource *resource,
                         const struct kube_object *object, const struct event_content *content) {
    event_record(((struct manager *)context)->recorder, resource, object, content);
}

static bool start_watches(struct manager *m, struct error *e) {
    const struct informers_options options = {
        .loop = m->loop,
        .client = m->client,
        .watch_seconds = m->settings->watch_timeout_ms / 1000,
        .failed = watch_failed,
        .recovered = watch_recovered,
        .settled = watches_settled,
        .context = m,
    };
    kube_format_key(own_namespace(m), m->settings->config_map, m->settings_key);
    if (!create_indexes(m, e) || !informers_start(m->informers, &options, e)) {
        return false;
    }
    m->parts = (struct reconciler_parts){
        .informers = m->informers,
        .indexes = m->indexes,
        .api = kube_client_api(m->writer),
        .http = m->http,
        .record = record_event,
        .record_context = m,
        .metrics = m->instrumentation.metrics,
        .backoff = m->backoff,
        .access = m->access,
        .grant_check_ms = m->settings->grant_check_ms,
        .seed_url_prefixes = m->settings->seed_url_prefixes,
        .started = clock_wall_seconds(),
        .started_ms = clock_monotonic_ms(),
    };
    return http_server_create(m->loop, m->settings->bind_address, &http_server_plain_limits, answer, m,
                              &m->server, e);
}

// A connection to the webhook costs a file.
static void raise_file_limit(void) {
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
}

static bool use_certificate(void *context, const char *chain_pem, const char *key_pem, struct error *e) {
    return webhook_set_identity(((struct manager *)context)->webhook, chain_pem, key_pem, e);
}

static bool start_webhook(struct manager *m, struct error *e) {
    const struct settings *settings = m->settings;
    const struct webhook_certificate_options options = {
        .api = kube_client_api(m->client),
        .metrics = m->instrumentation.metrics,
        .namespace = own_namespace(m),
        .service = settings->webhook_service,
        .hosts = settings->webhook_hosts,
        .secret = settings->webhook_certificate_secret,
        .configuration = settings->webhook_configuration,
        .directory = settings->webhook_certificate_directory,
        .overlap_seconds = settings->webhook_overlap_ms / 1000,
        .use = use_certificate,
        .context = m,
    };
    const char *address = settings->webhook_bind_address;
    if (address == nullptr || address[0] == '\0') {
        return true;
    }
    raise_file_limit();
    return webhook_create(address, m->kinds, m->instrumentation.metrics, &m->webhook, e) &&
           webhook_certificate_create(&options, &m->certificate, e);
}

static void log_start(const struct manager *m) {
    char port[8];
    char webhook_port_text[8];
    snprintf(port, sizeof(port), "%u", (unsigned)http_server_port(m->server));
    snprintf(webhook_port_text, sizeof(webhook_port_text), "%u",
             m->webhook == nullptr ? 0U : (unsigned)webhook_port(m->webhook));
    metrics_set(m->instrumentation.metrics, &metric_build_info, "version=\"" QUBESEC_VERSION "\"", 1);
    LOG(LOG_INFO, "started", {"version", QUBESEC_VERSION}, {"openssl", crypto_version()},
        {"server", kube_config_server(m->config)}, {"configMap", m->settings_key}, {"port", port},
        {"webhookPort", m->webhook == nullptr ? nullptr : webhook_port_text});
}

// The loop does not run, and no other thread does.
static void release(struct manager *m) {
    http_server_free(m->server);
    informers_free(m->informers);
    indexes_free(m->indexes);
    background_tasks_free(m->tasks);
    webhook_certificate_free(m->certificate);
    webhook_free(m->webhook);
    event_recorder_free(m->recorder);
    workers_free(m->workers);
    access_reviewer_free(m->access);
    kube_client_free(m->writer);
    leader_free(m->leader);
    kube_client_free(m->client);
    http_client_free(m->http);
    kube_config_free(m->config);
    loop_timer_free(m->deadline);
    loop_free(m->loop);
    queue_free(m->queue);
    regenerate_backoff_free(m->backoff);
    text_list_done(&m->namespaces);
    text_list_done(&m->excluded);
    metrics_free(m->instrumentation.metrics);
}

bool manager_run(const struct settings *settings, const struct kind *const *kinds, struct error *e) {
    struct manager m = {.settings = settings, .kinds = kinds};
    log_set_level(settings->log_level);
    signal(SIGPIPE, SIG_IGN);
    secret_keep_mappings();
    bool started = (settings->allow_memory_dump || secret_forbid_dumps(e)) && crypto_start(e) &&
                   start_base(&m, e) && start_client(&m, e) && start_webhook(&m, e) &&
                   start_background_tasks(&m, e) && start_watches(&m, e);
    if (started) {
        log_start(&m);
        set_workers(&m, settings->workers);
        started = leader_start(m.leader, e);
    }
    if (started && m.certificate != nullptr) {
        background_tasks_ask(m.tasks, task_certificate);
    }
    if (started) {
        loop_run(m.loop);
        LOG(LOG_INFO, "stopped");
    }
    release(&m);
    return started;
}
