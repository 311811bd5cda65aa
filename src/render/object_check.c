#include "render/object_check.h"

#include "engine/spec.h"

#include <stdio.h>
#include <string.h>

enum { FIELD_SIZE = 128 };

// A member's check. field: what it is called in messages; value is neither absent nor null.
typedef bool member_check(yyjson_val *value, const char *field, struct error *e);

struct member {
    const char *name; // NULL ends a table
    member_check *check;
    bool is_required;
};

static bool refuse_type(yyjson_val *value, const char *field, const char *wanted, struct error *e) {
    char found[SPEC_DESCRIPTION_SIZE];
    spec_describe_value(value, found);
    return error_set(e, ERROR_INVALID_SPEC, "%s must be %s, not %s", field, wanted, found);
}

// ---- members of one value

static bool check_nothing(yyjson_val *, const char *, struct error *) {
    return true;
}

static bool check_text(yyjson_val *value, const char *field, struct error *e) {
    if (!yyjson_is_str(value)) {
        return refuse_type(value, field, "a text", e);
    }
    return json_text(value) != nullptr ||
           error_set(e, ERROR_INVALID_SPEC, "%s must be a text without U+0000", field);
}

static bool check_bool(yyjson_val *value, const char *field, struct error *e) {
    return yyjson_is_bool(value) || refuse_type(value, field, "true or false", e);
}

static bool check_integer(yyjson_val *value, const char *field, struct error *e) {
    return yyjson_is_int(value) || refuse_type(value, field, "an integer", e);
}

static bool check_object(yyjson_val *value, const char *field, struct error *e) {
    return yyjson_is_obj(value) || refuse_type(value, field, "an object", e);
}

// ---- members of many

static bool check_list(yyjson_val *value, const char *field, member_check *check, struct error *e) {
    size_t index;
    size_t count;
    yyjson_val *item;
    if (!yyjson_is_arr(value)) {
        return refuse_type(value, field, "an array", e);
    }
    yyjson_arr_foreach(value, index, count, item) {
        char name[FIELD_SIZE];
        snprintf(name, sizeof(name), "%s[%zu]", field, index);
        if (!check(item, name, e)) {
            return false;
        }
    }
    return true;
}

static const struct member *find_member(const struct member *members, yyjson_val *key) {
    while (members->name != nullptr && !yyjson_equals_str(key, members->name)) {
        members++;
    }
    return members->name == nullptr ? nullptr : members;
}

// prefix: what the members' names go on from: "metadata.".
static bool check_members(yyjson_val *object, const char *prefix, const struct member *members,
                          struct error *e) {
    yyjson_obj_iter keys = yyjson_obj_iter_with(object);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&keys)) != nullptr;) {
        const struct member *member = find_member(members, key);
        yyjson_val *value = yyjson_obj_iter_get_val(key);
        char shown[JSON_SHOWN_SIZE];
        char field[FIELD_SIZE];
        json_show(key, shown);
        if (member == nullptr) {
            return error_set(e, ERROR_INVALID_SPEC, "unknown field \"%s%s\"", prefix, shown);
        }
        snprintf(field, sizeof(field), "%s%s", prefix, member->name);
        if (!yyjson_is_null(value) && !member->check(value, field, e)) {
            return false;
        }
    }
    for (; members->name != nullptr; members++) {
        yyjson_val *value = yyjson_obj_get(object, members->name);
        if (members->is_required && yyjson_get_len(value) == 0) {
            return error_set(e, ERROR_INVALID_SPEC, "%s%s is missing", prefix, members->name);
        }
    }
    return true;
}

// An object of texts and nulls. What is in it may be a key, and is not shown.
static bool check_map(yyjson_val *value, const char *field, struct error *e) {
    if (!check_object(value, field, e)) {
        return false;
    }
    yyjson_obj_iter members = yyjson_obj_iter_with(value);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&members)) != nullptr;) {
        yyjson_val *text = yyjson_obj_iter_get_val(key);
        if (!yyjson_is_str(text) && !yyjson_is_null(text)) {
            char shown[JSON_SHOWN_SIZE];
            json_show(key, shown);
            return error_set(e, ERROR_INVALID_SPEC, "%s.%s must be a text", field, shown);
        }
    }
    return true;
}

// ---- labels, annotations and entries

static bool check_keys(yyjson_val *map, const char *field, bool are_annotations, struct error *e) {
    yyjson_obj_iter members = yyjson_obj_iter_with(map);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&members)) != nullptr;) {
        const char *name = json_text(key);
        if (name == nullptr || !spec_is_label_key(name, are_annotations)) {
            char shown[JSON_SHOWN_SIZE];
            json_show(key, shown);
            return error_set(e, ERROR_INVALID_SPEC,
                             "%s: \"%s\" is not a key: NAME or PREFIX/NAME, where NAME has at most %d "
                             "letters, digits, '-', '_' and '.', and PREFIX is a DNS name",
                             field, shown, SPEC_LABEL_MAX);
        }
    }
    return true;
}

static bool check_label_values(yyjson_val *labels, const char *field, struct error *e) {
    yyjson_obj_iter members = yyjson_obj_iter_with(labels);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&members)) != nullptr;) {
        yyjson_val *value = yyjson_obj_iter_get_val(key);
        const char *text = json_text(value);
        if (yyjson_get_len(value) > 0 && (text == nullptr || !spec_is_label_text(text))) {
            char shown_key[JSON_SHOWN_SIZE];
            char shown[JSON_SHOWN_SIZE];
            json_show(key, shown_key);
            json_show(value, shown);
            return error_set(e, ERROR_INVALID_SPEC,
                             "%s.%s: \"%s\" is not the value of a label: at most %d letters, digits, '-', "
                             "'_' and '.', and a letter or digit at both ends",
                             field, shown_key, shown, SPEC_LABEL_MAX);
        }
    }
    return true;
}

static bool check_labels(yyjson_val *value, const char *field, struct error *e) {
    return check_map(value, field, e) && check_keys(value, field, false, e) &&
           check_label_values(value, field, e);
}

static bool check_annotations(yyjson_val *value, const char *field, struct error *e) {
    return check_map(value, field, e) && check_keys(value, field, true, e);
}

static bool check_entries(yyjson_val *value, const char *field, struct error *e) {
    if (!check_map(value, field, e)) {
        return false;
    }
    yyjson_obj_iter members = yyjson_obj_iter_with(value);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&members)) != nullptr;) {
        const char *name = json_text(key);
        if (name == nullptr || strlen(name) > SPEC_DATA_KEY_MAX || !spec_is_data_key(name)) {
            char shown[JSON_SHOWN_SIZE];
            json_show(key, shown);
            return error_set(e, ERROR_INVALID_SPEC,
                             "%s: \"%s\" is not the name of an entry: at most %d letters, digits, '-', '_' "
                             "and '.', which do not begin with \"..\"",
                             field, shown, SPEC_DATA_KEY_MAX);
        }
    }
    return true;
}

// ---- tables of members

static bool check_owner(yyjson_val *value, const char *field, struct error *e) {
    static const struct member members[] = {
        {"apiVersion", check_text, true},  {"kind", check_text, true},
        {"name", check_text, true},        {"uid", check_text, true},
        {"controller", check_bool, false}, {"blockOwnerDeletion", check_bool, false},
        {nullptr, nullptr, false},
    };
    char prefix[FIELD_SIZE];
    snprintf(prefix, sizeof(prefix), "%s.", field);
    return check_object(value, field, e) && check_members(value, prefix, members, e);
}

static bool check_owners(yyjson_val *value, const char *field, struct error *e) {
    return check_list(value, field, check_owner, e);
}

static bool check_texts(yyjson_val *value, const char *field, struct error *e) {
    return check_list(value, field, check_text, e);
}

static bool check_objects(yyjson_val *value, const char *field, struct error *e) {
    return check_list(value, field, check_object, e);
}

// ObjectMeta of k8s.io/apimachinery/pkg/apis/meta/v1.
static bool check_metadata(yyjson_val *value, const char *, struct error *e) {
    static const struct member members[] = {
        {"name", check_text, false},
        {"generateName", check_text, false},
        {"namespace", check_text, false},
        {"selfLink", check_text, false},
        {"uid", check_text, false},
        {"resourceVersion", check_text, false},
        {"generation", check_integer, false},
        {"creationTimestamp", check_text, false},
        {"deletionTimestamp", check_text, false},
        {"deletionGracePeriodSeconds", check_integer, false},
        {"labels", check_labels, false},
        {"annotations", check_annotations, false},
        {"ownerReferences", check_owners, false},
        {"finalizers", check_texts, false},
        {"managedFields", check_objects, false},
        {nullptr, nullptr, false},
    };
    return check_members(value, "metadata.", members, e);
}

static const struct member of_kinds[] = {
    {"apiVersion", check_text, false}, {"kind", check_text, false}, {"metadata", check_metadata, false},
    {"spec", check_nothing, false}, // its kind says what is wrong with it
    {"status", check_object, false},   {nullptr, nullptr, false},
};
static const struct member of_secrets[] = {
    {"apiVersion", check_text, false},    {"kind", check_text, false},
    {"metadata", check_metadata, false},  {"data", check_entries, false},
    {"stringData", check_entries, false}, {"type", check_text, false},
    {"immutable", check_bool, false},     {nullptr, nullptr, false},
};
static const struct member of_config_maps[] = {
    {"apiVersion", check_text, false},
    {"kind", check_text, false},
    {"metadata", check_metadata, false},
    {"data", check_entries, false},
    {"binaryData", check_entries, false},
    {"immutable", check_bool, false},
    {nullptr, nullptr, false},
};

bool object_check(const struct kube_resource *resource, yyjson_val *object, struct error *e) {
    const struct member *members = resource == &kube_secrets       ? of_secrets
                                   : resource == &kube_config_maps ? of_config_maps
                                                                   : of_kinds;
    return check_members(object, "", members, e);
}
