#include "replica.h"

#include "base/clock.h"
#include "chance.h"
#include "feed.h"
#include "kinds/table.h"
#include "reconcile/kept.h"
#include "reconcile/reconcile_metrics.h"
#include "reconcile/reconciler.h"
#include "runtime/lease.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORKERS = 3, FEEDS_MAX = 32, GRANT_CHECK_MS = 5 * 60 * 1000, FIBERS = WORKERS + 1 };

static const struct lease_timing timing = {
    .duration_ms = 15000, .renew_deadline_ms = 10000, .retry_period_ms = 2000};

struct replica {
    struct replica_options options;
    struct process process;
    struct link link;       // of what reconciles ask and write
    struct link reviews;    // of access reviews, which need no Lease
    struct link leadership; // of the Lease
    struct informers *informers;
    struct indexes *indexes;
    struct queue *queue;
    struct metrics *metrics;
    struct regenerate_backoff *backoff;
    struct access_reviewer *access;
    struct reconciler_parts parts;
    struct controller controller;
    struct lease *lease;
    struct feed *feeds[FEEDS_MAX];
    size_t feed_count;
    size_t synced;
    size_t early; // feeds that are not late
    bool leads;
    bool works;
    bool stops;
    size_t working; // workers that have not ended
    struct fiber *fibers[FIBERS];
    size_t fiber_count;
};

static void must(bool done, const struct error *e) {
    if (!done) {
        fprintf(stderr, "a replica could not be made: %s\n", e->message);
        abort();
    }
}

static void begin_fiber(struct replica *replica, void (*run)(void *context)) {
    struct fiber *fiber = fiber_create(run, replica);
    replica->fibers[replica->fiber_count++] = fiber;
    schedule_wake(&replica->process, fiber, chance_below(3));
}

// ---- work

// Of those that were asked to end: the Lease is given back first.
static void end_if_idle(struct replica *replica) {
    if (replica->stops && replica->working == 0 && replica->options.elects) {
        schedule_signal(&replica->stops, true);
    } else if (replica->stops && replica->working == 0) {
        replica_kill(replica);
    }
}

static void work(void *context) {
    struct replica *replica = context;
    struct object_key key;
    struct queue_attempt attempt;
    while (queue_take(replica->queue, &key, &attempt)) {
        controller_process(&replica->controller, &key, &attempt);
        queue_done(replica->queue, &key);
    }
    replica->working--;
    end_if_idle(replica);
}

static void begin_work(struct replica *replica) {
    if (replica->works || replica->stops || !replica->leads || replica->synced < replica->feed_count ||
        replica->synced <= replica->early) {
        return;
    }
    replica->works = true;
    replica->working = WORKERS;
    for (int i = 0; i < WORKERS; i++) {
        begin_fiber(replica, work);
    }
}

// ---- leadership, as in src/runtime/leader.c

static bool may_write(void *context) {
    const struct replica *replica = context;
    return !replica->options.elects || clock_boot_ms() < lease_held_until(replica->lease);
}

static void kill_owner(void *context) {
    replica_kill(context);
}

static void ask_for_lease(struct replica *replica, const struct lease_step *step) {
    static const enum api_verb verbs[] = {
        [LEASE_GET] = API_GET, [LEASE_CREATE] = API_CREATE, [LEASE_UPDATE] = API_PATCH};
    const struct api_request request = {
        .verb = verbs[step->action],
        .resource = &kube_leases,
        .namespace = "system",
        .name = step->action == LEASE_CREATE ? nullptr : "operator",
        .body = step->body,
        .timeout_ms = step->timeout_ms,
    };
    struct error e;
    yyjson_doc *document = nullptr;
    if (!api_call(link_api(&replica->leadership), &request, &document, &e)) {
        lease_failed(replica->lease, clock_boot_ms(), &e);
    } else {
        (void)lease_answered(replica->lease, clock_boot_ms(), document, &e);
    }
    if (!replica->leads && !replica->process.dead && may_write(replica)) {
        replica->leads = true;
        begin_work(replica);
    }
}

static void contend(void *context) {
    struct replica *replica = context;
    while (!replica->process.dead) {
        struct lease_step step;
        if (replica->stops && replica->working == 0) {
            lease_release(replica->lease);
        }
        lease_next(replica->lease, clock_boot_ms(), clock_wall_microseconds(), &step);
        switch (step.action) {
        case LEASE_WAIT:
            (void)schedule_wait(&replica->stops, schedule_now_ms() + step.wait_ms);
            break;
        case LEASE_LOST:
        case LEASE_RELEASED:
            replica_kill(replica);
            break;
        default:
            ask_for_lease(replica, &step);
        }
    }
}

static void start_leading(struct replica *replica) {
    char identity[64];
    struct error e;
    snprintf(identity, sizeof(identity), "replica-%llx", (unsigned long long)chance_bits());
    const struct lease_options options = {.namespace = "system",
                                          .name = "operator",
                                          .identity = identity,
                                          .timing = timing,
                                          .random = chance_fraction};
    if (!replica->options.elects) {
        replica->leads = true;
        return;
    }
    must(lease_create(&options, &replica->lease, &e), &e);
    begin_fiber(replica, contend);
}

// ---- watches, in two waves

static void begin_feed(struct replica *replica, const struct kube_resource *resource);

static void note_synced(void *context) {
    struct replica *replica = context;
    if (++replica->synced == replica->early) {
        begin_feed(replica, cluster_resource("Secret"));
        begin_feed(replica, cluster_resource("ConfigMap"));
    }
    begin_work(replica);
}

static void begin_feed(struct replica *replica, const struct kube_resource *resource) {
    bool is_ours = indexes_find_resource(replica->indexes, resource->kind) != nullptr;
    const struct feed_options options = {
        .cluster = replica->options.cluster,
        .process = &replica->process,
        .behind_ms = replica->link.behind_ms,
        .resource = resource,
        .store = informers_find_store(replica->informers, resource->kind, ""),
        .kept = is_ours ? kept_of_kinds : kept_of_secrets,
        .synced = note_synced,
        .context = replica,
    };
    replica->feeds[replica->feed_count++] = feed_create(&options);
}

// ---- life

static void record(void *context, const struct kube_resource *, const struct kube_object *object,
                   const struct event_content *content) {
    struct replica *replica = context;
    replica->options.recorded(replica->options.context, object, content);
}

static void create_parts(struct replica *replica) {
    static const struct metric *const counted[] = {&metric_secrets_written_total, nullptr};
    static const char *const none[] = {nullptr};
    struct error e;
    must(queue_create(nullptr, &replica->queue, &e), &e);
    must(metrics_create(counted, &replica->metrics, &e), &e);
    must(informers_create(&replica->informers, &e), &e);
    const struct indexes_options indexes = {.kinds = kind_table, .queue = replica->queue};
    must(indexes_create(&indexes, replica->informers, &replica->indexes, &e), &e);
    must(access_reviewer_create(link_api(&replica->reviews), &replica->access, &e), &e);
    replica->backoff = regenerate_backoff_create();
    replica->parts = (struct reconciler_parts){
        .informers = replica->informers,
        .indexes = replica->indexes,
        .api = link_api(&replica->link),
        .record = record,
        .record_context = replica,
        .metrics = replica->metrics,
        .backoff = replica->backoff,
        .access = replica->access,
        .grant_check_ms = GRANT_CHECK_MS,
        .seed_url_prefixes = none,
        .started = schedule_wall_s() + replica->process.wall_error_s,
        .started_ms = clock_monotonic_ms(),
    };
    replica->controller = (struct controller){
        .queue = replica->queue,
        .reconciler = {&replica->parts, reconciler_reconcile},
    };
}

struct replica *replica_create(const struct replica_options *options) {
    struct replica *replica = calloc(1, sizeof(*replica));
    replica->options = *options;
    replica->process.wall_error_s = options->wall_error_s;
    const struct link link = {
        .cluster = options->cluster, .process = &replica->process, .crash = kill_owner, .owner = replica};
    replica->link = link;
    replica->link.may_write = may_write;
    replica->reviews = link;
    replica->leadership = link;
    create_parts(replica);
    start_leading(replica);
    for (const struct kind *const *kind = kind_table; *kind != nullptr; kind++) {
        replica->early++;
    }
    for (const struct kind *const *kind = kind_table; *kind != nullptr; kind++) {
        begin_feed(replica, cluster_resource((*kind)->kind));
    }
    return replica;
}

void replica_kill(struct replica *replica) {
    if (!replica->process.dead) {
        replica->process.dead = true;
        queue_shut_down(replica->queue);
        for (size_t i = 0; i < replica->fiber_count; i++) {
            schedule_wake(&replica->process, replica->fibers[i], 0);
        }
    }
}

void replica_stop(struct replica *replica) {
    replica->stops = true;
    queue_shut_down(replica->queue);
    end_if_idle(replica);
}

void replica_cut_off(struct replica *replica, int64_t for_ms) {
    replica->process.cut_off_until_ms = schedule_now_ms() + for_ms;
}

void replica_pause(struct replica *replica, int64_t for_ms) {
    replica->process.paused_until_ms = schedule_now_ms() + for_ms;
}

bool replica_is_dead(const struct replica *replica) {
    return replica->process.dead;
}

bool replica_has_ended(const struct replica *replica) {
    for (size_t i = 0; i < replica->fiber_count; i++) {
        if (!fiber_has_ended(replica->fibers[i])) {
            return false;
        }
    }
    return replica->process.dead;
}

bool replica_may_write(const struct replica *replica) {
    return !replica->process.dead && may_write((struct replica *)replica);
}

void replica_wake(struct replica *replica) {
    for (size_t i = 0; i < replica->feed_count && !replica->process.dead; i++) {
        feed_wake(replica->feeds[i]);
    }
}

unsigned replica_reads(const struct replica *replica) {
    return replica->link.reads + replica->reviews.reads;
}

unsigned replica_writes(const struct replica *replica) {
    return replica->link.writes;
}

void replica_free(struct replica *replica) {
    if (replica == nullptr) {
        return;
    }
    for (size_t i = 0; i < replica->feed_count; i++) {
        feed_free(replica->feeds[i]);
    }
    for (size_t i = 0; i < replica->fiber_count; i++) {
        fiber_free(replica->fibers[i]);
    }
    access_reviewer_free(replica->access);
    regenerate_backoff_free(replica->backoff);
    informers_free(replica->informers);
    indexes_free(replica->indexes);
    metrics_free(replica->metrics);
    queue_free(replica->queue);
    lease_free(replica->lease);
    link_done(&replica->link);
    link_done(&replica->reviews);
    link_done(&replica->leadership);
    free(replica);
}
