// Leader election on a Lease (coordination.k8s.io/v1), with client-go's rules: decides what a contender does
// so that at most one of them leads. A pure state machine: it makes no request, reads no clock and draws no
// random number of its own. Its driver (runtime/leader.c, or a test) asks what to do next, does it, and
// hands back what came of it.
//
//     +--------- held by another, or a failure: wait ----------+
//     v                                                        |
//    GET --absent: CREATE, free or run out: UPDATE, ours: UPDATE--> leading --wait--> UPDATE, without a read
//                                             ^                                          |
//                                             +---ours--- GET <---------failure----------+
//                                                          |
//                                                          +---another's, or time is up---> LOST
//
// - Another's record counts for as long as it says (leaseDurationSeconds) from the moment at which it was
//   seen here to have changed, by our own clock. Its renewTime is only compared with its earlier self, never
//   read: the clocks of machines differ.
//
// - An empty holder, or a record that has run out, is free at once. Every update names the resourceVersion
//   that it is based on, so that of two contenders one gets a conflict, and looks again.
//
// - An update is a merge patch of what is ours in the record: what others have put there stays.
//
// - Whoever leads renews every retry period. Without success in the renew deadline, counted from the start of
//   the last request that succeeded, or if the record names another, leadership is lost for good.
//
// - Contenders look after a random half to whole of a retry period, so that they do not come all at once, and
//   at the moment at which the record would have run out. (client-go's wait 1 to 2.2 of them, also then.) So
//   a leader that is gone is replaced within one lease duration and one retry period of its last renewal.
#pragma once

#include "json/read.h"
#include "json/write.h"

struct lease;

struct lease_timing {
    uint32_t duration_ms;       // how long others keep away after the last renewal; whole seconds
    uint32_t renew_deadline_ms; // how long the leader tries to renew before it gives up
    uint32_t retry_period_ms;   // between two tries
};

// Whether duration > renew deadline > 1.2 retry periods, which the rules above rest on. Errors: INVALID_SPEC
// (says which does not hold).
[[nodiscard]] bool lease_check_timing(const struct lease_timing *timing, struct error *e);

// A number from 0 up to but not including 1, evenly distributed.
typedef double lease_random(void *context);

struct lease_options {
    const char *namespace;
    const char *name;
    const char *identity; // of this contender, unlike any other's
    struct lease_timing timing;
    lease_random *random;
    void *random_context;
};

// Texts are copied; random and its context are borrowed until lease_free. *ret_lease is owned. Errors:
// INVALID_SPEC (see lease_check_timing), NO_MEMORY.
[[nodiscard]] bool lease_create(const struct lease_options *options, struct lease **ret_lease,
                                struct error *e);
void lease_free(struct lease *lease); // takes lease; NULL is allowed

enum lease_action {
    LEASE_GET,      // read the object, then lease_answered or lease_failed
    LEASE_CREATE,   // POST body as the object, then the same
    LEASE_UPDATE,   // PATCH the object with body, a merge patch, then the same
    LEASE_WAIT,     // then ask again
    LEASE_LOST,     // leadership is over, and so is the election: nothing that was begun may go on
    LEASE_RELEASED, // after lease_release: the record does not name us any more, as far as can be known
};

struct lease_step {
    enum lease_action action;
    const yyjson_mut_doc *body; // of a create or update; borrowed until the next lease_next
    uint32_t timeout_ms;        // of a request
    uint32_t wait_ms;           // of a wait
    bool slow;                  // a renewal that needed a read before it
};

// What to do now. Called first of all, after each wait (which may be cut short), and when a request is over.
// now_ms: monotonic, as below; wall_us: what goes into the record, microseconds since 1970.
void lease_next(struct lease *lease, int64_t now_ms, int64_t wall_us, struct lease_step *ret_step);

// The request succeeded; document, the Lease as it is now, is taken. False: it cannot be used; this has been
// seen to, *e is for people.
[[nodiscard]] bool lease_answered(struct lease *lease, int64_t now_ms, yyjson_doc *document, struct error *e);

// The request failed; error: from the API.
void lease_failed(struct lease *lease, int64_t now_ms, const struct error *error);

// From now on the steps lead to LEASE_RELEASED: leadership, if it was had, is given up so that another can
// take it at once. Not while a request is under way.
void lease_release(struct lease *lease);

// Until when, monotonic, we lead for certain; INT64_MIN: we do not lead. Less than the record promises, so
// that what was sent before then has arrived before another may lead.
int64_t lease_held_until(const struct lease *lease);

// The Lease as it was last seen, and the holder that it names ("": none); borrowed until lease_answered.
yyjson_val *lease_object(const struct lease *lease); // NULL: not seen yet
const char *lease_holder(const struct lease *lease);
