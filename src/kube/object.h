// A Kubernetes object as a snapshot that many threads may hold: never changed, counted, freed with the last
// count.
#pragma once

#include "json/read.h"

enum { KUBE_KEY_SIZE = 63 + 1 + 253 + 1 }; // the longest "namespace/name", with its NUL

// Writes "namespace/name", cut where it is longer than a key can be (there is then no such object).
void kube_format_key(const char *ns, const char *name, char ret_key[KUBE_KEY_SIZE]);

struct kube_object {
    const char *namespace; // "" for cluster-scoped; all texts are borrowed until the last count is given back
    const char *name;
    const char *uid;
    const char *resource_version;
    const char *key; // namespace/name; "/name" for cluster-scoped
    int64_t generation;
    int64_t created; // seconds since 1970; 0: not said
    bool deleting;   // has a deletionTimestamp
    yyjson_val *root;
};

// What a snapshot keeps of an object that others may make as large as they like.
struct kube_kept {
    const char *annotations; // of the annotations those whose names begin so; NULL: none
    bool metadata_only;      // nothing else: what a Secret holds is not copied
};

// A snapshot of what is kept of value, without what nobody reads: apiVersion and kind (a store knows them),
// managedFields, and annotations of others (kubectl's last-applied one may repeat a Secret's data). Of a text
// of the status that is longer than KUBE_STATUS_TEXT_MAX, a public key for example, there is a digest in its
// place, since it is only ever compared: see kube_status_says. *ret_object is owned: one count. Errors:
// INVALID_SPEC (no name, uid or resourceVersion), NO_MEMORY, CRYPTO.
enum { KUBE_STATUS_TEXT_MAX = 256 }; // bytes
[[nodiscard]] bool kube_object_create(yyjson_val *value, const struct kube_kept *kept,
                                      struct kube_object **ret_object, struct error *e);

// Whether kept, a member of a snapshot's status or NULL, stands for value. False also when memory is out.
// document is value's, and gets a copy of kept, which no other value refers to.
bool kube_status_says(yyjson_val *kept, yyjson_mut_val *value, yyjson_mut_doc *document);

struct kube_object *kube_object_retain(struct kube_object *object);
void kube_object_release(struct kube_object *object); // NULL is allowed

// Compares resourceVersions of one resource as the unbounded decimal numbers that they are (by contract since
// Kubernetes 1.35, in fact always): <0, 0, >0. Each text is of digits; "" counts as 0.
int kube_compare_versions(const char *a, const char *b);

static inline void kube_object_cleanup(struct kube_object **object) {
    kube_object_release(*object);
}
#define cleanup_object [[gnu::cleanup(kube_object_cleanup)]]
