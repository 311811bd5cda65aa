#include "engine/versions.h"

#include "engine/kind.h"
#include "json/write.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int64_t number_max = 1000000000;

bool versions_are_told(const struct versions *versions) {
    return versions->number > 1 || versions->has_next || versions->kept_count > 0;
}

// ---- names

static bool is_public(const struct kind *kind, const char *entry) {
    for (size_t i = 0; kind->public_entries != nullptr && kind->public_entries[i] != nullptr; i++) {
        if (strcmp(kind->public_entries[i], entry) == 0) {
            return true;
        }
    }
    return false;
}

void version_name_entry(bool is_public_entry, enum version_place place, int64_t number, const char *entry,
                        char ret_name[VERSION_ENTRY_SIZE]) {
    switch (place) {
    case VERSION_KEPT:
        snprintf(ret_name, VERSION_ENTRY_SIZE, "%s.%" PRId64, entry, number);
        break;
    case VERSION_NEXT:
        snprintf(ret_name, VERSION_ENTRY_SIZE, "%s%s.next", is_public_entry ? "" : ".", entry);
        break;
    default:
        snprintf(ret_name, VERSION_ENTRY_SIZE, "%s", entry);
    }
}

void version_entry_name(const struct kind *kind, enum version_place place, int64_t number, const char *entry,
                        char ret_name[VERSION_ENTRY_SIZE]) {
    version_name_entry(is_public(kind, entry), place, number, entry, ret_name);
}

static bool visit_version(const struct version *version, enum version_place place, const struct kind *kind,
                          bool (*visit)(void *context, const char *name, const struct secret *value,
                                        struct error *e),
                          void *context, struct error *e) {
    for (size_t i = 0; i < version->data.count; i++) {
        char name[VERSION_ENTRY_SIZE];
        version_entry_name(kind, place, version->number, version->data.entries[i].key, name);
        if (!visit(context, name, version->data.entries[i].value, e)) {
            return false;
        }
    }
    return true;
}

bool versions_visit_entries(const struct versions *versions, const struct kind *kind,
                            bool (*visit)(void *context, const char *name, const struct secret *value,
                                          struct error *e),
                            void *context, struct error *e) {
    for (size_t i = 0; i < versions->kept_count; i++) {
        if (!visit_version(&versions->kept[i], VERSION_KEPT, kind, visit, context, e)) {
            return false;
        }
    }
    return !versions->has_next || visit_version(&versions->next, VERSION_NEXT, kind, visit, context, e);
}

// ---- writing

static bool describe(const struct version *version, yyjson_mut_doc *document, yyjson_mut_val *object,
                     struct error *e) {
    (void)yyjson_mut_obj_add_sint(document, object, "version", version->number);
    json_add_text(document, object, "created", version->created);
    json_add_text(document, object, "active", version->active);
    json_add_text(document, object, "retired", version->retired);
    json_add_text(document, object, "algorithm", version->algorithm);
    json_add_text(document, object, "fingerprint", version->fingerprint);
    json_add_text(document, object, "digest", version->digest);
    json_add_text(document, object, "input", version->input);
    yyjson_mut_val *entries = yyjson_mut_obj_add_obj(document, object, "entries");
    for (size_t i = 0; i < version->data.count; i++) {
        const struct secret_entry *entry = &version->data.entries[i];
        char digest[DIGEST_TEXT_SIZE];
        if (!digest_format(secret_view(entry->value), secret_length(entry->value), digest, e)) {
            return false;
        }
        (void)yyjson_mut_obj_add_strcpy(document, entries, entry->key, digest);
    }
    return true;
}

bool versions_store(const struct versions *versions, yyjson_mut_doc *document, yyjson_mut_val *root,
                    struct error *e) {
    if (!versions_are_told(versions) && !versions->is_retimed) {
        return true;
    }
    (void)yyjson_mut_obj_add_sint(document, root, "version", versions->number);
    json_add_text(document, root, "active", versions->active);
    yyjson_mut_val *list = yyjson_mut_obj_add_arr(document, root, "versions");
    for (size_t i = 0; i < versions->kept_count; i++) {
        if (!describe(&versions->kept[i], document, yyjson_mut_arr_add_obj(document, list), e)) {
            return false;
        }
    }
    return !versions->has_next ||
           describe(&versions->next, document, yyjson_mut_obj_add_obj(document, root, "next"), e);
}

// ---- reading

static bool malformed(const char *field, struct error *e) {
    return error_set(e, ERROR_CRYPTO, "the Secret's metadata entry has no proper %s of a version", field);
}

static bool load_text(yyjson_val *object, const char *field, char *ret_text, size_t size, struct error *e) {
    return json_copy_text(object, field, ret_text, size) || malformed(field, e);
}

static bool load_time(yyjson_val *object, const char *field, bool is_required, char ret_text[CLOCK_TEXT_SIZE],
                      struct error *e) {
    int64_t ignored;
    return load_text(object, field, ret_text, CLOCK_TEXT_SIZE, e) &&
           ((ret_text[0] == '\0' && !is_required) || clock_parse(ret_text, &ignored) || malformed(field, e));
}

static bool load_number(yyjson_val *object, int64_t min, int64_t max, int64_t *ret_number, struct error *e) {
    int64_t number = json_integer(yyjson_obj_get(object, "version"), 0);
    if (number < min || number > max) {
        return malformed("number", e);
    }
    *ret_number = number;
    return true;
}

static bool load_version(yyjson_val *object, int64_t min, int64_t max, bool is_kept, struct version *version,
                         struct error *e) {
    *version = (struct version){.digests = yyjson_obj_get(object, "entries")};
    return load_number(object, min, max, &version->number, e) &&
           load_time(object, "created", true, version->created, e) &&
           load_time(object, "active", is_kept, version->active, e) &&
           load_time(object, "retired", is_kept, version->retired, e) &&
           load_text(object, "algorithm", version->algorithm, sizeof(version->algorithm), e) &&
           load_text(object, "fingerprint", version->fingerprint, sizeof(version->fingerprint), e) &&
           load_text(object, "digest", version->digest, sizeof(version->digest), e) &&
           load_text(object, "input", version->input, sizeof(version->input), e) &&
           (yyjson_is_obj(version->digests) || malformed("entries", e));
}

static bool load_kept(yyjson_val *list, struct versions *versions, struct error *e) {
    size_t index;
    size_t count;
    yyjson_val *object;
    int64_t below = versions->number;
    if ((list != nullptr && !yyjson_is_arr(list)) || yyjson_arr_size(list) > VERSIONS_KEPT_MAX) {
        return malformed("list", e);
    }
    yyjson_arr_foreach(list, index, count, object) {
        struct version *version = &versions->kept[index];
        if (!load_version(object, 1, below - 1, true, version, e)) {
            return false;
        }
        below = version->number;
        versions->kept_count++;
    }
    return true;
}

bool versions_load(yyjson_val *root, const char *created, struct versions *ret_versions, struct error *e) {
    struct versions loaded = {.number = 1};
    yyjson_val *next = yyjson_obj_get(root, "next");
    if (yyjson_obj_get(root, "version") == nullptr) {
        snprintf(loaded.active, sizeof(loaded.active), "%s", created);
    } else if (!load_number(root, 1, number_max, &loaded.number, e) ||
               !load_time(root, "active", true, loaded.active, e) ||
               !load_kept(yyjson_obj_get(root, "versions"), &loaded, e) ||
               (next != nullptr &&
                !load_version(next, loaded.number + 1, number_max, false, &loaded.next, e))) {
        return false;
    }
    loaded.has_next = next != nullptr && loaded.next.number > 0;
    loaded.is_retimed = yyjson_obj_get(root, "version") != nullptr;
    *ret_versions = loaded;
    return true;
}

// The number in "private_key.12" where entry is "private_key"; 0: it has none.
static int64_t number_in(const char *name, const char *entry) {
    size_t length = strlen(entry);
    if (strncmp(name, entry, length) != 0 || name[length] != '.') {
        return 0;
    }
    const char *digits = name + length + 1;
    size_t count = strspn(digits, "0123456789");
    bool is_number = count > 0 && count < 10 && digits[count] == '\0' && digits[0] != '0';
    return is_number ? strtoll(digits, nullptr, 10) : 0;
}

bool version_is_entry_name(const struct kind *kind, const char *name) {
    for (size_t i = 0; kind->entries != nullptr && kind->entries[i] != nullptr; i++) {
        char next[VERSION_ENTRY_SIZE];
        version_entry_name(kind, VERSION_NEXT, 0, kind->entries[i], next);
        if (number_in(name, kind->entries[i]) != 0 || strcmp(name, next) == 0) {
            return true;
        }
    }
    return false;
}

static void note(struct versions *versions, int64_t number) {
    size_t at = 0;
    while (at < versions->kept_count && versions->kept[at].number > number) {
        at++;
    }
    bool is_known = at < versions->kept_count && versions->kept[at].number == number;
    if (number == 0 || is_known || versions->kept_count == VERSIONS_KEPT_MAX) {
        return;
    }
    memmove(&versions->kept[at + 1], &versions->kept[at],
            (versions->kept_count - at) * sizeof(versions->kept[0]));
    versions->kept[at] = (struct version){.number = number};
    versions->kept_count++;
}

void versions_find(const struct kind *kind, yyjson_val *entries, struct versions *ret_versions) {
    *ret_versions = (struct versions){0};
    yyjson_obj_iter names = yyjson_obj_iter_with(entries);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&names)) != nullptr;) {
        for (size_t i = 0; kind->entries[i] != nullptr; i++) {
            char next[VERSION_ENTRY_SIZE];
            const char *name = yyjson_get_str(key);
            version_entry_name(kind, VERSION_NEXT, 0, kind->entries[i], next);
            note(ret_versions, number_in(name, kind->entries[i]));
            ret_versions->has_next = ret_versions->has_next || strcmp(name, next) == 0;
        }
    }
    int64_t newest = ret_versions->kept_count == 0 ? 0 : ret_versions->kept[0].number;
    ret_versions->number = newest + 1;
    ret_versions->next.number = newest + 2;
}

// ---- what a status says

static void copy_text(yyjson_val *object, const char *field, char *ret_text, size_t size) {
    const char *text = json_member_text(object, field);
    if (text != nullptr && strlen(text) < size) {
        memcpy(ret_text, text, strlen(text) + 1);
    }
}

static void recall(yyjson_val *object, struct version *version) {
    copy_text(object, "fingerprint", version->fingerprint, sizeof(version->fingerprint));
    copy_text(object, "digest", version->digest, sizeof(version->digest));
    copy_text(object, VERSION_KEY_FIELD, version->input, sizeof(version->input));
    copy_text(object, VERSION_CREATED_FIELD, version->created, sizeof(version->created));
    copy_text(object, VERSION_ACTIVE_FIELD, version->active, sizeof(version->active));
    copy_text(object, VERSION_RETIRED_FIELD, version->retired, sizeof(version->retired));
}

static int64_t number_of(yyjson_val *object) {
    return json_integer(yyjson_obj_get(object, VERSION_FIELD), 0);
}

void version_recall(yyjson_val *list, struct version *version) {
    size_t index;
    size_t count;
    yyjson_val *object;
    yyjson_arr_foreach(list, index, count, object) {
        if (number_of(object) == version->number) {
            recall(object, version);
        }
    }
}

void versions_recall(yyjson_val *list, int64_t number, struct versions *ret_versions) {
    size_t index;
    size_t count;
    yyjson_val *object;
    *ret_versions = (struct versions){.number = number};
    yyjson_arr_foreach(list, index, count, object) {
        struct version version = {.number = number_of(object)};
        recall(object, &version);
        if (json_member_is(object, "state", VERSION_STATE_NEXT)) {
            ret_versions->has_next = true;
            ret_versions->next = version;
        } else if (version.number == number) {
            memcpy(ret_versions->active, version.active, sizeof(version.active));
        } else if (ret_versions->kept_count < VERSIONS_KEPT_MAX) {
            ret_versions->kept[ret_versions->kept_count++] = version;
        }
    }
}

// ---- entries

static bool read_one(struct version *version, enum version_place place, const char *entry,
                     bool is_public_entry, yyjson_val *entries, struct error *damage, struct error *e) {
    char name[VERSION_ENTRY_SIZE];
    version_name_entry(is_public_entry, place, version->number, entry, name);
    return secret_data_read(&version->data, entry, yyjson_obj_get(entries, name), name, damage, e);
}

static bool read_version(struct version *version, enum version_place place, const struct kind *kind,
                         yyjson_val *entries, struct error *ret_damage, struct error *e) {
    secret_data_done(&version->data);
    for (size_t i = 0; kind->entries[i] != nullptr; i++) {
        const char *entry = kind->entries[i];
        if (!read_one(version, place, entry, is_public(kind, entry), entries, ret_damage, e)) {
            return false;
        }
    }
    return true;
}

bool versions_read(struct versions *versions, const struct kind *kind, yyjson_val *entries,
                   struct error *ret_damage, struct error *e) {
    for (size_t i = 0; i < versions->kept_count; i++) {
        if (!read_version(&versions->kept[i], VERSION_KEPT, kind, entries, ret_damage, e)) {
            return false;
        }
    }
    return !versions->has_next || read_version(&versions->next, VERSION_NEXT, kind, entries, ret_damage, e);
}

bool versions_read_entry(struct versions *versions, const char *entry, bool is_public_entry,
                         yyjson_val *entries, struct error *ret_damage, struct error *e) {
    for (size_t i = 0; i < versions->kept_count; i++) {
        if (!read_one(&versions->kept[i], VERSION_KEPT, entry, is_public_entry, entries, ret_damage, e)) {
            return false;
        }
    }
    return !versions->has_next ||
           read_one(&versions->next, VERSION_NEXT, entry, is_public_entry, entries, ret_damage, e);
}

// ---- changing

struct version *versions_at(struct versions *versions, size_t index) {
    if (index < versions->kept_count) {
        return &versions->kept[index];
    }
    return index == versions->kept_count && versions->has_next ? &versions->next : nullptr;
}

const struct version *versions_get(const struct versions *versions, size_t index) {
    return versions_at((struct versions *)versions, index);
}

bool versions_keep(const struct versions *versions, int64_t number) {
    size_t i = 0;
    while (i < versions->kept_count && versions->kept[i].number != number) {
        i++;
    }
    return i < versions->kept_count;
}

void versions_retire(struct versions *versions, struct version *version) {
    memmove(&versions->kept[1], &versions->kept[0], versions->kept_count * sizeof(versions->kept[0]));
    versions->kept[0] = *version;
    versions->kept_count++;
    *version = (struct version){0};
}

void versions_drop(struct versions *versions, size_t index) {
    version_done(&versions->kept[index]);
    versions->kept_count--;
    memmove(&versions->kept[index], &versions->kept[index + 1],
            (versions->kept_count - index) * sizeof(versions->kept[0]));
    versions->kept[versions->kept_count] = (struct version){0};
}

int64_t versions_newest(const struct versions *versions) {
    int64_t kept = versions->kept_count > 0 ? versions->kept[0].number : 0;
    int64_t newest = versions->number > kept ? versions->number : kept;
    return versions->has_next && versions->next.number > newest ? versions->next.number : newest;
}

void version_done(struct version *version) {
    secret_data_done(&version->data);
    *version = (struct version){0};
}

void versions_done(struct versions *versions) {
    for (size_t i = 0; i < versions->kept_count; i++) {
        version_done(&versions->kept[i]);
    }
    version_done(&versions->next);
    *versions = (struct versions){0};
}
