// Keys pass through the HTTP client. Once a call is over, none may be found in this process's memory,
// although its connections are still open: neither in libcurl's buffers nor in OpenSSL's. The server is a
// process of its own.
#include "client_fixture.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED
#endif
#endif

enum {
    MARKER_LENGTH = 48,
    PIECE = 16,        // so many bytes of the marker in a row count as found
    LARGE = 64 * 1024, // bytes of a body that is full of markers
    MASK = 0x5a,
    WINDOW = 1 << 20,
    CA_MAX = 8192,
};

// The marker is kept XORed, here and in the server.
static const unsigned char masked[MARKER_LENGTH + 1] =
    "\x12\x35\x2d\x17\x3b\x34\x23\x08\x35\x3b\x3e\x29\x17\x2f\x29\x2e\x1b\x0d\x3b\x36\x31\x1e\x35\x2d"
    "\x34\x18\x3f\x3c\x35\x28\x3f\x03\x35\x2f\x19\x3b\x36\x36\x12\x33\x37\x1b\x17\x3b\x34\x6b\x68\x69";

static void fill(char *body, size_t length) {
    for (size_t i = 0; i < length; i++) {
        body[i] = (char)(masked[i % MARKER_LENGTH] ^ MASK);
    }
}

static bool is_full(const char *body, size_t length) {
    for (size_t i = 0; i < length; i++) {
        if (body[i] != (char)(masked[i % MARKER_LENGTH] ^ MASK)) {
            return false;
        }
    }
    return true;
}

// length bytes in chunks of at most 1000, sent at once, so that one TLS record holds many chunks.
static void send_chunks(struct connection *connection, const char *body, size_t length) {
    struct error e;
    cleanup_buffer struct buffer text = buffer_create(2 * LARGE);
    assert_true(buffer_append_text(&text, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", &e));
    for (size_t sent = 0; sent < length; sent += 1000) {
        size_t size = length - sent < 1000 ? length - sent : 1000;
        assert_true(buffer_append_format(&text, &e, "%zx\r\n", size) &&
                    buffer_append(&text, body + sent, size, &e) && buffer_append_text(&text, "\r\n", &e));
    }
    server_send_bytes(connection, text.data, text.length);
}

// The server: /body/N: N bytes; /chunks/N: the same in chunks; /watch/N: N bytes, and then nothing more;
// anything posted must be full of markers.
static bool answer(void *context, struct connection *connection, const struct received *request) {
    (void)context;
    const char *path = request->path + 1;
    const char *slash = strchr(path, '/');
    size_t length = slash == nullptr ? 0 : strtoul(slash + 1, nullptr, 10);
    if (length > LARGE) {
        return false;
    }
    char *body = calloc(1, LARGE + 1);
    fill(body, length);
    if (request->body_length > 0) {
        server_reply(connection, is_full(request->body, request->body_length) ? 201 : 400, "", "");
    } else if (strncmp(path, "body/", 5) == 0) {
        server_reply(connection, 200, "", body);
    } else {
        send_chunks(connection, body, length);
        if (strncmp(path, "watch/", 6) == 0) {
            server_hang(connection);
        }
        server_send(connection, "0\r\n\r\n");
    }
    free(body);
    return true;
}

static int serve(void) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    struct server *server = server_start(answer, nullptr);
    printf("%d\n%s\n", server->port, server->ca.certificate_pem);
    fflush(stdout);
    pause();
    return 0;
}

struct fixture {
    struct client_fixture client;
    pid_t child;
    struct http_stream *watch;
    size_t watched;
    pthread_mutex_t lock;
    pthread_cond_t changed;
};

// Starts this program again as the server; gives its port and CA.
static pid_t start_server(int *ret_port, char ca[CA_MAX]) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        execl("/proc/self/exe", "server", "--serve", (char *)nullptr);
        _exit(127);
    }
    close(ends[1]);
    FILE *out = fdopen(ends[0], "r");
    char line[256] = "";
    *ret_port = fgets(line, sizeof(line), out) == nullptr ? 0 : (int)strtol(line, nullptr, 10);
    for (size_t used = 0; strncmp(line, "-----END", 8) != 0; used += strlen(line)) {
        assert_non_null(fgets(line, sizeof(line), out));
        snprintf(ca + used, CA_MAX - used, "%s", line);
    }
    fclose(out);
    return child;
}

static int set_up(void **state) {
    static struct fixture fixture;
    struct error e;
    int port;
    char ca[CA_MAX] = "";
    fixture = (struct fixture){.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    fixture.child = start_server(&port, ca);
    snprintf(fixture.client.url, sizeof(fixture.client.url), "https://127.0.0.1:%d", port);
    assert_true(loop_create(&fixture.client.loop, &e));
    assert_true(http_client_create(fixture.client.loop, observe_connection, &fixture.client,
                                   &fixture.client.client, &e));
    if (!http_tls_create(ca, nullptr, nullptr, &fixture.client.tls, &e)) {
        fail_msg("%s", e.message);
    }
    fixture_run(&fixture.client);
    *state = &fixture;
    return 0;
}

static void close_watch(void *context) {
    struct fixture *fixture = context;
    http_stream_close(fixture->watch);
    fixture->watch = nullptr;
}

static int tear_down(void **state) {
    struct fixture *fixture = *state;
    fixture_do(&fixture->client, close_watch, fixture);
    fixture_halt(&fixture->client);
    http_client_free(fixture->client.client);
    http_tls_release(fixture->client.tls);
    loop_free(fixture->client.loop);
    kill(fixture->child, SIGKILL);
    waitpid(fixture->child, nullptr, 0);
    return 0;
}

static bool looks_like_marker(const unsigned char *at) {
    for (size_t start = 0; start < MARKER_LENGTH; start++) {
        size_t same = 0;
        while (same < PIECE && at[same] == (masked[(start + same) % MARKER_LENGTH] ^ MASK)) {
            same++;
        }
        if (same == PIECE) {
            return true;
        }
    }
    return false;
}

// How many pieces of the marker lie in what can be written to, the window itself left out.
static size_t scan_region(int memory, uintptr_t from, uintptr_t to, unsigned char *window) {
    size_t found = 0;
    for (uintptr_t at = from; at < to; at += WINDOW - PIECE) {
        size_t wanted = to - at < WINDOW ? to - at : WINDOW;
        ssize_t got = pread(memory, window, wanted, (off_t)at);
        for (ssize_t i = 0; i + PIECE <= got; i++) {
            if (looks_like_marker(window + i)) {
                found++;
                print_message("found at %#lx, in the region from %#lx\n",
                              (unsigned long)at + (unsigned long)i, (unsigned long)from);
                i += MARKER_LENGTH;
            }
        }
    }
    return found;
}

static size_t scan_memory(void) {
    unsigned char *window = mmap(nullptr, WINDOW, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[512];
    size_t found = 0;
    size_t scanned = 0;
    while (fgets(line, sizeof(line), maps) != nullptr) {
        char *rest;
        uintptr_t from = strtoul(line, &rest, 16);
        uintptr_t to = strtoul(rest + 1, &rest, 16);
        if (strncmp(rest, " rw", 3) == 0) {
            scanned += to - from;
            // The window may have been merged with its neighbours into one region.
            uintptr_t own = (uintptr_t)window;
            if (own >= from && own < to) {
                found +=
                    scan_region(memory, from, own, window) + scan_region(memory, own + WINDOW, to, window);
            } else {
                found += scan_region(memory, from, to, window);
            }
        }
    }
    assert_true(scanned > LARGE);
    fclose(maps);
    close(memory);
    munmap(window, WINDOW);
    return found;
}

static void no_errand(void *context) {
    (void)context;
}

// Once the callback that ended the last call has returned.
static size_t scan_after_calls(struct fixture *fixture) {
    fixture_do(&fixture->client, no_errand, nullptr);
    return scan_memory();
}

// Bytes come in pieces so small that a machine with much else to do takes long for all of them.
static struct http_request patient_request(const struct fixture *fixture, const char *method) {
    struct http_request request = fixture_request(&fixture->client, method);
    request.timeout_ms = 600000;
    return request;
}

static void get(struct fixture *fixture, const char *path, size_t length) {
    struct error e;
    cleanup_response struct http_response response = {0};
    struct http_request request = patient_request(fixture, "GET");
    char url[256];
    snprintf(url, sizeof(url), "%s/%s/%zu", fixture->client.url, path, length);
    request.url = url;
    if (!http_client_call(fixture->client.client, &request, &response, &e)) {
        fail_msg("%s: %s", url, e.message);
    }
    assert_int_equal(response.body.length, length);
    assert_true(is_full(response.body.data, length));
}

static void post(struct fixture *fixture, size_t length) {
    static const char *const headers[] = {"Content-Type: text/plain", nullptr};
    struct error e;
    cleanup_response struct http_response response = {0};
    struct http_request request = patient_request(fixture, "POST");
    char url[256];
    snprintf(url, sizeof(url), "%s/post", fixture->client.url);
    char *body = memory_allocate(length);
    fill(body, length);
    request.url = url;
    request.headers = headers;
    request.body = body;
    request.body_length = length;
    assert_true(http_client_call(fixture->client.client, &request, &response, &e));
    assert_int_equal(response.status, 201);
    memory_free(body);
}

static void on_status(void *context, int status, uint32_t retry_after_ms) {
    (void)context;
    assert_int_equal(status + (int)retry_after_ms, 200);
}

static bool on_data(void *context, const char *bytes, size_t length) {
    struct fixture *fixture = context;
    assert_true(length < PIECE || looks_like_marker((const unsigned char *)bytes));
    pthread_mutex_lock(&fixture->lock);
    fixture->watched += length;
    pthread_cond_signal(&fixture->changed);
    pthread_mutex_unlock(&fixture->lock);
    return true;
}

static void on_end(void *context, const struct error *error) {
    (void)context;
    fail_msg("the watch ended: %s", error == nullptr ? "" : error->message);
}

static void open_watch(void *context) {
    static const struct http_stream_events events = {
        .on_status = on_status, .on_data = on_data, .on_end = on_end};
    struct fixture *fixture = context;
    struct error e;
    struct http_request request = patient_request(fixture, "GET");
    char url[256];
    snprintf(url, sizeof(url), "%s/watch/%d", fixture->client.url, LARGE);
    request.url = url;
    assert_true(http_stream_open(fixture->client.client, &request, &events, fixture, &fixture->watch, &e));
}

// With a watch open, libcurl keeps its transfer buffer for good.
static void start_watch(struct fixture *fixture) {
    fixture_do(&fixture->client, open_watch, fixture);
    pthread_mutex_lock(&fixture->lock);
    while (fixture->watched < LARGE) {
        pthread_cond_wait(&fixture->changed, &fixture->lock);
    }
    pthread_mutex_unlock(&fixture->lock);
    fixture_do(&fixture->client, no_errand, nullptr); // its last callback has returned
}

static void skip_under_sanitizers(void) {
#ifdef SANITIZED
    skip(); // their shadow memory is too large to scan
#endif
}

static void the_scan_finds_what_is_there(void **state) {
    (void)state;
    skip_under_sanitizers();
    assert_int_equal(scan_memory(), 0);
    char *planted = memory_allocate(MARKER_LENGTH);
    fill(planted, MARKER_LENGTH);
    assert_int_equal(scan_memory(), 1);
    memset(planted + PIECE, '-', MARKER_LENGTH - PIECE);
    assert_int_equal(scan_memory(), 1);
    memory_free(planted);
    char stacked[MARKER_LENGTH];
    fill(stacked, MARKER_LENGTH);
    assert_true(scan_memory() >= 1);
    memory_cleanse(stacked, sizeof(stacked));
    assert_int_equal(scan_memory(), 0);
}

static void what_was_received_is_gone(void **state) {
    skip_under_sanitizers();
    struct fixture *fixture = *state;
    start_watch(fixture);
    static const size_t lengths[] = {MARKER_LENGTH, 5000, 40000, LARGE};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        get(fixture, "body", lengths[i]);
        get(fixture, "chunks", lengths[i]);
        assert_int_equal(scan_after_calls(fixture), 0);
    }
    assert_int_equal(atomic_load(&fixture->client.handshakes),
                     2); // the watch, and the one connection in the pool
}

static void what_was_sent_is_gone(void **state) {
    skip_under_sanitizers();
    struct fixture *fixture = *state;
    start_watch(fixture);
    static const size_t lengths[] = {MARKER_LENGTH, 5000, 40000, LARGE, 300000};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        post(fixture, lengths[i]);
        assert_int_equal(scan_after_calls(fixture), 0);
    }
    assert_int_equal(atomic_load(&fixture->client.handshakes), 2);
}

// A response that is refused half-way leaves nothing either.
static void what_was_refused_is_gone(void **state) {
    skip_under_sanitizers();
    struct fixture *fixture = *state;
    start_watch(fixture);
    struct error e;
    struct http_response response;
    struct http_request request = patient_request(fixture, "GET");
    static const char *const paths[] = {"body", "chunks"};
    for (size_t i = 0; i < 2; i++) {
        char url[256];
        snprintf(url, sizeof(url), "%s/%s/%d", fixture->client.url, paths[i], LARGE);
        request.url = url;
        request.response_cap = 1500;
        assert_false(http_client_call(fixture->client.client, &request, &response, &e));
        assert_int_equal(e.class, ERROR_IO);
        assert_int_equal(scan_after_calls(fixture), 0);
    }
}

int main(int argc, char **argv) {
    use_own_heap();
    if (argc == 2 && strcmp(argv[1], "--serve") == 0) {
        return serve();
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_scan_finds_what_is_there),
        cmocka_unit_test_setup_teardown(what_was_received_is_gone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_sent_is_gone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_refused_is_gone, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
