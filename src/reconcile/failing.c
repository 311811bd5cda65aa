#include "reconcile/failing.h"

#include "base/map.h"
#include "base/memory.h"

#include <pthread.h>

struct record {
    struct failing_row row; // ms is not used
    int64_t first_ms;
};

struct failing {
    pthread_mutex_t lock;
    struct map *records; // key -> struct record, owned
};

struct failing *failing_create(void) {
    struct failing *failing = memory_allocate_zeroed(1, sizeof(*failing));
    if (failing == nullptr) {
        return nullptr;
    }
    failing->records = map_create(memory_free);
    if (failing->records == nullptr) {
        memory_free(failing);
        return nullptr;
    }
    pthread_mutex_init(&failing->lock, nullptr);
    return failing;
}

void failing_free(struct failing *failing) {
    if (failing != nullptr) {
        map_free(failing->records);
        pthread_mutex_destroy(&failing->lock);
        memory_free(failing);
    }
}

// With the lock held. NULL: memory is out.
static struct record *need_record(struct failing *failing, const char *key, int64_t now_ms) {
    struct record *record = map_get(failing->records, key);
    if (record != nullptr) {
        return record;
    }
    record = memory_allocate_zeroed(1, sizeof(*record));
    if (record != nullptr && !map_put(failing->records, key, record)) {
        memory_free(record);
        return nullptr;
    }
    if (record != nullptr) {
        record->first_ms = now_ms;
    }
    return record;
}

struct failing_row failing_count(struct failing *failing, const char *key, int64_t now_ms) {
    struct failing_row row = {.count = 1};
    pthread_mutex_lock(&failing->lock);
    struct record *record = need_record(failing, key, now_ms);
    if (record != nullptr) {
        record->row.count++;
        row = record->row;
        row.ms = now_ms - record->first_ms;
    }
    pthread_mutex_unlock(&failing->lock);
    return row;
}

void failing_tell(struct failing *failing, const char *key) {
    pthread_mutex_lock(&failing->lock);
    struct record *record = map_get(failing->records, key);
    if (record != nullptr) {
        record->row.is_told = true;
    }
    pthread_mutex_unlock(&failing->lock);
}

void failing_end(struct failing *failing, const char *key) {
    pthread_mutex_lock(&failing->lock);
    (void)map_remove(failing->records, key);
    pthread_mutex_unlock(&failing->lock);
}
