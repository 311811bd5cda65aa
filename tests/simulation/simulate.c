// A deterministic simulation: two replicas of the operator, a cluster, a bad network and people, in virtual
// time. What a seed gives is always the same; what must hold is in judge.c.
//
//   simulate [--verbose] FIRST [COUNT [STEP]]
//
// runs the seeds FIRST, FIRST + STEP, ..., prints those that show a fault, and ends with status 1 if one
// does.
#include "base/log.h"
#include "chance.h"
#include "cluster.h"
#include "crypto/openssl.h"
#include "judge.h"
#include "judge_rollover.h"
#include "judge_versions.h"
#include "people.h"
#include "replica.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    REPLICAS_MAX = 256,
    MINUTE_MS = 60 * 1000,
    HOUR_MS = 60 * MINUTE_MS,
    STEPS_MAX = 2000 * 1000,
    ROLLOVER_HOURS = 8, // in which a root is published and used, and the one before it is over, twice
    ROUNDS_MAX = 12,    // of cleaning up: what depends on each other is helped one after the other
};

struct simulation {
    struct cluster *cluster;
    struct replica *replicas[REPLICAS_MAX]; // all that ever were
    size_t count;
    size_t wanted;
    bool elects;
    bool drops;        // watches lose events, so that rest comes with the next list
    bool is_collected; // nothing has changed since the last collection
    unsigned events;
};

static struct simulation simulation;
static bool verbose;

[[gnu::format(printf, 1, 2)]] static void tell(const char *format, ...) {
    va_list arguments;
    if (verbose) {
        fprintf(stderr, "%10.3f s  ", (double)schedule_now_ms() / 1000);
        va_start(arguments, format);
        vfprintf(stderr, format, arguments);
        va_end(arguments);
        fputc('\n', stderr);
    }
}

static void tell_change(const struct change *change) {
    static const char *const actors[] = {"people", "cluster", "operator"};
    char *status = nullptr;
    if (verbose) {
        status = yyjson_val_write(
            json_find(yyjson_doc_get_root(change->document), "status", "conditions", nullptr), 0, nullptr);
        tell("%s %s %s %s/%s at %" PRIu64 " %s", actors[change->actor],
             change->removed             ? "removed"
             : change->before == nullptr ? "created"
                                         : "changed",
             change->resource->kind, change->namespace, change->name, change->version,
             status == nullptr ? "" : status);
    }
    free(status);
}

// Of all that live one may write, whatever the Lease has gone through.
static void judge_leadership(const struct simulation *s) {
    size_t leaders = 0;
    for (size_t i = 0; i < s->count; i++) {
        leaders += replica_may_write(s->replicas[i]) ? 1 : 0;
    }
    if (leaders > 1) {
        judge_fault("%zu replicas may write at once", leaders);
    }
}

static void on_change(void *context, const struct change *change) {
    struct simulation *s = context;
    judge_leadership(s);
    if (change->resource == cluster_resource("Lease")) {
        return;
    }
    s->is_collected = false;
    tell_change(change);
    judge_change(change);
    for (size_t i = 0; i < s->count; i++) {
        replica_wake(s->replicas[i]);
    }
}

// There is one reference into another namespace: that of "over".
static bool on_review(void *, yyjson_val *spec) {
    yyjson_val *asked = yyjson_obj_get(spec, "resourceAttributes");
    const char *verb = json_member_text(asked, "verb");
    if (!json_member_is(spec, "user", "system:serviceaccount:b:default") ||
        !json_member_is(asked, "namespace", "a") || !json_member_is(asked, "group", "qubesec.io") ||
        !json_member_is(asked, "resource", "quantumkemkeypairs") || !json_member_is(asked, "name", "kem") ||
        (strcmp(verb, "get") != 0 && strcmp(verb, "use") != 0)) {
        judge_fault("it is asked for a right that nothing needs");
    }
    return people_grant();
}

static void on_event(void *context, const struct kube_object *object, const struct event_content *content) {
    struct simulation *s = context;
    s->events++;
    tell("event %s %s: %s", object->key, content->reason, content->note);
    judge_event(object, content);
}

// ---- processes come and go

static void start_replica(void *) {
    struct simulation *s = &simulation;
    const struct replica_options options = {
        .cluster = s->cluster,
        .elects = s->elects,
        .wall_error_s = (int64_t)chance_below(121) - 60,
        .recorded = on_event,
        .context = s,
    };
    if (s->count == REPLICAS_MAX) {
        judge_fault("more than %d processes have come and gone", REPLICAS_MAX);
        return;
    }
    tell("replica %zu starts", s->count);
    s->replicas[s->count] = replica_create(&options);
    s->count++;
}

static size_t count_living(const struct simulation *s) {
    size_t living = 0;
    for (size_t i = 0; i < s->count; i++) {
        living += replica_is_dead(s->replicas[i]) ? 0 : 1;
    }
    return living;
}

// Whoever watches over processes: one that has ended is started again.
static void look_after_replicas(void *) {
    struct simulation *s = &simulation;
    if (count_living(s) < s->wanted) {
        start_replica(nullptr);
    }
    schedule_after(500 + chance_below(3000), nullptr, look_after_replicas, nullptr);
}

static void collect(void *) {
    if (!simulation.is_collected) {
        simulation.is_collected = true;
        cluster_collect(simulation.cluster);
    }
    schedule_after(200 + chance_below(4000), nullptr, collect, nullptr);
}

static struct replica *choose_replica(struct simulation *s) {
    size_t first = chance_below((uint32_t)s->count);
    for (size_t i = 0; i < s->count; i++) {
        struct replica *replica = s->replicas[(first + i) % s->count];
        if (!replica_is_dead(replica)) {
            return replica;
        }
    }
    return nullptr;
}

static void disturb(struct simulation *s) {
    struct replica *replica = choose_replica(s);
    uint32_t drawn = chance_below(10);
    if (drawn < 3 && replica != nullptr) {
        tell("a replica is killed");
        replica_kill(replica);
    } else if (drawn < 6 && replica != nullptr) {
        int64_t for_ms = chance_below(40 * 1000);
        tell("a replica is paused for %" PRId64 " ms", for_ms);
        replica_pause(replica, for_ms);
    } else if (drawn < 8 && replica != nullptr) {
        tell("a replica is asked to end");
        replica_stop(replica);
    } else if (drawn == 8 && replica != nullptr) {
        int64_t for_ms = chance_below(2 * MINUTE_MS);
        tell("a replica is cut off for %" PRId64 " ms", for_ms);
        replica_cut_off(replica, for_ms);
    } else if (drawn == 9) {
        tell("old versions are compacted");
        cluster_compact(s->cluster);
    }
}

// ---- time

static bool run_for(int64_t ms) {
    int64_t until_ms = schedule_now_ms() + ms;
    while (judge_verdict() == nullptr && schedule_step(until_ms)) {
        if (schedule_count() > STEPS_MAX) {
            judge_fault("it does not come to rest");
        }
    }
    return judge_verdict() == nullptr;
}

static void choose_weather(struct simulation *s) {
    struct weather *weather = cluster_weather(s->cluster);
    *weather = (struct weather){.latency_ms = chance_below(4) == 0 ? 3000 : 50};
    bool is_bad = chance_of(750);
    if (is_bad) {
        uint32_t *const faults[] = {&weather->slow,    &weather->lost,      &weather->unanswered,
                                    &weather->refused, &weather->conflicts, &weather->stale,
                                    &weather->cut};
        for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
            *faults[i] = chance_of(500) ? chance_below(120) : 0;
        }
        weather->stale *= 4;
        weather->stalled = chance_of(300) ? chance_below(20) : 0;
        weather->expired = chance_of(300) ? chance_below(100) : 0;
        weather->crash = chance_of(400) ? chance_below(12) : 0;
    }
    s->drops = chance_of(150);
    weather->dropped = s->drops ? chance_below(200) : 0;
}

static void calm_down(struct simulation *s) {
    *cluster_weather(s->cluster) = (struct weather){.latency_ms = 20};
}

static unsigned count_writes(const struct simulation *s) {
    unsigned writes = 0;
    for (size_t i = 0; i < s->count; i++) {
        writes += replica_writes(s->replicas[i]);
    }
    return writes;
}

static unsigned count_reads(const struct simulation *s) {
    unsigned reads = 0;
    for (size_t i = 0; i < s->count; i++) {
        reads += replica_reads(s->replicas[i]);
    }
    return reads;
}

static void live_through(void) {
    unsigned acts = chance_between(5, 40);
    for (unsigned i = 0; i < acts && judge_verdict() == nullptr; i++) {
        tell("%s", people_act());
        if (chance_of(250)) {
            disturb(&simulation);
        }
        uint32_t pause = chance_below(20);
        (void)run_for(pause < 10   ? chance_below(200)
                      : pause < 17 ? chance_below(5000)
                      : pause < 19 ? chance_below(60 * 1000)
                                   : chance_below(20 * MINUTE_MS));
    }
}

// What is a bound, and no measure: so many writes for everything that happened.
static void judge_effort(const struct simulation *s) {
    unsigned happened = (unsigned)(people_acts() + s->count * 4 + NAMESPACES * thing_count +
                                   judge_versions_steps() + judge_rollover_steps());
    if (s->drops) { // what a watch never shows is tried in vain until the next list
        return;
    }
    if (count_writes(s) > happened * 4) {
        judge_fault("%u writes, for %u things that happened", count_writes(s), happened);
    }
    if (s->events > happened * 4) {
        judge_fault("%u Events, for %u things that happened", s->events, happened);
    }
}

// All is told, nothing more is written, and there is hardly a question.
static void judge_stillness(struct simulation *s) {
    unsigned writes = count_writes(s);
    unsigned reads = count_reads(s);
    unsigned events = s->events;
    if (run_for(30 * MINUTE_MS) && count_writes(s) != writes) {
        judge_fault("at rest there were %u writes in half an hour", count_writes(s) - writes);
    }
    if (s->events != events) {
        judge_fault("at rest there were %u Events in half an hour", s->events - events);
    }
    if (count_reads(s) - reads > 80) {
        judge_fault("at rest there were %u questions in half an hour", count_reads(s) - reads);
    }
}

// A root stays for good where what needs it cannot be issued anew.
static bool roll_over(void) {
    bool goes_on = judge_verdict() == nullptr;
    for (int i = 0; goes_on && i < ROLLOVER_HOURS && judge_rollover_is_under_way(); i++) {
        goes_on = run_for(HOUR_MS);
    }
    return goes_on;
}

static bool come_to_rest(struct simulation *s) {
    return run_for(s->drops ? 12 * HOUR_MS : HOUR_MS) && roll_over();
}

static void restart_all(struct simulation *s) {
    for (size_t i = 0; i < s->count; i++) {
        replica_kill(s->replicas[i]);
    }
}

static void live(struct simulation *s) {
    people_begin(s->cluster);
    schedule_after(chance_below(1000), nullptr, look_after_replicas, nullptr);
    schedule_after(chance_below(1000), nullptr, collect, nullptr);
    people_settle_in();
    live_through();
    calm_down(s);
    if (chance_of(300)) { // what the clock brings
        (void)run_for(chance_below(3 * HOUR_MS));
    }
    people_calm_down();
    if (come_to_rest(s)) {
        judge_rest(false);
        judge_stillness(s);
        judge_effort(s);
    }
    for (unsigned i = 0; i < ROUNDS_MAX && judge_verdict() == nullptr && people_clean_up(); i++) {
        (void)run_for(HOUR_MS); // a new key leads to a new shared secret, which is published ahead
    }
    if (roll_over()) {
        judge_rest(true);
    }
    unsigned writes = count_writes(s);
    restart_all(s);
    if (judge_verdict() == nullptr && run_for(30 * MINUTE_MS) && count_writes(s) != writes) {
        judge_fault("a restart over finished objects led to %u writes", count_writes(s) - writes);
    }
}

// What the seed shows; NULL: no fault.
static const char *run_seed(uint64_t seed) {
    struct simulation *s = &simulation;
    *s = (struct simulation){0};
    chance_seed(seed);
    schedule_begin();
    s->elects = chance_of(800);
    s->wanted = s->elects ? 2 : 1;
    const struct cluster_options options = {.changed = on_change, .allows = on_review, .context = s};
    s->cluster = cluster_create(&options);
    judge_begin(s->cluster);
    choose_weather(s);
    live(s);
    restart_all(s);
    s->wanted = 0;
    bool ended = false;
    for (int i = 0; !ended && i < STEPS_MAX && schedule_step(INT64_MAX - 1); i++) {
        ended = true;
        for (size_t j = 0; j < s->count; j++) {
            ended = ended && replica_has_ended(s->replicas[j]);
        }
    }
    tell("seed %" PRIu64 ": %s: %zu processes, %u acts, %u writes, %u reads, %u events", seed,
         judge_verdict() == nullptr ? "no fault" : "a fault", s->count, people_acts(), count_writes(s),
         count_reads(s), s->events);
    schedule_end();
    for (size_t i = 0; i < s->count; i++) {
        replica_free(s->replicas[i]);
    }
    judge_end();
    cluster_free(s->cluster);
    return judge_verdict();
}

int main(int argc, char **argv) {
    struct error e;
    int status = 0;
    int first = 1;
    if (argc > first && strcmp(argv[first], "--verbose") == 0) {
        verbose = true;
        first++;
    }
    if (argc <= first) {
        fprintf(stderr, "usage: simulate [--verbose] FIRST [COUNT [STEP]]\n");
        return 2;
    }
    uint64_t numbers[] = {0, 1, 1};
    for (int i = 0; i < 3 && first + i < argc; i++) {
        char *end;
        numbers[i] = strtoull(argv[first + i], &end, 10);
        if (*end != '\0' || end == argv[first + i]) {
            fprintf(stderr, "%s is not a number\n", argv[first + i]);
            return 2;
        }
    }
    uint64_t seed = numbers[0];
    log_set_level(verbose ? LOG_DEBUG : LOG_ERROR);
    if (!crypto_start(&e)) {
        fprintf(stderr, "%s\n", e.message);
        return 2;
    }
    for (uint64_t i = 0; i < numbers[1]; i++, seed += numbers[2]) {
        const char *fault = run_seed(seed);
        if (fault != nullptr) {
            printf("seed %" PRIu64 ": %s\n", seed, fault);
            (void)fflush(stdout);
            status = 1;
        }
    }
    return status;
}
