// The entries of an output that list its versions, and what else it is about.
#include "engine/production_internal.h"

enum { LIST_MAX_BYTES = 512 * 1024, LISTED_MAX = VERSIONS_KEPT_MAX + 2 };

struct list {
    struct listed_version versions[LISTED_MAX];
    size_t count;
};

static void add(struct list *list, const struct secret_data *data, const char *digest, int64_t not_before) {
    list->versions[list->count++] = (struct listed_version){data, digest, not_before};
}

// The present one first, then the coming one, and then those that are kept. None says until when: a rotation
// may come later than its schedule has it, and until then a version stays good for what was made with it.
static void fill(const struct production *p, struct list *list) {
    const struct versions *versions = &p->versions;
    const struct rotation_spec *spec = &p->decoded->common.rotation;
    add(list, &p->data, p->report.digest, clock_read(versions->active));
    if (versions->has_next) {
        int64_t created = clock_read(versions->next.created);
        add(list, &versions->next.data, versions->next.digest, created + spec->publish_ahead_s);
    }
    for (size_t i = 0; i < versions->kept_count; i++) {
        const struct version *version = &versions->kept[i];
        add(list, &version->data, version->digest, clock_read(version->active));
    }
}

// What the entry held before it is written anew.
static const struct secret *find_previous(const struct production *p, const char *entry) {
    const struct secret_data *const places[] = {&p->data, p->former, p->context.previous};
    const struct secret *found = nullptr;
    for (size_t i = 0; found == nullptr && i < sizeof(places) / sizeof(places[0]); i++) {
        found = places[i] == nullptr ? nullptr : secret_data_get(places[i], entry);
    }
    return found;
}

// Text is empty where there is nothing to list.
static bool write(const struct production *p, const struct list_entry *entry, struct buffer *text,
                  struct error *e) {
    struct list list = {.count = 0};
    const struct versions *versions = &p->versions;
    fill(p, &list);
    const struct list_question question = {
        .versions = list.versions,
        .count = list.count,
        .has_next = versions->has_next,
        .is_told = p->decoded->common.rotation.is_given || versions->has_next || versions->kept_count > 0,
        .inputs = p->inputs,
        .previous = find_previous(p, entry->name),
    };
    return entry->write(p->decoded->spec, &question, text, e);
}

static bool check(const struct production *p, const struct list_entry *entry, bool *ret_good,
                  struct error *e) {
    cleanup_buffer struct buffer text = buffer_create(LIST_MAX_BYTES);
    const struct secret *present = secret_data_get(&p->data, entry->name);
    if (!write(p, entry, &text, e)) {
        return false;
    }
    *ret_good = present == nullptr ? text.length == 0 : secret_equals(present, text.data, text.length);
    return true;
}

bool production_check_lists(const struct production *p, bool *ret_good, struct error *e) {
    const struct list_entry *entry = p->decoded->kind->lists;
    *ret_good = true;
    while (*ret_good && entry != nullptr && entry->name != nullptr) {
        if (!check(p, entry++, ret_good, e)) {
            return false;
        }
    }
    return true;
}

static bool list(struct production *p, const struct list_entry *entry, struct error *e) {
    cleanup_buffer struct buffer text = buffer_create(LIST_MAX_BYTES);
    if (!write(p, entry, &text, e)) {
        return false;
    }
    secret_data_remove(&p->data, entry->name);
    return text.length == 0 || secret_data_add_text(&p->data, entry->name, buffer_text(&text), e);
}

bool production_list(struct production *p, struct error *e) {
    const struct list_entry *entry = p->decoded->kind->lists;
    while (entry != nullptr && entry->name != nullptr) {
        if (!list(p, entry++, e)) {
            return false;
        }
    }
    return true;
}

void production_remove_lists(const struct kind *kind, struct secret_data *data) {
    const struct list_entry *entry = kind->lists;
    while (entry != nullptr && entry->name != nullptr) {
        secret_data_remove(data, entry++->name);
    }
}

bool production_copy_lists(const struct production *p, struct secret_data *copies, struct error *e) {
    const struct list_entry *entry = p->decoded->kind->lists;
    for (; entry != nullptr && entry->name != nullptr; entry++) {
        const struct secret *present = secret_data_get(&p->data, entry->name);
        struct secret *copy;
        if (present != nullptr && (!secret_copy(secret_view(present), secret_length(present), &copy, e) ||
                                   !secret_data_add(copies, entry->name, copy, e))) {
            return false;
        }
    }
    return true;
}
