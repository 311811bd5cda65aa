#include "reconcile/secret_metadata.h"

#include <stdio.h>
#include <string.h>

static const char managed_label[] = "app.kubernetes.io/managed-by";
static const char manager_name[] = "qubesec";
static const char owner_annotation[] = "qubesec.io/owner";
static const char owner_uid_annotation[] = "qubesec.io/owner-uid";
static const char owner_namespace_annotation[] = "qubesec.io/owner-namespace"; // version 0.1.0 had none
static const char restore_annotation[] = "qubesec.io/restore-to"; // set by people: see docs/operations.md
static const char template_annotation[] =
    "qubesec.io/secret-template"; // the keys that came from secretTemplate

enum { TEMPLATE_MAX = 64 * 1024 };
enum { API_VERSION_SIZE = 253 + 63 + 2 };

void secret_metadata_format_owner(const struct kind *kind, const struct kube_object *object,
                                  char ret_text[SECRET_OWNER_MARK_SIZE]) {
    snprintf(ret_text, SECRET_OWNER_MARK_SIZE, "%s/%s", kind->kind, object->name);
}

static bool member_is(yyjson_val *object, const char *key, const char *text) {
    const char *present = json_member_text(object, key);
    return present != nullptr && strcmp(present, text) == 0;
}

bool secret_metadata_is_labelled(yyjson_val *metadata) {
    return member_is(yyjson_obj_get(metadata, "labels"), managed_label, manager_name);
}

// The reference to the owner that controls the Secret; NULL: none does.
static yyjson_val *find_controller(yyjson_val *metadata) {
    yyjson_val *references = yyjson_obj_get(metadata, "ownerReferences");
    size_t index;
    size_t count;
    yyjson_val *reference;
    yyjson_arr_foreach(references, index, count, reference) {
        if (yyjson_is_true(yyjson_obj_get(reference, "controller"))) {
            return reference;
        }
    }
    return nullptr;
}

static bool is_of_group(yyjson_val *reference, const char *group) {
    const char *version = json_member_text(reference, "apiVersion");
    size_t length = strlen(group);
    return version != nullptr && strncmp(version, group, length) == 0 && version[length] == '/';
}

// Whether the marks were made in object's namespace, and not copied there with the Secret. Where they do not
// say it themselves, which those of version 0.1.0 do not, it is known of the object's uid and from its
// status.
static bool is_of_namespace(const struct kube_object *object, yyjson_val *metadata) {
    yyjson_val *annotations = yyjson_obj_get(metadata, "annotations");
    const char *home = json_member_text(annotations, owner_namespace_annotation);
    if (home != nullptr && strcmp(home, object->namespace) == 0) {
        return true;
    }
    if (member_is(annotations, restore_annotation, object->namespace)) {
        return true;
    }
    const char *uid = json_member_text(metadata, "uid");
    return home == nullptr &&
           (member_is(annotations, owner_uid_annotation, object->uid) ||
            (uid != nullptr &&
             member_is(json_find(object->root, "status", "secretRef", nullptr), "uid", uid)));
}

// Whether the object's status names the uid of what has this metadata: its output, or the ConfigMap with a
// part of that.
static bool is_recorded(const struct kube_object *object, yyjson_val *metadata) {
    const char *uid = json_member_text(metadata, "uid");
    return uid != nullptr &&
           (member_is(json_find(object->root, "status", "secretRef", nullptr), "uid", uid) ||
            member_is(json_find(object->root, "status", "trustBundle", nullptr), "uid", uid));
}

// Whether a Secret without an owner's name is ours all the same: the object's uid is still on it, or our
// label is and the status names its very uid. The status alone does not do: it would let whoever writes
// statuses have any Secret overwritten.
static bool has_lost_its_mark(const struct kube_object *object, yyjson_val *metadata) {
    return member_is(yyjson_obj_get(metadata, "annotations"), owner_uid_annotation, object->uid) ||
           (secret_metadata_is_labelled(metadata) && is_recorded(object, metadata));
}

const char *secret_metadata_namespace(yyjson_val *metadata) {
    return json_member_text(yyjson_obj_get(metadata, "annotations"), owner_namespace_annotation);
}

bool secret_metadata_is_of_version(const struct kube_object *object, yyjson_val *metadata) {
    return member_is(yyjson_obj_get(metadata, "annotations"), owner_namespace_annotation, object->namespace);
}

enum ownership secret_metadata_ownership(const struct kind *kind, const struct kube_object *object,
                                         yyjson_val *metadata) {
    yyjson_val *controller = find_controller(metadata);
    if (controller != nullptr && member_is(controller, "uid", object->uid)) {
        return OWNERSHIP_OURS;
    }
    if (controller != nullptr) {
        bool same_name = is_of_group(controller, kind->group) && member_is(controller, "kind", kind->kind) &&
                         member_is(controller, "name", object->name);
        return same_name ? OWNERSHIP_ORPHANED : OWNERSHIP_FOREIGN;
    }
    char owner[SECRET_OWNER_MARK_SIZE];
    secret_metadata_format_owner(kind, object, owner);
    yyjson_val *annotations = yyjson_obj_get(metadata, "annotations");
    if (json_member_text(annotations, owner_annotation) == nullptr) {
        return has_lost_its_mark(object, metadata) ? OWNERSHIP_OURS : OWNERSHIP_FOREIGN;
    }
    if (!member_is(annotations, owner_annotation, owner) || !is_of_namespace(object, metadata)) {
        return OWNERSHIP_FOREIGN;
    }
    if (member_is(annotations, owner_uid_annotation, object->uid)) {
        return OWNERSHIP_OURS; // whatever label another tool has put in the place of ours
    }
    return secret_metadata_is_labelled(metadata) ? OWNERSHIP_ADOPTABLE : OWNERSHIP_FOREIGN;
}

const char *secret_metadata_marked_owner(yyjson_val *metadata) {
    return json_member_text(yyjson_obj_get(metadata, "annotations"), owner_annotation);
}

bool secret_metadata_is_marked(yyjson_val *metadata) {
    return secret_metadata_marked_owner(metadata) != nullptr;
}

// What a Kubernetes name or kind is made of: others may write these marks too.
static bool is_name(const char *text) {
    return text != nullptr && text[0] != '\0' &&
           text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.")] == '\0';
}

bool secret_metadata_name_owner(yyjson_val *metadata, char ret_owner[SECRET_OWNER_SIZE]) {
    yyjson_val *controller = find_controller(metadata);
    const char *mark = json_member_text(yyjson_obj_get(metadata, "annotations"), owner_annotation);
    const char *slash = mark == nullptr ? nullptr : strchr(mark, '/');
    char kind[SECRET_OWNER_SIZE] = "";
    const char *name = slash == nullptr ? nullptr : slash + 1;
    if (controller != nullptr) {
        const char *of_controller = json_member_text(controller, "kind");
        snprintf(kind, sizeof(kind), "%s", of_controller == nullptr ? "" : of_controller);
        name = json_member_text(controller, "name");
    } else if (slash != nullptr) {
        snprintf(kind, sizeof(kind), "%.*s", (int)(slash - mark), mark);
    }
    ret_owner[0] = '\0';
    if (!is_name(kind) || !is_name(name)) {
        return false;
    }
    snprintf(ret_owner, SECRET_OWNER_SIZE, "%.64s %.253s", kind, name);
    return true;
}

// Where a map of texts (labels or annotations) is being brought to what it must be.
struct map_patch {
    yyjson_mut_doc *document;
    yyjson_mut_val *patch; // the map's merge patch
    yyjson_val *current;
    struct buffer *keys; // the keys that come from the template, for the annotation that remembers them
    const char *prefix;  // of those keys
};

static void set_text(struct map_patch *map, const char *key, const char *text) {
    if (!member_is(map->current, key, text)) {
        yyjson_mut_val *name = yyjson_mut_strcpy(map->document, key);
        (void)yyjson_mut_obj_add(map->patch, name, yyjson_mut_strcpy(map->document, text));
    }
}

static void set_from_template(struct map_patch *map, yyjson_val *template) {
    yyjson_obj_iter members = yyjson_obj_iter_with(template);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&members)) != nullptr;) {
        yyjson_val *value = yyjson_obj_iter_get_val(key);
        struct error ignored; // 64 keys of 317 bytes fit
        (void)buffer_append_format(map->keys, &ignored, "%s%s%s", map->keys->length > 0 ? " " : "",
                                   map->prefix, yyjson_get_str(key));
        set_text(map, yyjson_get_str(key), yyjson_get_str(value));
    }
}

static bool is_own(const char *key, size_t length) {
    static const char *const own[] = {managed_label, owner_annotation, owner_uid_annotation,
                                      owner_namespace_annotation, template_annotation};
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        if (strlen(own[i]) == length && memcmp(own[i], key, length) == 0) {
            return true;
        }
    }
    return false;
}

// Removes what an earlier secretTemplate had put there and the present one has not: remembered is the
// annotation's list, divided by spaces. Others may have written that, too, so it cannot make us remove our
// own marks.
static void remove_stale(struct map_patch *map, const char *remembered, yyjson_val *template) {
    size_t prefix = strlen(map->prefix);
    while (remembered != nullptr && *remembered != '\0') {
        size_t length = strcspn(remembered, " ");
        if (length > prefix && strncmp(remembered, map->prefix, prefix) == 0) {
            const char *key = remembered + prefix;
            size_t key_length = length - prefix;
            if (!is_own(key, key_length) && yyjson_obj_getn(template, key, key_length) == nullptr &&
                yyjson_obj_getn(map->current, key, key_length) != nullptr &&
                yyjson_mut_obj_getn(map->patch, key, key_length) == nullptr) {
                yyjson_mut_val *name = yyjson_mut_strncpy(map->document, key, key_length);
                (void)yyjson_mut_obj_add(map->patch, name, yyjson_mut_null(map->document));
            }
        }
        remembered += length + (remembered[length] == ' ' ? 1 : 0);
    }
}

static bool is_ours(yyjson_val *reference, const struct kube_object *object) {
    return member_is(reference, "uid", object->uid);
}

bool secret_metadata_is_owned(const struct kube_object *object, yyjson_val *metadata) {
    size_t index;
    size_t count;
    yyjson_val *reference;
    yyjson_arr_foreach(yyjson_obj_get(metadata, "ownerReferences"), index, count, reference) {
        if (is_ours(reference, object)) {
            return true;
        }
    }
    return false;
}

static void add_own_reference(const struct kind *kind, const struct kube_object *object,
                              yyjson_mut_doc *document, yyjson_mut_val *references) {
    char api_version[API_VERSION_SIZE];
    yyjson_mut_val *own = yyjson_mut_arr_add_obj(document, references);
    snprintf(api_version, sizeof(api_version), "%s/%s", kind->group, kind->version);
    (void)yyjson_mut_obj_add_strcpy(document, own, "apiVersion", api_version);
    (void)yyjson_mut_obj_add_str(document, own, "kind", kind->kind);
    (void)yyjson_mut_obj_add_strcpy(document, own, "name", object->name);
    (void)yyjson_mut_obj_add_strcpy(document, own, "uid", object->uid);
    (void)yyjson_mut_obj_add_bool(document, own, "controller", true);
}

// With Delete our reference must be there, as the controller; with Retain it must not.
static void patch_owner(const struct kind *kind, const struct kube_object *object, bool retain,
                        yyjson_val *current, yyjson_mut_doc *document, yyjson_mut_val *patch) {
    yyjson_val *present = yyjson_obj_get(current, "ownerReferences");
    yyjson_mut_val *references = yyjson_mut_arr(document);
    bool found = false;
    bool controls = false;
    size_t index;
    size_t count;
    yyjson_val *reference;
    yyjson_arr_foreach(present, index, count, reference) {
        if (is_ours(reference, object)) {
            found = true;
            controls = controls || yyjson_is_true(yyjson_obj_get(reference, "controller"));
        } else {
            (void)yyjson_mut_arr_append(references, yyjson_val_mut_copy(document, reference));
        }
    }
    if (!retain) {
        add_own_reference(kind, object, document, references);
    }
    if (retain ? found : !controls) {
        (void)yyjson_mut_obj_add_val(document, patch, "ownerReferences", references);
    }
}

static void add_if_filled(yyjson_mut_doc *document, yyjson_mut_val *patch, const char *key,
                          yyjson_mut_val *map) {
    if (yyjson_mut_obj_size(map) > 0) {
        (void)yyjson_mut_obj_add_val(document, patch, key, map);
    }
}

bool secret_metadata_patch(const struct kind *kind, const struct kube_object *object,
                           const struct common_spec *common, yyjson_val *current, yyjson_mut_doc *document,
                           yyjson_mut_val *patch) {
    cleanup_buffer struct buffer keys = buffer_create(TEMPLATE_MAX);
    yyjson_val *present = yyjson_obj_get(current, "annotations");
    const char *remembered = json_member_text(present, template_annotation);
    struct map_patch labels = {document, yyjson_mut_obj(document), yyjson_obj_get(current, "labels"), &keys,
                               "label:"};
    struct map_patch annotations = {document, yyjson_mut_obj(document), present, &keys, "annotation:"};
    char owner[SECRET_OWNER_MARK_SIZE];
    secret_metadata_format_owner(kind, object, owner);
    set_text(&labels, managed_label, manager_name);
    set_text(&annotations, owner_annotation, owner);
    set_text(&annotations, owner_uid_annotation, object->uid);
    set_text(&annotations, owner_namespace_annotation, object->namespace);
    set_from_template(&labels, common->labels);
    set_from_template(&annotations, common->annotations);
    remove_stale(&labels, remembered, common->labels);
    remove_stale(&annotations, remembered, common->annotations);
    if (keys.length > 0 || remembered != nullptr) {
        set_text(&annotations, template_annotation, buffer_text(&keys));
    }
    add_if_filled(document, patch, "labels", labels.patch);
    add_if_filled(document, patch, "annotations", annotations.patch);
    patch_owner(kind, object, common->retain, current, document, patch);
    return yyjson_mut_obj_size(patch) > 0;
}

void secret_metadata_drop_uid(yyjson_mut_val *metadata) {
    (void)yyjson_mut_obj_remove_key(yyjson_mut_obj_get(metadata, "annotations"), owner_uid_annotation);
}
