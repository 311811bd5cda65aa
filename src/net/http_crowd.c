#include "net/http_crowd.h"

#include <netinet/in.h>
#include <string.h>

enum {
    WAITED_FOR = HTTP_HANDSHAKE | HTTP_RECEIVING | HTTP_ANSWERING,
    BUSY = HTTP_RECEIVING | HTTP_ANSWERING,
    PREFIX_SIZE = 8, // of an IPv6 address
};

struct http_peer http_peer_of(const struct sockaddr *address) {
    struct http_peer peer = {0};
    if (address->sa_family == AF_INET) {
        struct in6_addr mapped = {.s6_addr = {[10] = 0xff, [11] = 0xff}};
        memcpy(peer.bytes, &mapped, 12);
        memcpy(peer.bytes + 12, &((const struct sockaddr_in *)address)->sin_addr, 4);
    } else if (address->sa_family == AF_INET6) {
        const struct in6_addr *whole = &((const struct sockaddr_in6 *)address)->sin6_addr;
        memcpy(peer.bytes, whole, IN6_IS_ADDR_V4MAPPED(whole) ? HTTP_PEER_SIZE : PREFIX_SIZE);
    }
    return peer;
}

static bool is_of(const struct http_visitor *one, const struct http_peer *peer) {
    return memcmp(one->peer.bytes, peer->bytes, HTTP_PEER_SIZE) == 0;
}

static void link_last(struct http_crowd *crowd, struct http_visitor *visitor) {
    visitor->next = nullptr;
    visitor->previous = crowd->last;
    *(crowd->last == nullptr ? &crowd->first : &crowd->last->next) = visitor;
    crowd->last = visitor;
}

static void take_out(struct http_crowd *crowd, const struct http_visitor *visitor) {
    *(visitor->previous == nullptr ? &crowd->first : &visitor->previous->next) = visitor->next;
    *(visitor->next == nullptr ? &crowd->last : &visitor->next->previous) = visitor->previous;
}

static void forget_received(struct http_crowd *crowd, struct http_visitor *visitor) {
    crowd->received -= visitor->received;
    visitor->received = 0;
}

void http_crowd_join(struct http_crowd *crowd, struct http_visitor *visitor, enum http_phase phase,
                     int64_t now_ms) {
    visitor->phase = phase;
    visitor->since_ms = now_ms;
    link_last(crowd, visitor);
    crowd->count++;
}

void http_crowd_enter(struct http_crowd *crowd, struct http_visitor *visitor, enum http_phase phase,
                      int64_t now_ms) {
    visitor->phase = phase;
    visitor->since_ms = now_ms;
    take_out(crowd, visitor);
    link_last(crowd, visitor);
    if ((phase & BUSY) == 0) {
        forget_received(crowd, visitor);
    }
}

void http_crowd_receive(struct http_crowd *crowd, struct http_visitor *visitor, size_t bytes) {
    if (!visitor->leaving) {
        visitor->received += bytes;
        crowd->received += bytes;
    }
}

void http_crowd_dismiss(struct http_crowd *crowd, struct http_visitor *visitor) {
    if (!visitor->leaving) {
        visitor->leaving = true;
        forget_received(crowd, visitor);
        crowd->count--;
    }
}

void http_crowd_leave(struct http_crowd *crowd, struct http_visitor *visitor) {
    http_crowd_dismiss(crowd, visitor);
    take_out(crowd, visitor);
}

// The one that has been in any of phases for longest; peer NULL: of any peer. NULL: there is none.
static struct http_visitor *find_longest(const struct http_crowd *crowd, const struct http_peer *peer,
                                         const struct http_visitor *except, unsigned phases) {
    struct http_visitor *one = crowd->first;
    while (one != nullptr && (one == except || one->leaving || (one->phase & phases) == 0 ||
                              (peer != nullptr && !is_of(one, peer)))) {
        one = one->next;
    }
    return one;
}

static size_t count_of(const struct http_crowd *crowd, const struct http_peer *peer) {
    size_t count = 0;
    for (const struct http_visitor *one = crowd->first; one != nullptr; one = one->next) {
        count += !one->leaving && is_of(one, peer) ? 1 : 0;
    }
    return count;
}

struct http_visitor *http_crowd_find_excess(const struct http_crowd *crowd, const struct http_visitor *newest,
                                            int64_t now_ms) {
    bool too_many_of_peer = count_of(crowd, &newest->peer) > crowd->peer_max;
    const struct http_peer *peer = too_many_of_peer ? &newest->peer : nullptr;
    if (!too_many_of_peer && crowd->count <= crowd->visitors_max) {
        return nullptr;
    }
    struct http_visitor *waited_for = find_longest(crowd, peer, newest, WAITED_FOR);
    if (waited_for != nullptr && now_ms - waited_for->since_ms > HTTP_CROWD_PATIENCE_MS) {
        return waited_for;
    }
    struct http_visitor *one = find_longest(crowd, peer, newest, HTTP_HANDSHAKE); // nobody's loss yet
    one = one == nullptr ? find_longest(crowd, peer, newest, HTTP_IDLE) : one;
    return one == nullptr ? waited_for : one;
}

struct http_visitor *http_crowd_find_largest(const struct http_crowd *crowd) {
    struct http_visitor *largest = nullptr;
    for (struct http_visitor *one = crowd->first; one != nullptr; one = one->next) {
        largest = !one->leaving && (largest == nullptr || one->received > largest->received) ? one : largest;
    }
    return largest;
}

size_t http_crowd_busy(const struct http_crowd *crowd) {
    size_t busy = 0;
    for (const struct http_visitor *one = crowd->first; one != nullptr; one = one->next) {
        busy += (one->phase & BUSY) != 0 ? 1 : 0;
    }
    return busy;
}
