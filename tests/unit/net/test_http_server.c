#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct fixture {
    struct loop *loop;
    struct http_server *server;
    pthread_t thread;
    char paths[256]; // seen by the handler
    struct error e;
};

static int handle(void *context, const char *path, struct buffer *body) {
    struct fixture *fixture = context;
    size_t used = strlen(fixture->paths);
    snprintf(fixture->paths + used, sizeof(fixture->paths) - used, "%s ", path);
    if (strcmp(path, "/missing") == 0) {
        return 404;
    }
    return buffer_append_text(body, "ok\n", &fixture->e) ? 200 : 500;
}

static void *run(void *context) {
    loop_run(context);
    return nullptr;
}

static int set_up(void **state) {
    static struct fixture fixture;
    fixture = (struct fixture){0};
    assert_true(loop_create(&fixture.loop, &fixture.e));
    if (!http_server_create(fixture.loop, "127.0.0.1:0", handle, &fixture, &fixture.server, &fixture.e)) {
        fail_msg("%s", fixture.e.message);
    }
    pthread_create(&fixture.thread, nullptr, run, fixture.loop);
    *state = &fixture;
    return 0;
}

static void halt(struct fixture *fixture) {
    loop_stop(fixture->loop);
    pthread_join(fixture->thread, nullptr);
    http_server_free(fixture->server);
    loop_free(fixture->loop);
    fixture->loop = nullptr;
}

static int tear_down(void **state) {
    struct fixture *fixture = *state;
    if (fixture->loop != nullptr) {
        halt(fixture);
    }
    return 0;
}

// Sends text and reads until the server closes; the answer is static.
static const char *exchange(const struct fixture *fixture, const char *text) {
    static char answer[65536];
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(http_server_port(fixture->server)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    (void)send(fd, text, strlen(text), MSG_NOSIGNAL);
    size_t length = 0;
    ssize_t more;
    while ((more = recv(fd, answer + length, sizeof(answer) - 1 - length, 0)) > 0) {
        length += (size_t)more;
    }
    answer[length] = '\0';
    close(fd);
    return answer;
}

static void get_and_head_are_answered(void **state) {
    const struct fixture *fixture = *state;
    const char *answer =
        exchange(fixture, "GET /healthz?verbose HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert_non_null(strstr(answer, "HTTP/1.1 200 OK\r\n"));
    assert_non_null(strstr(answer, "Content-Length: 3\r\n"));
    assert_non_null(strstr(answer, "Content-Type: text/plain; charset=utf-8\r\n"));
    assert_non_null(strstr(answer, "\r\n\r\nok\n"));
    answer = exchange(fixture, "HEAD /a%20b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert_non_null(strstr(answer, "HTTP/1.1 200 OK\r\n"));
    assert_non_null(strstr(answer, "Content-Length: 3\r\n"));
    assert_string_equal(strstr(answer, "\r\n\r\n"), "\r\n\r\n");
    answer = exchange(fixture, "GET /missing HTTP/1.0\r\n\r\n");
    assert_non_null(strstr(answer, " 404 "));
    assert_string_equal(fixture->paths, "/healthz /a b /missing ");
}

static void one_connection_carries_many_requests(void **state) {
    const struct fixture *fixture = *state;
    const char *answer = exchange(fixture, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
                                           "HEAD /b HTTP/1.1\r\nHost: x\r\n\r\n"
                                           "GET /c HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert_string_equal(fixture->paths, "/a /b /c ");
    assert_non_null(strstr(answer, "ok\nHTTP/1.1 200"));
}

static void all_else_is_refused(void **state) {
    const struct fixture *fixture = *state;
    static const char *const methods[] = {"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"};
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        char request[256];
        snprintf(request, sizeof(request),
                 "%s /x HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", methods[i]);
        assert_non_null(strstr(exchange(fixture, request), "HTTP/1.1 501 "));
    }
    assert_null(
        strstr(exchange(fixture, "GET /%00/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), "200 OK"));
    assert_null(strstr(exchange(fixture, "nonsense\r\n\r\n"), "200 OK"));
    assert_string_equal(fixture->paths, "");
}

static void large_requests_are_refused(void **state) {
    const struct fixture *fixture = *state;
    enum { SIZE = 20000, ROOM = SIZE + 256 };
    char *filler = malloc(SIZE + 1);
    char *request = malloc(ROOM);
    memset(filler, 'x', SIZE);
    filler[SIZE] = '\0';
    snprintf(request, ROOM, "GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Large: %s\r\n\r\n", filler);
    assert_null(strstr(exchange(fixture, request), "200 OK"));
    snprintf(request, ROOM, "GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s",
             SIZE, filler);
    assert_null(strstr(exchange(fixture, request), "200 OK"));
    free(filler);
    free(request);
    assert_string_equal(fixture->paths, "");
}

static void try_address(const char *address, enum error_class class) {
    struct loop *loop;
    struct http_server *server = nullptr;
    struct error e = {0};
    assert_true(loop_create(&loop, &e));
    bool made = http_server_create(loop, address, handle, nullptr, &server, &e);
    if (made != (class == ERROR_NONE) || (!made && e.class != class)) {
        fail_msg("%s: %s", address, made ? "was accepted" : e.message);
    }
    assert_true(!made || http_server_port(server) != 0);
    http_server_free(server);
    loop_free(loop);
}

static void addresses_are_understood(void **state) {
    static const char *const good[] = {":0", "127.0.0.1:0", "localhost:0", "0.0.0.0:0"};
    static const char *const bad[] = {"",       "127.0.0.1", "127.0.0.1:",    ":65536", ":-1",
                                      ":80x",   "::1:0",     "[]:0",          "[::1:0", "[::1]",
                                      "::1]:0", ":000001",   "no such host:0"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        try_address(good[i], ERROR_NONE);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        try_address(bad[i], ERROR_INVALID_SPEC);
    }
    const struct fixture *fixture = *state;
    char taken[64];
    snprintf(taken, sizeof(taken), "127.0.0.1:%d", http_server_port(fixture->server));
    try_address(taken, ERROR_IO);
    try_address("192.0.2.1:0", ERROR_IO); // TEST-NET-1: no interface has it
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    struct sockaddr_in6 loopback = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    if (fd >= 0 && bind(fd, (struct sockaddr *)&loopback, sizeof(loopback)) == 0) {
        try_address("[::1]:0", ERROR_NONE);
    }
    close(fd);
}

static void an_open_connection_does_not_keep_the_server(void **state) {
    struct fixture *fixture = *state;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(http_server_port(fixture->server)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(send(fd, "GET /slow", 9, MSG_NOSIGNAL), 9);
    (void)exchange(fixture, "GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    halt(fixture);
    char byte;
    assert_true(recv(fd, &byte, 1, 0) <= 0);
    close(fd);
    http_server_free(nullptr);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(get_and_head_are_answered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_connection_carries_many_requests, set_up, tear_down),
        cmocka_unit_test_setup_teardown(all_else_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(large_requests_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(addresses_are_understood, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_open_connection_does_not_keep_the_server, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
