#include "../base/pem_shapes.h"
#include "client_fixture.h"

#include "net/http_stream.h"

#include <time.h>

enum { THREADS = 6, CALLS = 20, SHAPED_MAX = 64 * 1024, ASKED_SIZE = 256 };

// What the server does is named by the path.
static bool answer(void *context, struct connection *connection, const struct received *request) {
    (void)context;
    char line[4096];
    const char *path = request->path;
    if (strcmp(path, "/echo") == 0) {
        char type[512] = "";
        (void)header_of(request, "X-Test", type);
        snprintf(line, sizeof(line), "%s [%s] [%s] %s", request->method, type, request->client,
                 request->body);
        server_reply(connection, 200, "", line);
    } else if (strcmp(path, "/pieces") == 0) {
        static const char whole[] =
            "HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcde";
        for (size_t i = 0; i < sizeof(whole) - 1; i++) {
            server_send_bytes(connection, whole + i, 1);
        }
    } else if (strcmp(path, "/chunks") == 0) {
        server_send(connection, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
        server_send(connection, "2;x=y\r\nd");
        server_send(connection, "e\r\n0\r\nTrailer: yes\r\n\r\n");
    } else if (strcmp(path, "/until-close") == 0) {
        server_send(connection, "HTTP/1.1 200 OK\r\n\r\nabcde");
        return false;
    } else if (strcmp(path, "/silent-close") == 0) {
        server_reply(connection, 200, "", "abcde");
        return false;
    } else if (strcmp(path, "/hang") == 0) {
        server_hang(connection);
    } else if (strcmp(path, "/half") == 0) {
        server_send(connection, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabcde");
        return false;
    } else if (strcmp(path, "/nothing") == 0) {
        return false;
    } else if (strcmp(path, "/nonsense") == 0) {
        server_send(connection, "220 mail.example ESMTP\r\n\r\n");
        return false;
    } else if (strncmp(path, "/retry-after/", 13) == 0) {
        snprintf(line, sizeof(line), "Retry-After: %s\r\n", path + 13);
        for (char *at = line + 13; *at != '\0'; at++) {
            *at = *at == '_' ? ' ' : *at;
        }
        server_reply(connection, 429, line, "slow down");
    } else if (strncmp(path, "/size/", 6) == 0) {
        size_t size = strtoul(path + 6, nullptr, 10);
        char *body = calloc(1, size + 1);
        memset(body, 'x', size);
        server_reply(connection, 200, "", body);
        free(body);
    } else {
        server_reply(connection, 404, "", "no such path");
    }
    return true;
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

static bool call(struct client_fixture *fixture, const char *path, struct http_response *response,
                 struct error *e) {
    struct http_request request = fixture_request(fixture, "GET");
    char url[256];
    snprintf(url, sizeof(url), "https://127.0.0.1:%d%s", fixture->server->port, path);
    request.url = url;
    return http_client_call(fixture->client, &request, response, e);
}

static void check_body(struct client_fixture *fixture, const char *path, int status, const char *body) {
    cleanup_response struct http_response response = {0};
    struct error e = {0};
    if (!call(fixture, path, &response, &e)) {
        fail_msg("%s: %s", path, e.message);
    }
    assert_int_equal(response.status, status);
    assert_string_equal(buffer_text(&response.body), body);
}

static void check_failure(struct client_fixture *fixture, const char *path, enum error_class class) {
    struct http_response response = {.status = 77};
    struct error e = {0};
    assert_false(call(fixture, path, &response, &e));
    assert_string_equal(error_class_name(e.class), error_class_name(class));
    assert_true(e.message[0] != '\0');
    assert_int_equal(response.status, 77);
}

static void one_connection_serves_many_calls(void **state) {
    struct client_fixture *fixture = *state;
    for (int i = 0; i < 5; i++) {
        check_body(fixture, "/echo", 200, "GET [] [] ");
    }
    check_body(fixture, "/elsewhere", 404, "no such path");
    assert_int_equal(server_connections(fixture->server), 1);
    assert_int_equal(atomic_load(&fixture->handshakes), 1);
    assert_int_equal(atomic_load(&fixture->hybrid_groups), 1);
}

static void every_method_carries_a_body(void **state) {
    struct client_fixture *fixture = *state;
    static const char *const methods[] = {"POST", "PUT", "PATCH", "DELETE"};
    static const char *const headers[] = {"X-Test: yes", "Content-Type: application/json", nullptr};
    for (size_t i = 0; i < 4; i++) {
        struct http_request request = fixture_request(fixture, methods[i]);
        char url[256];
        char expected[64];
        snprintf(url, sizeof(url), "https://127.0.0.1:%d/echo", fixture->server->port);
        request.url = url;
        request.headers = headers;
        request.body = "{\"a\":1} and this is not sent";
        request.body_length = 7;
        cleanup_response struct http_response response = {0};
        struct error e;
        assert_true(http_client_call(fixture->client, &request, &response, &e));
        snprintf(expected, sizeof(expected), "%s [yes] [] {\"a\":1}", methods[i]);
        assert_string_equal(buffer_text(&response.body), expected);
    }
    struct http_request request = fixture_request(fixture, "HEAD");
    struct http_response response;
    struct error e;
    assert_false(http_client_call(fixture->client, &request, &response, &e));
    assert_int_equal(e.class, ERROR_INTERNAL);
}

// Over 1 MiB libcurl would wait for "100 Continue", which this server never says.
static void a_large_body_arrives_whole(void **state) {
    struct client_fixture *fixture = *state;
    enum { SIZE = 1500 * 1000 };
    struct http_request request = fixture_request(fixture, "POST");
    char url[256];
    snprintf(url, sizeof(url), "https://127.0.0.1:%d/echo", fixture->server->port);
    request.url = url;
    char *body = malloc(SIZE + 1);
    memset(body, 'b', SIZE);
    body[SIZE] = '\0';
    static const char *const headers[] = {"Content-Type: text/plain", nullptr};
    request.headers = headers;
    request.body = body;
    request.body_length = SIZE;
    cleanup_response struct http_response response = {0};
    struct error e;
    assert_true(http_client_call(fixture->client, &request, &response, &e));
    assert_int_equal(response.body.length, 4095); // what the server's line holds
    free(body);
}

static void bodies_in_pieces_are_put_together(void **state) {
    struct client_fixture *fixture = *state;
    check_body(fixture, "/pieces", 200, "abcde");
    check_body(fixture, "/chunks", 200, "abcde");
    check_body(fixture, "/until-close", 200, "abcde");
    check_body(fixture, "/pieces", 200, "abcde");
}

static void a_dead_pooled_connection_is_replaced(void **state) {
    struct client_fixture *fixture = *state;
    for (int i = 0; i < 5; i++) {
        check_body(fixture, "/silent-close", 200, "abcde");
    }
    assert_true(server_connections(fixture->server) >= 2);
}

static void a_response_over_its_cap_is_an_error(void **state) {
    struct client_fixture *fixture = *state;
    cleanup_response struct http_response response = {0};
    struct error e;
    assert_true(call(fixture, "/size/1048576", &response, &e));
    assert_int_equal(response.body.length, 1048576);
    check_failure(fixture, "/size/1048577", ERROR_IO);
    check_failure(fixture, "/size/9000000", ERROR_IO);
    check_body(fixture, "/echo", 200, "GET [] [] ");
}

static void no_answer_is_retryable(void **state) {
    struct client_fixture *fixture = *state;
    struct http_request request = fixture_request(fixture, "GET");
    char url[256];
    snprintf(url, sizeof(url), "https://127.0.0.1:%d/hang", fixture->server->port);
    request.url = url;
    request.timeout_ms = 50;
    struct http_response response = {.status = 77};
    struct error e;
    assert_false(http_client_call(fixture->client, &request, &response, &e));
    assert_int_equal(e.class, ERROR_RETRYABLE);
    assert_int_equal(response.status, 77);
    request.timeout_ms = 0;
    assert_false(http_client_call(fixture->client, &request, &response, &e));
    assert_int_equal(e.class, ERROR_INTERNAL);
    check_failure(fixture, "/half", ERROR_RETRYABLE);
    check_failure(fixture, "/nothing", ERROR_RETRYABLE);
    check_failure(fixture, "/nonsense", ERROR_IO);
}

static void a_closed_port_is_retryable(void **state) {
    struct client_fixture *fixture = *state;
    int fd =
        socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); // bound but not listening: nobody else gets the port
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, length), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    struct http_request request = fixture_request(fixture, "GET");
    char url[256];
    snprintf(url, sizeof(url), "https://127.0.0.1:%d/", ntohs(address.sin_port));
    request.url = url;
    struct http_response response;
    struct error e;
    assert_false(http_client_call(fixture->client, &request, &response, &e));
    assert_int_equal(e.class, ERROR_RETRYABLE);
    assert_non_null(strstr(e.message, "127.0.0.1"));
    close(fd);
}

// Each is tried once a connection that would do is in the pool.
static void an_untrusted_server_is_refused(void **state) {
    struct client_fixture *fixture = *state;
    struct error e;
    struct http_response response;
    check_body(fixture, "/echo", 200, "GET [] [] ");
    struct identity other = make_identity("other CA", nullptr);
    struct http_request request = fixture_request(fixture, "GET");
    assert_true(http_tls_create(other.certificate_pem, nullptr, nullptr, &request.tls, &e));
    assert_false(http_client_call(fixture->client, &request, &response, &e));
    assert_int_equal(e.class, ERROR_IO);
    http_tls_release(request.tls);
    request.tls = nullptr;
    assert_false(http_client_call(fixture->client, &request, &response, &e));
    assert_int_equal(e.class, ERROR_IO);
    request.tls = fixture->tls;
    char url[256];
    snprintf(url, sizeof(url), "https://localhost:%d/echo", fixture->server->port);
    request.url = url;
    assert_false(http_client_call(fixture->client, &request, &response, &e));
    assert_int_equal(e.class, ERROR_IO);
    free_identity(&other);
    assert_int_equal(atomic_load(&fixture->server->requests), 1);
}

static void check_client(struct client_fixture *fixture, const struct identity *identity,
                         const char *expected) {
    struct error e;
    struct http_tls *const usual = fixture->tls;
    assert_true(http_tls_create(fixture->server->ca.certificate_pem, identity->certificate_pem,
                                identity->key_pem, &fixture->tls, &e));
    check_body(fixture, "/echo", 200, expected);
    http_tls_release(fixture->tls);
    fixture->tls = usual;
}

static void test_trap_22_connections_are_not_shared_between_identities(void **state) {
    struct client_fixture *fixture = *state;
    struct identity alice = make_identity("alice", &fixture->server->ca);
    struct identity bob = make_identity("bob", &fixture->server->ca);
    check_body(fixture, "/echo", 200, "GET [] [] ");
    check_client(fixture, &alice, "GET [] [alice] ");
    check_client(fixture, &bob, "GET [] [bob] ");
    check_client(fixture, &alice, "GET [] [alice] ");
    check_body(fixture, "/echo", 200, "GET [] [] ");
    assert_int_equal(server_connections(fixture->server), 3);
    free_identity(&alice);
    free_identity(&bob);
}

// CA, certificate and key, of which the first two are chains.
static void pem_is_read_as_people_have_it(void **state) {
    struct client_fixture *fixture = *state;
    struct http_tls *const usual = fixture->tls;
    struct identity alice = make_identity("alice", &fixture->server->ca);
    struct identity other = make_identity("other CA", nullptr);
    for (size_t i = 0; i < PEM_SHAPE_COUNT; i++) {
        struct error e;
        cleanup_buffer struct buffer ca = buffer_create(SHAPED_MAX);
        cleanup_buffer struct buffer certificate = buffer_create(SHAPED_MAX);
        cleanup_buffer struct buffer key = buffer_create(SHAPED_MAX);
        pem_shape(i, other.certificate_pem, &ca);
        pem_shape(i, fixture->server->ca.certificate_pem, &ca);
        pem_shape(i, alice.certificate_pem, &certificate);
        pem_shape(i, fixture->server->ca.certificate_pem, &certificate);
        pem_shape(i, alice.key_pem, &key);
        if (!http_tls_create(buffer_text(&ca), buffer_text(&certificate), buffer_text(&key), &fixture->tls,
                             &e)) {
            fail_msg("%s: %s", pem_shapes[i], e.message);
        }
        check_body(fixture, "/echo", 200, "GET [] [alice] ");
        http_tls_release(fixture->tls);
        fixture->tls = usual;
    }
    free_identity(&alice);
    free_identity(&other);
}

static int keep_name(SSL *ssl, int *, void *asked) {
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    snprintf(asked, ASKED_SIZE, "%s", name == nullptr ? "" : name);
    return SSL_TLSEXT_ERR_OK;
}

// The URL's host is "localhost", and the certificate of 127.0.0.1.
static bool call_by_name(struct client_fixture *fixture, const char *name, struct error *e) {
    cleanup_response struct http_response response = {0};
    struct http_request request = fixture_request(fixture, "GET");
    char url[256];
    snprintf(url, sizeof(url), "https://localhost:%d/echo", fixture->server->port);
    request.url = url;
    assert_true(http_tls_create(fixture->server->ca.certificate_pem, nullptr, nullptr, &request.tls, e));
    assert_true(http_tls_set_server_name(request.tls, name, e));
    bool answered = http_client_call(fixture->client, &request, &response, e);
    http_tls_release(request.tls);
    return answered;
}

static void a_server_is_known_by_the_name_that_was_given(void **state) {
    struct client_fixture *fixture = *state;
    struct error e = {0};
    char asked[ASKED_SIZE] = "?";
    SSL_CTX_set_tlsext_servername_callback(fixture->server->tls, keep_name);
    SSL_CTX_set_tlsext_servername_arg(fixture->server->tls, asked);
    assert_false(call_by_name(fixture, "other.example", &e));
    assert_int_equal(e.class, ERROR_IO);
    assert_string_equal(asked, "other.example");
    assert_false(call_by_name(fixture, "127.0.0.2", &e));
    assert_int_equal(e.class, ERROR_IO);
    if (!call_by_name(fixture, "127.0.0.1", &e)) {
        fail_msg("%s", e.message);
    }
}

// So is an https proxy of the environment, which has it seldom.
static void a_proxy_that_has_not_that_name_is_told(void **state) {
    struct client_fixture *fixture = *state;
    cleanup_response struct http_response response = {0};
    struct http_request request = fixture_request(fixture, "GET");
    struct error e = {0};
    char proxy[64];
    snprintf(proxy, sizeof(proxy), "https://127.0.0.1:%d", fixture->server->port);
    assert_int_equal(setenv("HTTPS_PROXY", proxy, 1), 0);
    request.url = "https://cluster.example/echo";
    for (int i = 0; i < 2; i++) {
        assert_true(http_tls_create(i == 0 ? fixture->server->ca.certificate_pem : nullptr, nullptr, nullptr,
                                    &request.tls, &e));
        if (i == 0) {
            assert_true(http_tls_set_server_name(request.tls, "other.example", &e));
        }
        assert_false(http_client_call(fixture->client, &request, &response, &e));
        assert_int_equal(e.class, ERROR_IO);
        bool is_explained = strstr(e.message, ": with tls-server-name the proxy must be http://") != nullptr;
        assert_int_equal(is_explained, i == 0);
        http_tls_release(request.tls);
    }
    assert_int_equal(unsetenv("HTTPS_PROXY"), 0);
}

static uint32_t retry_after(struct client_fixture *fixture, const char *value) {
    char path[128];
    struct error e;
    cleanup_response struct http_response response = {0};
    snprintf(path, sizeof(path), "/retry-after/%s", value);
    assert_true(call(fixture, path, &response, &e));
    assert_int_equal(response.status, 429);
    return response.retry_after_ms;
}

static void retry_after_is_read(void **state) {
    struct client_fixture *fixture = *state;
    assert_int_equal(retry_after(fixture, "7"), 7000);
    assert_int_equal(retry_after(fixture, "0"), 0);
    assert_int_equal(retry_after(fixture, "soon"), 0);
    assert_int_equal(retry_after(fixture, "99999"), 3600000);
    char date[64];
    time_t later = time(nullptr) + 100;
    struct tm parts;
    strftime(date, sizeof(date), "%a,_%d_%b_%Y_%H:%M:%S_GMT", gmtime_r(&later, &parts));
    assert_in_range(retry_after(fixture, date), 1000, 100000);
}

static void *call_often(void *context) {
    struct client_fixture *fixture = context;
    for (int i = 0; i < CALLS; i++) {
        check_body(fixture, i % 2 == 0 ? "/pieces" : "/chunks", 200, "abcde");
    }
    return nullptr;
}

static void many_threads_call_at_once(void **state) {
    struct client_fixture *fixture = *state;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        pthread_create(&threads[i], nullptr, call_often, fixture);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], nullptr);
    }
    assert_int_equal(atomic_load(&fixture->server->requests), THREADS * CALLS);
    assert_true(server_connections(fixture->server) <= THREADS);
}

static void *call_in_vain(void *context) {
    check_failure(context, "/hang", ERROR_RETRYABLE);
    return nullptr;
}

static const void *newest_call(struct http_client *client) {
    pthread_mutex_lock(&client->lock);
    const void *newest = client->calls;
    pthread_mutex_unlock(&client->lock);
    return newest;
}

static void freeing_the_client_ends_what_is_in_flight(void **state) {
    struct client_fixture *fixture = *state;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS - 1; i++) {
        pthread_create(&threads[i], nullptr, call_in_vain, fixture);
    }
    while (atomic_load(&fixture->server->requests) < THREADS - 1) {
        usleep(1000);
    }
    fixture_halt(fixture);
    // One more is posted to a loop that does not run any more.
    const void *newest = newest_call(fixture->client);
    pthread_create(&threads[THREADS - 1], nullptr, call_in_vain, fixture);
    while (newest_call(fixture->client) == newest) {
        usleep(1000);
    }
    http_client_free(fixture->client);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], nullptr);
    }
    // What was posted is gone with it: the loop may run on.
    struct error e;
    assert_true(http_client_create(fixture->loop, nullptr, nullptr, &fixture->client, &e));
    fixture_run(fixture);
    check_body(fixture, "/echo", 200, "GET [] [] ");
}

static void a_call_does_not_hang_where_the_loop_does(void **state) {
    struct client_fixture *fixture = *state;
    fixture_halt(fixture);
    struct http_request request = fixture_request(fixture, "GET");
    request.timeout_ms = 1;
    struct http_response response;
    struct error e;
    assert_false(http_client_call(fixture->client, &request, &response, &e));
    assert_int_equal(e.class, ERROR_RETRYABLE);
    fixture_run(fixture); // the call that was given up is still posted, and freed by whoever comes by
    check_body(fixture, "/echo", 200, "GET [] [] ");
    http_client_free(nullptr);
}

static void call_on_the_loop(void *context) {
    check_failure(context, "/echo", ERROR_INTERNAL);
}

static void the_loop_thread_cannot_wait_for_itself(void **state) {
    struct client_fixture *fixture = *state;
    fixture_do(fixture, call_on_the_loop, fixture);
    check_body(fixture, "/echo", 200, "GET [] [] ");
}

int main(void) {
    use_own_heap();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_connection_serves_many_calls, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_method_carries_a_body, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_large_body_arrives_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bodies_in_pieces_are_put_together, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_dead_pooled_connection_is_replaced, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_response_over_its_cap_is_an_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_answer_is_retryable, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_closed_port_is_retryable, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_untrusted_server_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pem_is_read_as_people_have_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_server_is_known_by_the_name_that_was_given, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_proxy_that_has_not_that_name_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_trap_22_connections_are_not_shared_between_identities, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(retry_after_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_threads_call_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(freeing_the_client_ends_what_is_in_flight, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_call_does_not_hang_where_the_loop_does, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_loop_thread_cannot_wait_for_itself, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
