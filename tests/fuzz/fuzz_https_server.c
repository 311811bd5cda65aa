// The server of admission, over TLS: the same bytes get the same answers however they are cut; what is over
// its limits is not handled; nothing is handled without TLS; and a client that is gone leaves nothing behind.
#include "served.h"

#include "base/clock.h"
#include "crypto/serving_certificate.h"
#include "net/server_identity.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

enum { PEM_MAX = 64 * 1024, SMALL_BODY_MAX = 512 };

struct side {
    struct served served;
    size_t body_max;
};

static int handle(void *context, const struct https_request *request, struct buffer *body,
                  const char **ret_content_type) {
    struct side *side = context;
    struct error e;
    CHECK(request->body_length <= side->body_max);
    MUST(buffer_append_format(&side->served.handled, &e, "%s %s %zu ", request->path,
                              request->content_type == nullptr ? "-" : request->content_type,
                              request->body_length),
         e);
    MUST(buffer_append(&side->served.handled, request->body, request->body_length, &e), e);
    MUST(buffer_append(&side->served.handled, "\n", 1, &e), e);
    MUST(buffer_append_format(body, &e, "{\"length\":%zu}", request->body_length), e);
    *ret_content_type = "application/json";
    return 200;
}

static struct server_identity *create_identity(void) {
    struct error e;
    struct server_identity *identity;
    int64_t now = clock_wall_seconds();
    cleanup_pkey struct pkey *key = nullptr;
    cleanup_secret struct secret *key_pem = nullptr;
    cleanup_certificate struct certificate *ca = nullptr;
    cleanup_certificate struct certificate *leaf = nullptr;
    cleanup_buffer struct buffer pem = buffer_create(PEM_MAX);
    struct san name;
    MUST(san_parse("localhost", &name, &e), e);
    MUST(serving_key_generate(&key, &e), e);
    const struct certificate_subject subject = {.common_name = "localhost"};
    MUST(serving_certificate_issue_ca(&subject, key, now, &ca, &e), e);
    MUST(serving_certificate_issue(&subject, &name, 1, key, ca, key, now, &leaf, &e), e);
    san_done(&name);
    MUST(certificate_append_pem(leaf, &pem, &e), e);
    MUST(pkey_private_pem(key, &key_pem, &e), e);
    cleanup_text char *key_text =
        memory_copy_span((const char *)secret_view(key_pem), secret_length(key_pem));
    MUST(server_identity_create(&identity, &e), e);
    MUST(server_identity_set(identity, buffer_text(&pem), key_text, &e), e);
    return identity;
}

static void start(struct side *side, struct server_identity *identity, size_t body_max) {
    struct http_server_limits limits = http_server_usual_limits;
    struct error e;
    limits.body_max = body_max;
    limits.bodies_max = body_max * 2;
    limits.exchange_ms = 600000; // no deadline passes here
    side->body_max = body_max;
    served_prepare(&side->served);
    MUST(
        https_server_create(side->served.loop, "", identity, &limits, handle, side, &side->served.server, &e),
        e);
    served_take_address(&side->served);
}

// ---- the client

static SSL *begin(int fd) {
    static SSL_CTX *context;
    if (context == nullptr) {
        context = SSL_CTX_new(TLS_client_method());
        CHECK(context != nullptr && SSL_CTX_set1_groups_list(context, "X25519") == 1); // the quickest
    }
    SSL *ssl = SSL_new(context);
    CHECK(ssl != nullptr && SSL_set_fd(ssl, fd) == 1);
    return ssl;
}

static size_t receive(void *client, struct buffer *answered) {
    char bytes[4096];
    struct error e;
    int length = SSL_read(client, bytes, sizeof(bytes));
    ERR_clear_error();
    MUST(length <= 0 || buffer_append(answered, bytes, (size_t)length, &e), e);
    return length > 0 ? (size_t)length : 0;
}

static bool is_waiting(SSL *ssl, int result) {
    int why = SSL_get_error(ssl, result);
    ERR_clear_error();
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE;
}

static void shake_hands(struct served *served, SSL *ssl) {
    int result;
    while ((result = SSL_connect(ssl)) != 1) {
        CHECK(is_waiting(ssl, result));
        (void)event_base_loop(loop_event_base(served->loop), EVLOOP_NONBLOCK);
    }
}

// False: the server has ended the connection.
static bool say(struct served *served, SSL *ssl, const uint8_t *data, size_t size) {
    int result;
    while ((result = SSL_write(ssl, data, (int)size)) <= 0) {
        if (!is_waiting(ssl, result)) {
            return false;
        }
        served_settle(served, receive, ssl);
    }
    return true;
}

static void talk(struct side *side, const uint8_t *data, size_t size, bool in_pieces) {
    struct served *served = &side->served;
    struct cutter cutter = cutter_create(data, size);
    size_t most = 64 + size / 4; // a round of the loop for each piece takes its time
    int fd = served_connect(served);
    CHECK(evutil_make_socket_nonblocking(fd) == 0);
    SSL *ssl = begin(fd);
    shake_hands(served, ssl);
    for (bool open = true; open && size > 0;) {
        size_t piece = in_pieces ? cutter_next(&cutter, most, size) : size;
        open = say(served, ssl, data, piece);
        data += piece;
        size -= piece;
        served_settle(served, receive, ssl);
    }
    SSL_free(ssl);
    close(fd);
    served_settle(served, nullptr, nullptr);
    CHECK(http_server_is_quiet(served->server));
}

// Without TLS.
static void talk_plainly(struct side *side, const uint8_t *data, size_t size) {
    struct served *served = &side->served;
    int fd = served_connect(served);
    (void)send(fd, data, size, MSG_NOSIGNAL);
    served_settle(served, nullptr, nullptr);
    close(fd);
    served_settle(served, nullptr, nullptr);
    CHECK(served->handled.length == 0 && http_server_is_quiet(served->server));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct side whole; // each server has a loop of its own
    static struct side cut;
    static struct side small;
    if (whole.served.server == nullptr) {
        start_crypto();
        struct server_identity *identity = create_identity(); // as long as the process
        start(&whole, identity, http_server_usual_limits.body_max);
        start(&cut, identity, http_server_usual_limits.body_max);
        start(&small, identity, SMALL_BODY_MAX);
    }
    talk_plainly(&small, data, size);
    talk(&small, data, size, true);
    talk(&whole, data, size, false);
    talk(&cut, data, size, true);
    check_same_answers(&whole.served, &cut.served);
    served_forget(&whole.served);
    served_forget(&cut.served);
    served_forget(&small.served);
    return 0;
}
