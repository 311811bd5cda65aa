// The reflector: decides how a copy of one resource's objects is kept equal to the API server's. A pure state
// machine: it makes no request, reads no clock and draws no random number of its own. Its driver
// (runtime/watch.c, or a test) asks what to do next, does it, and hands back what came of it; what it learns
// of objects goes to a sink.
//
//      +---------------------------- the copy is doubtful -------------------------------+
//      v                                                                                 |
//  WANT_LIST --next--> LISTING --last page, sink.replace--> WANT_WATCH --next--> WATCHING
//    ^     ^              |                                     ^                    |
//    |     +-- more pages-+                                     | not behind         | it ended, or failed
//    +-------- failure ---+                 CHECKING -----------+                    |
//    ^                                       |    ^-- next -- WANT_CHECK <-----------+
//    +--- the server was restored -----------+---- failure -----^
//
// After a failure, and not otherwise, the next step is to wait.
//
// - The first list asks for any version ("0", from the server's cache), a later one for what was seen at
//   least, and one after 410 Gone or "Too large resource version" for the newest (""), at once. Only a second
//   such answer with nothing learned in between waits as other failures do. When it is the token of a list's
//   next page that has expired, the list is asked for anew in one piece, so that it cannot expire again.
//
// - A watch starts from the last version seen: the list's own, then that of each event and bookmark.
//
// - Failed watches are retried from the same version, since that is cheap. After 5 in a row for which the
//   server gave a reason other than 429 it lists anew; what the network does is never a reason to list anew.
//
// - An event that cannot be understood or stored: it lists anew, so that nothing is lost.
//
// - A watch that ends within a second without an event counts as failed.
//
// - Before a watch is taken up again the newest version is asked for, with a list of one object. Where that
// is
//   behind what was seen, the server was restored from a backup, and would say nothing on a watch from a
//   version that is yet to come: it lists anew.
//
// - Every 10 to 11 hours it lists the newest, in case that a restored server had overtaken what was seen by
// then.
//
// - Waiting: a random part of a time that doubles from 800 ms to 30 s, never less than the Retry-After of the
//   server; it starts from 800 ms again after 2 minutes without a failure.
//
// Streaming lists (sendInitialEvents) are not used: their gain is memory on the server for very large lists.
#pragma once

#include "kube/object.h"

struct reflector;

// Where objects go. apply and remove take object, replace takes each of the objects (the array stays the
// caller's), also on failure; resource_version is borrowed during the call. A failure of theirs means that
// the copy may be wrong: the reflector lists anew.
struct reflector_sink {
    void *context;
    struct kube_kept kept; // of each object; its text is borrowed until reflector_free
    bool (*replace)(void *context, struct kube_object **objects, size_t count, const char *resource_version,
                    struct error *e);
    bool (*apply)(void *context, struct kube_object *object, struct error *e); // added or changed
    void (*remove)(void *context, struct kube_object *object);                 // deleted; its last state
    void (*advance)(void *context, const char *resource_version);              // nothing changed up to here
    // Whether an object of a list is worth holding until the list is whole; borrowed during the call.
    bool (*wants)(void *context, const struct kube_object *object);
    // Whether the object of that key is there in that version or a newer one, so that nothing is to be
    // learned from its event: as it is of the operator's own writes.
    bool (*has)(void *context, const char *key, const char *resource_version);
};

// A number from 0 up to but not including 1, evenly distributed.
typedef double reflector_random(void *context);

enum reflector_action {
    REFLECTOR_LIST,  // GET the collection, then reflector_item for each item, then reflector_page; or
                     // reflector_failed
    REFLECTOR_CHECK, // the same, but its answer says nothing of the objects
    REFLECTOR_WATCH, // the same as a stream: reflector_line for each line, then reflector_ended or
                     // reflector_failed
    REFLECTOR_WAIT,  // then ask again
};

struct reflector_step {
    enum reflector_action action;
    const char *query;    // of a list, check or watch, without "?", percent-encoded; borrowed until the next
                          // reflector_next
    uint32_t deadline_ms; // of a list, check or watch, for the whole exchange: passing it is a failure
    uint32_t idle_ms;     // of a watch: so long without a byte is a failure
    uint32_t wait_ms;     // of a wait
};

// sink is copied; random and its context are borrowed until reflector_free. watch_seconds: the server is
// asked to end a watch within this time, and not in its first half. *ret_reflector is owned. Errors:
// NO_MEMORY.
[[nodiscard]] bool reflector_create(const struct reflector_sink *sink, uint32_t watch_seconds,
                                    reflector_random *random, void *random_context,
                                    struct reflector **ret_reflector, struct error *e);
void reflector_free(struct reflector *reflector); // takes reflector; NULL is allowed

// What to do now. Called first of all, after each wait, and when a list, check or watch is over. now_ms:
// monotonic, as below. While one is under way it must not be called.
void reflector_next(struct reflector *reflector, int64_t now_ms, struct reflector_step *ret_step);

// One item of the answer to a list or check: a JSON text. False: the list is over and must be closed; this
// has been seen to, *e is for people.
[[nodiscard]] bool reflector_item(struct reflector *reflector, int64_t now_ms, const char *text,
                                  size_t length, struct error *e);

// The answer to a list or check, whose items were given before: one page, borrowed during the call. False: it
// cannot be used, or the sink failed; this has been seen to, *e is for people.
[[nodiscard]] bool reflector_page(struct reflector *reflector, int64_t now_ms, yyjson_val *page,
                                  struct error *e);

// One line of a watch: a JSON text. False: the watch is over and must be closed, and reflector_ended must not
// be called; what comes next has been seen to, *e is for people (an ERROR event, or as with a page).
[[nodiscard]] bool reflector_line(struct reflector *reflector, int64_t now_ms, const char *text,
                                  size_t length, struct error *e);

// The server ended the watch in an orderly way. False: suspiciously soon; this has been seen to, *e is for
// people.
[[nodiscard]] bool reflector_ended(struct reflector *reflector, int64_t now_ms, struct error *e);

// The list, check or watch failed: could not be made, was cut off, passed a deadline, or was answered with an
// error. status: the answer's HTTP status, 0: none; error: from kube_status_error or from the HTTP client,
// with retry_after_ms.
void reflector_failed(struct reflector *reflector, int64_t now_ms, int status, const struct error *error);
