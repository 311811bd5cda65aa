#include "operator/object_metrics.h"

#include "base/memory.h"

enum { PART_SIZE = 64 * 1024, FIRST_ROOM = 64 };

struct entry {
    const struct object_metrics_family *family;
    const struct kind *kind;
    struct kube_object *object; // one count of it
};

struct object_metrics {
    const struct object_metrics_family *const *families; // those that are not written yet
    struct entry *entries;                               // in the order of the families
    size_t count;
    size_t room;
    bool incomplete;                                // memory is out
    const struct object_metrics_family *collecting; // while it is made

    // How far it is written.
    size_t metric; // of the first family
    size_t first;  // its first entry
    size_t next;   // entry
    bool has_sample;
    struct buffer *part; // while it is written; borrowed
};

// ---- what there is

static bool make_room(struct object_metrics *all) {
    size_t room = all->room == 0 ? FIRST_ROOM : all->room * 2;
    if (all->count < all->room) {
        return true;
    }
    struct entry *entries = memory_resize(all->entries, room * sizeof(*entries));
    if (entries == nullptr) {
        return false;
    }
    all->entries = entries;
    all->room = room;
    return true;
}

static void collect(void *context, const struct kind *kind, const struct kube_object *object) {
    struct object_metrics *all = context;
    all->incomplete = all->incomplete || !make_room(all);
    if (!all->incomplete) {
        all->entries[all->count++] =
            (struct entry){all->collecting, kind, kube_object_retain((struct kube_object *)object)};
    }
}

bool object_metrics_create(const struct indexes *indexes, const struct object_metrics_family *const *families,
                           struct object_metrics **ret_all, struct error *e) {
    struct object_metrics *all = memory_allocate_zeroed(1, sizeof(*all));
    if (all != nullptr) {
        all->families = families;
        for (size_t i = 0; families[i] != nullptr; i++) {
            all->collecting = families[i];
            indexes_visit(indexes, families[i]->index, collect, all);
        }
    }
    if (all == nullptr || all->incomplete) {
        object_metrics_free(all);
        return error_no_memory(e, "the objects' metrics");
    }
    *ret_all = all;
    return true;
}

void object_metrics_free(struct object_metrics *all) {
    if (all != nullptr) {
        for (size_t i = 0; i < all->count; i++) {
            kube_object_release(all->entries[i].object);
        }
        memory_free(all->entries);
        memory_free(all);
    }
}

// ---- text

static const struct metric *current(const struct object_metrics *all) {
    return all->families[0]->list[all->metric];
}

bool object_metrics_add(struct object_metrics *all, const char *labels, double value, struct error *e) {
    bool headed = all->has_sample || metrics_write_head(current(all), all->part, e);
    all->has_sample = true;
    return headed && metrics_write_sample(current(all), labels, value, all->part, e);
}

// Goes on with the next metric, or the next family.
static void advance(struct object_metrics *all) {
    all->metric++;
    all->has_sample = false;
    if (current(all) == nullptr) {
        all->families++;
        all->metric = 0;
        all->first = all->next;
    }
    all->next = all->first;
}

bool object_metrics_write(struct object_metrics *all, struct buffer *part, struct error *e) {
    all->part = part;
    while (all->families[0] != nullptr && part->length < PART_SIZE) {
        const struct entry *entry = all->next < all->count ? &all->entries[all->next] : nullptr;
        if (entry == nullptr || entry->family != all->families[0]) {
            advance(all);
        } else {
            all->next++;
            if (!entry->family->write(all, current(all), entry->kind, entry->object, e)) {
                return false;
            }
        }
    }
    return true;
}
