// Events about what a worker is looking at just now. What a reconcile writes comes back to it twice, as the
// answer and through the watch, in either order: no reason to look again, and least of all before the time of
// a key's back-off. So what is heard of the object in hand, and of its output Secret, is held until the
// reconcile ends; it wakes the object then only if the store has another version than the reconcile knows.
#pragma once

#include "base/error.h"
#include "kube/object_key.h"

struct held_events;

// Owned; NULL when memory is out.
[[nodiscard]] struct held_events *held_events_create(void);
void held_events_free(struct held_events *events); // takes events; NULL is allowed

// A worker takes up key, which is in no other worker's hands. object: the index value under which its object
// is told of. Out of memory nothing is held for this key: it is woken as by anybody's write. Any thread, like
// all below.
void held_events_begin(struct held_events *events, const struct object_key *key, const char *object);

// The index value under which the output Secret of the key in hand is told of, as soon as it is known.
void held_events_expect_output(struct held_events *events, const struct object_key *key, const char *output);

// Something has changed under the index value about. True: it is held, and key is not to be woken now.
[[nodiscard]] bool held_events_hold(struct held_events *events, const struct object_key *key,
                                    const char *about);

// What was held.
struct held {
    bool object;
    bool output;
};

// The worker has finished with key: nothing is held for it any more.
struct held held_events_end(struct held_events *events, const struct object_key *key);
