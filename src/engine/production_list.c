// The entry of an output that lists all its versions.
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

// Text is empty where there is nothing to list: of an output that is never rotated.
static bool write(const struct production *p, struct buffer *text, struct error *e) {
    struct list list = {.count = 0};
    const struct versions *versions = &p->versions;
    if (!p->decoded->common.rotation.is_given && !versions->has_next && versions->kept_count == 0) {
        return true;
    }
    fill(p, &list);
    return p->decoded->kind->list_versions(p->decoded->spec, list.versions, list.count, text, e);
}

bool production_check_list(const struct production *p, bool *ret_good, struct error *e) {
    const char *entry = p->decoded->kind->list_entry;
    cleanup_buffer struct buffer text = buffer_create(LIST_MAX_BYTES);
    const struct secret *present = entry == nullptr ? nullptr : secret_data_get(&p->data, entry);
    if (entry == nullptr) {
        *ret_good = true;
        return true;
    }
    if (!write(p, &text, e)) {
        return false;
    }
    *ret_good = present == nullptr ? text.length == 0 : secret_equals(present, text.data, text.length);
    return true;
}

bool production_list(struct production *p, struct error *e) {
    const char *entry = p->decoded->kind->list_entry;
    cleanup_buffer struct buffer text = buffer_create(LIST_MAX_BYTES);
    if (entry == nullptr) {
        return true;
    }
    if (!write(p, &text, e)) {
        return false;
    }
    secret_data_remove(&p->data, entry);
    return text.length == 0 || secret_data_add_text(&p->data, entry, buffer_text(&text), e);
}
