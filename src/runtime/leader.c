#include "runtime/leader.h"

#include "base/clock.h"
#include "base/condvar.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/rand.h"
#include "runtime/leader_metrics.h"
#include "runtime/reasons.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    TOLERATED_MS = 20 * 1000, // as client-go's health check
    IDENTITY_SIZE = 256 + 40,
    LABELS_SIZE = 300,
};

struct leader {
    struct leader_options options; // its texts are the lease's path and labels below
    char *namespace;
    char *name;
    char identity[IDENTITY_SIZE];
    char labels[LABELS_SIZE];
    struct http_client *http;
    struct kube_client *client;
    struct lease *lease; // the thread's
    char *logged_holder; // the thread's
    bool leads;          // the thread's
    bool has_thread;
    pthread_t thread;
    atomic_int_fast64_t held_until_ms; // on clock_boot_ms; INT64_MIN: we do not lead
    pthread_mutex_t lock;              // guards all below
    pthread_cond_t changed;
    bool declined;
    bool releasing;
};

// ---- create

static double draw(void *) {
    return rand_fraction();
}

// As client-go: who it is for people, and a UUID, so that no two processes are the same.
static void choose_identity(char ret_identity[IDENTITY_SIZE]) {
    char host[256] = "qubesec";
    const char *pod = getenv("POD_NAME");
    (void)gethostname(host, sizeof(host) - 1);
    char uuid[RAND_UUID_SIZE];
    rand_uuid(uuid);
    snprintf(ret_identity, IDENTITY_SIZE, "%.255s_%s", pod != nullptr && pod[0] != '\0' ? pod : host, uuid);
}

static bool create_parts(struct leader *leader, struct error *e) {
    const struct leader_options *options = &leader->options;
    leader->namespace = memory_copy_text(options->namespace);
    leader->name = memory_copy_text(options->name);
    if (leader->namespace == nullptr || leader->name == nullptr) {
        return error_no_memory(e, "leader election");
    }
    choose_identity(leader->identity);
    snprintf(leader->labels, sizeof(leader->labels), "name=\"%.253s\"", leader->name);
    const struct lease_options lease = {
        .namespace = leader->namespace,
        .name = leader->name,
        .identity = leader->identity,
        .timing = options->timing,
        .random = draw,
    };
    return lease_create(&lease, &leader->lease, e) &&
           http_client_create(options->loop, options->connected, options->observer, &leader->http, e) &&
           kube_client_create(options->config, leader->http, options->requested, options->observer,
                              &leader->client, e);
}

bool leader_create(const struct leader_options *options, struct leader **ret_leader, struct error *e) {
    struct leader *leader = memory_allocate_zeroed(1, sizeof(*leader));
    if (leader == nullptr) {
        return error_no_memory(e, "leader election");
    }
    leader->options = *options;
    pthread_mutex_init(&leader->lock, nullptr);
    condvar_create(&leader->changed);
    atomic_init(&leader->held_until_ms, options->elect ? INT64_MIN : INT64_MAX);
    if (options->elect && !create_parts(leader, e)) {
        leader_free(leader);
        return error_wrap(e, "leader election");
    }
    *ret_leader = leader;
    return true;
}

void leader_free(struct leader *leader) {
    if (leader == nullptr) {
        return;
    }
    kube_client_free(leader->client);
    http_client_free(leader->http);
    lease_free(leader->lease);
    memory_free(leader->logged_holder);
    memory_free(leader->namespace);
    memory_free(leader->name);
    pthread_cond_destroy(&leader->changed);
    pthread_mutex_destroy(&leader->lock);
    memory_free(leader);
}

// ---- what others ask

bool leader_may_write(void *leader) {
    return clock_boot_ms() < atomic_load(&((struct leader *)leader)->held_until_ms);
}

bool leader_is_healthy(const struct leader *leader) {
    int64_t held_until_ms = atomic_load(&leader->held_until_ms);
    const struct lease_timing *timing = &leader->options.timing;
    if (held_until_ms == INT64_MIN || !leader->options.elect) {
        return true;
    }
    int64_t overdue_ms = clock_boot_ms() - held_until_ms;
    return overdue_ms <= timing->duration_ms - timing->renew_deadline_ms + TOLERATED_MS;
}

// ---- the thread

static void publish(struct leader *leader) {
    atomic_store(&leader->held_until_ms, lease_held_until(leader->lease));
}

static void show_status(struct leader *leader) {
    metrics_set(leader->options.metrics, &metric_leader_status, leader->labels, leader->leads ? 1 : 0);
}

static void log_holder(struct leader *leader) {
    const char *holder = lease_holder(leader->lease);
    if (leader->logged_holder == nullptr || strcmp(leader->logged_holder, holder) != 0) {
        memory_free(leader->logged_holder);
        leader->logged_holder = memory_copy_text(holder);
        LOG(LOG_INFO, "the leader is", {"lease", leader->name}, {"holder", holder});
    }
}

static void record_event(struct leader *leader) {
    struct error e;
    struct kube_object *object;
    char note[IDENTITY_SIZE + 16];
    const struct kube_kept identity = {.metadata_only = true};
    const struct event_content words = {false, REASON_LEADER_ELECTION, "Lead", note, nullptr};
    if (kube_object_create(lease_object(leader->lease), &identity, &object, &e)) {
        snprintf(note, sizeof(note), "%s became leader", leader->identity);
        event_record(leader->options.recorder, &kube_leases, object, &words);
        kube_object_release(object);
    }
}

// A term begins, unless we are about to stop: then the Lease is given back with nothing begun.
static void begin_term(struct leader *leader) {
    pthread_mutex_lock(&leader->lock);
    if (!leader->declined && leader_may_write(leader)) {
        leader->leads = true;
        show_status(leader);
        LOG(LOG_INFO, "became leader", {"lease", leader->name}, {"identity", leader->identity});
        record_event(leader);
        leader->options.started(leader->options.context);
    }
    pthread_mutex_unlock(&leader->lock);
}

static bool request(struct leader *leader, const struct lease_step *step, yyjson_doc **ret_document,
                    struct error *e) {
    static const enum api_verb verbs[] = {
        [LEASE_GET] = API_GET, [LEASE_CREATE] = API_CREATE, [LEASE_UPDATE] = API_PATCH};
    const struct api_request request = {
        .verb = verbs[step->action],
        .resource = &kube_leases,
        .namespace = leader->namespace,
        .name = step->action == LEASE_CREATE ? nullptr : leader->name,
        .body = step->body,
        .timeout_ms = step->timeout_ms,
    };
    return api_call(kube_client_api(leader->client), &request, ret_document, e);
}

// That there is no Lease yet, or that another was faster, is nothing to worry about.
static void log_failure(const struct leader *leader, const struct error *error) {
    bool usual = error->class == ERROR_NOT_FOUND || error->class == ERROR_CONFLICT;
    LOG(usual ? LOG_DEBUG : LOG_WARNING, "a request for the lease failed, trying again",
        {"lease", leader->name}, {"detail", error->message});
}

static void take_request(struct leader *leader, const struct lease_step *step) {
    struct error e;
    yyjson_doc *document;
    if (step->slow) {
        metrics_add(leader->options.metrics, &metric_leader_slowpath_total, leader->labels, 1);
    }
    bool done = request(leader, step, &document, &e);
    if (!done) {
        lease_failed(leader->lease, clock_boot_ms(), &e);
    } else {
        done = lease_answered(leader->lease, clock_boot_ms(), document, &e);
        log_holder(leader);
    }
    if (!done) {
        log_failure(leader, &e);
    }
    publish(leader);
    if (!leader->leads) {
        begin_term(leader);
    }
}

// Returns early when the Lease is to be given back.
static void wait(struct leader *leader, uint32_t wait_ms) {
    int64_t then_ms = clock_monotonic_ms() + wait_ms;
    pthread_mutex_lock(&leader->lock);
    while (!leader->releasing && condvar_wait_until(&leader->changed, &leader->lock, then_ms)) {
    }
    pthread_mutex_unlock(&leader->lock);
}

static void release_if_asked(struct leader *leader) {
    pthread_mutex_lock(&leader->lock);
    bool releasing = leader->releasing;
    pthread_mutex_unlock(&leader->lock);
    if (releasing) {
        lease_release(leader->lease);
        publish(leader); // before the Lease is given back
    }
}

static void *run(void *context) {
    struct leader *leader = context;
    for (;;) {
        struct lease_step step;
        release_if_asked(leader);
        lease_next(leader->lease, clock_boot_ms(), clock_wall_microseconds(), &step);
        switch (step.action) {
        case LEASE_WAIT:
            wait(leader, step.wait_ms);
            break;
        case LEASE_LOST:
            publish(leader);
            LOG(LOG_ERROR, "leadership is lost, ending at once", {"lease", leader->name},
                {"identity", leader->identity}, {"holder", lease_holder(leader->lease)});
            leader->options.lost(leader->options.context);
            return nullptr;
        case LEASE_RELEASED:
            leader->leads = false;
            show_status(leader);
            return nullptr;
        default:
            take_request(leader, &step);
        }
    }
}

bool leader_start(struct leader *leader, struct error *e) {
    if (!leader->options.elect) {
        leader->options.started(leader->options.context);
        return true;
    }
    LOG(LOG_INFO, "waiting to lead", {"lease", leader->name}, {"identity", leader->identity});
    show_status(leader);
    int failure = pthread_create(&leader->thread, nullptr, run, leader);
    if (failure != 0) {
        return error_set(e, ERROR_INTERNAL, "starting the thread of leader election: %s", strerror(failure));
    }
    leader->has_thread = true;
    return true;
}

static void ask(struct leader *leader, bool *asked) {
    pthread_mutex_lock(&leader->lock);
    *asked = true;
    pthread_cond_signal(&leader->changed);
    pthread_mutex_unlock(&leader->lock);
}

void leader_decline(struct leader *leader) {
    ask(leader, &leader->declined);
}

void leader_release(struct leader *leader) {
    if (leader->has_thread) {
        ask(leader, &leader->releasing);
        kube_client_interrupt(leader->client);
        pthread_join(leader->thread, nullptr);
        leader->has_thread = false;
    }
}
