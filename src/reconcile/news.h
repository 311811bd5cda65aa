// News of what a worker is looking at just now. What a reconcile writes comes back to it twice, as the answer
// and through the watch, in either order: no reason to look again, and least of all before the time of a
// key's back-off. So what is heard of the object in hand, and of its output Secret, is held until the
// reconcile ends; it wakes the object then only if the store has another version than the reconcile knows.
#pragma once

#include "base/error.h"

struct news;

// Owned; NULL when memory is out.
[[nodiscard]] struct news *news_create(void);
void news_free(struct news *news); // takes news; NULL is allowed

// A worker takes up key, which is in no other worker's hands. object: the index value under which its object
// is told of. Out of memory nothing is held for this key: it is woken as by anybody's write. Any thread, like
// all below.
void news_begin(struct news *news, const char *key, const char *object);

// The index value under which the output Secret of the key in hand is told of, as soon as it is known.
void news_expect_output(struct news *news, const char *key, const char *output);

// Something has changed under the index value about. True: it is held, and key is not to be woken now.
[[nodiscard]] bool news_hold(struct news *news, const char *key, const char *about);

// What was held.
struct news_held {
    bool object;
    bool output;
};

// The worker has finished with key: nothing is held for it any more.
struct news_held news_end(struct news *news, const char *key);
