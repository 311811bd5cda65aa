#include "runtime/store_table.h"

#include "base/memory.h"

#include <string.h>

struct table {
    struct map *entries; // key -> entry, counted
    struct map *index;   // value -> map of key -> entry, borrowed from entries
};

// Where entry_create collects what the hook emits.
struct collector {
    struct entry *entry;
    size_t capacity;
    bool failed;
};

static void collect(void *sink, const char *value) {
    struct collector *collector = sink;
    struct entry *entry = collector->entry;
    if (entry->value_count == collector->capacity) {
        size_t capacity = collector->capacity == 0 ? 4 : collector->capacity * 2;
        char **values = memory_resize(entry->values, capacity * sizeof(*values));
        if (values == nullptr) {
            collector->failed = true;
            return;
        }
        entry->values = values;
        collector->capacity = capacity;
    }
    char *copy = memory_copy_text(value);
    if (copy == nullptr) {
        collector->failed = true;
        return;
    }
    entry->values[entry->value_count++] = copy;
}

bool entry_create(struct kube_object *object, const struct store_hooks *hooks, struct entry **ret_entry,
                  struct error *e) {
    struct entry *entry = memory_allocate_zeroed(1, sizeof(*entry));
    if (entry == nullptr) {
        return error_no_memory(e, "storing an object");
    }
    entry->count = 1;
    entry->object = kube_object_retain(object);
    struct collector collector = {.entry = entry};
    if (hooks->index != nullptr) {
        hooks->index(hooks->context, object, collect, &collector);
    }
    if (collector.failed) {
        entry_release(entry);
        return error_no_memory(e, "indexing an object");
    }
    *ret_entry = entry;
    return true;
}

struct entry *entry_retain(struct entry *entry) {
    entry->count++;
    return entry;
}

void entry_release(struct entry *entry) {
    if (entry == nullptr || --entry->count > 0) {
        return;
    }
    for (size_t i = 0; i < entry->value_count; i++) {
        memory_free(entry->values[i]);
    }
    memory_free(entry->values);
    kube_object_release(entry->object);
    memory_free(entry);
}

static void release_entry(void *entry) {
    entry_release(entry);
}

static void release_set(void *set) {
    map_free(set);
}

struct table *table_create(void) {
    struct table *table = memory_allocate_zeroed(1, sizeof(*table));
    if (table == nullptr) {
        return nullptr;
    }
    table->entries = map_create(release_entry);
    table->index = map_create(release_set);
    if (table->entries == nullptr || table->index == nullptr) {
        table_free(table);
        return nullptr;
    }
    return table;
}

void table_free(struct table *table) {
    if (table != nullptr) {
        map_free(table->index);
        map_free(table->entries);
        memory_free(table);
    }
}

struct entry *table_get(const struct table *table, const char *key) {
    return map_get(table->entries, key);
}

const struct map *table_entries(const struct table *table) {
    return table->entries;
}

const struct map *table_find(const struct table *table, const char *value) {
    return map_get(table->index, value);
}

static bool index_add(struct table *table, const char *value, struct entry *entry) {
    struct map *set = map_get(table->index, value);
    if (set != nullptr) {
        return map_put(set, entry->object->key, entry);
    }
    set = map_create(nullptr);
    if (set == nullptr) {
        return false;
    }
    if (!map_put(set, entry->object->key, entry) || !map_put(table->index, value, set)) {
        map_free(set);
        return false;
    }
    return true;
}

static void index_remove(struct table *table, const char *value, const char *key) {
    struct map *set = map_get(table->index, value);
    if (set != nullptr && map_remove(set, key) && map_count(set) == 0) {
        map_remove(table->index, value);
    }
}

static bool has_value(const struct entry *entry, const char *value) {
    for (size_t i = 0; i < entry->value_count; i++) {
        if (strcmp(entry->values[i], value) == 0) {
            return true;
        }
    }
    return false;
}

// Takes the first count values of entry out of the index again, where old (or NULL) was before.
static void undo(struct table *table, struct entry *entry, size_t count, struct entry *old) {
    for (size_t i = 0; i < count; i++) {
        if (old == nullptr || !has_value(old, entry->values[i]) || !index_add(table, entry->values[i], old)) {
            index_remove(table, entry->values[i], entry->object->key);
        }
    }
}

bool table_put(struct table *table, struct entry *entry) {
    const char *key = entry->object->key;
    struct entry *old = map_get(table->entries, key);
    for (size_t i = 0; i < entry->value_count; i++) {
        if (!index_add(table, entry->values[i], entry)) {
            undo(table, entry, i, old);
            return false;
        }
    }
    for (size_t i = 0; old != nullptr && i < old->value_count; i++) {
        if (!has_value(entry, old->values[i])) {
            index_remove(table, old->values[i], key);
        }
    }
    // Only a new key can fail here, and then there is no old entry.
    if (!map_put(table->entries, key, entry_retain(entry))) {
        undo(table, entry, entry->value_count, nullptr);
        entry_release(entry);
        return false;
    }
    return true;
}

void table_remove(struct table *table, const char *key) {
    struct entry *entry = map_get(table->entries, key);
    if (entry == nullptr) {
        return;
    }
    for (size_t i = 0; i < entry->value_count; i++) {
        index_remove(table, entry->values[i], key);
    }
    map_remove(table->entries, key);
}
