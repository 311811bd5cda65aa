// The unlocked inside of a store: objects by key, and an index from texts to them. Its owner guards it.
#pragma once

#include "base/map.h"
#include "runtime/store.h"

struct table;

// An object together with the texts under which it is indexed. Counted, so that two tables may share one.
struct entry {
    struct kube_object *object; // one count of its own
    char **values;
    size_t value_count;
    size_t count;
};

// index is store_hooks.index. *ret_entry is owned: one count. Errors: NO_MEMORY.
[[nodiscard]] bool entry_create(struct kube_object *object, const struct store_hooks *hooks,
                                struct entry **ret_entry, struct error *e);
struct entry *entry_retain(struct entry *entry);
void entry_release(struct entry *entry); // NULL is allowed

static inline void entry_cleanup(struct entry **entry) {
    entry_release(*entry);
}
#define cleanup_entry [[gnu::cleanup(entry_cleanup)]]

// An empty table, owned; NULL when memory is out.
[[nodiscard]] struct table *table_create(void);
void table_free(struct table *table); // takes table; NULL is allowed

static inline void table_cleanup(struct table **table) {
    table_free(*table);
}
#define cleanup_table [[gnu::cleanup(table_cleanup)]]

// The entry under key, borrowed until the table changes; NULL: none.
struct entry *table_get(const struct table *table, const char *key);

// Adds entry (a count of it), or puts it in the place of the one with its key. False: memory is out, and the
// table is as before.
[[nodiscard]] bool table_put(struct table *table, struct entry *entry);

void table_remove(struct table *table, const char *key);

// All entries by key, and those indexed under value (NULL: none); borrowed until the table changes.
const struct map *table_entries(const struct table *table);
const struct map *table_find(const struct table *table, const char *value);
