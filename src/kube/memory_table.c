#include "kube/memory_table.h"

#include "base/memory.h"

#include <string.h>

enum { FIRST_CAPACITY = 16 };

void memory_table_done(struct memory_table *table) {
    for (size_t i = 0; i < table->count; i++) {
        memory_free(table->items[i].key);
        json_free(table->items[i].document);
    }
    memory_free(table->items);
    *table = (struct memory_table){0};
}

size_t memory_table_index(const struct memory_table *table, const char *key) {
    size_t low = 0;
    size_t high = table->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(table->items[middle].key, key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct stored *memory_table_find(const struct memory_table *table, const char *key) {
    size_t index = memory_table_index(table, key);
    bool found = index < table->count && strcmp(table->items[index].key, key) == 0;
    return found ? &table->items[index] : nullptr;
}

static bool make_room(struct memory_table *table) {
    if (table->count < table->capacity) {
        return true;
    }
    size_t capacity = table->capacity == 0 ? FIRST_CAPACITY : table->capacity * 2;
    struct stored *items = memory_resize(table->items, capacity * sizeof(*items));
    if (items == nullptr) {
        return false;
    }
    table->items = items;
    table->capacity = capacity;
    return true;
}

bool memory_table_insert(struct memory_table *table, const char *key, yyjson_doc *document) {
    char *copy = memory_copy_text(key);
    if (copy == nullptr || !make_room(table)) {
        memory_free(copy);
        return false;
    }
    size_t index = memory_table_index(table, key);
    struct stored *place = &table->items[index];
    memmove(place + 1, place, (table->count - index) * sizeof(*place));
    *place = (struct stored){copy, document};
    table->count++;
    return true;
}

yyjson_doc *memory_table_remove(struct memory_table *table, size_t index) {
    struct stored *place = &table->items[index];
    yyjson_doc *document = place->document;
    memory_free(place->key);
    table->count--;
    memmove(place, place + 1, (table->count - index) * sizeof(*place));
    return document;
}
