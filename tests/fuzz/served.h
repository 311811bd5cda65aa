// A server of ours without a network and without a thread: its listener is a socket that only this process
// knows, and its loop is run by hand until nothing more happens.
#pragma once

#include "fuzz.h"

#include "net/http_server.h"
#include "net/listener.h"

#include <errno.h>
#include <event2/event.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { TOLD_MAX = 4 * 1024 * 1024, QUIET_ROUNDS = 4 };

static struct sockaddr_un last_address;
static socklen_t last_address_length;

// In place of net/listener.c: the kernel chooses the address, which is no file.
bool listener_open(const char *address, int *ret_fd, struct error *e) {
    (void)address;
    (void)e;
    const struct sockaddr_un any = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    last_address_length = sizeof(last_address);
    CHECK(fd >= 0 && bind(fd, (const struct sockaddr *)&any, sizeof(any.sun_family)) == 0);
    CHECK(listen(fd, 8) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&last_address, &last_address_length) == 0);
    *ret_fd = fd;
    return true;
}

uint16_t listener_port(int fd) {
    return fd > 0 ? 1 : 0;
}

struct served {
    struct loop *loop;
    struct http_server *server;
    struct sockaddr_un address;
    socklen_t address_length;
    struct buffer handled;  // what the handler was asked, one line each
    struct buffer answered; // what a client got
};

static void served_prepare(struct served *served) {
    struct error e;
    MUST(loop_create(&served->loop, &e), e);
    served->handled = buffer_create(TOLD_MAX);
    served->answered = buffer_create(TOLD_MAX);
}

// Once its server is there.
static void served_take_address(struct served *served) {
    served->address = last_address;
    served->address_length = last_address_length;
}

static void served_forget(struct served *served) {
    buffer_done(&served->handled);
    buffer_done(&served->answered);
}

static int served_connect(const struct served *served) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0 && connect(fd, (const struct sockaddr *)&served->address, served->address_length) == 0);
    return fd;
}

// Takes what has come without waiting and appends it; how much that was.
typedef size_t served_receiver(void *client, struct buffer *answered);

// Runs the loop until nothing more comes.
static void served_settle(struct served *served, served_receiver *receive, void *client) {
    for (int quiet = 0; quiet < QUIET_ROUNDS; quiet++) {
        (void)event_base_loop(loop_event_base(served->loop), EVLOOP_NONBLOCK);
        quiet = receive != nullptr && receive(client, &served->answered) > 0 ? -1 : quiet;
    }
}

// The answers without their dates, and without "100 Continue", which is said only to who has not sent its
// body yet.
static void append_comparable(const struct buffer *answered, struct buffer *comparable) {
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    struct error e;
    const char *rest = buffer_text(answered);
    while (*rest != '\0') {
        size_t length = strcspn(rest, "\n");
        length += rest[length] == '\n' ? 1 : 0;
        if (strncmp(rest, go_on, sizeof(go_on) - 1) == 0) {
            length = sizeof(go_on) - 1;
        } else if (strncmp(rest, "Date: ", 6) != 0) {
            MUST(buffer_append(comparable, rest, length, &e), e);
        }
        rest += length;
    }
}

static void check_same_answers(const struct served *one, const struct served *other) {
    cleanup_buffer struct buffer text = buffer_create(TOLD_MAX);
    cleanup_buffer struct buffer other_text = buffer_create(TOLD_MAX);
    append_comparable(&one->answered, &text);
    append_comparable(&other->answered, &other_text);
    CHECK(strcmp(buffer_text(&one->handled), buffer_text(&other->handled)) == 0);
    CHECK(strcmp(buffer_text(&text), buffer_text(&other_text)) == 0);
}
