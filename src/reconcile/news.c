#include "reconcile/news.h"

#include "base/map.h"
#include "base/memory.h"

#include <pthread.h>
#include <string.h>

struct hand {
    char *object; // owned, as output
    char *output; // NULL: not known yet, or there is none
    struct news_held held;
};

struct news {
    pthread_mutex_t lock;
    struct map *hands; // key -> struct hand, owned
};

static void free_hand(void *context) {
    struct hand *hand = context;
    memory_free(hand->object);
    memory_free(hand->output);
    memory_free(hand);
}

struct news *news_create(void) {
    struct news *news = memory_allocate_zeroed(1, sizeof(*news));
    if (news == nullptr) {
        return nullptr;
    }
    news->hands = map_create(free_hand);
    if (news->hands == nullptr) {
        memory_free(news);
        return nullptr;
    }
    pthread_mutex_init(&news->lock, nullptr);
    return news;
}

void news_free(struct news *news) {
    if (news != nullptr) {
        map_free(news->hands);
        pthread_mutex_destroy(&news->lock);
        memory_free(news);
    }
}

void news_begin(struct news *news, const char *key, const char *object) {
    struct hand *hand = memory_allocate_zeroed(1, sizeof(*hand));
    if (hand == nullptr) {
        return;
    }
    hand->object = memory_copy_text(object);
    pthread_mutex_lock(&news->lock);
    bool kept = hand->object != nullptr && map_put(news->hands, key, hand);
    pthread_mutex_unlock(&news->lock);
    if (!kept) {
        free_hand(hand);
    }
}

void news_expect_output(struct news *news, const char *key, const char *output) {
    char *copy = memory_copy_text(output);
    pthread_mutex_lock(&news->lock);
    struct hand *hand = map_get(news->hands, key);
    if (hand != nullptr) {
        char *old = hand->output;
        hand->output = copy;
        copy = old;
    }
    pthread_mutex_unlock(&news->lock);
    memory_free(copy);
}

bool news_hold(struct news *news, const char *key, const char *about) {
    pthread_mutex_lock(&news->lock);
    struct hand *hand = map_get(news->hands, key);
    bool of_object = hand != nullptr && strcmp(hand->object, about) == 0;
    bool of_output = hand != nullptr && hand->output != nullptr && strcmp(hand->output, about) == 0;
    if (hand != nullptr) {
        hand->held.object = hand->held.object || of_object;
        hand->held.output = hand->held.output || of_output;
    }
    pthread_mutex_unlock(&news->lock);
    return of_object || of_output;
}

struct news_held news_end(struct news *news, const char *key) {
    struct news_held held = {0};
    pthread_mutex_lock(&news->lock);
    const struct hand *hand = map_get(news->hands, key);
    if (hand != nullptr) {
        held = hand->held;
        (void)map_remove(news->hands, key);
    }
    pthread_mutex_unlock(&news->lock);
    return held;
}
