// Who is connected to an HTTP server: how many, from where, and in which phase since when; and who has to go
// when there are too many of them, or when they have sent too much. It has neither sockets nor a clock.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct sockaddr;

// In each of them but the second the client is waited for.
enum http_phase {
    HTTP_HANDSHAKE = 1,
    HTTP_IDLE = 2,
    HTTP_RECEIVING = 4, // from the first byte of a request to its last
    HTTP_ANSWERING = 8, // until the answer is taken
};

// Who has been waited for so long is the first to go.
enum { HTTP_CROWD_PATIENCE_MS = 1000, HTTP_PEER_SIZE = 16 };

// Whose connections count together: an IPv4 address, or the first 64 bits of an IPv6 address, since whoever
// has one address of a /64 usually has them all.
struct http_peer {
    unsigned char bytes[HTTP_PEER_SIZE];
};

// The peer at address, IPv4 in IPv6 being IPv4; all zeros for any other family.
struct http_peer http_peer_of(const struct sockaddr *address);

// What the visitors of one peer have together, without those who leave or were not met yet.
struct http_share {
    size_t count;
    size_t received;
};

// One connection; embedded where the rest is known of it. Only to be read outside.
struct http_visitor {
    struct http_visitor *next; // in the order of the last change of phase
    struct http_visitor *previous;
    struct http_peer peer;
    struct http_visitor *head; // of its peer's; NULL: it leaves, or was not met yet
    struct http_share of_peer; // the head's only
    enum http_phase phase;
    int64_t since_ms; // in that phase
    size_t received;  // bytes of the request at hand
    bool is_used;     // had a request answered
    bool leaving;     // told to go, and counts no more
};

// All zeros but for the limits is an empty one.
struct http_crowd {
    size_t visitors_max;
    size_t peer_max; // visitors from one peer
    struct http_visitor *first;
    struct http_visitor *last;
    size_t count;    // of visitors, without those who leave or were not met yet
    size_t received; // bytes of all their requests that are not answered yet
};

// visitor, all zeros, comes in; it is borrowed until http_crowd_leave. It does not count, and is not found,
// until it was met: a whole backlog may come in before the first one is. now_ms, here and below: monotonic.
void http_crowd_join(struct http_crowd *crowd, struct http_visitor *visitor, enum http_phase phase,
                     int64_t now_ms);

// visitor is of peer, as was found out after it came in; once.
void http_crowd_meet(struct http_crowd *crowd, struct http_visitor *visitor, const struct http_peer *peer);

// visitor's next phase. What it has sent no longer counts once its request is answered.
void http_crowd_enter(struct http_crowd *crowd, struct http_visitor *visitor, enum http_phase phase,
                      int64_t now_ms);

// visitor has sent so many bytes more.
void http_crowd_receive(struct http_crowd *crowd, struct http_visitor *visitor, size_t bytes);

// visitor was told to go; it stays in until http_crowd_leave, but is not found any more.
void http_crowd_dismiss(struct http_crowd *crowd, struct http_visitor *visitor);
void http_crowd_leave(struct http_crowd *crowd, struct http_visitor *visitor);

// Who has to go since newest came in: one of its own peer where these are too many; where all are too many
// one of the peer that has most, so that nobody is kept out by another one's connections; else NULL; never
// newest itself. It is the one that is waited for longest, if for longer than the patience; or else the
// longest idle that never had a request answered; or else the longest in its handshake; or else the longest
// idle; or else the one that is waited for longest.
struct http_visitor *http_crowd_find_excess(const struct http_crowd *crowd, const struct http_visitor *newest,
                                            int64_t now_ms);

// Who has sent most of the peer whose visitors have sent most together; NULL: there is nobody.
struct http_visitor *http_crowd_find_largest(const struct http_crowd *crowd);

// How many requests are being received or answered.
size_t http_crowd_busy(const struct http_crowd *crowd);
