#include "../kube/api_fixture.h"

#include "base/clock.h"

// The file under test is compiled into the test itself, with a clock that the test can put forward.
static atomic_int_fast64_t later_ms;

static int64_t test_clock_ms(void) {
    return clock_boot_ms() + atomic_load(&later_ms);
}

#ifndef __clang_analyzer__ // it looks at that file by itself
#define clock_boot_ms test_clock_ms
#include "runtime/leader.c"
#undef clock_boot_ms
#endif

#include "runtime/leader.h"
#include "runtime/leader_metrics.h"

// An API server that keeps one Lease, and what came of the election. All under the lock.
struct bench {
    struct api_fixture api;
    struct event_recorder *recorder;
    struct metrics *metrics;
    struct leader *leader;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    char holder[300]; // of the Lease
    int version;      // 0: there is none
    int status;       // that every request for the Lease gets; 0: a proper answer
    int gets;
    int writes;
    int events; // that became Events
    char event[4096];
    int started;
    int lost;
    bool held; // started does not return
};

static const struct metric *const leader_metrics[] = {&metric_leader_status, &metric_leader_slowpath_total,
                                                      nullptr};

static struct bench bench;

static void set_holder(const char *body) {
    struct error e;
    cleanup_json yyjson_doc *document = nullptr;
    must(json_parse(body, strlen(body), &document, &e), e);
    const char *holder =
        json_text(json_find(yyjson_doc_get_root(document), "spec", "holderIdentity", nullptr));
    assert_non_null(holder);
    snprintf(bench.holder, sizeof(bench.holder), "%s", holder);
}

// With the lock held.
static int serve_lease(const struct received *request, char *text, size_t size) {
    bool is_read = strcmp(request->method, "GET") == 0;
    bench.gets += is_read ? 1 : 0;
    if (bench.status != 0) {
        return bench.status;
    }
    if (is_read && bench.version == 0) {
        return 404;
    }
    if (!is_read) {
        set_holder(request->body);
        bench.version++;
        bench.writes++;
    }
    snprintf(text, size,
             "{\"metadata\":{\"name\":\"it\",\"namespace\":\"ns\",\"uid\":\"u\",\"resourceVersion\":\"%d\"},"
             "\"spec\":{\"holderIdentity\":\"%s\",\"leaseDurationSeconds\":15}}",
             bench.version, bench.holder);
    return 200;
}

static bool serve_api(void *, struct connection *connection, const struct received *request) {
    char text[1024] = "{}";
    int status = 201;
    pthread_mutex_lock(&bench.lock);
    if (strstr(request->path, "/leases") != nullptr) {
        status = serve_lease(request, text, sizeof(text));
    } else {
        bench.events++;
        snprintf(bench.event, sizeof(bench.event), "%s", request->body);
    }
    pthread_cond_broadcast(&bench.changed);
    pthread_mutex_unlock(&bench.lock);
    server_reply(connection, status, "", text);
    return true;
}

static void on_started(void *context) {
    assert_ptr_equal(context, &bench);
    pthread_mutex_lock(&bench.lock);
    bench.started++;
    pthread_cond_broadcast(&bench.changed);
    while (bench.held) {
        pthread_cond_wait(&bench.changed, &bench.lock);
    }
    pthread_mutex_unlock(&bench.lock);
}

static void on_lost(void *context) {
    assert_ptr_equal(context, &bench);
    pthread_mutex_lock(&bench.lock);
    bench.lost++;
    pthread_cond_broadcast(&bench.changed);
    pthread_mutex_unlock(&bench.lock);
}

// Waits until a number of the bench's is at least so large.
static void wait_for(const int *number, int least) {
    pthread_mutex_lock(&bench.lock);
    while (*number < least) {
        pthread_cond_wait(&bench.changed, &bench.lock);
    }
    pthread_mutex_unlock(&bench.lock);
}

static int get(const int *number) {
    pthread_mutex_lock(&bench.lock);
    int value = *number;
    pthread_mutex_unlock(&bench.lock);
    return value;
}

// Who holds the Lease.
static const char *get_holder(void) {
    static char holder[sizeof(bench.holder)];
    pthread_mutex_lock(&bench.lock);
    memcpy(holder, bench.holder, sizeof(holder));
    pthread_mutex_unlock(&bench.lock);
    return holder;
}

static void set(int *number, int value) {
    pthread_mutex_lock(&bench.lock);
    *number = value;
    pthread_mutex_unlock(&bench.lock);
}

static void create(bool elect) {
    struct error e;
    const struct leader_options options = {
        .elect = elect,
        .namespace = "ns",
        .name = "it",
        .timing = {15000, 10000, 50},
        .loop = bench.api.net.loop,
        .config = bench.api.config,
        .recorder = bench.recorder,
        .metrics = bench.metrics,
        .started = on_started,
        .lost = on_lost,
        .context = &bench,
    };
    must(leader_create(&options, &bench.leader, &e), e);
}

static void start(void) {
    struct error e;
    must(leader_start(bench.leader, &e), e);
}

static int set_up(void **) {
    struct error e;
    memset(&bench, 0, sizeof(bench));
    atomic_store(&later_ms, 0);
    pthread_mutex_init(&bench.lock, nullptr);
    pthread_cond_init(&bench.changed, nullptr);
    api_start(&bench.api, serve_api, nullptr);
    must(metrics_create(leader_metrics, &bench.metrics, &e), e);
    must(event_recorder_create(kube_client_api(bench.api.client), &(struct event_source){"c", "i", "a"},
                               &(struct event_rate_limit){0}, &bench.recorder, &e),
         e);
    return setenv("POD_NAME", "pod-7", 1);
}

static int tear_down(void **) {
    leader_release(bench.leader);
    event_recorder_free(bench.recorder);
    fixture_halt(&bench.api.net);
    leader_free(bench.leader);
    metrics_free(bench.metrics);
    api_stop(&bench.api);
    pthread_cond_destroy(&bench.changed);
    pthread_mutex_destroy(&bench.lock);
    return 0;
}

static void assert_status(const char *line) {
    struct error e;
    cleanup_buffer struct buffer text = buffer_create(1 << 20);
    must(metrics_write(bench.metrics, &text, &e), e);
    assert_non_null(strstr(buffer_text(&text), line));
}

static void it_leads_renews_and_gives_back(void **) {
    create(true);
    assert_false(leader_may_write(bench.leader));
    start();
    wait_for(&bench.started, 1);
    assert_true(leader_may_write(bench.leader));
    assert_true(leader_is_healthy(bench.leader));
    wait_for(&bench.writes, 5); // renewals, without a read
    assert_int_equal(get(&bench.gets), 1);
    assert_memory_equal(get_holder(), "pod-7_", 6);
    assert_int_equal(strlen(get_holder()), 6 + 36);
    assert_status("leader_election_master_status{name=\"it\"} 1\n");
    wait_for(&bench.events, 1);
    pthread_mutex_lock(&bench.lock);
    bool names_it = strstr(bench.event, bench.holder) != nullptr;
    bool tells_it = strstr(bench.event, " became leader") != nullptr;
    pthread_mutex_unlock(&bench.lock);
    assert_true(names_it && tells_it);
    leader_release(bench.leader);
    assert_false(leader_may_write(bench.leader));
    assert_string_equal(get_holder(), "");
    assert_status("leader_election_master_status{name=\"it\"} 0\n");
    assert_int_equal(get(&bench.started), 1);
    assert_int_equal(get(&bench.lost), 0);
}

// By the clock alone, whatever the thread is doing.
static void test_trap_41_writing_ends_with_the_deadline(void **) {
    create(true);
    pthread_mutex_lock(&bench.lock);
    bench.held = true; // the thread hangs
    pthread_mutex_unlock(&bench.lock);
    start();
    wait_for(&bench.started, 1);
    int64_t left_ms = atomic_load(&bench.leader->held_until_ms) - test_clock_ms();
    assert_in_range(left_ms, 1, 10000);
    assert_true(leader_may_write(bench.leader));
    atomic_store(&later_ms, 10000);
    assert_false(leader_may_write(bench.leader));
    assert_true(leader_is_healthy(bench.leader));
    atomic_store(&later_ms, 10000 + 5000 + 20000 + 1); // ... for which it is to be restarted
    assert_false(leader_is_healthy(bench.leader));
    pthread_mutex_lock(&bench.lock);
    bench.held = false;
    pthread_cond_broadcast(&bench.changed);
    pthread_mutex_unlock(&bench.lock);
    wait_for(&bench.lost, 1);
}

static void it_is_lost_when_nothing_is_heard(void **) {
    create(true);
    start();
    wait_for(&bench.started, 1);
    set(&bench.status, 503);
    int gets = get(&bench.gets);
    wait_for(&bench.gets, gets + 2); // it tries
    assert_int_equal(get(&bench.lost), 0);
    atomic_store(&later_ms, 10000);
    wait_for(&bench.lost, 1);
    assert_false(leader_may_write(bench.leader));
}

static void it_is_lost_when_another_has_it(void **) {
    create(true);
    start();
    wait_for(&bench.started, 1);
    pthread_mutex_lock(&bench.lock);
    bench.status = 409;
    snprintf(bench.holder, sizeof(bench.holder), "another");
    pthread_mutex_unlock(&bench.lock);
    wait_for(&bench.gets, 2);
    assert_int_equal(get(&bench.lost), 0); // the read fails too
    set(&bench.status, 0);
    wait_for(&bench.lost, 1);
    assert_false(leader_may_write(bench.leader));
}

static void a_standby_waits(void **) {
    create(true);
    pthread_mutex_lock(&bench.lock);
    bench.version = 1;
    snprintf(bench.holder, sizeof(bench.holder), "another");
    pthread_mutex_unlock(&bench.lock);
    start();
    wait_for(&bench.gets, 3);
    assert_int_equal(get(&bench.writes), 0);
    assert_false(leader_may_write(bench.leader));
    assert_true(leader_is_healthy(bench.leader));
    assert_status("leader_election_master_status{name=\"it\"} 0\n");
    atomic_store(&later_ms, 15000);
    wait_for(&bench.started, 1);
}

// A stop has begun: the Lease may be had, but nothing starts.
static void test_trap_41_who_has_declined_does_not_start(void **) {
    create(true);
    leader_decline(bench.leader);
    start();
    wait_for(&bench.writes, 2);
    leader_release(bench.leader);
    assert_string_equal(get_holder(), "");
    assert_int_equal(get(&bench.started), 0);
    assert_int_equal(get(&bench.events), 0);
    assert_int_equal(get(&bench.lost), 0);
}

static void without_election_it_leads_alone(void **) {
    create(false);
    assert_true(leader_may_write(bench.leader));
    assert_int_equal(get(&bench.started), 0);
    start();
    assert_int_equal(get(&bench.started), 1);
    atomic_store(&later_ms, INT64_C(1) << 40);
    assert_true(leader_may_write(bench.leader));
    assert_true(leader_is_healthy(bench.leader));
    leader_decline(bench.leader);
    leader_release(bench.leader);
    assert_int_equal(get(&bench.gets) + get(&bench.writes), 0);
}

#define with_bench(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        with_bench(it_leads_renews_and_gives_back),
        with_bench(test_trap_41_writing_ends_with_the_deadline),
        with_bench(it_is_lost_when_nothing_is_heard),
        with_bench(it_is_lost_when_another_has_it),
        with_bench(a_standby_waits),
        with_bench(test_trap_41_who_has_declined_does_not_start),
        with_bench(without_election_it_leads_alone),
    };
    use_own_heap();
    return cmocka_run_group_tests_name("operator/leader", tests, nullptr, nullptr);
}
