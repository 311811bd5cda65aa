// The last known state of one resource's objects, filled by a watch and by the operator's own writes, with
// indexes. Safe to use from many threads. Of two versions of an object the newer one stays, whichever came
// first.
#pragma once

#include "kube/object.h"

struct store;

struct store_hooks {
    void *context;
    // Whether object is worth keeping; NULL: all are. Called without the store's lock, from any thread. What
    // is not worth keeping is as good as gone: it is not stored, and an older version that is stored is
    // removed and reported as gone. It is asked again only when the object comes again, so when the answer
    // turns from no to yes the operator has to fetch the object itself and store_apply_read it.
    bool (*filter)(void *context, const struct kube_object *object);
    // object was added or changed (old NULL: added), or is gone (object NULL; old is the last version
    // stored). An object that was deleted and made anew under the same name is reported as gone, then as
    // added. Called without the store's lock, on the thread that made the change: of two changes of one key
    // on two threads the calls may come in either order, so act on what store_get says. Not called for a
    // version that the store already has. Both are borrowed during the call.
    void (*changed)(void *context, const struct kube_object *old, const struct kube_object *object);
    // Emits, through add, each text under which object is to be found in the index; NULL: no index. Depends
    // on nothing but object. Called without the store's lock.
    void (*index)(void *context, const struct kube_object *object, void (*add)(void *sink, const char *value),
                  void *sink);
};

// hooks is copied; NULL members are as said there. *ret_store is owned. Errors: NO_MEMORY.
[[nodiscard]] bool store_create(const struct store_hooks *hooks, struct store **ret_store, struct error *e);
void store_free(struct store *store); // takes store; NULL is allowed

// Whether what is not stored does not exist, but for how far a watch is behind. So it is at first, of a store
// that is filled by hand; what fills one from an API server says when it is so. Any thread.
bool store_is_complete(const struct store *store);
void store_set_complete(struct store *store, bool complete);

// The object under key "namespace/name": a count that is the caller's, or NULL.
struct kube_object *store_get(struct store *store, const char *key);

// Whether the object under key is stored in that version or a newer one.
bool store_has_version(struct store *store, const char *key, const char *resource_version);

size_t store_count(struct store *store);

// Calls visit for each object that the index has under value (in no order; a copy is visited, so visit may
// use the store), which it borrows. Cannot fail: it is slower when memory is out.
void store_index_visit(struct store *store, const char *value,
                       void (*visit)(void *context, const struct kube_object *object), void *context);

// Whether the index has anything under value, and how many objects.
bool store_index_contains(struct store *store, const char *value);
size_t store_index_count(struct store *store, const char *value);

// From the watch. Takes object, also on failure. An older version than the stored one is dropped. Moves how
// far the watch has come. Errors: NO_MEMORY (the store is as before: list again).
[[nodiscard]] bool store_apply(struct store *store, struct kube_object *object, struct error *e);

// From the operator's own write, so that it reads its own writes: as store_apply, but dropped when the watch
// has already passed that version (it may have seen the object's deletion since). Takes object, also on
// failure.
[[nodiscard]] bool store_apply_own(struct store *store, struct kube_object *object, struct error *e);

// From the operator's own read of an object that it did not have, since hooks.filter said no when the watch
// showed it. Dropped when the watch has shown any removal since store_removals gave removals, which was
// before the read (it may have been this object's). Takes object, also on failure.
uint64_t store_removals(struct store *store);
[[nodiscard]] bool store_apply_read(struct store *store, struct kube_object *object, uint64_t removals,
                                    struct error *e);

// From the watch: object, in its last state, is gone. Reported also when it was not stored but is worth
// keeping, since somebody may know of it from a read of his own. A stored object of another uid that is newer
// stays. Takes object. Moves how far the watch has come.
void store_remove(struct store *store, struct kube_object *object);

// The watch has come as far as resource_version: a bookmark. Never goes back. Out of memory is harmless: the
// store then knows less far.
void store_advance(struct store *store, const char *resource_version);

// Whether hooks.filter says that object is worth keeping. Whoever reads a list asks so for each object while
// it arrives, and leaves out of store_replace what is not.
bool store_wants(const struct store *store, const struct kube_object *object);

// A complete list as of resource_version, atomically. It replaces all that is stored but what is newer than
// resource_version (an own write). If resource_version is older than how far the watch had come, then the
// server was restored from a backup: the list is the truth and replaces everything. The differences are
// reported one by one afterwards. Each of the count objects is taken, also on failure; the array stays the
// caller's. Errors: NO_MEMORY (the store is as before).
[[nodiscard]] bool store_replace(struct store *store, struct kube_object **objects, size_t count,
                                 const char *resource_version, struct error *e);
