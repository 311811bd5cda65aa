#include "net/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 128, HOST_SIZE = 256, PORT_SIZE = 6 };

struct address {
    char host[HOST_SIZE]; // "": all interfaces
    char port[PORT_SIZE];
};

static bool parse_port(const char *text, char port[PORT_SIZE]) {
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits >= PORT_SIZE || text[digits] != '\0') {
        return false;
    }
    unsigned value = 0;
    for (size_t i = 0; i < digits; i++) {
        value = value * 10 + (unsigned)(text[i] - '0');
    }
    memcpy(port, text, digits + 1);
    return value <= UINT16_MAX;
}

static bool parse_address(const char *text, struct address *ret_address, struct error *e) {
    struct address address = {0};
    const char *colon = strrchr(text, ':');
    const char *host = text;
    size_t length = colon == nullptr ? 0 : (size_t)(colon - text);
    bool bracketed = length >= 2 && host[0] == '[' && host[length - 1] == ']';
    if (bracketed) {
        host++;
        length -= 2;
    }
    bool plain = memchr(host, ':', length) == nullptr && memchr(host, '[', length) == nullptr;
    if (colon == nullptr || length >= HOST_SIZE || (bracketed ? length == 0 : !plain) ||
        !parse_port(colon + 1, address.port)) {
        (void)error_set(e, ERROR_INVALID_SPEC, "\"%s\" is not host:port, [v6]:port or :port", text);
        return false;
    }
    memcpy(address.host, host, length);
    *ret_address = address;
    return true;
}

// A listening socket, or -1 with errno set.
static int listen_on(const struct addrinfo *candidate) {
    int fd = socket(candidate->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    int yes = 1;
    int no = 0;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    // Connections inherit these. An answer's last part must not wait for the peer to confirm the first.
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof(yes));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    if (candidate->ai_family == AF_INET6) {
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no));
    }
    if (bind(fd, candidate->ai_addr, candidate->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
        int cause = errno;
        close(fd);
        errno = cause;
        return -1;
    }
    return fd;
}

// "All interfaces" is one IPv6 socket that takes IPv4 too, where the system has IPv6.
static int listen_on_first(const struct addrinfo *candidates, bool all_interfaces) {
    int fd = -1;
    for (const struct addrinfo *one = candidates; all_interfaces && one != nullptr && fd < 0;
         one = one->ai_next) {
        fd = one->ai_family == AF_INET6 ? listen_on(one) : -1;
    }
    for (const struct addrinfo *one = candidates; one != nullptr && fd < 0; one = one->ai_next) {
        fd = listen_on(one);
    }
    return fd;
}

static bool open_socket(const struct address *address, int *ret_fd, struct error *e) {
    bool all = address->host[0] == '\0';
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *candidates;
    int failure = getaddrinfo(all ? nullptr : address->host, address->port, &hints, &candidates);
    if (failure != 0) {
        (void)error_set(e, ERROR_INVALID_SPEC, "%s: %s", address->host, gai_strerror(failure));
        return false;
    }
    int fd = listen_on_first(candidates, all);
    int cause = errno;
    freeaddrinfo(candidates);
    if (fd < 0) {
        (void)error_set(e, ERROR_IO, "cannot listen on %s:%s: %s", address->host, address->port,
                        strerror(cause));
        return false;
    }
    *ret_fd = fd;
    return true;
}

bool listener_open(const char *address, int *ret_fd, struct error *e) {
    struct address parsed;
    return parse_address(address, &parsed, e) && open_socket(&parsed, ret_fd, e);
}

uint16_t listener_port(int fd) {
    struct sockaddr_storage address = {0};
    socklen_t length = sizeof(address);
    (void)getsockname(fd, (struct sockaddr *)&address, &length);
    return ntohs(address.ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)&address)->sin6_port
                                               : ((const struct sockaddr_in *)&address)->sin_port);
}
