// Whatever memory is missing for, a stream ends: nobody waits for ever, and later ones work.
#include "../base/check.h"
#include "../base/short_memory.h"
#include "scripted_server.h"

#include "net/http_client.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ALLOCATIONS_MAX = 5000, TIMEOUT_MS = 200, HANG_SECONDS = 60 };

struct stream {
    struct loop *loop;
    int ends;
    enum error_class class;
};

static void on_status(void *, int, uint32_t) {
    fail_msg("it was answered");
}

static bool on_data(void *, const char *, size_t) {
    fail_msg("it was answered");
    return false;
}

static void on_end(void *context, const struct error *error) {
    struct stream *stream = context;
    stream->ends++;
    stream->class = error == nullptr ? ERROR_NONE : error->class;
    loop_stop(stream->loop);
}

// A socket that takes connections and never says anything; its port.
static int listen_silently(int *ret_socket) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    *ret_socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(*ret_socket, (struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(*ret_socket, SOMAXCONN), 0);
    assert_int_equal(getsockname(*ret_socket, (struct sockaddr *)&address, &length), 0);
    return ntohs(address.sin_port);
}

// Runs one stream to its end; false: memory was not even enough to open it.
static bool run_stream(struct http_client *client, const struct http_request *request,
                       struct stream *stream) {
    static const struct http_stream_events events = {
        .on_status = on_status, .on_data = on_data, .on_end = on_end};
    struct error e;
    struct http_stream *opened;
    if (!http_stream_open(client, request, &events, stream, &opened, &e)) {
        assert_int_equal(e.class, ERROR_NO_MEMORY);
        return false;
    }
    loop_run(stream->loop);
    assert_int_equal(stream->ends, 1);
    http_stream_close(opened);
    return true;
}

static void a_stream_ends_wherever_memory_runs_out(void **) {
    struct error e;
    struct loop *loop;
    struct http_client *client;
    struct http_tls *tls;
    struct identity ca = make_identity("CA", nullptr);
    int silent;
    char url[64];
    snprintf(url, sizeof(url), "https://127.0.0.1:%d/", listen_silently(&silent));
    must(loop_create(&loop, &e), e);
    must(http_client_create(loop, nullptr, nullptr, &client, &e), e);
    must(http_tls_create(ca.certificate_pem, nullptr, nullptr, &tls, &e), e);
    struct http_request request = {.method = "GET", .url = url, .timeout_ms = TIMEOUT_MS, .tls = tls};
    alarm(HANG_SECONDS);
    struct stream first = {.loop =
                               loop}; // so that OpenSSL has its methods, as the program sees to at its start
    assert_true(run_stream(client, &request, &first));
    long after = 0;
    bool enough = false;
    for (; !enough && after < ALLOCATIONS_MAX; after++) {
        struct stream starved = {.loop = loop};
        atomic_store(&memory_left, after);
        bool opened = run_stream(client, &request, &starved);
        enough = opened && atomic_load(&memory_left) > 0;
        atomic_store(&memory_left, -1);
        assert_true(!opened || starved.class != ERROR_NONE);
    }
    assert_true(enough && after > 50);
    struct stream fed = {.loop = loop};
    assert_true(run_stream(client, &request, &fed));
    assert_int_equal(fed.class, ERROR_RETRYABLE); // its time is over
    alarm(0);
    http_client_free(client);
    http_tls_release(tls);
    loop_free(loop);
    free_identity(&ca);
    close(silent);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_stream_ends_wherever_memory_runs_out)};
    use_own_heap();
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
