// A watch against a scripted API server: what the reflector decides is tested there, what the driver makes of
// it here.
#include "../base/check.h"
#include "../net/scripted_server.h"

#include "base/buffer.h"
#include "runtime/watch.h"

#include <sys/random.h>
#include <unistd.h>

// The C library's, for the whole program: what is drawn at random is the least, so waits are as short as can
// be.
ssize_t getrandom(void *bytes, size_t length, unsigned flags) {
    (void)flags;
    memset(bytes, 0, length);
    return (ssize_t)length;
}

// A sanitizer's own memory is more than what is measured here, and its time too.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { IS_MEASURED = false, MANY = 2000 };
#else
enum { IS_MEASURED = true, MANY = 200000 };
#endif

enum { SCRIPT_MAX = 16, CHUNK_SIZE = 16 * 1024, PATIENCE_MS = 60000, PEAK_MAX_KIB = 16 * 1024 };

// One expected request, in order, and the answer to it.
struct exchange {
    const char *query;   // how it must begin (lists) or what it must hold (watches)
    int status;          // of the answer
    const char *headers; // NULL: none
    const char *body;    // of a list; of a watch: pieces, cut at each '|'
    bool cut;            // the connection is closed in the middle of the answer
    bool hang;           // the watch stays open
    size_t others;       // of a list whose body is NULL: how many objects of others come before "a" in it
};

struct fixture {
    struct server *server;
    struct loop *loop;
    struct http_client *http;
    struct kube_config *config;
    struct kube_client *client;
    struct store *store;
    struct watch *watch;
    struct loop_timer *guard;
    const struct exchange *script; // static, since the server's threads outlive a test's function
    size_t script_length;
    pthread_mutex_t lock; // guards the next three
    size_t requests;
    bool wrong; // a request that the script has not
    char accepts[SCRIPT_MAX][512];
    size_t asked;           // how many objects the store was asked about
    struct buffer log;      // of changes, failures and the sync; loop thread
    const char *stop_after; // the loop is stopped once log ends in this
    bool timed_out;
};

static const struct kube_resource widgets = {"example.com", "v1", "Widget", "widgets"};

// ---- the server

static void send_chunk(struct connection *connection, const char *bytes, size_t length) {
    char head[32];
    snprintf(head, sizeof(head), "%zx\r\n", length);
    server_send(connection, head);
    server_send_bytes(connection, bytes, length);
    server_send(connection, "\r\n");
}

// Pieces as chunks of their own, a moment apart.
static void send_watch(struct connection *connection, const struct exchange *exchange) {
    server_send(connection, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (const char *piece = exchange->body; *piece != '\0';) {
        size_t length = strcspn(piece, "|");
        send_chunk(connection, piece, length);
        piece += length + (piece[length] == '|' ? 1 : 0);
        usleep(2000);
    }
    if (exchange->hang) {
        server_hang(connection);
    } else if (!exchange->cut) {
        server_send(connection, "0\r\n\r\n");
    }
}

// Version 100 of a list: so many objects of others, and "a".
static void send_long_list(struct connection *connection, size_t others) {
    static const char item[] =
        "{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":{"
        "\"name\":\"other-%06zu\",\"namespace\":\"d\",\"uid\":\"6a2b7c1e-77ac-4d10-9b0f-%012zu\","
        "\"resourceVersion\":\"5\",\"creationTimestamp\":\"2026-01-01T00:00:00Z\"}},";
    static const char end[] =
        "{\"metadata\":{\"name\":\"a\",\"namespace\":\"d\",\"uid\":\"u\",\"resourceVersion\":\"1\"}}]}";
    struct error e;
    cleanup_buffer struct buffer chunk = buffer_create(2 * CHUNK_SIZE);
    server_send(connection, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    must(buffer_append_text(&chunk, "{\"metadata\":{\"resourceVersion\":\"100\"},\"items\":[", &e), e);
    for (size_t i = 0; i < others; i++) {
        must(buffer_append_format(&chunk, &e, item, i, i), e);
        if (chunk.length >= CHUNK_SIZE) {
            send_chunk(connection, chunk.data, chunk.length);
            buffer_clear(&chunk, 2 * CHUNK_SIZE);
        }
    }
    must(buffer_append_text(&chunk, end, &e), e);
    send_chunk(connection, chunk.data, chunk.length);
    server_send(connection, "0\r\n\r\n");
}

static bool answer(void *context, struct connection *connection, const struct received *request) {
    struct fixture *fixture = context;
    const char *query = strchr(request->path, '?');
    pthread_mutex_lock(&fixture->lock);
    size_t number = fixture->requests++;
    const struct exchange *exchange = &fixture->script[number];
    bool wrong = number >= fixture->script_length || query == nullptr ||
                 strstr(query, exchange->query) == nullptr ||
                 strncmp(request->path, "/apis/example.com/v1/widgets?", 29) != 0;
    if (!wrong) {
        header_of(request, "Accept", fixture->accepts[number]);
    }
    fixture->wrong = fixture->wrong || wrong;
    pthread_mutex_unlock(&fixture->lock);
    if (wrong) {
        fprintf(stderr, "request %zu: %s\n", number, request->path);
        loop_stop(fixture->loop);
        return false;
    }
    if (exchange->status == 200 && strstr(query, "watch=1") != nullptr) {
        send_watch(connection, exchange);
        return !exchange->cut;
    }
    if (exchange->body == nullptr) {
        send_long_list(connection, exchange->others);
        return true;
    }
    server_reply(connection, exchange->status, exchange->headers == nullptr ? "" : exchange->headers,
                 exchange->body);
    return true;
}

// ---- the client

static void note(struct fixture *fixture, const char *what, const char *text) {
    struct error e;
    must(buffer_append_format(&fixture->log, &e, "%s%s ", what, text), e);
    size_t length = strlen(fixture->stop_after);
    if (fixture->log.length >= length &&
        strcmp(buffer_text(&fixture->log) + fixture->log.length - length, fixture->stop_after) == 0) {
        loop_stop(fixture->loop);
    }
}

static bool is_wanted(void *context, const struct kube_object *object) {
    struct fixture *fixture = context;
    fixture->asked++;
    return strncmp(object->name, "other-", strlen("other-")) != 0;
}

static void changed(void *context, const struct kube_object *old, const struct kube_object *object) {
    const char *sign = old == nullptr ? "+" : object == nullptr ? "-" : "~";
    note(context, sign, object == nullptr ? old->name : object->name);
}

static void failed(void *context, const struct kube_resource *resource, const struct error *error) {
    assert_ptr_equal(resource, &widgets);
    note(context, "!", error->message);
}

static void recovered(void *context, const struct kube_resource *resource) {
    assert_ptr_equal(resource, &widgets);
    note(context, "works again", "");
}

static void synced(void *context, const struct kube_resource *resource) {
    assert_ptr_equal(resource, &widgets);
    note(context, "synced", "");
}

static void lose_patience(void *context) {
    struct fixture *fixture = context;
    fixture->timed_out = true;
    loop_stop(fixture->loop);
}

static void load_config(struct fixture *fixture) {
    char path[] = "/tmp/qubesec-test-XXXXXX";
    struct error e;
    int fd = mkstemp(path);
    FILE *file = fdopen(fd, "w");
    cleanup_buffer struct buffer ca = buffer_create(1 << 20);
    must(buffer_append_text(&ca, fixture->server->ca.certificate_pem, &e), e);
    char *encoded = calloc(1, ca.length * 2 + 4);
    EVP_EncodeBlock((unsigned char *)encoded, (const unsigned char *)ca.data, (int)ca.length);
    fprintf(
        file,
        "apiVersion: v1\nkind: Config\ncurrent-context: c\n"
        "contexts: [{name: c, context: {cluster: k, user: u}}]\n"
        "clusters: [{name: k, cluster: {server: \"https://127.0.0.1:%d\", certificate-authority-data: %s}}]\n"
        "users: [{name: u, user: {token: token}}]\n",
        fixture->server->port, encoded);
    fclose(file);
    free(encoded);
    must(kube_config_load(path, nullptr, &fixture->config, &e), e);
    unlink(path);
}

static int set_up(void **state) {
    static struct fixture fixture;
    struct error e;
    fixture = (struct fixture){.log = buffer_create(1 << 20), .stop_after = "never"};
    pthread_mutex_init(&fixture.lock, nullptr);
    fixture.server = server_start(answer, &fixture);
    must(loop_create(&fixture.loop, &e), e);
    must(http_client_create(fixture.loop, nullptr, nullptr, &fixture.http, &e), e);
    load_config(&fixture);
    must(kube_client_create(fixture.config, fixture.http, nullptr, nullptr, &fixture.client, &e), e);
    const struct store_hooks hooks = {.context = &fixture, .filter = is_wanted, .changed = changed};
    must(store_create(&hooks, &fixture.store, &e), e);
    must(loop_timer_create(fixture.loop, lose_patience, &fixture, &fixture.guard, &e), e);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *fixture = *state;
    watch_free(fixture->watch);
    loop_timer_free(fixture->guard);
    kube_client_free(fixture->client);
    http_client_free(fixture->http);
    kube_config_free(fixture->config);
    loop_free(fixture->loop);
    store_free(fixture->store);
    server_stop(fixture->server);
    pthread_mutex_destroy(&fixture->lock);
    buffer_done(&fixture->log);
    return 0;
}

static void expect_accept(struct fixture *fixture, int number, const char *expected) {
    pthread_mutex_lock(&fixture->lock);
    assert_string_equal(fixture->accepts[number], expected);
    pthread_mutex_unlock(&fixture->lock);
}

// Watches until the log ends in stop_after.
static void watch_until(struct fixture *fixture, const struct exchange *script, size_t script_length,
                        bool metadata_only, const char *stop_after) {
    struct error e;
    fixture->script = script;
    fixture->script_length = script_length;
    fixture->stop_after = stop_after;
    const struct watch_options options = {.resource = &widgets,
                                          .kept.metadata_only = metadata_only,
                                          .watch_seconds = 600,
                                          .failed = failed,
                                          .recovered = recovered,
                                          .synced = synced,
                                          .context = fixture};
    must(watch_create(fixture->loop, fixture->client, fixture->store, &options, &fixture->watch, &e), e);
    loop_timer_start(fixture->guard, PATIENCE_MS);
    loop_run(fixture->loop);
    pthread_mutex_lock(&fixture->lock);
    bool wrong = fixture->wrong;
    pthread_mutex_unlock(&fixture->lock);
    if (fixture->timed_out || wrong) {
        fail_msg("%s after: %s", wrong ? "a wrong request" : "timed out", buffer_text(&fixture->log));
    }
}

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define ITEM(name, version)                                                                                  \
    "{\"metadata\":{\"name\":\"" name "\",\"namespace\":\"d\",\"uid\":\"u\",\"resourceVersion\":\"" version  \
    "\"}}"
#define LIST(version, token, items)                                                                          \
    "{\"metadata\":{\"resourceVersion\":\"" version "\",\"continue\":\"" token "\"},\"items\":[" items "]}"
#define EVENT(type, object) "{\"type\":\"" type "\",\"object\":" object "}\n"
// What is asked for before a watch is taken up again.
#define CHECK(version)                                                                                       \
    {.query = "?limit=1&resourceVersion=", .status = 200, .body = LIST(version, "", ITEM("a", "1"))}
#define STATUS(code, message)                                                                                \
    "{\"kind\":\"Status\",\"code\":" code ",\"message\":\"" message "\",\"reason\":\"Expired\"}"

static void it_lists_in_pages_watches_and_watches_on(void **state) {
    static const struct exchange script[] = {
        {.query = "?limit=500&resourceVersion=0", .status = 200, .body = LIST("100", "t", ITEM("a", "1"))},
        {.query = "?limit=500&continue=t", .status = 200, .body = LIST("100", "", ITEM("b", "2"))},
        {.query = "&resourceVersion=100",
         .status = 200,
         .body = "{\"type\":\"ADDED\",\"ob|ject\":" ITEM("c", "101") "|}\n" EVENT(
             "MODIFIED", ITEM("c", "102")) "|" EVENT("DELETED", ITEM("a", "103"))},
        CHECK("103"),
        {.query = "&resourceVersion=103",
         .status = 200,
         .body = EVENT("ADDED", ITEM("d", "104")),
         .hang = true},
    };
    struct fixture *fixture = *state;
    watch_until(fixture, script, LENGTH(script), false, "+d ");
    const char *log = buffer_text(&fixture->log);
    assert_true(strcmp(log, "+a +b synced +c ~c -a +d ") == 0 ||
                strcmp(log, "+b +a synced +c ~c -a +d ") == 0);
    assert_true(watch_has_synced(fixture->watch));
    assert_in_range(watch_silence_ms(fixture->watch), 0, PATIENCE_MS);
    assert_int_equal(store_count(fixture->store), 3);
    expect_accept(fixture, 0, "application/json");
    expect_accept(fixture, 2, "application/json");
}

static void test_trap_20_only_metadata_is_asked_for(void **state) {
    static const struct exchange script[] = {
        {.query = "?limit=500&resourceVersion=0", .status = 200, .body = LIST("100", "", ITEM("a", "1"))},
        {.query = "&resourceVersion=100",
         .status = 200,
         .body = EVENT("ADDED", ITEM("b", "101")),
         .hang = true},
    };
    struct fixture *fixture = *state;
    watch_until(fixture, script, LENGTH(script), true, "+b ");
    expect_accept(fixture, 0, KUBE_METADATA_LIST_ONLY);
    expect_accept(fixture, 1, KUBE_METADATA_ONLY);
}

static void test_trap_03_04_05_gone_in_all_three_forms_lists_again(void **state) {
    static const struct exchange script[] = {
        {.query = "?limit=500&resourceVersion=0", .status = 200, .body = LIST("100", "t", ITEM("a", "1"))},
        {.query = "?limit=500&continue=t", .status = 410, .body = STATUS("410", "too old")},
        {.query = "?resourceVersion=", .status = 200, .body = LIST("110", "", ITEM("a", "1"))},
        {.query = "&resourceVersion=110",
         .status = 200,
         .body = EVENT("ADDED", ITEM("b", "111")) EVENT("ERROR", STATUS("410", "compacted"))},
        {.query = "?limit=500&resourceVersion=", .status = 200, .body = LIST("200", "", ITEM("c", "3"))},
        {.query = "&resourceVersion=200", .status = 410, .body = STATUS("410", "older still")},
        {.query = "?limit=500&resourceVersion=", .status = 200, .body = LIST("300", "", "")},
        {.query = "&resourceVersion=300",
         .status = 200,
         .body = EVENT("ADDED", ITEM("end", "301")),
         .hang = true},
    };
    struct fixture *fixture = *state;
    watch_until(fixture, script, LENGTH(script), false, "+end ");
    const char *log = buffer_text(&fixture->log);
    assert_non_null(strstr(log, "!listing widgets: too old"));
    assert_non_null(strstr(log, "!watching widgets: the server ended the watch: compacted"));
    assert_non_null(strstr(log, "!watching widgets: older still"));
    assert_int_equal(store_count(fixture->store), 1);
}

static void failures_are_told_and_retried(void **state) {
    static const struct exchange script[] = {
        {.query = "resourceVersion=0",
         .status = 403,
         .body = "{\"kind\":\"Status\",\"message\":\"forbidden: no list\"}"},
        {.query = "resourceVersion=0", .status = 200, .body = "<html>"},
        {.query = "resourceVersion=0", .status = 204, .body = ""},
        {.query = "resourceVersion=0", .status = 200, .body = LIST("100", "", ITEM("a", "1"))},
        {.query = "&resourceVersion=100",
         .status = 429,
         .headers = "Retry-After: 1\r\n",
         .body = "slow down"},
        CHECK("100"),
        {.query = "&resourceVersion=100", .status = 200, .body = ""}, // ends at once
        CHECK("100"),
        {.query = "&resourceVersion=100", .status = 200, .body = "{\"type\":\"ADDED\"|,", .cut = true},
        CHECK("100"),
        {.query = "&resourceVersion=100",
         .status = 200,
         .body = EVENT("ADDED", ITEM("b", "101")),
         .hang = true},
    };
    struct fixture *fixture = *state;
    watch_until(fixture, script, LENGTH(script), false, "+b ");
    const char *position = buffer_text(&fixture->log);
    static const char *const in_order[] = {
        "!listing widgets: forbidden: no list",
        "!listing widgets: not JSON",
        "!listing widgets: an answer with the HTTP",
        "+a synced works again",
        "!watching widgets: ",
        "!watching widgets: the server ended the watch at once",
        "!watching widgets: ",
        "+b works again",
    };
    for (size_t i = 0; i < sizeof(in_order) / sizeof(in_order[0]); i++) {
        position = strstr(position, in_order[i]);
        if (position == nullptr) {
            fail_msg("no \"%s\" (or not there) in: %s", in_order[i], buffer_text(&fixture->log));
        }
        position += strlen(in_order[i]);
    }
    assert_int_equal(store_count(fixture->store), 2);
}

#define INTERNAL_ERROR "{\"kind\":\"Status\",\"reason\":\"InternalError\",\"message\":\"no key\"}"

static void a_server_that_goes_on_refusing_is_told(void **state) {
    static const struct exchange script[] = {
        {.query = "resourceVersion=0", .status = 200, .body = LIST("100", "", "")},
        {.query = "&resourceVersion=100", .status = 403, .body = "no"},
        CHECK("100"),
        {.query = "&resourceVersion=100", .status = 403, .body = "no"},
        {.query = "?limit=1", .status = 403, .body = "no"},
        CHECK("100"),
        {.query = "&resourceVersion=100", .status = 500, .body = INTERNAL_ERROR},
        CHECK("100"),
        {.query = "&resourceVersion=100", .status = 404, .body = "no"},
        {.query = "?resourceVersion=100", .status = 200, .body = LIST("100", "", "")},
        {.query = "&resourceVersion=100",
         .status = 200,
         .body = EVENT("ADDED", ITEM("a", "101")),
         .hang = true},
    };
    struct fixture *fixture = *state;
    watch_until(fixture, script, LENGTH(script), false, "(HTTP status 500) ");
    assert_false(watch_is_refused(fixture->watch));
    fixture->stop_after = "gone? ";
    loop_run(fixture->loop);
    assert_true(watch_is_refused(fixture->watch));
    fixture->stop_after = "+a ";
    loop_run(fixture->loop);
    assert_false(fixture->timed_out || watch_is_refused(fixture->watch));
}

// It says so in all these ways, and none of them is a no.
static void a_server_that_is_busy_does_not_refuse(void **state) {
    static const struct exchange script[] = {
        {.query = "resourceVersion=0", .status = 503, .body = "no"},
        {.query = "resourceVersion=0", .status = 504, .body = "no"},
        {.query = "resourceVersion=0", .status = 502, .body = "no"},
        {.query = "resourceVersion=0", .status = 408, .body = "no"},
        {.query = "resourceVersion=0", .status = 500, .body = "a proxy's page"},
        // An error of etcd, as where it is away, has neither a reason nor a time.
        {.query = "resourceVersion=0",
         .status = 500,
         .body = "{\"kind\":\"Status\",\"message\":\"rpc error\"}"},
        {.query = "resourceVersion=0", .status = 429, .headers = "Retry-After: 1\r\n", .body = "no"},
        {.query = "resourceVersion=0", .status = 500, .headers = "Retry-After: 1\r\n", .body = "no"},
        {.query = "resourceVersion=0",
         .status = 500,
         .body = "{\"kind\":\"Status\",\"message\":\"busy\",\"details\":{\"retryAfterSeconds\":1}}"},
        {.query = "resourceVersion=0", .status = 200, .body = LIST("100", "", ITEM("a", "1"))},
        {.query = "&resourceVersion=100", .status = 200, .body = "", .hang = true},
    };
    struct fixture *fixture = *state;
    watch_until(fixture, script, LENGTH(script), false, "busy (HTTP status 500) ");
    assert_false(watch_is_refused(fixture->watch));
    fixture->stop_after = "works again ";
    loop_run(fixture->loop);
    assert_false(fixture->timed_out);
    assert_true(watch_has_synced(fixture->watch));
}

static void a_restored_server_is_listed_anew(void **state) {
    static const struct exchange script[] = {
        {.query = "resourceVersion=0", .status = 200, .body = LIST("100", "", ITEM("a", "9"))},
        {.query = "&resourceVersion=100",
         .status = 200,
         .body = EVENT("ADDED", ITEM("b", "101")),
         .cut = true},
        CHECK("99"),
        {.query = "?limit=500&resourceVersion=", .status = 200, .body = LIST("99", "", ITEM("a", "9"))},
        {.query = "&resourceVersion=99",
         .status = 200,
         .body = EVENT("ADDED", ITEM("c", "100")),
         .hang = true},
    };
    struct fixture *fixture = *state;
    watch_until(fixture, script, LENGTH(script), false, "+c ");
    assert_non_null(strstr(buffer_text(&fixture->log), "restored from a backup"));
    assert_non_null(strstr(buffer_text(&fixture->log), "-b works again +c "));
}

static void too_long_a_line_ends_the_watch(void **state) {
    static char line[WATCH_OBJECT_MAX + 2];
    static const struct exchange script[] = {
        {.query = "resourceVersion=0", .status = 200, .body = LIST("100", "", "")},
        {.query = "&resourceVersion=100", .status = 200, .body = line, .hang = true},
        CHECK("100"),
        {.query = "&resourceVersion=100",
         .status = 200,
         .body = EVENT("ADDED", ITEM("a", "101")),
         .hang = true},
    };
    memset(line, ' ', WATCH_OBJECT_MAX + 1);
    struct fixture *fixture = *state;
    watch_until(fixture, script, LENGTH(script), false, "+a ");
    assert_non_null(strstr(buffer_text(&fixture->log), "a line of the watch is longer than 8388608 bytes"));
}

static void it_may_be_freed_while_an_exchange_runs(void **state) {
    static const struct exchange script[] = {
        {.query = "resourceVersion=0", .status = 200, .body = LIST("100", "", "")},
        {.query = "&resourceVersion=100",
         .status = 200,
         .body = EVENT("ADDED", ITEM("a", "101")),
         .hang = true},
    };
    struct fixture *fixture = *state;
    watch_until(fixture, script, LENGTH(script), false, "+a ");
    watch_free(fixture->watch);
    fixture->watch = nullptr;
    buffer_consume(&fixture->log, fixture->log.length);
    fixture->stop_after = "nothing";
    loop_timer_start(fixture->guard, 50);
    loop_run(fixture->loop);
    assert_true(fixture->timed_out);
    assert_int_equal(fixture->log.length, 0);
    watch_free(nullptr);
}

// KiB that this process has used at most.
static size_t peak_memory(void) {
    char line[256];
    size_t peak = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (fgets(line, sizeof(line), status) != nullptr) {
        peak = strncmp(line, "VmHWM:", 6) == 0 ? strtoul(line + 6, nullptr, 10) : peak;
    }
    fclose(status);
    return peak;
}

// The first test, since a peak of others would hide its own.
static void test_trap_20_a_list_of_what_nobody_wants_takes_no_memory(void **state) {
    static const struct exchange script[] = {
        {.query = "resourceVersion=0", .status = 200, .others = MANY},
        {.query = "&resourceVersion=100",
         .status = 200,
         .body = EVENT("ADDED", ITEM("b", "101")),
         .hang = true},
    };
    struct fixture *fixture = *state;
    size_t before = peak_memory();
    watch_until(fixture, script, LENGTH(script), true, "+b ");
    size_t after = peak_memory();
    assert_true(before > 0);
    assert_true(fixture->asked > MANY);
    assert_int_equal(store_count(fixture->store), 2);
    if (IS_MEASURED && after - before >= PEAK_MAX_KIB) {
        fail_msg("%d objects have raised the peak from %zu to %zu KiB", MANY, before, after);
    }
}

#define scripted(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        scripted(test_trap_20_a_list_of_what_nobody_wants_takes_no_memory),
        scripted(it_lists_in_pages_watches_and_watches_on),
        scripted(test_trap_20_only_metadata_is_asked_for),
        scripted(test_trap_03_04_05_gone_in_all_three_forms_lists_again),
        scripted(failures_are_told_and_retried),
        scripted(a_server_that_goes_on_refusing_is_told),
        scripted(a_server_that_is_busy_does_not_refuse),
        scripted(a_restored_server_is_listed_anew),
        scripted(too_long_a_line_ends_the_watch),
        scripted(it_may_be_freed_while_an_exchange_runs),
    };
    use_own_heap();
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
