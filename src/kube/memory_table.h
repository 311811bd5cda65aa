// The objects of an API in memory, ordered by their keys.
#pragma once

#include "json/read.h"

struct stored {
    char *key;            // owned
    yyjson_doc *document; // owned
};

struct memory_table {     // zeroed: empty
    struct stored *items; // owned; ordered by key
    size_t count;
    size_t capacity;
};

void memory_table_done(struct memory_table *table);

// The index of the first item whose key is not before key.
size_t memory_table_index(const struct memory_table *table, const char *key);

// Borrowed until an item is inserted or removed; NULL: there is none.
struct stored *memory_table_find(const struct memory_table *table, const char *key);

// There is no item of that key yet. key is copied. Takes document, unless it fails: memory is out.
[[nodiscard]] bool memory_table_insert(struct memory_table *table, const char *key, yyjson_doc *document);

// Removes the item at index, whose document is the caller's from now on.
yyjson_doc *memory_table_remove(struct memory_table *table, size_t index);
