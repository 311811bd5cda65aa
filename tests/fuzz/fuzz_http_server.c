// The server of health checks and metrics: the same bytes get the same answers however they are cut.
#include "served.h"

static int handle(void *context, const char *path, struct buffer *body, struct http_tail *) {
    struct served *served = context;
    struct error e;
    MUST(buffer_append_format(&served->handled, &e, "%s\n", path), e);
    MUST(buffer_append_format(body, &e, "%zu\n", strlen(path)), e);
    return strcmp(path, "/readyz") == 0 ? 503 : 200;
}

static void start(struct served *served) {
    struct error e;
    served_prepare(served);
    MUST(http_server_create(served->loop, "", &http_server_plain_limits, handle, served, &served->server, &e),
         e);
    served_take_address(served);
}

static size_t receive(void *client, struct buffer *answered) {
    char bytes[4096];
    struct error e;
    ssize_t length = recv(*(int *)client, bytes, sizeof(bytes), MSG_DONTWAIT);
    MUST(length <= 0 || buffer_append(answered, bytes, (size_t)length, &e), e);
    return length > 0 ? (size_t)length : 0;
}

static void talk(struct served *served, const uint8_t *data, size_t size, bool in_pieces) {
    struct cutter cutter = cutter_create(data, size);
    size_t most = 64 + size / 4; // a round of the loop for each piece takes its time
    int fd = served_connect(served);
    bool open = true;
    while (open && size > 0) {
        ssize_t sent = send(fd, data, in_pieces ? cutter_next(&cutter, most, size) : size, MSG_NOSIGNAL);
        open = sent > 0;
        data += open ? sent : 0;
        size -= open ? (size_t)sent : 0;
        served_settle(served, receive, &fd);
    }
    close(fd);
    served_settle(served, nullptr, nullptr);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct served whole; // each server has a loop of its own
    static struct served cut;
    if (whole.server == nullptr) {
        start(&whole);
        start(&cut);
    }
    talk(&whole, data, size, false);
    talk(&cut, data, size, true);
    check_same_answers(&whole, &cut);
    CHECK(whole.answered.length == 0 || strncmp(buffer_text(&whole.answered), "HTTP/", 5) == 0);
    served_forget(&whole);
    served_forget(&cut);
    return 0;
}
