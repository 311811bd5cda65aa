#include "render/object_check.h"

#include "crypto/encoding.h"
#include "engine/spec.h"
#include "engine/unknown_field.h"
#include "kube/resource.h"

#include <string.h>

static const char *const of_kinds[] = {"apiVersion", "kind", "metadata", "spec", "status", nullptr};
static const char *const of_secrets[] = {"apiVersion", "kind",      "metadata", "data",
                                         "type",       "immutable", nullptr};
static const char *const of_config_maps[] = {"apiVersion", "kind",      "metadata", "data",
                                             "binaryData", "immutable", nullptr};
// ObjectMeta of k8s.io/apimachinery/pkg/apis/meta/v1.
static const char *const of_metadata[] = {"name",
                                          "generateName",
                                          "namespace",
                                          "selfLink",
                                          "uid",
                                          "resourceVersion",
                                          "generation",
                                          "creationTimestamp",
                                          "deletionTimestamp",
                                          "deletionGracePeriodSeconds",
                                          "labels",
                                          "annotations",
                                          "ownerReferences",
                                          "finalizers",
                                          "managedFields",
                                          nullptr};

static bool check_members(yyjson_val *object, const char *prefix, const char *const *names, struct error *e) {
    yyjson_obj_iter members = yyjson_obj_iter_with(object);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&members)) != nullptr;) {
        const char *const *name = names;
        while (*name != nullptr && !yyjson_equals_str(key, *name)) {
            name++;
        }
        if (*name == nullptr) {
            return error_set(e, ERROR_INVALID_SPEC, "unknown field \"%s%.64s\"", prefix, yyjson_get_str(key));
        }
    }
    return true;
}

// Whether value (NULL: absent) is null or an object of texts; what it is called, for the message.
static bool check_texts(yyjson_val *value, const char *field, struct error *e) {
    if (value == nullptr || yyjson_is_null(value)) {
        return true;
    }
    if (!yyjson_is_obj(value)) {
        return error_set(e, ERROR_INVALID_SPEC, "%s must be an object", field);
    }
    yyjson_obj_iter members = yyjson_obj_iter_with(value);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&members)) != nullptr;) {
        if (!yyjson_is_str(yyjson_obj_iter_get_val(key))) {
            return error_set(e, ERROR_INVALID_SPEC, "%s.%.64s must be a text", field, yyjson_get_str(key));
        }
    }
    return true;
}

// The entries of a Secret or a ConfigMap: their names, and the base64 of those that are bytes.
static bool check_entries(yyjson_val *entries, const char *field, bool is_base64, struct error *e) {
    if (!check_texts(entries, field, e)) {
        return false;
    }
    yyjson_obj_iter members = yyjson_obj_iter_with(entries);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&members)) != nullptr;) {
        yyjson_val *value = yyjson_obj_iter_get_val(key);
        cleanup_secret struct secret *bytes = nullptr;
        const char *name = json_text(key);
        if (name == nullptr || strlen(name) > SPEC_DATA_KEY_MAX || !spec_is_data_key(name)) {
            return error_set(
                e, ERROR_INVALID_SPEC,
                "%s: \"%.64s\" is not the name of an entry: at most %d letters, digits, '-', '_' "
                "and '.', which do not begin with \"..\"",
                field, yyjson_get_str(key), SPEC_DATA_KEY_MAX);
        }
        if (is_base64 &&
            !base64_decode(yyjson_get_str(value), yyjson_get_len(value), ENCODING_ONE_LINE, &bytes, e)) {
            return error_wrap(e, "%s.%.64s", field, name);
        }
    }
    return true;
}

static bool check_kind(const struct kind *kind, yyjson_val *object, struct error *e) {
    char unknown[UNKNOWN_FIELD_SIZE];
    return check_members(object, "", of_kinds, e) &&
           (!unknown_field_find(kind, yyjson_obj_get(object, "spec"), unknown) ||
            error_set(e, ERROR_INVALID_SPEC, "unknown field \"%s\"", unknown));
}

bool object_check(const struct kind *kind, yyjson_val *object, struct error *e) {
    yyjson_val *metadata = yyjson_obj_get(object, "metadata");
    bool is_secret = json_member_is(object, "kind", kube_secrets.kind);
    if (!check_members(metadata, "metadata.", of_metadata, e) ||
        !check_texts(yyjson_obj_get(metadata, "labels"), "metadata.labels", e) ||
        !check_texts(yyjson_obj_get(metadata, "annotations"), "metadata.annotations", e)) {
        return false;
    }
    if (kind != nullptr) {
        return check_kind(kind, object, e);
    }
    return check_members(object, "", is_secret ? of_secrets : of_config_maps, e) &&
           check_entries(yyjson_obj_get(object, "data"), "data", is_secret, e) &&
           check_entries(yyjson_obj_get(object, "binaryData"), "binaryData", true, e);
}
