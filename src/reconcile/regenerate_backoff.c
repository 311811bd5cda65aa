#include "reconcile/regenerate_backoff.h"

#include "base/map.h"
#include "base/memory.h"

#include <pthread.h>
#include <stdio.h>

enum {
    FIRST_WAIT_MS = 2000,
    LONGEST_WAIT_MS = 10 * 60 * 1000,
    PEACE_WAITS = 10, // peace for so many times the last wait starts the count again
    SUFFIX_SIZE = 10,
    SWEEP_COUNT = 1000, // entries from which on peaceful ones are looked for
};

static const char *const suffixes[] = {
    [REGENERATED_CONTENT] = "",
    [REGENERATED_METADATA] = "/metadata",
    [REGENERATED_ON_REQUEST] = "/request",
    [REGENERATED_READY] = "/ready",
    [REGENERATED_BUNDLE] = "/bundle",
};

enum { TEXT_SIZE = OBJECT_KEY_TEXT_SIZE + SUFFIX_SIZE };

struct record {
    int64_t last_ms;
    int64_t wait_ms;
    int64_t earlier_last_ms; // both before the last yes
    int64_t earlier_wait_ms; // 0: that was the first
    bool is_contested;       // one was refused
};

struct regenerate_backoff {
    pthread_mutex_t lock;
    struct map *records; // text of the key, and what -> struct record
};

struct regenerate_backoff *regenerate_backoff_create(void) {
    struct regenerate_backoff *backoff = memory_allocate_zeroed(1, sizeof(*backoff));
    if (backoff == nullptr) {
        return nullptr;
    }
    backoff->records = map_create(memory_free);
    if (backoff->records == nullptr) {
        memory_free(backoff);
        return nullptr;
    }
    pthread_mutex_init(&backoff->lock, nullptr);
    return backoff;
}

void regenerate_backoff_free(struct regenerate_backoff *backoff) {
    if (backoff != nullptr) {
        map_free(backoff->records);
        pthread_mutex_destroy(&backoff->lock);
        memory_free(backoff);
    }
}

static void format(const struct object_key *key, enum regenerated what, char ret_text[TEXT_SIZE]) {
    char text[OBJECT_KEY_TEXT_SIZE];
    object_key_format(key, text);
    (void)snprintf(ret_text, TEXT_SIZE, "%s%s", text, suffixes[what]);
}

static bool is_peaceful(const struct record *record, int64_t now_ms) {
    return now_ms - record->last_ms > PEACE_WAITS * record->wait_ms;
}

static void sweep(struct regenerate_backoff *backoff, int64_t now_ms) {
    size_t position = 0;
    const char *key;
    void *value;
    while (map_next(backoff->records, &position, &key, &value)) {
        if (is_peaceful(value, now_ms)) {
            (void)map_remove(backoff->records, key);
        }
    }
}

// Memory that is out lets the first remake of a key through uncounted.
static void count_first(struct regenerate_backoff *backoff, const char *key, int64_t now_ms) {
    if (map_count(backoff->records) >= SWEEP_COUNT) {
        sweep(backoff, now_ms);
    }
    struct record *record = memory_allocate(sizeof(*record));
    if (record != nullptr) {
        *record = (struct record){.last_ms = now_ms, .wait_ms = FIRST_WAIT_MS};
        if (!map_put(backoff->records, key, record)) {
            memory_free(record);
        }
    }
}

bool regenerate_backoff_allow(struct regenerate_backoff *backoff, const struct object_key *key,
                              enum regenerated what, int64_t now_ms, uint32_t *ret_wait_ms) {
    char text[TEXT_SIZE];
    bool allowed = true;
    if (backoff == nullptr) {
        return true;
    }
    format(key, what, text);
    pthread_mutex_lock(&backoff->lock);
    struct record *record = map_get(backoff->records, text);
    if (record == nullptr || is_peaceful(record, now_ms)) {
        count_first(backoff, text, now_ms);
    } else if (now_ms - record->last_ms < record->wait_ms) {
        *ret_wait_ms = (uint32_t)(record->last_ms + record->wait_ms - now_ms);
        record->is_contested = true;
        allowed = false;
    } else {
        record->earlier_last_ms = record->last_ms;
        record->earlier_wait_ms = record->wait_ms;
        record->last_ms = now_ms;
        record->wait_ms = record->wait_ms * 2 < LONGEST_WAIT_MS ? record->wait_ms * 2 : LONGEST_WAIT_MS;
    }
    pthread_mutex_unlock(&backoff->lock);
    return allowed;
}

void regenerate_backoff_take_back(struct regenerate_backoff *backoff, const struct object_key *key,
                                  enum regenerated what) {
    char text[TEXT_SIZE];
    if (backoff == nullptr) {
        return;
    }
    format(key, what, text);
    pthread_mutex_lock(&backoff->lock);
    struct record *record = map_get(backoff->records, text);
    if (record != nullptr && record->earlier_wait_ms == 0) {
        (void)map_remove(backoff->records, text);
    } else if (record != nullptr) {
        record->last_ms = record->earlier_last_ms;
        record->wait_ms = record->earlier_wait_ms;
    }
    pthread_mutex_unlock(&backoff->lock);
}

bool regenerate_backoff_is_contested(struct regenerate_backoff *backoff, const struct object_key *key,
                                     enum regenerated what, int64_t now_ms, uint32_t *ret_peace_ms) {
    char text[TEXT_SIZE];
    if (backoff == nullptr) {
        return false;
    }
    format(key, what, text);
    pthread_mutex_lock(&backoff->lock);
    const struct record *record = map_get(backoff->records, text);
    bool contested = record != nullptr && record->is_contested && !is_peaceful(record, now_ms);
    if (contested) {
        *ret_peace_ms = (uint32_t)(record->last_ms + PEACE_WAITS * record->wait_ms + 1 - now_ms);
    }
    pthread_mutex_unlock(&backoff->lock);
    return contested;
}
