#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PART = 64 * 1024, MANY_PARTS = 600, AHEAD_MAX = 24 * 1024 * 1024 }; // what sockets hold, and more

struct fixture {
    struct loop *loop;
    int parts;        // of a long answer
    int failing_part; // 0: none
    atomic_int made;
    atomic_int freed;
    atomic_size_t read; // of it, by the client
    struct http_server *server;
    pthread_t thread;
    char paths[256]; // seen by the handler
    struct error e;
};

// No part is made long before the client takes it.
static bool write_part(void *context, struct buffer *part, struct error *e) {
    struct fixture *fixture = context;
    char *room;
    int number = atomic_load(&fixture->made) + 1;
    assert_true((size_t)number * PART <= atomic_load(&fixture->read) + AHEAD_MAX);
    if (number == fixture->failing_part) {
        return error_no_memory(e, "a part");
    }
    if (number <= fixture->parts) {
        assert_true(buffer_reserve(part, PART, &room, e));
        memset(room, 'a' + number % 26, PART);
        buffer_advance(part, PART);
        atomic_store(&fixture->made, number);
    }
    return true;
}

static void free_parts(void *context) {
    atomic_fetch_add(&((struct fixture *)context)->freed, 1);
}

static int handle(void *context, const char *path, struct buffer *body, struct http_tail *ret_tail) {
    struct fixture *fixture = context;
    if (strncmp(path, "/parts", 6) == 0) {
        *ret_tail = (struct http_tail){write_part, free_parts, fixture};
        return strcmp(path, "/parts/only") == 0 || buffer_append_text(body, "ok\n", &fixture->e) ? 200 : 500;
    }
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

static void start(struct fixture *fixture, const struct http_server_limits *limits) {
    assert_true(loop_create(&fixture->loop, &fixture->e));
    if (!http_server_create(fixture->loop, "127.0.0.1:0", limits, handle, fixture, &fixture->server,
                            &fixture->e)) {
        fail_msg("%s", fixture->e.message);
    }
    pthread_create(&fixture->thread, nullptr, run, fixture->loop);
}

static int set_up(void **state) {
    static struct fixture fixture;
    fixture = (struct fixture){0};
    start(&fixture, &http_server_plain_limits);
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

// A connection that has sent text.
static int open_with(const struct fixture *fixture, const char *text) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(http_server_port(fixture->server)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    (void)send(fd, text, strlen(text), MSG_NOSIGNAL);
    return fd;
}

static bool is_cut(int fd) {
    char byte;
    return recv(fd, &byte, 1, 0) <= 0;
}

// Sends text and reads until the server closes; the answer is static.
static const char *exchange(const struct fixture *fixture, const char *text) {
    static char answer[65536];
    int fd = open_with(fixture, text);
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
    bool made = http_server_create(loop, address, &http_server_plain_limits, handle, nullptr, &server, &e);
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
    int fd = open_with(fixture, "GET /slow");
    (void)exchange(fixture, "GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    halt(fixture);
    assert_true(is_cut(fd));
    close(fd);
    http_server_free(nullptr);
}

// ---- answers in parts

static void wait_until_freed(struct fixture *fixture) {
    while (atomic_load(&fixture->freed) == 0) {
        usleep(1000);
    }
    assert_int_equal(atomic_load(&fixture->freed), 1);
}

// Reads until the server closes; how many bytes, and what the last ones are.
static size_t read_all(struct fixture *fixture, int fd, char ret_last[16]) {
    static char bytes[PART];
    size_t length = 0;
    ssize_t got;
    ret_last[0] = '\0';
    while ((got = recv(fd, bytes, sizeof(bytes), 0)) > 0) {
        size_t more = (size_t)got;
        size_t kept = more < 15 ? more : 15;
        memcpy(ret_last, bytes + more - kept, kept);
        ret_last[kept] = '\0';
        length += more;
        atomic_store(&fixture->read, length);
    }
    return length;
}

static bool ends_whole(const char *last) {
    size_t length = strlen(last);
    return length >= 5 && strcmp(last + length - 5, "0\r\n\r\n") == 0;
}

static void a_long_answer_comes_in_parts(void **state) {
    struct fixture *fixture = *state;
    char last[16];
    fixture->parts = MANY_PARTS;
    int fd = open_with(fixture, "GET /parts HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    size_t length = read_all(fixture, fd, last);
    assert_in_range(length, (size_t)MANY_PARTS * PART, (size_t)MANY_PARTS * PART + 20000);
    assert_true(ends_whole(last));
    close(fd);
    wait_until_freed(fixture);
}

static void an_answer_in_parts_is_well_formed(void **state) {
    struct fixture *fixture = *state;
    fixture->parts = 0;
    const char *answer = exchange(fixture, "GET /parts HTTP/1.1\r\nHost: x\r\n\r\n"
                                           "GET /parts/only HTTP/1.1\r\nHost: x\r\n\r\n"
                                           "HEAD /parts HTTP/1.1\r\nHost: x\r\n\r\n"
                                           "GET /b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert_non_null(strstr(answer, "Transfer-Encoding: chunked\r\n"));
    assert_non_null(strstr(answer, "Content-Type: text/plain; charset=utf-8\r\n"));
    const char *second = strstr(answer, "\r\n\r\n3\r\nok\n\r\n0\r\n\r\nHTTP/1.1 200");
    assert_non_null(second);
    const char *third = strstr(second, "\r\n\r\n0\r\n\r\nHTTP/1.1 200");
    assert_non_null(third);
    assert_null(strstr(second, "Content-Length: 0"));
    assert_non_null(strstr(third, "ok\n"));
    assert_string_equal(fixture->paths, "/b ");
    assert_int_equal(atomic_load(&fixture->freed), 3);
}

// Its end is that of the connection, whatever was asked for.
static void an_old_client_gets_no_chunks(void **state) {
    struct fixture *fixture = *state;
    fixture->parts = 0;
    const char *answer = exchange(fixture, "GET /parts HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_null(strstr(answer, "chunked"));
    assert_non_null(strstr(answer, "\r\n\r\nok\n"));
    wait_until_freed(fixture);
}

static void who_goes_in_the_midst_is_forgotten(void **state) {
    struct fixture *fixture = *state;
    char byte;
    fixture->parts = MANY_PARTS;
    int fd = open_with(fixture, "GET /parts HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(recv(fd, &byte, 1, 0), 1);
    close(fd);
    wait_until_freed(fixture);
    assert_non_null(strstr(exchange(fixture, "GET /b HTTP/1.0\r\n\r\n"), " 200 "));
}

static void an_answer_in_parts_does_not_keep_the_server(void **state) {
    struct fixture *fixture = *state;
    char byte;
    fixture->parts = MANY_PARTS;
    int fd = open_with(fixture, "GET /parts HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(recv(fd, &byte, 1, 0), 1);
    halt(fixture);
    assert_int_equal(atomic_load(&fixture->freed), 1);
    close(fd);
}

static void a_part_that_fails_is_seen_to_be_missing(void **state) {
    struct fixture *fixture = *state;
    char last[16];
    fixture->parts = MANY_PARTS;
    for (int i = 0; i < 2; i++) {
        atomic_store(&fixture->made, 0);
        atomic_store(&fixture->freed, 0);
        fixture->failing_part = i == 0 ? 1 : 40;
        int fd = open_with(fixture, "GET /parts/only HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_in_range(read_all(fixture, fd, last), 0, (size_t)40 * PART);
        assert_false(ends_whole(last));
        close(fd);
        wait_until_freed(fixture);
    }
}

// ---- what a client may cost

static void restart(struct fixture *fixture, struct http_server_limits limits) {
    halt(fixture);
    start(fixture, &limits);
}

static void who_does_not_take_the_answer_is_cut_off(void **state) {
    struct fixture *fixture = *state;
    struct http_server_limits limits = http_server_plain_limits;
    char last[16];
    limits.exchange_ms = 200;
    restart(fixture, limits);
    fixture->parts = MANY_PARTS;
    int fd = open_with(fixture, "GET /parts HTTP/1.1\r\nHost: x\r\n\r\n");
    wait_until_freed(fixture);
    (void)read_all(fixture, fd, last);
    assert_false(ends_whole(last));
    close(fd);
}

static void a_dripping_request_is_cut_off(void **state) {
    struct fixture *fixture = *state;
    struct http_server_limits limits = http_server_plain_limits;
    limits.exchange_ms = 200;
    restart(fixture, limits);
    int fd = open_with(fixture, "GET /x HTTP/1.1\r\nX: ");
    while (send(fd, "x", 1, MSG_NOSIGNAL) == 1) {
        usleep(10000);
    }
    close(fd);
    assert_string_equal(fixture->paths, "");
}

// Half of what there may be is for one peer.
static void a_new_one_takes_the_place_of_whose_request_comes_in_longest(void **state) {
    struct fixture *fixture = *state;
    struct http_server_limits limits = http_server_plain_limits;
    limits.connections_max = 6;
    restart(fixture, limits);
    int slow[3];
    for (size_t i = 0; i < 3; i++) {
        slow[i] = open_with(fixture, "GET /ready HTTP/1.1\r\nHost: x\r\n\r\n");
        char byte;
        assert_int_equal(recv(slow[i], &byte, 1, 0), 1);
    }
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(send(slow[i], "GET /x", 6, MSG_NOSIGNAL), 6);
    }
    const char *answer = exchange(fixture, "GET /new HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert_non_null(strstr(answer, " 200 "));
    size_t cut = 0;
    for (size_t i = 0; i < 3; i++) {
        char rest[4096];
        struct timeval none = {.tv_usec = 1};
        (void)setsockopt(slow[i], SOL_SOCKET, SO_RCVTIMEO, &none, sizeof(none));
        ssize_t length;
        while ((length = recv(slow[i], rest, sizeof(rest), 0)) > 0) {
        }
        cut += length == 0 ? 1 : 0;
        close(slow[i]);
    }
    assert_int_equal(cut, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(get_and_head_are_answered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_connection_carries_many_requests, set_up, tear_down),
        cmocka_unit_test_setup_teardown(all_else_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(large_requests_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(addresses_are_understood, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_open_connection_does_not_keep_the_server, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_long_answer_comes_in_parts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_answer_in_parts_is_well_formed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_old_client_gets_no_chunks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_goes_in_the_midst_is_forgotten, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_answer_in_parts_does_not_keep_the_server, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_part_that_fails_is_seen_to_be_missing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_does_not_take_the_answer_is_cut_off, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_dripping_request_is_cut_off, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_new_one_takes_the_place_of_whose_request_comes_in_longest, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
