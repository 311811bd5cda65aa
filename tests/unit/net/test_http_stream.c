#include "client_fixture.h"

enum { PIECES = 40 };

static bool answer(void *context, struct connection *connection, const struct received *request) {
    (void)context;
    const char *path = request->path;
    if (strcmp(path, "/lines") == 0) {
        server_send(connection, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        for (int i = 0; i < PIECES; i++) {
            server_send(connection, "4\r\nline\r\n");
        }
        server_send(connection, "0\r\n\r\n");
    } else if (strcmp(path, "/endless") == 0) {
        server_send(connection,
                    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n6\r\nsecond\r\n");
        server_hang(connection);
    } else if (strcmp(path, "/cut") == 0) {
        server_send(connection, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n");
        return false;
    } else if (strcmp(path, "/silent") == 0) {
        server_hang(connection);
    } else if (strcmp(path, "/forbidden") == 0) {
        server_reply(connection, 403, "Retry-After: 3\r\n", "no, you may not");
    } else if (strncmp(path, "/error/", 7) == 0) {
        size_t size = strtoul(path + 7, nullptr, 10);
        char *body = calloc(1, size + 1);
        memset(body, 'x', size);
        server_reply(connection, 500, "", body);
        free(body);
    } else {
        server_reply(connection, 200, "", "plain");
    }
    return true;
}

enum moment { NEVER, ON_STATUS, ON_DATA, ON_END };

// Watches one stream. All but the end is the loop thread's.
struct watcher {
    struct client_fixture *fixture;
    char path[64];
    enum moment close_at;
    enum moment open_at; // when to open `other`
    struct watcher *other;
    bool refuse; // the first data
    uint32_t timeout_ms;
    struct http_stream *stream;
    int status;
    uint32_t retry_after_ms;
    char data[256];
    size_t length; // all of it
    int ends;
    bool failed;
    struct error error;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool over; // ended, or closed in a callback
    bool got_data;
};

static void open_stream(void *context);

static void signal_change(struct watcher *watcher, bool over) {
    pthread_mutex_lock(&watcher->lock);
    watcher->over |= over;
    watcher->got_data |= watcher->length > 0;
    pthread_cond_broadcast(&watcher->changed);
    pthread_mutex_unlock(&watcher->lock);
}

static void act(struct watcher *watcher, enum moment moment) {
    if (watcher->open_at == moment) {
        watcher->open_at = NEVER;
        open_stream(watcher->other);
    }
    if (watcher->close_at == moment) {
        http_stream_close(watcher->stream);
        watcher->stream = nullptr;
        signal_change(watcher, true);
    }
}

static void on_status(void *context, int status, uint32_t retry_after_ms) {
    struct watcher *watcher = context;
    assert_int_equal(watcher->status, 0);
    assert_int_equal(watcher->length, 0);
    watcher->status = status;
    watcher->retry_after_ms = retry_after_ms;
    act(watcher, ON_STATUS);
}

static bool on_data(void *context, const char *bytes, size_t length) {
    struct watcher *watcher = context;
    assert_int_not_equal(watcher->status, 0);
    assert_non_null(watcher->stream);
    if (watcher->length + length < sizeof(watcher->data)) {
        memcpy(watcher->data + watcher->length, bytes, length);
    }
    watcher->length += length;
    act(watcher, ON_DATA);
    signal_change(watcher, false);
    return !watcher->refuse;
}

static void on_end(void *context, const struct error *error) {
    struct watcher *watcher = context;
    watcher->ends++;
    watcher->failed = error != nullptr;
    if (error != nullptr) {
        watcher->error = *error;
    }
    act(watcher, ON_END);
    signal_change(watcher, true);
}

static void open_stream(void *context) {
    static const struct http_stream_events events = {
        .on_status = on_status, .on_data = on_data, .on_end = on_end};
    struct watcher *watcher = context;
    struct error e;
    struct http_request request = fixture_request(watcher->fixture, "GET");
    char url[256];
    snprintf(url, sizeof(url), "https://127.0.0.1:%d%s", watcher->fixture->server->port, watcher->path);
    request.url = url;
    request.timeout_ms = watcher->timeout_ms;
    assert_true(http_stream_open(watcher->fixture->client, &request, &events, watcher, &watcher->stream, &e));
    assert_int_equal(watcher->status, 0);
    assert_int_equal(watcher->ends, 0);
}

static void close_stream(void *context) {
    struct watcher *watcher = context;
    http_stream_close(watcher->stream);
    watcher->stream = nullptr;
}

static void wait_for(struct watcher *watcher, bool data) {
    pthread_mutex_lock(&watcher->lock);
    while (!watcher->over && !(data && watcher->got_data)) {
        pthread_cond_wait(&watcher->changed, &watcher->lock);
    }
    pthread_mutex_unlock(&watcher->lock);
}

static struct watcher create_watcher(struct client_fixture *fixture, const char *path) {
    struct watcher watcher = {.fixture = fixture,
                              .timeout_ms = 20000,
                              .lock = PTHREAD_MUTEX_INITIALIZER,
                              .changed = PTHREAD_COND_INITIALIZER};
    snprintf(watcher.path, sizeof(watcher.path), "%s", path);
    return watcher;
}

static void no_errand(void *context) {
    (void)context;
}

// Opens the stream and waits until it is over; then once more round the loop, for callbacks that must not
// come.
static void run(struct watcher *watcher) {
    fixture_do(watcher->fixture, open_stream, watcher);
    wait_for(watcher, false);
    fixture_do(watcher->fixture, no_errand, nullptr);
    fixture_do(watcher->fixture, close_stream, watcher);
}

static int set_up(void **state) {
    static struct client_fixture fixture;
    fixture_start(&fixture, answer, nullptr);
    fixture_run(&fixture);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state) {
    fixture_stop(*state);
    return 0;
}

static void a_stream_delivers_and_ends(void **state) {
    struct watcher watcher = create_watcher(*state, "/lines");
    run(&watcher);
    assert_int_equal(watcher.status, 200);
    assert_int_equal(watcher.length, PIECES * 4);
    assert_memory_equal(watcher.data, "linelineline", 12);
    assert_int_equal(watcher.ends, 1);
    assert_false(watcher.failed);
}

static void test_trap_02_a_stream_has_a_connection_of_its_own(void **state) {
    struct client_fixture *fixture = *state;
    struct error e;
    struct http_request request = fixture_request(fixture, "GET");
    for (int i = 0; i < 3; i++) {
        cleanup_response struct http_response response = {0};
        assert_true(http_client_call(fixture->client, &request, &response, &e));
        struct watcher watcher = create_watcher(fixture, "/plain");
        run(&watcher);
        assert_int_equal(watcher.ends, 1);
    }
    assert_int_equal(server_connections(fixture->server), 1 + 3);
    assert_int_equal(atomic_load(&fixture->hybrid_groups), 1 + 3);
}

static void a_cut_stream_is_retryable(void **state) {
    struct watcher watcher = create_watcher(*state, "/cut");
    run(&watcher);
    assert_int_equal(watcher.length, 5);
    assert_int_equal(watcher.ends, 1);
    assert_true(watcher.failed);
    assert_int_equal(watcher.error.class, ERROR_RETRYABLE);
}

static void a_stream_ends_at_its_timeout(void **state) {
    struct watcher watcher = create_watcher(*state, "/endless");
    watcher.timeout_ms = 300;
    run(&watcher);
    struct watcher silent = create_watcher(*state, "/silent");
    silent.timeout_ms = 50;
    run(&silent);
    assert_int_equal(watcher.error.class, ERROR_RETRYABLE);
    assert_int_equal(silent.error.class, ERROR_RETRYABLE);
    assert_int_equal(silent.status, 0);
    assert_int_equal(silent.ends, 1);
}

static void an_error_status_delivers_its_body(void **state) {
    struct watcher watcher = create_watcher(*state, "/forbidden");
    run(&watcher);
    assert_int_equal(watcher.status, 403);
    assert_int_equal(watcher.retry_after_ms, 3000);
    assert_string_equal(watcher.data, "no, you may not");
    assert_false(watcher.failed);
    struct watcher full = create_watcher(*state, "/error/65536");
    run(&full);
    assert_int_equal(full.length, 65536);
    assert_false(full.failed);
    struct watcher over = create_watcher(*state, "/error/900000");
    run(&over);
    assert_true(over.length <= 65536);
    assert_int_equal(over.ends, 1);
    assert_int_equal(over.error.class, ERROR_IO);
}

static void a_refused_piece_ends_the_stream(void **state) {
    struct watcher watcher = create_watcher(*state, "/lines");
    watcher.refuse = true;
    run(&watcher);
    assert_int_equal(watcher.ends, 1);
    assert_int_equal(watcher.error.class, ERROR_IO);
    assert_in_range(watcher.length, 4, PIECES * 4);
}

static void closing_in_a_callback_is_the_last_of_it(void **state) {
    static const enum moment moments[] = {ON_STATUS, ON_DATA, ON_END};
    static const char *const paths[] = {"/lines", "/endless", "/forbidden", "/plain"};
    for (size_t m = 0; m < 3; m++) {
        for (size_t p = 0; p < 4; p++) {
            struct watcher watcher = create_watcher(*state, paths[p]);
            watcher.close_at = moments[m];
            watcher.timeout_ms = moments[m] == ON_END ? 400 : 20000;
            run(&watcher);
            assert_int_equal(watcher.ends, moments[m] == ON_END ? 1 : 0);
            assert_true(moments[m] != ON_STATUS || watcher.length == 0);
        }
    }
}

static void closing_and_refusing_at_once_is_closing(void **state) {
    struct watcher watcher = create_watcher(*state, "/lines");
    watcher.close_at = ON_DATA;
    watcher.refuse = true;
    run(&watcher);
    assert_int_equal(watcher.ends, 0);
}

static void a_stream_can_be_opened_in_a_callback(void **state) {
    static const enum moment moments[] = {ON_STATUS, ON_DATA, ON_END};
    for (size_t m = 0; m < 3; m++) {
        struct watcher second = create_watcher(*state, "/plain");
        struct watcher first = create_watcher(*state, "/lines");
        first.open_at = moments[m];
        first.other = &second;
        first.close_at = m == 0 ? ON_STATUS : NEVER;
        run(&first);
        assert_int_equal(first.open_at, NEVER); // else the second was not opened
        wait_for(&second, false);
        fixture_do(*state, close_stream, &second);
        assert_string_equal(second.data, "plain");
        assert_false(second.failed);
    }
}

static void a_stream_can_be_closed_at_any_time(void **state) {
    struct watcher unstarted = create_watcher(*state, "/endless");
    fixture_do(*state, open_stream, &unstarted);
    fixture_do(*state, close_stream, &unstarted);
    struct watcher running = create_watcher(*state, "/endless");
    fixture_do(*state, open_stream, &running);
    wait_for(&running, true);
    fixture_do(*state, close_stream, &running);
    fixture_do(*state, no_errand, nullptr);
    assert_int_equal(unstarted.ends + running.ends, 0);
    http_stream_close(nullptr);
}

static void open_and_close(void *context) {
    open_stream(context);
    close_stream(context);
}

static void opening_and_closing_at_once_sends_nothing(void **state) {
    struct client_fixture *fixture = *state;
    struct watcher watcher = create_watcher(fixture, "/lines");
    fixture_do(fixture, open_and_close, &watcher);
    fixture_do(fixture, no_errand, nullptr);
    assert_int_equal(watcher.ends, 0);
    assert_int_equal(server_connections(fixture->server), 0);
}

static void freeing_the_client_ends_its_streams(void **state) {
    struct client_fixture *fixture = *state;
    struct watcher running = create_watcher(fixture, "/endless");
    fixture_do(fixture, open_stream, &running);
    wait_for(&running, true);
    fixture_halt(fixture);
    struct watcher unstarted =
        create_watcher(fixture, "/endless"); // the loop thread is whoever owns the halted loop
    open_stream(&unstarted);
    http_client_free(fixture->client);
    fixture->client = nullptr;
    assert_int_equal(running.ends, 1);
    assert_int_equal(running.error.class, ERROR_RETRYABLE);
    assert_int_equal(unstarted.ends, 1);
    close_stream(&running);
    close_stream(&unstarted);
}

static void a_stream_opened_before_the_loop_runs_starts_with_it(void **state) {
    struct client_fixture *fixture = *state;
    fixture_halt(fixture);
    struct watcher watcher = create_watcher(fixture, "/plain");
    open_stream(&watcher);
    fixture_run(fixture);
    wait_for(&watcher, false);
    assert_string_equal(watcher.data, "plain");
    fixture_do(fixture, close_stream, &watcher);
}

int main(void) {
    use_own_heap();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_stream_delivers_and_ends, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_trap_02_a_stream_has_a_connection_of_its_own, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_cut_stream_is_retryable, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stream_ends_at_its_timeout, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_error_status_delivers_its_body, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_refused_piece_ends_the_stream, set_up, tear_down),
        cmocka_unit_test_setup_teardown(closing_in_a_callback_is_the_last_of_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(closing_and_refusing_at_once_is_closing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stream_can_be_opened_in_a_callback, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stream_can_be_closed_at_any_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(opening_and_closing_at_once_sends_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(freeing_the_client_ends_its_streams, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stream_opened_before_the_loop_runs_starts_with_it, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
