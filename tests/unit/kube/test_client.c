#include "api_fixture.h"

#include "base/clock.h"

// What the server answers next, in turn; the last one before a zero stays.
struct answer {
    int status;
    const char *headers;
    const char *body;
};

struct script {
    struct api_fixture api;
    struct answer answers[4];
    int next;
    struct received last; // its body is owned
    char tokens[8][512];
    int calls;
    pthread_mutex_t gate; // held by a test that changes the script
};

static bool answer(void *context, struct connection *connection, const struct received *request) {
    struct script *script = context;
    pthread_mutex_lock(&script->gate);
    struct answer current = script->answers[script->next];
    script->next += script->answers[script->next + 1].status != 0 ? 1 : 0;
    free(script->last.body);
    script->last = *request;
    script->last.body = strdup(request->body);
    if (script->calls < 8) {
        (void)header_of(request, "Authorization", script->tokens[script->calls]);
    }
    script->calls++;
    pthread_mutex_unlock(&script->gate);
    if (current.status < 0) {
        server_hang(connection);
        return false;
    }
    server_reply(connection, current.status, current.headers, current.body);
    return true;
}

static int set_up(void **state) {
    static struct script script;
    script = (struct script){.gate = PTHREAD_MUTEX_INITIALIZER};
    api_start(&script.api, answer, &script);
    *state = &script;
    return 0;
}

static int tear_down(void **state) {
    struct script *script = *state;
    api_stop(&script->api);
    free(script->last.body);
    return 0;
}

static void play(struct script *script, const struct answer *answers) {
    pthread_mutex_lock(&script->gate);
    for (int i = 0; i == 0 || answers[i - 1].status != 0; i++) {
        script->answers[i] = answers[i];
    }
    script->next = 0;
    script->calls = 0;
    pthread_mutex_unlock(&script->gate);
    pthread_mutex_lock(&script->api.lock);
    script->api.observed = 0;
    pthread_mutex_unlock(&script->api.lock);
}

static const struct kube_request get = {
    .method = "GET", .path = "/api/v1/namespaces/x/secrets/y", .timeout_ms = 20000};

static void check_observed(struct script *script, int count, const int *codes) {
    pthread_mutex_lock(&script->api.lock);
    assert_int_equal(script->api.observed, count);
    assert_memory_equal(script->api.codes, codes, (size_t)count * sizeof(int));
    pthread_mutex_unlock(&script->api.lock);
}

static void an_object_is_read(void **state) {
    struct script *script = *state;
    struct error e;
    cleanup_json yyjson_doc *document = nullptr;
    play(script, (const struct answer[]){{200, "", "{\"kind\":\"Secret\"}"}, {0}});
    must(kube_client_call(script->api.client, &get, &document, &e), e);
    assert_string_equal(json_member_text(yyjson_doc_get_root(document), "kind"), "Secret");
    char value[512];
    assert_string_equal(script->last.method, "GET");
    assert_string_equal(script->last.path, get.path);
    assert_string_equal(header_of(&script->last, "Accept", value), "application/json");
    assert_string_equal(header_of(&script->last, "Authorization", value), "Bearer first-token");
    assert_non_null(strstr(header_of(&script->last, "User-Agent", value), "qubesec/"));
    assert_null(header_of(&script->last, "Content-Type", value));
    check_observed(script, 1, (int[]){200});
}

static void a_body_is_sent_as_what_it_is(void **state) {
    struct script *script = *state;
    struct error e;
    char value[512];
    play(script, (const struct answer[]){{201, "", "not read"}, {0}});
    struct kube_request request = {
        .method = "POST", .path = "/apis/a/v1/b?dryRun=All", .body = "{\"a\":1}", .body_length = 7};
    must(kube_client_call(script->api.client, &request, nullptr, &e), e);
    assert_string_equal(script->last.body, "{\"a\":1}");
    assert_string_equal(script->last.path, "/apis/a/v1/b?dryRun=All");
    assert_string_equal(header_of(&script->last, "Content-Type", value), "application/json");
    request.method = "PATCH";
    request.content_type = KUBE_MERGE_PATCH;
    request.accept = KUBE_METADATA_ONLY;
    must(kube_client_call(script->api.client, &request, nullptr, &e), e);
    assert_string_equal(script->last.method, "PATCH");
    assert_string_equal(header_of(&script->last, "Content-Type", value), "application/merge-patch+json");
    assert_string_equal(header_of(&script->last, "Accept", value), KUBE_METADATA_ONLY);
}

static void an_answer_that_is_no_json_is_an_io_error(void **state) {
    struct script *script = *state;
    struct error e;
    static const char *const bodies[] = {"", "<html>", "{\"a\":1}x", "{\"a\":1,\"a\":2}"};
    for (size_t i = 0; i < 4; i++) {
        yyjson_doc *document = nullptr;
        play(script, (const struct answer[]){{200, "", bodies[i]}, {0}});
        must_fail(kube_client_call(script->api.client, &get, &document, &e), e, ERROR_IO,
                  "GET /api/v1/namespaces/x/secrets/y");
        assert_null(document);
        assert_int_equal(script->calls, 1);
    }
}

struct refusal {
    int status;
    const char *reason;
    enum error_class class;
};

static void statuses_become_classes(void **state) {
    struct script *script = *state;
    static const struct refusal refusals[] = {
        {404, "NotFound", ERROR_NOT_FOUND},
        {403, "Forbidden", ERROR_FORBIDDEN},
        {409, "AlreadyExists", ERROR_CONFLICT},
        {409, "Conflict", ERROR_CONFLICT},
        {410, "Expired", ERROR_GONE},
        {410, "Gone", ERROR_GONE},
        {400, "BadRequest", ERROR_REFUSED},
        {422, "Invalid", ERROR_REFUSED},
        {401, "Unauthorized", ERROR_RETRYABLE},
        {408, "Timeout", ERROR_RETRYABLE},
        {429, "TooManyRequests", ERROR_RETRYABLE},
        {500, "InternalError", ERROR_RETRYABLE},
        {500, "Expired", ERROR_GONE},
        {504, "Expired", ERROR_GONE},
        {504, "Timeout", ERROR_RETRYABLE},
        {503, "ServiceUnavailable", ERROR_RETRYABLE},
        {415, "UnsupportedMediaType", ERROR_IO},
    };
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        char body[512];
        struct error e = {0};
        snprintf(body, sizeof(body),
                 "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Failure\",\"message\":\"said %s\","
                 "\"reason\":\"%s\",\"code\":%d}",
                 refusals[i].reason, refusals[i].reason, refusals[i].status);
        play(script, (const struct answer[]){{refusals[i].status, "", body}, {0}});
        must_fail(kube_client_call(script->api.client, &get, nullptr, &e), e, refusals[i].class,
                  refusals[i].reason);
        assert_non_null(strstr(e.message, "GET /api/v1/namespaces/x/secrets/y: said"));
        assert_int_equal(e.retry_after_ms, 0);
        assert_int_equal(script->calls, refusals[i].status == 401 ? 2 : 1);
    }
}

static void a_status_is_decoded_leniently(void **state) {
    (void)state;
    struct error e;
    static const char in_body[] =
        "{\"kind\":\"Status\",\"message\":\"busy\",\"details\":{\"retryAfterSeconds\":7}}";
    kube_status_error(429, 0, in_body, strlen(in_body), &e);
    assert_int_equal(e.retry_after_ms, 7000);
    kube_status_error(429, 2000, in_body, strlen(in_body), &e);
    assert_int_equal(e.retry_after_ms, 2000);
    static const char *const long_waits[] = {
        "{\"kind\":\"Status\",\"details\":{\"retryAfterSeconds\":4000000}}",
        "{\"kind\":\"Status\",\"details\":{\"retryAfterSeconds\":99999999999}}",
        "{\"kind\":\"Status\",\"details\":{\"retryAfterSeconds\":9223372036854775807}}"};
    for (size_t i = 0; i < sizeof(long_waits) / sizeof(long_waits[0]); i++) {
        kube_status_error(429, 0, long_waits[i], strlen(long_waits[i]), &e);
        assert_int_equal(e.retry_after_ms, HTTP_RETRY_AFTER_MAX_S * 1000);
    }
    static const char *const odd[] = {
        "",
        "upstream connect error",
        "{\"kind\":\"Status\"",
        "{\"kind\":\"Status\"}",
        "{\"kind\":\"Secret\",\"message\":\"key bytes\"}",
        "[]",
        "{\"kind\":\"Status\",\"message\":7,\"details\":{\"retryAfterSeconds\":\"x\"}}",
        "{\"kind\":\"Status\",\"details\":{\"retryAfterSeconds\":-1}}"};
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        e = (struct error){0};
        kube_status_error(503, 0, odd[i], strlen(odd[i]), &e);
        assert_int_equal(e.class, ERROR_RETRYABLE);
        assert_int_equal(e.retry_after_ms, 0);
        assert_non_null(strstr(e.message, "503"));
        assert_null(strstr(e.message, "key bytes"));
    }
}

static void an_ending_namespace_is_as_good_as_gone(void **) {
    struct error e;
    static const char body[] =
        "{\"kind\":\"Status\",\"message\":\"being "
        "terminated\",\"reason\":\"Forbidden\",\"details\":{\"causes\":"
        "[{},{\"reason\":\"NamespaceTerminating\",\"field\":\"metadata.namespace\"}]}}";
    kube_status_error(403, 0, body, strlen(body), &e);
    assert_int_equal(e.class, ERROR_NOT_FOUND);
    static const char other[] = "{\"kind\":\"Status\",\"details\":{\"causes\":[{\"reason\":\"Other\"},7]}}";
    kube_status_error(403, 0, other, strlen(other), &e);
    assert_int_equal(e.class, ERROR_FORBIDDEN);
}

static void a_busy_server_is_asked_again(void **state) {
    struct script *script = *state;
    struct error e;
    cleanup_json yyjson_doc *document = nullptr;
    play(script, (const struct answer[]){{429, "Retry-After: 1\r\n", "busy"}, {200, "", "{}"}, {0}});
    must(kube_client_call(script->api.client, &get, &document, &e), e);
    assert_int_equal(script->calls, 2);
    check_observed(script, 2, (int[]){429, 200});
}

static void a_longer_wait_than_the_timeout_is_left_to_the_caller(void **state) {
    struct script *script = *state;
    struct error e;
    play(script, (const struct answer[]){{503, "Retry-After: 60\r\n", "busy"}, {0}});
    must_fail(kube_client_call(script->api.client, &get, nullptr, &e), e, ERROR_RETRYABLE, "503");
    assert_int_equal(e.retry_after_ms, 60000);
    assert_int_equal(script->calls, 1);
}

static void a_version_that_the_server_does_not_know_is_not_waited_for(void **state) {
    struct script *script = *state;
    struct error e;
    static const char refusal[] =
        "{\"kind\":\"Status\",\"message\":\"Timeout: Too large resource version: 9, "
        "current: 5\",\"reason\":\"Timeout\",\"details\":{\"retryAfterSeconds\":1}}";
    play(script, (const struct answer[]){{504, "Retry-After: 1\r\n", refusal}, {0}});
    must_fail(kube_client_call(script->api.client, &get, nullptr, &e), e, ERROR_GONE, "Too large");
    assert_int_equal(script->calls, 1);
}

static void *interrupt_later(void *context) {
    struct script *script = context;
    int observed = 0;
    while (observed == 0) {
        usleep(1000);
        pthread_mutex_lock(&script->api.lock);
        observed = script->api.observed;
        pthread_mutex_unlock(&script->api.lock);
    }
    kube_client_interrupt(script->api.client);
    return nullptr;
}

static void an_interrupted_client_waits_no_more(void **state) {
    struct script *script = *state;
    struct error e;
    pthread_t thread;
    struct kube_request request = get;
    request.timeout_ms = 3600000;
    play(script, (const struct answer[]){{503, "Retry-After: 3000\r\n", "busy"}, {0}});
    pthread_create(&thread, nullptr, interrupt_later, script);
    bool done = kube_client_call(script->api.client, &request, nullptr, &e);
    pthread_mutex_lock(&script->api.lock);
    script->api.observed++; // for the thread, if the call came to nothing
    pthread_mutex_unlock(&script->api.lock);
    pthread_join(thread, nullptr);
    assert_true(!done && e.class == ERROR_RETRYABLE);
    assert_non_null(strstr(e.message, "503"));
    must_fail(kube_client_call(script->api.client, &request, nullptr, &e), e, ERROR_RETRYABLE, "503");
    assert_int_equal(script->calls, 2);
    play(script, (const struct answer[]){{200, "", "{}"}, {0}});
    must(kube_client_call(script->api.client, &request, nullptr, &e), e);
}

static void test_trap_21_a_refused_token_is_read_again_once(void **state) {
    struct script *script = *state;
    struct error e;
    write_file(script->api.token_file, "second-token");
    play(script, (const struct answer[]){{401, "", "Unauthorized"}, {200, "", "{}"}, {0}});
    must(kube_client_call(script->api.client, &get, nullptr, &e), e);
    assert_string_equal(script->tokens[0], "Bearer first-token");
    assert_string_equal(script->tokens[1], "Bearer second-token");
    check_observed(script, 2, (int[]){401, 200});
    play(script, (const struct answer[]){{401, "", "Unauthorized"}, {0}});
    must_fail(kube_client_call(script->api.client, &get, nullptr, &e), e, ERROR_RETRYABLE, "401");
    assert_int_equal(script->calls, 2);
}

// A fence that lets so many requests through.
static atomic_int may_write_times;
static atomic_bool asked_on_the_loop;

static bool may_write(void *context) {
    struct script *script = context;
    atomic_store(&asked_on_the_loop, loop_is_current(script->api.net.loop));
    return atomic_fetch_sub(&may_write_times, 1) > 0;
}

static const char *const writing_methods[] = {"POST", "PUT", "PATCH", "DELETE"};

static void test_trap_41_behind_the_fence_nothing_is_written(void **state) {
    struct script *script = *state;
    struct error e;
    play(script, (const struct answer[]){{200, "", "{}"}, {0}});
    kube_client_set_fence(script->api.client, may_write, script);
    for (size_t i = 0; i < 4; i++) {
        struct kube_request request = {
            .method = writing_methods[i], .path = "/x", .body = "{}", .body_length = 2};
        atomic_store(&may_write_times, 0);
        must_fail(kube_client_call(script->api.client, &request, nullptr, &e), e, ERROR_RETRYABLE,
                  "may not be sent any more");
        assert_true(atomic_load(&asked_on_the_loop));
        must(kube_client_call(script->api.client, &get, nullptr, &e), e); // reads are free
        assert_int_equal(script->calls, (int)(2 * i + 1));
        atomic_store(&may_write_times, 1);
        must(kube_client_call(script->api.client, &request, nullptr, &e), e);
        assert_string_equal(script->last.method, writing_methods[i]);
        assert_int_equal(script->calls, (int)(2 * i + 2));
    }
}

static void the_fence_is_asked_for_each_try(void **state) {
    struct script *script = *state;
    struct error e;
    struct kube_request request = {.method = "POST", .path = "/x", .body = "{}", .body_length = 2};
    kube_client_set_fence(script->api.client, may_write, script);
    play(script, (const struct answer[]){{429, "Retry-After: 1\r\n", "busy"}, {200, "", "{}"}, {0}});
    atomic_store(&may_write_times, 1);
    must_fail(kube_client_call(script->api.client, &request, nullptr, &e), e, ERROR_RETRYABLE,
              "may not be sent any more");
    assert_int_equal(script->calls, 1);
    play(script, (const struct answer[]){{401, "", "Unauthorized"}, {200, "", "{}"}, {0}});
    atomic_store(&may_write_times, 1);
    must_fail(kube_client_call(script->api.client, &request, nullptr, &e), e, ERROR_RETRYABLE,
              "may not be sent any more");
    assert_int_equal(script->calls, 1);
}

static void no_answer_is_observed_as_code_0(void **state) {
    struct script *script = *state;
    struct error e;
    struct kube_request request = get;
    request.timeout_ms = 50;
    play(script, (const struct answer[]){{-1, "", ""}, {0}});
    must_fail(kube_client_call(script->api.client, &request, nullptr, &e), e, ERROR_RETRYABLE, "GET /api/v1");
    check_observed(script, 1, (int[]){0});
}

// ---- streams

struct reader {
    struct script *script;
    struct http_stream *stream;
    char data[256];
    int status;
    bool over;
    pthread_mutex_t lock;
    pthread_cond_t changed;
};

static void on_status(void *context, int status, uint32_t retry_after_ms) {
    struct reader *reader = context;
    reader->status = status + (int)retry_after_ms;
}

static bool on_data(void *context, const char *bytes, size_t length) {
    struct reader *reader = context;
    size_t used = strlen(reader->data);
    snprintf(reader->data + used, sizeof(reader->data) - used, "%.*s", (int)length, bytes);
    return true;
}

static void on_end(void *context, const struct error *error) {
    struct reader *reader = context;
    assert_null(error);
    pthread_mutex_lock(&reader->lock);
    reader->over = true;
    pthread_cond_signal(&reader->changed);
    pthread_mutex_unlock(&reader->lock);
}

static void open_stream(void *context) {
    static const struct http_stream_events events = {
        .on_status = on_status, .on_data = on_data, .on_end = on_end};
    struct reader *reader = context;
    struct error e;
    must(kube_client_stream(reader->script->api.client, "/api/v1/secrets?watch=1", KUBE_METADATA_ONLY, 20000,
                            &events, reader, &reader->stream, &e),
         e);
}

static void close_stream(void *context) {
    struct reader *reader = context;
    http_stream_close(reader->stream);
    kube_client_stream_ended(reader->script->api.client, reader->status, 0);
}

static void a_stream_carries_our_credentials(void **state) {
    struct script *script = *state;
    char value[512];
    struct reader reader = {
        .script = script, .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    play(script, (const struct answer[]){{200, "", "{\"type\":\"ADDED\"}\n"}, {0}});
    fixture_do(&script->api.net, open_stream, &reader);
    pthread_mutex_lock(&reader.lock);
    while (!reader.over) {
        pthread_cond_wait(&reader.changed, &reader.lock);
    }
    pthread_mutex_unlock(&reader.lock);
    fixture_do(&script->api.net, close_stream, &reader);
    assert_string_equal(reader.data, "{\"type\":\"ADDED\"}\n");
    assert_string_equal(script->last.path, "/api/v1/secrets?watch=1");
    assert_string_equal(header_of(&script->last, "Accept", value), KUBE_METADATA_ONLY);
    assert_string_equal(header_of(&script->last, "Authorization", value), "Bearer first-token");
    check_observed(script, 1, (int[]){200});
}

static void test_trap_21_a_stream_that_is_refused_renews_the_token(void **state) {
    struct script *script = *state;
    struct error e;
    play(script, (const struct answer[]){{200, "", "{}"}, {0}});
    write_file(script->api.token_file, "second-token");
    kube_client_stream_ended(script->api.client, 403, clock_monotonic_ms());
    must(kube_client_call(script->api.client, &get, nullptr, &e), e);
    assert_string_equal(script->tokens[0], "Bearer first-token");
    kube_client_stream_ended(script->api.client, 401, 0); // it had started before the token was read
    must(kube_client_call(script->api.client, &get, nullptr, &e), e);
    assert_string_equal(script->tokens[1], "Bearer first-token");
    kube_client_stream_ended(script->api.client, 401, clock_monotonic_ms());
    must(kube_client_call(script->api.client, &get, nullptr, &e), e);
    assert_string_equal(script->tokens[2], "Bearer second-token");
    check_observed(script, 6, (int[]){403, 200, 401, 200, 401, 200});
}

int main(void) {
    use_own_heap();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_object_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_body_is_sent_as_what_it_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_answer_that_is_no_json_is_an_io_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(statuses_become_classes, set_up, tear_down),
        cmocka_unit_test(a_status_is_decoded_leniently),
        cmocka_unit_test(an_ending_namespace_is_as_good_as_gone),
        cmocka_unit_test_setup_teardown(a_busy_server_is_asked_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_version_that_the_server_does_not_know_is_not_waited_for, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_longer_wait_than_the_timeout_is_left_to_the_caller, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_interrupted_client_waits_no_more, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_trap_21_a_refused_token_is_read_again_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_trap_41_behind_the_fence_nothing_is_written, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_fence_is_asked_for_each_try, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_answer_is_observed_as_code_0, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stream_carries_our_credentials, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_trap_21_a_stream_that_is_refused_renews_the_token, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
