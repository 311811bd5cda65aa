#include "reconcile/remakes.h"

#include "base/map.h"
#include "base/memory.h"

#include <pthread.h>

enum {
    FIRST_WAIT_MS = 2000,
    LONGEST_WAIT_MS = 10 * 60 * 1000,
    PEACE_WAITS = 10,   // peace for so many times the last wait starts the count again
    SWEEP_COUNT = 1000, // entries from which on peaceful ones are looked for
};

struct record {
    int64_t last_ms;
    int64_t wait_ms;
    int64_t earlier_last_ms; // both before the last yes
    int64_t earlier_wait_ms; // 0: that was the first
    bool is_contested;       // one was refused
};

struct remakes {
    pthread_mutex_t lock;
    struct map *records; // key -> struct record
};

struct remakes *remakes_create(void) {
    struct remakes *remakes = memory_allocate_zeroed(1, sizeof(*remakes));
    if (remakes == nullptr) {
        return nullptr;
    }
    remakes->records = map_create(memory_free);
    if (remakes->records == nullptr) {
        memory_free(remakes);
        return nullptr;
    }
    pthread_mutex_init(&remakes->lock, nullptr);
    return remakes;
}

void remakes_free(struct remakes *remakes) {
    if (remakes != nullptr) {
        map_free(remakes->records);
        pthread_mutex_destroy(&remakes->lock);
        memory_free(remakes);
    }
}

static bool is_peaceful(const struct record *record, int64_t now_ms) {
    return now_ms - record->last_ms > PEACE_WAITS * record->wait_ms;
}

static void sweep(struct remakes *remakes, int64_t now_ms) {
    size_t position = 0;
    const char *key;
    void *value;
    while (map_next(remakes->records, &position, &key, &value)) {
        if (is_peaceful(value, now_ms)) {
            (void)map_remove(remakes->records, key);
        }
    }
}

// Memory that is out lets the first remake of a key through uncounted.
static void count_first(struct remakes *remakes, const char *key, int64_t now_ms) {
    if (map_count(remakes->records) >= SWEEP_COUNT) {
        sweep(remakes, now_ms);
    }
    struct record *record = memory_allocate(sizeof(*record));
    if (record != nullptr) {
        *record = (struct record){.last_ms = now_ms, .wait_ms = FIRST_WAIT_MS};
        if (!map_put(remakes->records, key, record)) {
            memory_free(record);
        }
    }
}

bool remakes_allow(struct remakes *remakes, const char *key, int64_t now_ms, uint32_t *ret_wait_ms) {
    bool allowed = true;
    pthread_mutex_lock(&remakes->lock);
    struct record *record = map_get(remakes->records, key);
    if (record == nullptr || is_peaceful(record, now_ms)) {
        count_first(remakes, key, now_ms);
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
    pthread_mutex_unlock(&remakes->lock);
    return allowed;
}

void remakes_take_back(struct remakes *remakes, const char *key) {
    pthread_mutex_lock(&remakes->lock);
    struct record *record = map_get(remakes->records, key);
    if (record != nullptr && record->earlier_wait_ms == 0) {
        (void)map_remove(remakes->records, key);
    } else if (record != nullptr) {
        record->last_ms = record->earlier_last_ms;
        record->wait_ms = record->earlier_wait_ms;
    }
    pthread_mutex_unlock(&remakes->lock);
}

bool remakes_are_contested(struct remakes *remakes, const char *key, int64_t now_ms, uint32_t *ret_peace_ms) {
    pthread_mutex_lock(&remakes->lock);
    const struct record *record = map_get(remakes->records, key);
    bool contested = record != nullptr && record->is_contested && !is_peaceful(record, now_ms);
    if (contested) {
        *ret_peace_ms = (uint32_t)(record->last_ms + PEACE_WAITS * record->wait_ms + 1 - now_ms);
    }
    pthread_mutex_unlock(&remakes->lock);
    return contested;
}
