#include "tls_client.h"

#include "../base/short_memory.h"

#include "net/http_server.h"

#include <sys/resource.h>

enum { BODY_MAX = 7 * 1024 * 1024 };

struct fixture {
    struct loop *loop;
    struct server_identity *identity;
    struct http_server *server;
    struct identity ca;
    struct identity leaf;
    pthread_t thread;
    atomic_int handled;
    atomic_size_t length; // of the last body
    atomic_size_t answer; // bytes to answer with; 0: a short text
    pthread_mutex_t lock;
    char content_type[64]; // of the last request; under lock
    struct error e;
};

static int handle(void *context, const struct https_request *request, struct buffer *body,
                  const char **ret_content_type) {
    struct fixture *fixture = context;
    atomic_store(&fixture->length, request->body_length);
    pthread_mutex_lock(&fixture->lock);
    snprintf(fixture->content_type, sizeof(fixture->content_type), "%s",
             request->content_type == nullptr ? "none" : request->content_type);
    pthread_mutex_unlock(&fixture->lock);
    atomic_fetch_add(&fixture->handled, 1);
    size_t wanted = atomic_load(&fixture->answer);
    char *room;
    if (wanted > 0) {
        assert_true(buffer_reserve(body, wanted, &room, &fixture->e));
        memset(room, 'a', wanted);
        buffer_advance(body, wanted);
    } else {
        (void)buffer_append_format(body, &fixture->e, "%s %.*s\n", request->path,
                                   request->body_length < 100 ? (int)request->body_length : 100,
                                   request->body);
    }
    *ret_content_type = "application/json";
    return strcmp(request->path, "/bad") == 0 ? 400 : 200;
}

static void *run(void *context) {
    loop_run(context);
    return nullptr;
}

static void start(struct fixture *fixture, const struct http_server_limits *limits) {
    assert_true(loop_create(&fixture->loop, &fixture->e));
    assert_true(server_identity_create(&fixture->identity, &fixture->e));
    if (!https_server_create(fixture->loop, "127.0.0.1:0", fixture->identity, limits, handle, fixture,
                             &fixture->server, &fixture->e) ||
        !server_identity_set(fixture->identity, fixture->leaf.certificate_pem, fixture->leaf.key_pem,
                             &fixture->e)) {
        fail_msg("%s", fixture->e.message);
    }
    pthread_create(&fixture->thread, nullptr, run, fixture->loop);
}

static void halt(struct fixture *fixture) {
    if (fixture->loop != nullptr) {
        loop_stop(fixture->loop);
        pthread_join(fixture->thread, nullptr);
        http_server_free(fixture->server);
        loop_free(fixture->loop);
        server_identity_free(fixture->identity);
        fixture->loop = nullptr;
    }
}

static struct fixture shared;

// ---- what the loop thread knows

struct question {
    const struct http_server *server;
    atomic_int answer; // 0: none yet; 1: it is quiet; 2: it is not
};

static void look(void *context) {
    struct question *question = context;
    atomic_store(&question->answer, http_server_is_quiet(question->server) ? 1 : 2);
}

static void wait_until_quiet(struct fixture *fixture, bool quiet) {
    struct question question = {.server = fixture->server};
    while (atomic_load(&question.answer) != (quiet ? 1 : 2)) {
        atomic_store(&question.answer, 0);
        assert_true(loop_post(fixture->loop, look, &question, &fixture->e));
        while (atomic_load(&question.answer) == 0) {
            usleep(1000);
        }
    }
}

static int set_up_all(void **) {
    shared.ca = make_identity("CA", nullptr);
    shared.leaf = make_identity("first", &shared.ca);
    return 0;
}

static int tear_down_all(void **) {
    free_identity(&shared.leaf);
    free_identity(&shared.ca);
    return 0;
}

static int set_up(void **state) {
    shared = (struct fixture){.ca = shared.ca, .leaf = shared.leaf, .lock = PTHREAD_MUTEX_INITIALIZER};
    start(&shared, &http_server_usual_limits);
    *state = &shared;
    return 0;
}

static int tear_down(void **state) {
    halt(*state);
    return 0;
}

// Starts again with what time and number are in these limits.
static uint16_t restart(struct fixture *fixture, struct http_server_limits limits) {
    halt(fixture);
    start(fixture, &limits);
    return http_server_port(fixture->server);
}

static struct http_server_limits quick(void) {
    struct http_server_limits limits = http_server_usual_limits;
    limits.exchange_ms = 200;
    return limits;
}

#define POST(path, headers) "POST " path " HTTP/1.1\r\nHost: x\r\n" headers "\r\n"

// ---- requests

static void content_type_was(struct fixture *fixture, const char *expected) {
    pthread_mutex_lock(&fixture->lock);
    assert_string_equal(fixture->content_type, expected);
    pthread_mutex_unlock(&fixture->lock);
}

static void a_post_is_answered(void **state) {
    struct fixture *fixture = *state;
    struct tls_client client = tls_connect(http_server_port(fixture->server));
    assert_true(
        tls_say(&client, POST("/a%20b?x=y", "Content-Type: text/x\r\nContent-Length: 5\r\n") "hello"));
    const char *answer = tls_read_until(&client, "hello\n");
    assert_non_null(strstr(answer, "HTTP/1.1 200 "));
    assert_non_null(strstr(answer, "Content-Type: application/json\r\n"));
    assert_non_null(strstr(answer, "Content-Length: 11\r\n"));
    assert_non_null(strstr(answer, "\r\n\r\n/a b hello\n"));
    content_type_was(fixture, "text/x");
    // The connection stays.
    assert_true(tls_say(&client, POST("/bad", "Content-Length: 0\r\n")));
    assert_non_null(strstr(tls_read_until(&client, "/bad \n"), "HTTP/1.1 400 "));
    content_type_was(fixture, "none");
    assert_true(
        tls_say(&client, POST("/c", "Transfer-Encoding: chunked\r\n") "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"));
    assert_non_null(strstr(tls_read_until(&client, "\n/c"), "HTTP/1.1 200 "));
    tls_close(&client);
}

static void requests_may_come_at_once(void **state) {
    struct fixture *fixture = *state;
    struct tls_client client = tls_connect(http_server_port(fixture->server));
    assert_true(
        tls_say(&client, POST("/1", "Content-Length: 1\r\n") "a" POST("/2", "Content-Length: 1\r\n") "b" POST(
                             "/3", "Content-Length: 1\r\nConnection: close\r\n") "c"));
    const char *answer = tls_read_until(&client, nullptr);
    assert_non_null(strstr(answer, "/1 a\nHTTP/1.1 200 "));
    assert_non_null(strstr(answer, "/2 b\nHTTP/1.1 200 "));
    assert_non_null(strstr(answer, "/3 c\n"));
    tls_close(&client);
}

static void other_methods_are_refused(void **state) {
    struct fixture *fixture = *state;
    static const char *const methods[] = {"GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"};
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        char text[128];
        struct tls_client client = tls_connect(http_server_port(fixture->server));
        snprintf(text, sizeof(text), "%s /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", methods[i]);
        assert_true(tls_say(&client, text));
        const char *answer = tls_read_until(&client, nullptr);
        assert_non_null(strstr(answer, "HTTP/1.1 405 "));
        assert_non_null(strstr(answer, "Allow: POST\r\n"));
        tls_close(&client);
    }
    struct tls_client client = tls_connect(http_server_port(fixture->server));
    assert_true(tls_say(&client, "nonsense\r\n\r\n"));
    assert_null(strstr(tls_read_until(&client, nullptr), " 200 "));
    tls_close(&client);
    assert_int_equal(fixture->handled, 0);
}

static void plain_http_is_not_spoken(void **state) {
    struct fixture *fixture = *state;
    int fd = connect_loopback(http_server_port(fixture->server));
    char answer[1024] = "";
    static const char request[] = POST("/x", "Content-Length: 0\r\n");
    (void)send(fd, request, strlen(request), MSG_NOSIGNAL);
    ssize_t length = recv(fd, answer, sizeof(answer) - 1, MSG_WAITALL);
    assert_true(length <= 0 || strstr(answer, "HTTP/") == nullptr);
    close(fd);
    assert_int_equal(fixture->handled, 0);
}

// ---- sizes

static void send_zeros(const struct tls_client *client, size_t length) {
    static char zeros[65536];
    while (length > 0 && tls_send(client, zeros, length < sizeof(zeros) ? length : sizeof(zeros))) {
        length -= length < sizeof(zeros) ? length : sizeof(zeros);
    }
}

static void a_body_has_a_limit(void **state) {
    struct fixture *fixture = *state;
    for (size_t over = 0; over <= 1; over++) {
        char head[256];
        struct tls_client client = tls_connect(http_server_port(fixture->server));
        snprintf(head, sizeof(head),
                 "POST /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n",
                 BODY_MAX + over);
        assert_true(tls_say(&client, head));
        send_zeros(&client, BODY_MAX + over); // a client that does not read before it has written all
        assert_non_null(
            strstr(tls_read_until(&client, nullptr), over == 0 ? "HTTP/1.1 200 " : "HTTP/1.1 413 "));
        tls_close(&client);
        assert_int_equal(fixture->handled, 1);
        assert_int_equal(fixture->length, BODY_MAX);
    }
}

static void a_body_in_chunks_has_the_same_limit(void **state) {
    struct fixture *fixture = *state;
    for (size_t over = 0; over <= 1; over++) {
        struct tls_client client = tls_connect(http_server_port(fixture->server));
        assert_true(tls_say(&client, POST("/x", "Connection: close\r\nTransfer-Encoding: chunked\r\n")));
        for (int i = 0; i < 7; i++) {
            assert_true(tls_say(&client, "100000\r\n")); // 1 MiB
            send_zeros(&client, 0x100000);
            assert_true(tls_say(&client, "\r\n"));
        }
        assert_true(tls_say(&client, over == 0 ? "0\r\n\r\n" : "1\r\n"));
        assert_non_null(
            strstr(tls_read_until(&client, nullptr), over == 0 ? "HTTP/1.1 200 " : "HTTP/1.1 413 "));
        tls_close(&client);
        assert_int_equal(fixture->handled, 1);
    }
}

static void headers_have_a_limit(void **state) {
    struct fixture *fixture = *state;
    struct tls_client client = tls_connect(http_server_port(fixture->server));
    bool open = tls_say(&client, "POST /x HTTP/1.1\r\nHost: x\r\nX-Large: ");
    for (int i = 0; i < 1000 && open; i++) {
        open = tls_say(&client,
                       "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
    }
    assert_null(strstr(tls_read_until(&client, nullptr), " 200 "));
    tls_close(&client);
    assert_int_equal(fixture->handled, 0);
}

static void all_bodies_together_have_a_limit(void **state) {
    struct fixture *fixture = *state;
    struct http_server_limits limits = http_server_usual_limits;
    limits.bodies_max = 1000000;
    uint16_t port = restart(fixture, limits);
    struct tls_client first = tls_connect(port);
    struct tls_client second = tls_connect(port);
    assert_true(tls_say(&first, POST("/1", "Content-Length: 700000\r\n") "a"));
    wait_until_quiet(fixture, false);
    assert_true(tls_say(&second, POST("/2", "Content-Length: 1100000\r\n")));
    send_zeros(&second, 1100000);
    assert_true(tls_is_cut(&second));
    tls_close(&second);
    send_zeros(&first, 699999);
    assert_non_null(strstr(tls_read_until(&first, "/1"), "HTTP/1.1 200 "));
    // What was answered no longer counts.
    for (int i = 0; i < 5; i++) {
        assert_true(tls_say(&first, POST("/3", "Content-Length: 700000\r\n")));
        send_zeros(&first, 700000);
        assert_non_null(strstr(tls_read_until(&first, "/3"), "HTTP/1.1 200 "));
    }
    tls_close(&first);
}

static void it_is_the_largest_body_that_makes_room(void **state) {
    struct fixture *fixture = *state;
    struct http_server_limits limits = http_server_usual_limits;
    limits.bodies_max = 1000000;
    uint16_t port = restart(fixture, limits);
    struct tls_client hog = tls_connect(port);
    struct tls_client honest = tls_connect(port);
    assert_true(tls_say(&hog, POST("/1", "Content-Length: 1000000\r\n")));
    send_zeros(&hog, 900000); // and no more
    wait_until_quiet(fixture, false);
    assert_true(tls_say(&honest, POST("/2", "Content-Length: 200000\r\n")));
    send_zeros(&honest, 200000);
    assert_non_null(strstr(tls_read_until(&honest, "/2"), "HTTP/1.1 200 "));
    assert_true(tls_is_cut(&hog));
    tls_close(&hog);
    tls_close(&honest);
}

// While an answer is not taken, the requests behind it are held back: no more of them than two of the
// largest.
static void requests_that_are_sent_ahead_have_a_limit(void **state) {
    struct fixture *fixture = *state;
    struct http_server_limits limits = http_server_usual_limits;
    limits.body_max = 100000;
    uint16_t port = restart(fixture, limits);
    atomic_store(&fixture->answer, 15 * 1024 * 1024); // more than sockets hold
    struct tls_client client = tls_connect(port);
    assert_true(tls_say(&client, POST("/1", "Content-Length: 0\r\n")));
    static const char more[1000] = "x";
    int sent = 0;
    while (sent < 30000 && tls_send(&client, more, sizeof(more))) { // up to 30 MB
        sent++;
    }
    assert_true(sent < 30000);
    tls_close(&client);
    assert_int_equal(fixture->handled, 1);
}

// ---- time

static void a_slow_handshake_is_cut_off(void **state) {
    struct fixture *fixture = *state;
    int fd = connect_loopback(restart(fixture, quick()));
    char byte;
    assert_int_equal(send(fd, "\x16\x03\x01", 3, MSG_NOSIGNAL), 3);
    assert_true(recv(fd, &byte, 1, 0) <= 0);
    close(fd);
}

// It never pauses for as long as the limit.
static void a_dripping_request_is_cut_off(void **state) {
    struct fixture *fixture = *state;
    static const char *const starts[] = {"", POST("/x", "Content-Length: 1000000\r\n"),
                                         POST("/x", "Transfer-Encoding: chunked\r\n") "fffff\r\n"};
    uint16_t port = restart(fixture, quick());
    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
        struct tls_client client = tls_connect(port);
        assert_true(tls_say(&client, starts[i]));
        while (tls_say(&client, "x")) {
            usleep(10000);
        }
        tls_close(&client);
    }
    assert_int_equal(fixture->handled, 0);
}

static void who_does_not_take_the_answer_is_cut_off(void **state) {
    struct fixture *fixture = *state;
    uint16_t port = restart(fixture, quick());
    atomic_store(&fixture->answer, 15 * 1024 * 1024); // more than sockets hold
    struct tls_client client = tls_connect(port);
    assert_true(tls_say(&client, POST("/x", "Content-Length: 0\r\n")));
    while (tls_say(&client, "x")) { // of the next request
        usleep(10000);
    }
    tls_close(&client);
    assert_int_equal(fixture->handled, 1);
}

// Whether a connection is idle twice for longer than an exchange may take, and served each time.
static bool is_served_between_pauses(uint16_t port) {
    struct tls_client client = tls_connect(port);
    bool served = client.ssl != nullptr;
    for (int i = 0; i < 2 && served; i++) {
        usleep(500000);
        served = tls_say(&client, POST("/x", "Content-Length: 0\r\n")) &&
                 strstr(tls_read_until(&client, "/x"), "HTTP/1.1 200 ") != nullptr;
    }
    tls_close(&client);
    return served;
}

// An exchange of its own may be cut off where the machine stops in the midst of it, but not each time.
static void an_idle_connection_stays(void **state) {
    struct fixture *fixture = *state;
    uint16_t port = restart(fixture, quick());
    bool served = false;
    for (int i = 0; i < 10 && !served; i++) {
        served = is_served_between_pauses(port);
    }
    assert_true(served);
}

static void an_idle_connection_ends_at_last(void **state) {
    struct fixture *fixture = *state;
    struct http_server_limits limits = http_server_usual_limits;
    limits.idle_seconds = 1;
    uint16_t port = restart(fixture, limits);
    struct tls_client unused = tls_connect(port);
    struct tls_client used = tls_connect(port);
    assert_true(tls_say(&used, POST("/x", "Content-Length: 0\r\n")));
    assert_non_null(strstr(tls_read_until(&used, "/x"), " 200 "));
    assert_true(tls_is_cut(&unused) && tls_is_cut(&used));
    tls_close(&unused);
    tls_close(&used);
}

// ---- numbers

static void the_longest_idle_one_makes_room(void **state) {
    struct fixture *fixture = *state;
    struct http_server_limits limits = http_server_usual_limits;
    limits.connections_max = 6; // half of them for one peer
    uint16_t port = restart(fixture, limits);
    struct tls_client clients[3];
    for (int i = 0; i < 3; i++) {
        clients[i] = tls_connect(port);
        assert_true(tls_say(&clients[i], POST("/x", "Content-Length: 0\r\n")));
        assert_non_null(strstr(tls_read_until(&clients[i], "/x"), " 200 "));
    }
    assert_true(tls_say(&clients[0], POST("/x", "Content-Length: 0\r\n"))); // so the second is idle longest
    assert_non_null(strstr(tls_read_until(&clients[0], "/x"), " 200 "));
    struct tls_client fourth = tls_connect(port);
    assert_non_null(fourth.ssl);
    assert_true(tls_is_cut(&clients[1]));
    assert_true(tls_say(&clients[0], POST("/x", "Content-Length: 0\r\n")));
    assert_non_null(strstr(tls_read_until(&clients[0], "/x"), " 200 "));
    assert_true(tls_say(&clients[2], POST("/x", "Content-Length: 0\r\n")));
    assert_non_null(strstr(tls_read_until(&clients[2], "/x"), " 200 "));
    for (int i = 0; i < 3; i++) {
        tls_close(&clients[i]);
    }
    tls_close(&fourth);
}

// A request of which the first half has come in: the answer to its expectation says so.
static void begin_request(const struct tls_client *client) {
    assert_true(tls_say(client, POST("/x", "Expect: 100-continue\r\nContent-Length: 4\r\n")));
    assert_non_null(strstr(tls_read_until(client, "\r\n\r\n"), "HTTP/1.1 100 "));
    assert_true(tls_say(client, "ab"));
}

static void a_new_one_takes_the_place_of_whose_request_comes_in_longest(void **state) {
    struct fixture *fixture = *state;
    struct http_server_limits limits = http_server_usual_limits;
    limits.connections_max = 6; // half of them for one peer
    uint16_t port = restart(fixture, limits);
    struct tls_client clients[3];
    for (int i = 0; i < 3; i++) {
        clients[i] = tls_connect(port);
        assert_true(tls_say(&clients[i], POST("/ready", "Content-Length: 0\r\n")));
        assert_non_null(strstr(tls_read_until(&clients[i], "/ready"), " 200 "));
    }
    for (int i = 0; i < 3; i++) {
        begin_request(&clients[i]);
    }
    struct tls_client newest = tls_connect(port);
    assert_non_null(newest.ssl);
    assert_true(tls_say(&newest, POST("/new", "Content-Length: 0\r\n")));
    assert_non_null(strstr(tls_read_until(&newest, "/new"), " 200 "));
    assert_true(tls_is_cut(&clients[0]));
    for (int i = 0; i < 3; i++) {
        tls_close(&clients[i]);
    }
    tls_close(&newest);
}

static void a_thousand_idle_connections_are_harmless(void **state) {
    struct fixture *fixture = *state;
    enum { MANY = 1000 };
    struct rlimit files;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    files.rlim_cur = files.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
    if (files.rlim_cur <
        2 * MANY * 2 + 100) { // both ends are here, and the server takes half of them at most
        skip();
    }
    uint16_t port = restart(fixture, http_server_usual_limits);
    struct tls_client *clients = calloc(MANY, sizeof(*clients));
    for (int i = 0; i < MANY; i++) {
        clients[i] = tls_connect(port);
        assert_non_null(clients[i].ssl);
    }
    for (int i = 0; i < MANY; i++) {
        assert_true(tls_say(&clients[i], POST("/x", "Content-Length: 1\r\n") "a"));
        assert_non_null(strstr(tls_read_until(&clients[i], "/x a\n"), " 200 "));
    }
    for (int i = 0; i < MANY; i++) {
        tls_close(&clients[i]);
    }
    free(clients);
    assert_int_equal(fixture->handled, MANY);
}

// ---- the identity

static void without_an_identity_handshakes_are_refused(void **state) {
    struct fixture *fixture = *state;
    halt(fixture);
    assert_true(loop_create(&fixture->loop, &fixture->e));
    assert_true(server_identity_create(&fixture->identity, &fixture->e));
    assert_true(https_server_create(fixture->loop, "127.0.0.1:0", fixture->identity,
                                    &http_server_usual_limits, handle, fixture, &fixture->server,
                                    &fixture->e));
    pthread_create(&fixture->thread, nullptr, run, fixture->loop);
    struct tls_client client = tls_connect(http_server_port(fixture->server));
    assert_null(client.ssl);
    tls_close(&client);
    assert_true(server_identity_set(fixture->identity, fixture->leaf.certificate_pem, fixture->leaf.key_pem,
                                    &fixture->e));
    client = tls_connect(http_server_port(fixture->server));
    assert_string_equal(tls_peer(&client), "first");
    tls_close(&client);
}

static void a_new_identity_is_for_new_connections(void **state) {
    struct fixture *fixture = *state;
    struct identity second = make_identity("second", &fixture->ca);
    uint16_t port = http_server_port(fixture->server);
    struct tls_client before = tls_connect(port);
    assert_string_equal(tls_peer(&before), "first");
    assert_true(tls_say(&before, POST("/1", "Content-Length: 2\r\n") "a"));
    assert_true(server_identity_set(fixture->identity, second.certificate_pem, second.key_pem, &fixture->e));
    struct tls_client after = tls_connect(port);
    assert_string_equal(tls_peer(&after), "second");
    assert_true(tls_say(&before, "b"));
    assert_non_null(strstr(tls_read_until(&before, "/1 ab"), " 200 "));
    assert_true(tls_say(&before, POST("/2", "Content-Length: 1\r\n") "c"));
    assert_non_null(strstr(tls_read_until(&before, "/2 c"), " 200 "));
    tls_close(&before);
    tls_close(&after);
    free_identity(&second);
}

static void test_trap_23_identities_change_while_many_connect(void **state) {
    struct fixture *fixture = *state;
    struct identity second = make_identity("second", &fixture->ca);
    const struct identity *both[] = {&fixture->leaf, &second};
    for (int i = 0; i < 50; i++) {
        const struct identity *next = both[i % 2];
        assert_true(
            server_identity_set(fixture->identity, next->certificate_pem, next->key_pem, &fixture->e));
        struct tls_client client = tls_connect(http_server_port(fixture->server));
        assert_string_equal(tls_peer(&client), i % 2 == 0 ? "first" : "second");
        assert_true(tls_say(&client, POST("/x", "Content-Length: 0\r\n")));
        assert_non_null(strstr(tls_read_until(&client, "/x"), " 200 "));
        tls_close(&client);
    }
    free_identity(&second);
}

// ---- the end

static void drain(void *context) {
    http_server_drain(context);
}

static void test_trap_42_a_draining_server_ends_each_connection(void **state) {
    struct fixture *fixture = *state;
    uint16_t port = http_server_port(fixture->server);
    struct tls_client idle = tls_connect(port);
    struct tls_client busy = tls_connect(port);
    assert_true(tls_say(&busy, POST("/ready", "Content-Length: 0\r\n")));
    assert_null(strstr(tls_read_until(&busy, "/ready"), "Connection: close"));
    assert_true(tls_say(&busy, POST("/busy", "Content-Length: 2\r\n") "a"));
    wait_until_quiet(fixture, false);
    assert_true(loop_post(fixture->loop, drain, fixture->server, &fixture->e));
    struct tls_client late = tls_connect(port);
    assert_true(tls_say(&late, POST("/late", "Content-Length: 0\r\n")));
    assert_non_null(strstr(tls_read_until(&late, nullptr), "Connection: close\r\n"));
    assert_true(tls_say(&busy, "b"));
    const char *answer = tls_read_until(&busy, nullptr);
    assert_non_null(strstr(answer, "Connection: close\r\n"));
    assert_non_null(strstr(answer, "/busy ab\n"));
    assert_true(tls_say(&idle, POST("/idle", "Content-Length: 0\r\n")));
    assert_non_null(strstr(tls_read_until(&idle, nullptr), "Connection: close\r\n"));
    wait_until_quiet(fixture, true);
    tls_close(&idle);
    tls_close(&busy);
    tls_close(&late);
}

static void open_connections_do_not_keep_the_server(void **state) {
    struct fixture *fixture = *state;
    uint16_t port = http_server_port(fixture->server);
    struct tls_client idle = tls_connect(port);
    struct tls_client busy = tls_connect(port);
    int raw = connect_loopback(port);
    assert_true(tls_say(&idle, POST("/x", "Content-Length: 0\r\n")));
    assert_non_null(strstr(tls_read_until(&idle, "/x"), " 200 "));
    assert_true(tls_say(&busy, POST("/x", "Content-Length: 10\r\n") "a"));
    wait_until_quiet(fixture, false);
    halt(fixture);
    assert_true(tls_is_cut(&idle) && tls_is_cut(&busy));
    tls_close(&idle);
    tls_close(&busy);
    close(raw);
}

static void without_memory_there_is_no_server(void **state) {
    struct fixture *fixture = *state;
    bool made = false;
    halt(fixture);
    assert_true(loop_create(&fixture->loop, &fixture->e));
    assert_true(server_identity_create(&fixture->identity, &fixture->e));
    for (long left = 0; !made && left < 200; left++) {
        struct error e = {0};
        memory_left = left;
        made = https_server_create(fixture->loop, "127.0.0.1:0", fixture->identity, &http_server_usual_limits,
                                   handle, fixture, &fixture->server, &e);
        memory_left = -1;
        assert_true(made || e.class == ERROR_NO_MEMORY);
    }
    assert_true(made);
    pthread_create(&fixture->thread, nullptr, run, fixture->loop);
}

int main(void) {
    use_own_heap();
    signal(SIGPIPE, SIG_IGN);
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_post_is_answered),
        TEST(requests_may_come_at_once),
        TEST(other_methods_are_refused),
        TEST(plain_http_is_not_spoken),
        TEST(a_body_has_a_limit),
        TEST(a_body_in_chunks_has_the_same_limit),
        TEST(headers_have_a_limit),
        TEST(all_bodies_together_have_a_limit),
        TEST(it_is_the_largest_body_that_makes_room),
        TEST(requests_that_are_sent_ahead_have_a_limit),
        TEST(a_slow_handshake_is_cut_off),
        TEST(a_dripping_request_is_cut_off),
        TEST(who_does_not_take_the_answer_is_cut_off),
        TEST(an_idle_connection_stays),
        TEST(an_idle_connection_ends_at_last),
        TEST(the_longest_idle_one_makes_room),
        TEST(a_new_one_takes_the_place_of_whose_request_comes_in_longest),
        TEST(a_thousand_idle_connections_are_harmless),
        TEST(without_an_identity_handshakes_are_refused),
        TEST(a_new_identity_is_for_new_connections),
        TEST(test_trap_23_identities_change_while_many_connect),
        TEST(test_trap_42_a_draining_server_ends_each_connection),
        TEST(open_connections_do_not_keep_the_server),
        TEST(without_memory_there_is_no_server),
    };
    return cmocka_run_group_tests_name("net/https_server", tests, set_up_all, tear_down_all);
}
