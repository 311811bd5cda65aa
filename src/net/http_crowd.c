#include "net/http_crowd.h"

#include <netinet/in.h>
#include <string.h>

enum {
    WAITED_FOR = HTTP_HANDSHAKE | HTTP_RECEIVING | HTTP_ANSWERING,
    BUSY = HTTP_RECEIVING | HTTP_ANSWERING,
    UNUSED = 16,     // idle, and never had a request answered
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

// ---- what a peer's visitors have together

static void enlist(struct http_crowd *crowd, struct http_visitor *visitor) {
    struct http_visitor *one = crowd->first;
    while (one != nullptr && (one->head == nullptr || !is_of(one, &visitor->peer))) {
        one = one->next;
    }
    visitor->of_peer = (struct http_share){0};
    visitor->head = one == nullptr ? visitor : one->head;
    visitor->head->of_peer.count++;
    visitor->head->of_peer.received += visitor->received;
    crowd->count++;
    crowd->received += visitor->received;
}

// If it was the head, the next one is. One that was not met is on no list.
static void strike_off(struct http_crowd *crowd, struct http_visitor *visitor) {
    struct http_visitor *head = visitor->head;
    struct http_visitor *heir = nullptr;
    if (head == nullptr) {
        return;
    }
    crowd->count--;
    crowd->received -= visitor->received;
    head->of_peer.count--;
    head->of_peer.received -= visitor->received;
    visitor->head = nullptr;
    for (struct http_visitor *one = head == visitor ? crowd->first : nullptr; one != nullptr;
         one = one->next) {
        if (one->head == head) {
            heir = heir == nullptr ? one : heir;
            one->head = heir;
        }
    }
    if (heir != nullptr) {
        heir->of_peer = head->of_peer;
    }
}

// visitor has sent so much in all.
static void set_received(struct http_crowd *crowd, struct http_visitor *visitor, size_t bytes) {
    if (visitor->head != nullptr) {
        visitor->head->of_peer.received += bytes - visitor->received;
        crowd->received += bytes - visitor->received;
    }
    visitor->received = bytes;
}

// ---- coming and going

void http_crowd_join(struct http_crowd *crowd, struct http_visitor *visitor, enum http_phase phase,
                     int64_t now_ms) {
    visitor->phase = phase;
    visitor->since_ms = now_ms;
    link_last(crowd, visitor);
}

void http_crowd_meet(struct http_crowd *crowd, struct http_visitor *visitor, const struct http_peer *peer) {
    visitor->peer = *peer;
    if (!visitor->leaving) {
        enlist(crowd, visitor);
    }
}

void http_crowd_enter(struct http_crowd *crowd, struct http_visitor *visitor, enum http_phase phase,
                      int64_t now_ms) {
    visitor->is_used = visitor->is_used || visitor->phase == HTTP_ANSWERING;
    visitor->phase = phase;
    visitor->since_ms = now_ms;
    take_out(crowd, visitor);
    link_last(crowd, visitor);
    if ((phase & BUSY) == 0 && !visitor->leaving) {
        set_received(crowd, visitor, 0);
    }
}

void http_crowd_receive(struct http_crowd *crowd, struct http_visitor *visitor, size_t bytes) {
    if (!visitor->leaving) {
        set_received(crowd, visitor, visitor->received + bytes);
    }
}

void http_crowd_dismiss(struct http_crowd *crowd, struct http_visitor *visitor) {
    if (!visitor->leaving) {
        visitor->leaving = true;
        strike_off(crowd, visitor);
        visitor->received = 0;
    }
}

void http_crowd_leave(struct http_crowd *crowd, struct http_visitor *visitor) {
    http_crowd_dismiss(crowd, visitor);
    take_out(crowd, visitor);
}

// ---- who has to go

// How many the peer has that has most.
static size_t find_most(const struct http_crowd *crowd) {
    size_t most = 0;
    for (const struct http_visitor *one = crowd->first; one != nullptr; one = one->next) {
        most = one->head == one && one->of_peer.count > most ? one->of_peer.count : most;
    }
    return most;
}

// Of whom one has to go: of newest's peer, or of each that has so many.
struct those {
    const struct http_visitor *newest; // never itself
    size_t count;                      // 0: of newest's peer
};

static bool is_among(const struct http_visitor *one, const struct those *those) {
    if (one == those->newest || one->head == nullptr) {
        return false;
    }
    return those->count == 0 ? one->head == those->newest->head : one->head->of_peer.count == those->count;
}

// The one that has been in any of phases, or UNUSED, for longest; NULL: there is none.
static struct http_visitor *find_longest(const struct http_crowd *crowd, const struct those *those,
                                         unsigned phases) {
    struct http_visitor *one = crowd->first;
    while (one != nullptr) {
        unsigned is_in = one->phase == HTTP_IDLE && !one->is_used ? UNUSED : one->phase;
        if ((is_in & phases) != 0 && is_among(one, those)) {
            return one;
        }
        one = one->next;
    }
    return nullptr;
}

static struct http_visitor *choose(const struct http_crowd *crowd, const struct those *those,
                                   int64_t now_ms) {
    static const unsigned order[] = {UNUSED, HTTP_HANDSHAKE, HTTP_IDLE};
    struct http_visitor *waited_for = find_longest(crowd, those, WAITED_FOR);
    if (waited_for != nullptr && now_ms - waited_for->since_ms > HTTP_CROWD_PATIENCE_MS) {
        return waited_for;
    }
    struct http_visitor *one = nullptr;
    for (size_t i = 0; one == nullptr && i < sizeof(order) / sizeof(order[0]); i++) {
        one = find_longest(crowd, those, order[i]);
    }
    return one == nullptr ? waited_for : one;
}

struct http_visitor *http_crowd_find_excess(const struct http_crowd *crowd, const struct http_visitor *newest,
                                            int64_t now_ms) {
    struct those those = {newest, 0};
    if (newest->head == nullptr || newest->head->of_peer.count <= crowd->peer_max) {
        if (crowd->count <= crowd->visitors_max) {
            return nullptr;
        }
        those.count = find_most(crowd);
    }
    return choose(crowd, &those, now_ms);
}

struct http_visitor *http_crowd_find_largest(const struct http_crowd *crowd) {
    const struct http_visitor *head = nullptr;
    struct http_visitor *largest = nullptr;
    for (const struct http_visitor *one = crowd->first; one != nullptr; one = one->next) {
        bool is_more = head == nullptr || one->of_peer.received > head->of_peer.received;
        head = one->head == one && is_more ? one : head;
    }
    for (struct http_visitor *one = crowd->first; one != nullptr; one = one->next) {
        bool is_more = largest == nullptr || one->received > largest->received;
        largest = one->head != nullptr && one->head == head && is_more ? one : largest;
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
