#include "kube/object.h"

#include "base/clock.h"
#include "base/memory.h"
#include "crypto/digest.h"
#include "json/write.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

struct snapshot {
    struct kube_object object; // first: callers hold its address
    atomic_size_t count;
    yyjson_doc *document;
    char key[];
};

// The copying functions of this file ignore what yyjson returns: document remembers when memory was out.

static void copy_member(yyjson_mut_doc *document, yyjson_mut_val *object, yyjson_val *key,
                        yyjson_mut_val *value) {
    yyjson_mut_obj_add(object, yyjson_val_mut_copy(document, key), value);
}

static bool is_kept(yyjson_val *annotation, const struct kube_kept *kept) {
    return kept->annotations != nullptr &&
           strncmp(yyjson_get_str(annotation), kept->annotations, strlen(kept->annotations)) == 0;
}

static void copy_annotations(yyjson_mut_doc *document, yyjson_val *annotations, const struct kube_kept *kept,
                             yyjson_mut_val *copy) {
    yyjson_obj_iter members = yyjson_obj_iter_with(annotations);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&members)) != nullptr;) {
        if (is_kept(key, kept)) {
            copy_member(document, copy, key, yyjson_val_mut_copy(document, yyjson_obj_iter_get_val(key)));
        }
    }
}

static yyjson_mut_val *copy_metadata(yyjson_mut_doc *document, yyjson_val *metadata,
                                     const struct kube_kept *kept) {
    yyjson_mut_val *copy = yyjson_mut_obj(document);
    yyjson_obj_iter members = yyjson_obj_iter_with(metadata);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&members)) != nullptr;) {
        yyjson_val *value = yyjson_obj_iter_get_val(key);
        if (yyjson_equals_str(key, "annotations")) {
            yyjson_mut_val *annotations = yyjson_mut_obj(document);
            copy_annotations(document, value, kept, annotations);
            copy_member(document, copy, key, annotations);
        } else if (!yyjson_equals_str(key, "managedFields")) {
            copy_member(document, copy, key, yyjson_val_mut_copy(document, value));
        }
    }
    return copy;
}

// ---- long texts of a status

// Four numbers in an array: no text that a server may send is taken for it.
enum { DIGEST_WORDS = DIGEST_SIZE / sizeof(uint64_t) };

static bool is_long(size_t length) {
    return length > KUBE_STATUS_TEXT_MAX;
}

static bool compute(const char *text, size_t length, uint64_t words[DIGEST_WORDS], struct error *e) {
    uint8_t digest[DIGEST_SIZE];
    if (!digest_compute(text, length, digest, e)) {
        return false;
    }
    memcpy(words, digest, sizeof(digest));
    return true;
}

static bool copy_status(yyjson_mut_doc *document, yyjson_val *status, yyjson_mut_val **ret_copy,
                        struct error *e) {
    yyjson_mut_val *copy = yyjson_mut_obj(document);
    yyjson_obj_iter members = yyjson_obj_iter_with(status);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&members)) != nullptr;) {
        yyjson_val *value = yyjson_obj_iter_get_val(key);
        uint64_t words[DIGEST_WORDS];
        if (!yyjson_is_str(value) || !is_long(yyjson_get_len(value))) {
            copy_member(document, copy, key, yyjson_val_mut_copy(document, value));
        } else if (compute(yyjson_get_str(value), yyjson_get_len(value), words, e)) {
            copy_member(document, copy, key, yyjson_mut_arr_with_uint64(document, words, DIGEST_WORDS));
        } else {
            return false;
        }
    }
    *ret_copy = copy;
    return true;
}

static bool is_digest(yyjson_val *kept, const uint64_t words[DIGEST_WORDS]) {
    size_t index;
    size_t count;
    yyjson_val *word;
    yyjson_arr_foreach(kept, index, count, word) {
        if (count != DIGEST_WORDS || !yyjson_is_uint(word) || yyjson_get_uint(word) != words[index]) {
            return false;
        }
    }
    return yyjson_arr_size(kept) == DIGEST_WORDS;
}

bool kube_status_says(yyjson_val *kept, yyjson_mut_val *value, yyjson_mut_doc *document) {
    struct error ignored;
    uint64_t words[DIGEST_WORDS];
    size_t length = yyjson_mut_get_len(value);
    if (!yyjson_mut_is_str(value) || !is_long(length)) {
        return yyjson_mut_equals(yyjson_val_mut_copy(document, kept), value);
    }
    return compute(yyjson_mut_get_str(value), length, words, &ignored) && is_digest(kept, words);
}

// ---- snapshots

static bool copy_object(yyjson_val *value, const struct kube_kept *kept, yyjson_doc **ret_document,
                        struct error *e) {
    cleanup_json_mut yyjson_mut_doc *document = nullptr;
    if (!json_create(&document, e)) {
        return false;
    }
    yyjson_mut_val *root = yyjson_mut_doc_get_root(document);
    yyjson_obj_iter members = yyjson_obj_iter_with(value);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&members)) != nullptr;) {
        yyjson_val *member = yyjson_obj_iter_get_val(key);
        if (yyjson_equals_str(key, "metadata")) {
            copy_member(document, root, key, copy_metadata(document, member, kept));
        } else if (kept->metadata_only || yyjson_equals_str(key, "apiVersion") ||
                   yyjson_equals_str(key, "kind")) {
            continue;
        } else if (yyjson_equals_str(key, "status") && yyjson_is_obj(member)) {
            yyjson_mut_val *status;
            if (!copy_status(document, member, &status, e)) {
                return false;
            }
            copy_member(document, root, key, status);
        } else {
            copy_member(document, root, key, yyjson_val_mut_copy(document, member));
        }
    }
    return json_freeze(document, ret_document, e);
}

static bool check_metadata(yyjson_val *metadata, struct error *e) {
    static const char *const needed[] = {"name", "uid", "resourceVersion"};
    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
        const char *text = json_member_text(metadata, needed[i]);
        if (text == nullptr || text[0] == '\0') {
            return error_set(e, ERROR_INVALID_SPEC, "an object has no metadata.%s", needed[i]);
        }
    }
    return true;
}

static void read_metadata(struct snapshot *snapshot) {
    struct kube_object *object = &snapshot->object;
    object->root = yyjson_doc_get_root(snapshot->document);
    yyjson_val *metadata = yyjson_obj_get(object->root, "metadata");
    const char *namespace = json_member_text(metadata, "namespace");
    object->namespace = namespace == nullptr ? "" : namespace;
    object->name = json_member_text(metadata, "name");
    object->uid = json_member_text(metadata, "uid");
    object->resource_version = json_member_text(metadata, "resourceVersion");
    object->generation = json_integer(yyjson_obj_get(metadata, "generation"), 0);
    object->deleting = json_member_text(metadata, "deletionTimestamp") != nullptr;
    const char *created = json_member_text(metadata, "creationTimestamp");
    if (created == nullptr || !clock_parse(created, &object->created)) {
        object->created = 0;
    }
}

bool kube_object_create(yyjson_val *value, const struct kube_kept *kept, struct kube_object **ret_object,
                        struct error *e) {
    yyjson_val *metadata = yyjson_obj_get(value, "metadata");
    if (!check_metadata(metadata, e)) {
        return false;
    }
    const char *namespace = json_member_text(metadata, "namespace");
    namespace = namespace == nullptr ? "" : namespace;
    const char *name = json_member_text(metadata, "name");
    size_t key_size = strlen(namespace) + 1 + strlen(name) + 1;
    struct snapshot *snapshot = memory_allocate_zeroed(1, sizeof(*snapshot) + key_size);
    if (snapshot == nullptr) {
        return error_no_memory(e, "an object");
    }
    snprintf(snapshot->key, key_size, "%s/%s", namespace, name);
    snapshot->object.key = snapshot->key;
    atomic_init(&snapshot->count, 1);
    if (!copy_object(value, kept, &snapshot->document, e)) {
        memory_free(snapshot);
        return false;
    }
    read_metadata(snapshot);
    *ret_object = &snapshot->object;
    return true;
}

void kube_format_key(const char *ns, const char *name, char ret_key[KUBE_KEY_SIZE]) {
    (void)snprintf(ret_key, KUBE_KEY_SIZE, "%s/%s", ns, name);
}

struct kube_object *kube_object_retain(struct kube_object *object) {
    struct snapshot *snapshot = (struct snapshot *)object;
    atomic_fetch_add_explicit(&snapshot->count, 1, memory_order_relaxed);
    return object;
}

void kube_object_release(struct kube_object *object) {
    if (object == nullptr) {
        return;
    }
    struct snapshot *snapshot = (struct snapshot *)object;
    if (atomic_fetch_sub_explicit(&snapshot->count, 1, memory_order_acq_rel) == 1) {
        json_free(snapshot->document);
        memory_free(snapshot);
    }
}

int kube_compare_versions(const char *a, const char *b) {
    a += strspn(a, "0");
    b += strspn(b, "0");
    size_t a_length = strlen(a);
    size_t b_length = strlen(b);
    if (a_length != b_length) {
        return a_length < b_length ? -1 : 1;
    }
    return strcmp(a, b);
}
