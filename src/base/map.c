#include "base/map.h"

#include "base/memory.h"

#include <stdint.h>
#include <string.h>
#include <sys/random.h>

// Open addressing with linear probing. A removed entry leaves a tombstone, swept when the table is rebuilt.
// Keys come from users, so the hash is seeded: SipHash-like strength is not needed, only unpredictability.
struct entry {
    char *key; // NULL: never used; tombstone: removed
    void *value;
    uint64_t hash;
};

static char tombstone[] = "";

struct map {
    struct entry *entries;
    size_t size;  // a power of two
    size_t count; // live entries
    size_t used;  // live entries and tombstones
    uint64_t seed;
    void (*free_value)(void *value);
};

enum { FIRST_SIZE = 2 }; // most of an index's many maps hold one entry

static bool is_live(const struct entry *entry) {
    return entry->key != nullptr && entry->key != tombstone;
}

static uint64_t hash_key(const struct map *map, const char *key) {
    uint64_t hash = map->seed;
    for (; *key != '\0'; key++) {
        hash = (hash ^ (uint8_t)*key) * 0x100000001b3; // the FNV-1a prime, over a random start
        hash ^= hash >> 29;
    }
    return hash;
}

struct map *map_create(void (*free_value)(void *value)) {
    struct map *map = memory_allocate_zeroed(1, sizeof(*map));
    if (map == nullptr) {
        return nullptr;
    }
    map->free_value = free_value;
    if (getrandom(&map->seed, sizeof(map->seed), 0) != sizeof(map->seed)) {
        map->seed = (uintptr_t)map;
    }
    return map;
}

static void release_value(const struct map *map, void *value) {
    if (map->free_value != nullptr) {
        map->free_value(value);
    }
}

void map_free(struct map *map) {
    if (map == nullptr) {
        return;
    }
    for (size_t i = 0; i < map->size; i++) {
        if (is_live(&map->entries[i])) {
            memory_free(map->entries[i].key);
            release_value(map, map->entries[i].value);
        }
    }
    memory_free(map->entries);
    memory_free(map);
}

static struct entry *find(const struct map *map, const char *key) {
    if (map->size == 0) {
        return nullptr;
    }
    uint64_t hash = hash_key(map, key);
    for (size_t i = hash & (map->size - 1); map->entries[i].key != nullptr; i = (i + 1) & (map->size - 1)) {
        struct entry *entry = &map->entries[i];
        if (is_live(entry) && entry->hash == hash && strcmp(entry->key, key) == 0) {
            return entry;
        }
    }
    return nullptr;
}

void *map_get(const struct map *map, const char *key) {
    struct entry *entry = find(map, key);
    return entry == nullptr ? nullptr : entry->value;
}

static void place(struct entry *entries, size_t size, struct entry entry) {
    size_t i = entry.hash & (size - 1);
    while (entries[i].key != nullptr) {
        i = (i + 1) & (size - 1);
    }
    entries[i] = entry;
}

// Keeps at least a quarter of the table free.
static bool make_room(struct map *map) {
    if ((map->used + 1) * 4 <= map->size * 3) {
        return true;
    }
    size_t size = FIRST_SIZE;
    while ((map->count + 1) * 2 > size) {
        size *= 2;
    }
    struct entry *entries = memory_allocate_zeroed(size, sizeof(*entries));
    if (entries == nullptr) {
        return false;
    }
    for (size_t i = 0; i < map->size; i++) {
        if (is_live(&map->entries[i])) {
            place(entries, size, map->entries[i]);
        }
    }
    memory_free(map->entries);
    map->entries = entries;
    map->size = size;
    map->used = map->count;
    return true;
}

bool map_put(struct map *map, const char *key, void *value) {
    struct entry *present = find(map, key);
    if (present != nullptr) {
        void *old = present->value;
        present->value = value;
        release_value(map, old);
        return true;
    }
    if (!make_room(map)) {
        return false;
    }
    struct entry entry = {.key = memory_copy_text(key), .value = value, .hash = hash_key(map, key)};
    if (entry.key == nullptr) {
        return false;
    }
    place(map->entries, map->size, entry);
    map->count++;
    map->used++;
    return true;
}

bool map_remove(struct map *map, const char *key) {
    struct entry *entry = find(map, key);
    if (entry == nullptr) {
        return false;
    }
    void *value = entry->value;
    memory_free(entry->key);
    entry->key = tombstone;
    entry->value = nullptr;
    map->count--;
    release_value(map, value);
    return true;
}

size_t map_count(const struct map *map) {
    return map->count;
}

bool map_next(const struct map *map, size_t *position, const char **ret_key, void **ret_value) {
    while (*position < map->size) {
        struct entry *entry = &map->entries[(*position)++];
        if (is_live(entry)) {
            *ret_key = entry->key;
            *ret_value = entry->value;
            return true;
        }
    }
    return false;
}
