#include "operator/manager.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "crypto/openssl.h"
#include "net/http_server.h"
#include "operator/chores.h"
#include "operator/live_settings.h"
#include "operator/measure.h"
#include "operator/workers.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

enum { STOP_DEADLINE_MS = 8000 };

static const char chore_settings[] = "settings";

struct manager {
    const struct settings *settings;
    const struct kind *const *kinds;
    struct measure measure;
    struct loop *loop;
    struct kube_config *config;
    struct http_client *http;
    struct kube_client *client;
    struct event_recorder *recorder;
    struct queue *queue;
    struct watches *watches;
    struct workers *workers;
    struct chores *chores;
    struct remakes *remakes;
    struct access *access;
    struct text_list namespaces;
    struct text_list excluded;
    struct http_server *server;
    struct loop_timer *deadline;
    struct controller controller;
    char settings_key[KUBE_KEY_SIZE]; // of the ConfigMap
    char name[128];                   // of this process
    atomic_bool stopping;
    atomic_uint_fast64_t reconciles;
    pthread_mutex_t workers_lock; // guards all below
    unsigned wanted_workers;
    bool has_synced;
};

// ---- work

// As many workers as are wanted, once there is something to work on.
static void set_workers(struct manager *m, unsigned count) {
    struct error e;
    pthread_mutex_lock(&m->workers_lock);
    m->wanted_workers = count;
    if (!workers_set_count(m->workers, m->has_synced ? count : 0, &e)) {
        LOG(LOG_ERROR, "could not start all workers", {"detail", e.message});
    }
    pthread_mutex_unlock(&m->workers_lock);
    for (const struct kind *const *kind = m->kinds; *kind != nullptr; kind++) {
        measure_workers(&m->measure, *kind, count);
    }
}

static bool reload_settings(void *context, uint32_t *, struct error *e) {
    struct manager *m = context;
    struct live_settings live;
    if (live_settings_read(m->client, m->settings_key, m->settings, &live, e)) {
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

static bool queue_next(struct manager *m, const char *key, const struct verdict *verdict, struct error *e) {
    uint32_t delay_ms;
    switch (verdict->kind) {
    case VERDICT_RETRY:
        return queue_retry(m->queue, key, verdict->error.retry_after_ms, verdict->retry_max_ms, &delay_ms, e);
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
    char plural[64];
    char id[24];
    const struct kube_resource *resource;
    struct verdict verdict;
    const char *slash = strchr(key, '/');
    snprintf(plural, sizeof(plural), "%.*s", (int)(slash - key), key);
    const struct kind *kind = watches_find_plural(m->watches, plural, &resource);
    snprintf(id, sizeof(id), "%016llx", (unsigned long long)atomic_fetch_add(&m->reconciles, 1));
    measure_start(&m->measure, kind);
    double started = clock_monotonic_seconds();
    controller_reconcile(&m->controller, kind, resource, slash + 1, id, may_be_slow, &verdict);
    measure_end(&m->measure, kind, &verdict, clock_monotonic_seconds() - started);
    follow_up(m, key, &verdict);
}

// ---- watches and health

static void watch_failed(void *context, const struct kube_resource *resource, const struct error *error) {
    struct manager *m = context;
    measure_watch_failure(&m->measure, resource, error);
    LOG(LOG_WARNING, "list or watch failed, trying again", {"resource", resource->plural},
        {"detail", error->message});
}

static void all_synced(void *context) {
    struct manager *m = context;
    if (!atomic_load(&m->stopping)) {
        LOG(LOG_INFO, "all resources listed, starting workers");
        pthread_mutex_lock(&m->workers_lock);
        m->has_synced = true;
        unsigned wanted = m->wanted_workers;
        pthread_mutex_unlock(&m->workers_lock);
        set_workers(m, wanted);
    }
}

static void settings_changed(void *context) {
    chores_ask(((struct manager *)context)->chores, chore_settings);
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
    if (strcmp(path, "/healthz") == 0) {
        (void)buffer_append_text(body, "ok\n", &ignored);
        return 200;
    }
    if (strcmp(path, "/readyz") == 0 || strcmp(path, "/readyz/watches") == 0) {
        return answer_ready(m, body);
    }
    if (strcmp(path, "/metrics") == 0) {
        measure_refresh(&m->measure, m->queue, m->watches);
        return metrics_write(m->measure.metrics, body, &ignored) ? 200 : 500;
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
    chores_stop(m->chores);
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
    struct queue_observer observer = measure_queue(&m->measure);
    m->wanted_workers = m->settings->workers;
    m->remakes = remakes_create();
    if (m->remakes == nullptr) {
        return error_no_memory(e, "starting");
    }
    return text_split(m->settings->namespaces, &m->namespaces, e) &&
           text_split(m->settings->excluded_namespaces, &m->excluded, e) &&
           metrics_create(&m->measure.metrics, e) && queue_create(&observer, &m->queue, e) &&
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
    m->measure.host = strstr(kube_config_server(m->config), "://") + 3;
    return http_client_create(m->loop, measure_connection, &m->measure, &m->http, e) &&
           kube_client_create(m->config, m->http, measure_request, &m->measure, &m->client, e) &&
           access_create(m->client, &m->access, e) &&
           event_recorder_create(m->client, "qubesec.io/operator", m->name, &m->recorder, e);
}

static bool start_chores(struct manager *m, struct error *e) {
    const struct chore list[] = {{chore_settings, reload_settings, m}};
    return chores_create(list, sizeof(list) / sizeof(list[0]), &m->chores, e);
}

static bool start_watches(struct manager *m, struct error *e) {
    const char *namespace = m->settings->namespace;
    namespace = namespace == nullptr || namespace[0] == '\0' ? kube_config_namespace(m->config) : namespace;
    kube_format_key(namespace, m->settings->config_map, m->settings_key);
    struct watches_options options = {
        .kinds = m->kinds,
        .namespaces = m->namespaces.items,
        .excluded = m->excluded.items,
        .loop = m->loop,
        .client = m->client,
        .queue = m->queue,
        .settings_key = m->settings_key,
        .failed = watch_failed,
        .synced = all_synced,
        .settings_changed = settings_changed,
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
        .metrics = m->measure.metrics,
        .remakes = m->remakes,
        .access = m->access,
        .grant_check_ms = m->settings->grant_check_ms,
        .seed_url_prefixes = m->settings->seed_url_prefixes,
        .started = clock_wall_seconds(),
    };
    return http_server_create(m->loop, m->settings->bind_address, answer, m, &m->server, e);
}

static void log_start(const struct manager *m) {
    char port[8];
    snprintf(port, sizeof(port), "%u", (unsigned)http_server_port(m->server));
    metrics_set(m->measure.metrics, METRIC_BUILD_INFO, "version=\"" QUBESEC_VERSION "\"", 1);
    LOG(LOG_INFO, "started", {"version", QUBESEC_VERSION}, {"openssl", crypto_version()},
        {"server", kube_config_server(m->config)}, {"configMap", m->settings_key}, {"port", port});
}

// The loop does not run, and no other thread does.
static void release(struct manager *m) {
    http_server_free(m->server);
    watches_free(m->watches);
    chores_free(m->chores);
    event_recorder_free(m->recorder);
    workers_free(m->workers);
    access_free(m->access);
    kube_client_free(m->client);
    http_client_free(m->http);
    kube_config_free(m->config);
    loop_timer_free(m->deadline);
    loop_free(m->loop);
    queue_free(m->queue);
    remakes_free(m->remakes);
    text_list_free(&m->namespaces);
    text_list_free(&m->excluded);
    metrics_free(m->measure.metrics);
}

bool manager_run(const struct settings *settings, const struct kind *const *kinds, struct error *e) {
    struct manager m = {.settings = settings, .kinds = kinds, .workers_lock = PTHREAD_MUTEX_INITIALIZER};
    log_set_level(settings->log_level);
    signal(SIGPIPE, SIG_IGN);
    bool started = harden(settings, e) && crypto_start(e) && start_base(&m, e) && start_client(&m, e) &&
                   start_chores(&m, e) && start_watches(&m, e);
    if (started) {
        log_start(&m);
        loop_run(m.loop);
        LOG(LOG_INFO, "stopped");
    }
    release(&m);
    return started;
}
