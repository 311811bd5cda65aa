#include "reconcile/held_events.h"

#include "base/map.h"
#include "base/memory.h"

#include <pthread.h>
#include <string.h>

struct hand {
    char *object; // owned, as output
    char *output; // NULL: not known yet, or there is none
    struct held held;
};

struct held_events {
    pthread_mutex_t lock;
    struct map *hands; // text of the key -> struct hand, owned
};

static void free_hand(void *context) {
    struct hand *hand = context;
    memory_free(hand->object);
    memory_free(hand->output);
    memory_free(hand);
}

struct held_events *held_events_create(void) {
    struct held_events *events = memory_allocate_zeroed(1, sizeof(*events));
    if (events == nullptr) {
        return nullptr;
    }
    events->hands = map_create(free_hand);
    if (events->hands == nullptr) {
        memory_free(events);
        return nullptr;
    }
    pthread_mutex_init(&events->lock, nullptr);
    return events;
}

void held_events_free(struct held_events *events) {
    if (events != nullptr) {
        map_free(events->hands);
        pthread_mutex_destroy(&events->lock);
        memory_free(events);
    }
}

void held_events_begin(struct held_events *events, const struct object_key *key, const char *object) {
    char text[OBJECT_KEY_TEXT_SIZE];
    object_key_format(key, text);
    struct hand *hand = memory_allocate_zeroed(1, sizeof(*hand));
    if (hand == nullptr) {
        return;
    }
    hand->object = memory_copy_text(object);
    pthread_mutex_lock(&events->lock);
    bool kept = hand->object != nullptr && map_put(events->hands, text, hand);
    pthread_mutex_unlock(&events->lock);
    if (!kept) {
        free_hand(hand);
    }
}

void held_events_expect_output(struct held_events *events, const struct object_key *key, const char *output) {
    char text[OBJECT_KEY_TEXT_SIZE];
    object_key_format(key, text);
    char *copy = memory_copy_text(output);
    pthread_mutex_lock(&events->lock);
    struct hand *hand = map_get(events->hands, text);
    if (hand != nullptr) {
        char *old = hand->output;
        hand->output = copy;
        copy = old;
    }
    pthread_mutex_unlock(&events->lock);
    memory_free(copy);
}

bool held_events_hold(struct held_events *events, const struct object_key *key, const char *about) {
    char text[OBJECT_KEY_TEXT_SIZE];
    object_key_format(key, text);
    pthread_mutex_lock(&events->lock);
    struct hand *hand = map_get(events->hands, text);
    bool of_object = hand != nullptr && strcmp(hand->object, about) == 0;
    bool of_output = hand != nullptr && hand->output != nullptr && strcmp(hand->output, about) == 0;
    if (hand != nullptr) {
        hand->held.object = hand->held.object || of_object;
        hand->held.output = hand->held.output || of_output;
    }
    pthread_mutex_unlock(&events->lock);
    return of_object || of_output;
}

struct held held_events_end(struct held_events *events, const struct object_key *key) {
    char text[OBJECT_KEY_TEXT_SIZE];
    object_key_format(key, text);
    struct held held = {0};
    pthread_mutex_lock(&events->lock);
    const struct hand *hand = map_get(events->hands, text);
    if (hand != nullptr) {
        held = hand->held;
        (void)map_remove(events->hands, text);
    }
    pthread_mutex_unlock(&events->lock);
    return held;
}
