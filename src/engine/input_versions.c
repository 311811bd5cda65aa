#include "engine/input_versions.h"

#include "base/memory.h"

#include <inttypes.h>
#include <string.h>

static void forget_documents(struct versions *versions) {
    versions->next.digests = nullptr;
    for (size_t i = 0; i < versions->kept_count; i++) {
        versions->kept[i].digests = nullptr;
    }
}

static bool load(yyjson_val *entries, struct versions *versions, struct error *e) {
    static const char metadata[] = "metadata";
    cleanup_secret_data struct secret_data data = {0};
    struct provenance provenance = {0};
    yyjson_doc *document = nullptr;
    struct error damage = {0};
    bool loaded =
        secret_data_read(&data, metadata, yyjson_obj_get(entries, metadata), metadata, &damage, e) &&
        provenance_load(&data, metadata, &provenance, &document, e) &&
        versions_load(yyjson_doc_get_root(document), provenance.created, versions, e);
    forget_documents(versions);
    json_free(document);
    return loaded;
}

// Puts the bytes of the version of that number in the place of *bytes.
static bool choose(struct versions *versions, int64_t number, struct secret **bytes,
                   struct input_version *ret_version, struct error *e) {
    for (size_t i = 0; i < versions->kept_count; i++) {
        struct version *version = &versions->kept[i];
        if (version->number == number && version->data.count > 0) {
            secret_free(*bytes);
            *bytes = version->data.entries[0].value;
            version->data.count = 0;
            ret_version->is_chosen = true;
            memcpy(ret_version->made_for, version->input, sizeof(version->input));
            return true;
        }
    }
    return error_set(e, ERROR_NOT_FOUND,
                     "has no version %" PRId64 "; its present one is %" PRId64
                     ", and its status lists those that are kept",
                     number, versions->number);
}

static bool read(const struct input_source *from, const char *key, yyjson_val *root, int64_t number,
                 struct secret **bytes, struct versions *versions, struct input_version *ret_version,
                 struct error *e) {
    yyjson_val *entries = yyjson_obj_get(root, "data");
    struct error damage = {0};
    return load(entries, versions, e) &&
           versions_read_entry(versions, key, from->is_public, entries, &damage, e) &&
           (number == 0 || number == versions->number || choose(versions, number, bytes, ret_version, e));
}

bool input_versions_read(const struct input_source *from, const char *key, yyjson_val *root, int64_t number,
                         struct secret **bytes, struct input_version *ret_version, struct error *e) {
    struct input_version found = {.versions = memory_allocate_zeroed(1, sizeof(*found.versions))};
    if (found.versions == nullptr) {
        return error_no_memory(e, "the versions of an input");
    }
    if (!read(from, key, root, number, bytes, found.versions, &found, e)) {
        input_versions_free(found.versions);
        return false;
    }
    found.number = number != 0 ? number : found.versions->number;
    if (number != 0) {
        input_versions_free(found.versions);
        found.versions = nullptr;
    }
    *ret_version = found;
    return true;
}

void input_versions_free(struct versions *versions) {
    if (versions != nullptr) {
        versions_done(versions);
        memory_free(versions);
    }
}

const struct secret *input_version_bytes(const struct version *version) {
    return version->data.count > 0 ? version->data.entries[0].value : nullptr;
}
