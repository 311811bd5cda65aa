#include "runtime/store.h"

#include "base/memory.h"
#include "runtime/store_table.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

struct store {
    struct store_hooks hooks;
    pthread_mutex_t lock;
    struct table *table;
    char *seen; // resourceVersion that the watch has come to; NULL: nothing was listed yet
    uint64_t removals;
    atomic_bool is_complete;
};

// Where an object comes from.
enum origin { FROM_WATCH, FROM_OWN_WRITE, FROM_READ };

// What to tell hooks.changed: a count of each (NULL: none).
struct change {
    struct kube_object *old;
    struct kube_object *object;
};

bool store_create(const struct store_hooks *hooks, struct store **ret_store, struct error *e) {
    struct store *store = memory_allocate_zeroed(1, sizeof(*store));
    if (store == nullptr) {
        return error_no_memory(e, "a store");
    }
    store->table = table_create();
    if (store->table == nullptr) {
        memory_free(store);
        return error_no_memory(e, "a store");
    }
    store->hooks = *hooks;
    pthread_mutex_init(&store->lock, nullptr);
    atomic_init(&store->is_complete, true);
    *ret_store = store;
    return true;
}

void store_free(struct store *store) {
    if (store != nullptr) {
        table_free(store->table);
        pthread_mutex_destroy(&store->lock);
        memory_free(store->seen);
        memory_free(store);
    }
}

bool store_is_complete(const struct store *store) {
    return atomic_load(&store->is_complete);
}

void store_set_complete(struct store *store, bool complete) {
    atomic_store(&store->is_complete, complete);
}

struct kube_object *store_get(struct store *store, const char *key) {
    pthread_mutex_lock(&store->lock);
    struct entry *entry = table_get(store->table, key);
    struct kube_object *object = entry == nullptr ? nullptr : kube_object_retain(entry->object);
    pthread_mutex_unlock(&store->lock);
    return object;
}

// With the lock held.
static bool is_as_new(const struct entry *stored, const char *resource_version) {
    return stored != nullptr &&
           kube_compare_versions(resource_version, stored->object->resource_version) <= 0;
}

bool store_has_version(struct store *store, const char *key, const char *resource_version) {
    pthread_mutex_lock(&store->lock);
    bool has = is_as_new(table_get(store->table, key), resource_version);
    pthread_mutex_unlock(&store->lock);
    return has;
}

size_t store_count(struct store *store) {
    pthread_mutex_lock(&store->lock);
    size_t count = map_count(table_entries(store->table));
    pthread_mutex_unlock(&store->lock);
    return count;
}

size_t store_index_count(struct store *store, const char *value) {
    pthread_mutex_lock(&store->lock);
    const struct map *found = table_find(store->table, value);
    size_t count = found == nullptr ? 0 : map_count(found);
    pthread_mutex_unlock(&store->lock);
    return count;
}

bool store_index_contains(struct store *store, const char *value) {
    return store_index_count(store, value) > 0;
}

// ---- finding

// A count of each object under value, in an array of its own; NULL: memory is out.
static struct kube_object **snapshot(struct store *store, const char *value, size_t *ret_count) {
    size_t count = 0;
    pthread_mutex_lock(&store->lock);
    const struct map *found = table_find(store->table, value);
    size_t size = found == nullptr ? 0 : map_count(found);
    struct kube_object **objects = memory_allocate((size + 1) * sizeof(*objects));
    if (objects != nullptr && found != nullptr) {
        const char *key;
        void *entry;
        for (size_t position = 0; map_next(found, &position, &key, &entry);) {
            objects[count++] = kube_object_retain(((struct entry *)entry)->object);
        }
    }
    pthread_mutex_unlock(&store->lock);
    *ret_count = count;
    return objects;
}

// A count of the object under value whose key is the least that is greater than after (NULL: the least);
// NULL: none.
static struct kube_object *successor(struct store *store, const char *value, const char *after) {
    struct kube_object *least = nullptr;
    pthread_mutex_lock(&store->lock);
    const struct map *found = table_find(store->table, value);
    const char *key;
    void *entry;
    for (size_t position = 0; found != nullptr && map_next(found, &position, &key, &entry);) {
        if ((after == nullptr || strcmp(key, after) > 0) &&
            (least == nullptr || strcmp(key, least->key) < 0)) {
            least = ((struct entry *)entry)->object;
        }
    }
    least = least == nullptr ? nullptr : kube_object_retain(least);
    pthread_mutex_unlock(&store->lock);
    return least;
}

void store_index_visit(struct store *store, const char *value,
                       void (*visit)(void *context, const struct kube_object *object), void *context) {
    size_t count;
    struct kube_object **objects = snapshot(store, value, &count);
    if (objects != nullptr) {
        for (size_t i = 0; i < count; i++) {
            visit(context, objects[i]);
            kube_object_release(objects[i]);
        }
        memory_free(objects);
        return;
    }
    // Without memory for a copy: one by one, in the order of the keys.
    struct kube_object *object = successor(store, value, nullptr);
    while (object != nullptr) {
        struct kube_object *next = successor(store, value, object->key);
        visit(context, object);
        kube_object_release(object);
        object = next;
    }
}

// ---- changing

bool store_wants(const struct store *store, const struct kube_object *object) {
    return store->hooks.filter == nullptr || store->hooks.filter(store->hooks.context, object);
}

static void tell(const struct store_hooks *hooks, const struct kube_object *old,
                 const struct kube_object *object) {
    if (hooks->changed != nullptr && (old != nullptr || object != nullptr)) {
        hooks->changed(hooks->context, old, object);
    }
}

// Tells of change, and gives its counts back. Without the lock.
static void report(const struct store *store, struct change change) {
    if (change.old != nullptr && change.object != nullptr &&
        strcmp(change.old->uid, change.object->uid) != 0) {
        tell(&store->hooks, change.old, nullptr);
        tell(&store->hooks, nullptr, change.object);
    } else {
        tell(&store->hooks, change.old, change.object);
    }
    kube_object_release(change.old);
    kube_object_release(change.object);
}

// With the lock held.
static void advance(struct store *store, const char *resource_version) {
    if (store->seen != nullptr && kube_compare_versions(resource_version, store->seen) <= 0) {
        return;
    }
    char *seen = memory_copy_text(resource_version);
    if (seen != nullptr) {
        memory_free(store->seen);
        store->seen = seen;
    }
}

void store_advance(struct store *store, const char *resource_version) {
    pthread_mutex_lock(&store->lock);
    advance(store, resource_version);
    pthread_mutex_unlock(&store->lock);
}

static struct change change_from(const struct entry *old) {
    return (struct change){.old = old == nullptr ? nullptr : kube_object_retain(old->object)};
}

// With the lock held: puts entry (NULL: nothing) in the place of what is stored under object's key, unless
// that is as new or newer.
static bool change_table(struct store *store, struct kube_object *object, struct entry *entry,
                         struct change *ret_change) {
    struct entry *old = table_get(store->table, object->key);
    if (is_as_new(old, object->resource_version)) {
        return true;
    }
    struct change change = change_from(old);
    if (entry == nullptr) {
        table_remove(store->table, object->key);
    } else if (table_put(store->table, entry)) {
        change.object = kube_object_retain(object);
    } else {
        kube_object_release(change.old);
        return false;
    }
    *ret_change = change;
    return true;
}

// Whether the watch may have seen object's end already, so that its coming now must be ignored. With the lock
// held.
static bool is_passed(const struct store *store, const struct kube_object *object, enum origin origin,
                      uint64_t removals) {
    switch (origin) {
    case FROM_OWN_WRITE:
        return store->seen != nullptr && kube_compare_versions(object->resource_version, store->seen) <= 0;
    case FROM_READ:
        return store->removals != removals;
    default:
        return false;
    }
}

// Takes object, also on failure.
static bool apply(struct store *store, struct kube_object *object, enum origin origin, uint64_t removals,
                  struct error *e) {
    struct entry *entry = nullptr;
    if (store_wants(store, object) && !entry_create(object, &store->hooks, &entry, e)) {
        kube_object_release(object);
        return false;
    }
    struct change change = {0};
    bool done = true;
    pthread_mutex_lock(&store->lock);
    if (!is_passed(store, object, origin, removals)) {
        done = change_table(store, object, entry, &change);
    }
    if (done && origin == FROM_WATCH) {
        advance(store, object->resource_version);
    }
    entry_release(entry); // here, since the lock guards its count
    pthread_mutex_unlock(&store->lock);
    report(store, change);
    kube_object_release(object);
    return done || error_no_memory(e, "storing an object");
}

bool store_apply(struct store *store, struct kube_object *object, struct error *e) {
    return apply(store, object, FROM_WATCH, 0, e);
}

bool store_apply_own(struct store *store, struct kube_object *object, struct error *e) {
    return apply(store, object, FROM_OWN_WRITE, 0, e);
}

uint64_t store_removals(struct store *store) {
    pthread_mutex_lock(&store->lock);
    uint64_t removals = store->removals;
    pthread_mutex_unlock(&store->lock);
    return removals;
}

bool store_apply_read(struct store *store, struct kube_object *object, uint64_t removals, struct error *e) {
    return apply(store, object, FROM_READ, removals, e);
}

void store_remove(struct store *store, struct kube_object *object) {
    struct change change = {0};
    pthread_mutex_lock(&store->lock);
    advance(store, object->resource_version);
    store->removals++;
    struct entry *old = table_get(store->table, object->key);
    if (old != nullptr &&
        (strcmp(old->object->uid, object->uid) == 0 ||
         kube_compare_versions(old->object->resource_version, object->resource_version) <= 0)) {
        change = change_from(old);
        table_remove(store->table, object->key);
    }
    pthread_mutex_unlock(&store->lock);
    report(store, change);
    // It was not stored, but somebody may know of it from a read of his own, and wait for its end.
    if (old == nullptr && store_wants(store, object)) {
        tell(&store->hooks, object, nullptr);
    }
    kube_object_release(object);
}

// ---- replacing

// A table of those objects that are worth keeping; of two with one key (pages of a list may overlap) the
// newer.
static bool build_table(const struct store *store, struct kube_object **objects, size_t count,
                        struct table **ret_table, struct error *e) {
    cleanup_table struct table *table = table_create();
    if (table == nullptr) {
        return error_no_memory(e, "storing a list");
    }
    for (size_t i = 0; i < count; i++) {
        const struct entry *other = table_get(table, objects[i]->key);
        if (!store_wants(store, objects[i]) ||
            (other != nullptr &&
             kube_compare_versions(other->object->resource_version, objects[i]->resource_version) >= 0)) {
            continue;
        }
        cleanup_entry struct entry *entry = nullptr;
        if (!entry_create(objects[i], &store->hooks, &entry, e)) {
            return false;
        }
        if (!table_put(table, entry)) {
            return error_no_memory(e, "storing a list");
        }
    }
    *ret_table = table;
    table = nullptr;
    return true;
}

struct merge {
    struct table *next;
    const char *resource_version; // of the list
    bool restored;                // the server went back in time
    struct change *changes;       // room for one per object of both tables
    size_t change_count;
};

static bool is_same(const struct merge *merge, const struct kube_object *a, const struct kube_object *b) {
    return strcmp(a->uid, b->uid) == 0 &&
           kube_compare_versions(a->resource_version, b->resource_version) == 0 &&
           (!merge->restored || yyjson_equals(a->root, b->root));
}

// Decides between old and what the list has under its key. The list is of one moment: old is newer only if it
// is newer than that. One that the list shows as older went back in time. False: memory is out.
static bool merge_old(struct merge *merge, struct entry *old) {
    const struct entry *listed = table_get(merge->next, old->object->key);
    bool newer =
        !merge->restored && kube_compare_versions(old->object->resource_version, merge->resource_version) > 0;
    if (newer || (listed != nullptr && is_same(merge, old->object, listed->object))) {
        return table_put(merge->next, old);
    }
    struct change change = change_from(old);
    change.object = listed == nullptr ? nullptr : kube_object_retain(listed->object);
    merge->changes[merge->change_count++] = change;
    return true;
}

// With the lock held. False: memory is out.
static bool merge_tables(const struct store *store, struct merge *merge) {
    const struct map *old_entries = table_entries(store->table);
    const struct map *entries = table_entries(merge->next);
    size_t room = map_count(old_entries) + map_count(entries) + 1;
    merge->changes = memory_allocate(room * sizeof(*merge->changes));
    if (merge->changes == nullptr) {
        return false;
    }
    const char *key;
    void *entry;
    for (size_t position = 0; map_next(entries, &position, &key, &entry);) {
        if (table_get(store->table, key) == nullptr) {
            struct kube_object *added = ((struct entry *)entry)->object;
            merge->changes[merge->change_count++] = (struct change){.object = kube_object_retain(added)};
        }
    }
    for (size_t position = 0; map_next(old_entries, &position, &key, &entry);) {
        if (!merge_old(merge, entry)) {
            return false;
        }
    }
    return true;
}

static bool replace(struct store *store, struct table **next, const char *resource_version,
                    struct merge *merge) {
    cleanup_text char *seen = memory_copy_text(resource_version);
    if (seen == nullptr || !merge_tables(store, merge)) {
        return false;
    }
    struct table *old = store->table;
    store->table = *next;
    *next = old;
    memory_free(store->seen);
    store->seen = seen;
    store->removals++;
    seen = nullptr;
    return true;
}

bool store_replace(struct store *store, struct kube_object **objects, size_t count,
                   const char *resource_version, struct error *e) {
    struct table *next = nullptr; // what leaves the store in the end: the old one, or the new one on failure
    struct merge merge = {.resource_version = resource_version};
    bool done = build_table(store, objects, count, &next, e);
    if (done) {
        pthread_mutex_lock(&store->lock);
        merge.next = next;
        merge.restored = store->seen != nullptr && kube_compare_versions(resource_version, store->seen) < 0;
        done = replace(store, &next, resource_version, &merge) || error_no_memory(e, "storing a list");
        table_free(next);
        pthread_mutex_unlock(&store->lock);
    }
    for (size_t i = 0; i < merge.change_count; i++) {
        if (done) {
            report(store, merge.changes[i]);
        } else {
            kube_object_release(merge.changes[i].old);
            kube_object_release(merge.changes[i].object);
        }
    }
    memory_free(merge.changes);
    for (size_t i = 0; i < count; i++) {
        kube_object_release(objects[i]);
    }
    return done;
}
