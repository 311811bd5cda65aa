// The labels, annotations and owners of an output Secret: whose it is, and what is done to them makes it
// ours, at once and for good.
#include "answers.h"

#include "kinds/table.h"
#include "reconcile/kept.h"
#include "reconcile/secret_metadata.h"

static const char object_text[] = "{\"metadata\":{\"name\":\"keys\",\"namespace\":\"tenant\",\"uid\":"
                                  "\"object-uid\",\"resourceVersion\":\"7\"},"
                                  "\"status\":{\"secretRef\":{\"name\":\"keys\",\"uid\":\"secret-uid\"}}}";
static const char labels_text[] = "{\"team\":\"blue\"}";
static const char annotations_text[] = "{\"note\":\"of the template\"}";

static const struct kind *const kind = &kind_kem_key_pair;

// What would make metadata ours, as a merge patch, owned; *ret_any: it is not so already.
static yyjson_doc *patch_of(const struct kube_object *object, const struct common_spec *common,
                            yyjson_val *metadata, bool *ret_any) {
    struct error e;
    yyjson_doc *patch = nullptr;
    cleanup_json_mut yyjson_mut_doc *document = nullptr;
    MUST(json_create(&document, &e), e);
    *ret_any =
        secret_metadata_patch(kind, object, common, metadata, document, yyjson_mut_doc_get_root(document));
    MUST(json_freeze(document, &patch, &e), e);
    CHECK(*ret_any == (yyjson_obj_size(yyjson_doc_get_root(patch)) > 0));
    return patch;
}

static const char *find(yyjson_val *metadata, const char *map, const char *key) {
    const char *text = json_text(json_find(metadata, map, key, nullptr));
    return text == nullptr ? "" : text;
}

// Whatever others have put there stays, but for keys that the template, or an earlier one, names.
static void check_kept(yyjson_val *before, yyjson_val *after, const char *map) {
    const char *template = find(before, "annotations", "qubesec.io/secret-template");
    yyjson_obj_iter members = yyjson_obj_iter_with(yyjson_obj_get(before, map));
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&members)) != nullptr;) {
        yyjson_val *value = yyjson_obj_iter_get_val(key);
        const char *name = json_text(key);
        bool is_own = name == nullptr || strncmp(name, "qubesec.io/", 11) == 0 ||
                      strcmp(name, "app.kubernetes.io/managed-by") == 0 || strcmp(name, "team") == 0 ||
                      strcmp(name, "note") == 0 || strstr(template, name) != nullptr;
        CHECK(is_own || yyjson_is_null(value) ||
              json_equals(yyjson_obj_get(yyjson_obj_get(after, map), name), value));
    }
}

static void check_owners(yyjson_val *before, yyjson_val *after, bool retain) {
    size_t foreign = 0;
    size_t own = 0;
    size_t index;
    size_t count;
    yyjson_val *reference;
    yyjson_arr_foreach(yyjson_obj_get(after, "ownerReferences"), index, count, reference) {
        bool is_own = json_member_is(reference, "uid", "object-uid");
        own += is_own ? 1 : 0;
        foreign += is_own ? 0 : 1;
    }
    yyjson_arr_foreach(yyjson_obj_get(before, "ownerReferences"), index, count, reference) {
        foreign -= json_member_is(reference, "uid", "object-uid") ? 0 : 1;
    }
    CHECK(foreign == 0 && (retain ? own == 0 : own > 0));
}

static void check_patch(const struct kube_object *object, const struct common_spec *common,
                        yyjson_val *metadata) {
    bool any;
    bool more;
    cleanup_json yyjson_doc *patch = patch_of(object, common, metadata, &any);
    cleanup_json yyjson_doc *document = patched(metadata, yyjson_doc_get_root(patch));
    yyjson_val *now = yyjson_doc_get_root(document);
    CHECK(secret_metadata_ownership(kind, object, now) == OWNERSHIP_OURS);
    CHECK(secret_metadata_is_marked(now) && secret_metadata_is_of_version(object, now));
    CHECK(strcmp(secret_metadata_namespace(now), "tenant") == 0);
    CHECK(secret_metadata_is_owned(object, now) == !common->retain);
    CHECK(strcmp(find(now, "labels", "team"), common->labels == nullptr ? "" : "blue") == 0 ||
          common->labels == nullptr);
    check_kept(metadata, now, "labels");
    check_kept(metadata, now, "annotations");
    check_owners(metadata, now, common->retain);
    cleanup_json yyjson_doc *again = patch_of(object, common, now, &more);
    CHECK(!more);
}

static void check_owner_name(yyjson_val *metadata) {
    char owner[SECRET_OWNER_SIZE];
    bool named = secret_metadata_name_owner(metadata, owner);
    CHECK(named == (owner[0] != '\0') && strlen(owner) < SECRET_OWNER_SIZE);
    CHECK(owner[strspn(owner, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-. ")] == '\0');
}

static void drop_uid(yyjson_val *metadata) {
    struct error e;
    cleanup_json_mut yyjson_mut_doc *document = nullptr;
    MUST(json_create(&document, &e), e);
    yyjson_mut_val *copy = yyjson_val_mut_copy(document, metadata);
    secret_metadata_drop_uid(copy);
    CHECK(yyjson_mut_obj_get(yyjson_mut_obj_get(copy, "annotations"), "qubesec.io/owner-uid") == nullptr);
}

// The API server takes no object that two control.
static bool has_two_controllers(yyjson_val *metadata) {
    size_t controllers = 0;
    size_t index;
    size_t count;
    yyjson_val *reference;
    yyjson_arr_foreach(yyjson_obj_get(metadata, "ownerReferences"), index, count, reference) {
        controllers += yyjson_is_true(yyjson_obj_get(reference, "controller")) ? 1 : 0;
    }
    return controllers > 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct error e;
    cleanup_json yyjson_doc *document = json_of(data, size);
    cleanup_json yyjson_doc *own = json_of(object_text, sizeof(object_text) - 1);
    cleanup_json yyjson_doc *labels = json_of(labels_text, sizeof(labels_text) - 1);
    cleanup_json yyjson_doc *annotations = json_of(annotations_text, sizeof(annotations_text) - 1);
    cleanup_object struct kube_object *object = nullptr;
    yyjson_val *metadata = yyjson_doc_get_root(document);
    if (!yyjson_is_obj(metadata) || has_two_controllers(metadata)) {
        return 0;
    }
    MUST(kube_object_create(yyjson_doc_get_root(own), &kept_of_kinds, &object, &e), e);
    check_owner_name(metadata);
    drop_uid(metadata);
    enum ownership ownership = secret_metadata_ownership(kind, object, metadata);
    if (ownership == OWNERSHIP_OURS || ownership == OWNERSHIP_ADOPTABLE) {
        const struct common_spec plain = {0};
        const struct common_spec retained = {.labels = yyjson_doc_get_root(labels),
                                             .annotations = yyjson_doc_get_root(annotations),
                                             .retain = true};
        check_patch(object, &plain, metadata);
        check_patch(object, &retained, metadata);
    }
    return 0;
}
