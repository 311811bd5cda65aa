// A hash map from text keys to pointers. Not locked: its owner guards it.
#pragma once

#include <stddef.h>

struct map;

// An empty map, owned; NULL when memory is out. free_value may be NULL (values are then borrowed); otherwise
// values are taken by map_put and freed with it when they are replaced, removed, or the map is freed.
[[nodiscard]] struct map *map_create(void (*free_value)(void *value));

// Takes map; NULL is allowed.
void map_free(struct map *map);

// The value, borrowed until the entry changes; NULL: no such key.
void *map_get(const struct map *map, const char *key);

// Adds or replaces. key is copied. False: memory is out, and the value is still the caller's.
[[nodiscard]] bool map_put(struct map *map, const char *key, void *value);

// Whether there was such a key.
bool map_remove(struct map *map, const char *key);

size_t map_count(const struct map *map);

// Goes through all entries in no particular order: start with *position 0; false at the end. The map must not
// be added to meanwhile; removing the entry just returned is allowed. *ret_key is borrowed until the entry is
// removed.
[[nodiscard]] bool map_next(const struct map *map, size_t *position, const char **ret_key, void **ret_value);

static inline void map_cleanup(struct map **map) {
    map_free(*map);
}
#define cleanup_map [[gnu::cleanup(map_cleanup)]]
