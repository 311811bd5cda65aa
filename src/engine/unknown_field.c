#include "engine/unknown_field.h"

#include <stdio.h>
#include <string.h>

enum { PATH_SIZE = 128 }; // more than any field's name has

struct search {
    const struct kind *kind;
    const struct spec_field *tables[KIND_TABLES_MAX + 1];
};

// A name that holds U+0000, which a C string would end at, is none of any names.
static bool is_one_of(yyjson_val *name, const char *const *names) {
    while (*names != nullptr && !yyjson_equals_str(name, *names)) {
        names++;
    }
    return *names != nullptr;
}

// The field of that path, or one of those that it is the object of (is_object); NULL: there is none. The
// point in a field's name stands between two members: no member has one in its own name.
static const struct spec_field *find_field(const struct spec_field *const *tables, const char *path,
                                           bool is_object) {
    size_t length = strlen(path);
    for (; *tables != nullptr; tables++) {
        for (const struct spec_field *field = *tables; field->name != nullptr; field++) {
            bool same = strcmp(field->name, path) == 0 ||
                        (field->alias != nullptr && strcmp(field->alias, path) == 0);
            bool inside = strncmp(field->name, path, length) == 0 && field->name[length] == '.';
            if (is_object ? inside : same) {
                return field;
            }
        }
    }
    return nullptr;
}

// Writes what is shown of a member: path is of names that are known.
static bool show(const char *path, yyjson_val *name, char ret_path[UNKNOWN_FIELD_SIZE]) {
    char text[JSON_SHOWN_SIZE];
    json_show(name, text);
    snprintf(ret_path, UNKNOWN_FIELD_SIZE, "spec%s%s.%s", path[0] == '\0' ? "" : ".", path, text);
    return true;
}

// Whether a reference, which is at that path, has a member that references do not have.
static bool find_in_reference(const char *path, yyjson_val *reference, char ret_path[UNKNOWN_FIELD_SIZE]) {
    static const char *const members[] = {"name", "namespace", "kind", "key", "version", nullptr};
    yyjson_obj_iter names = yyjson_obj_iter_with(reference);
    for (yyjson_val *name; (name = yyjson_obj_iter_next(&names)) != nullptr;) {
        if (!is_one_of(name, members)) {
            return show(path, name, ret_path);
        }
    }
    return false;
}

// Whether an object with fields in it, which is at that path ("": the spec), has a member that is none of
// them.
static bool find_in_object(const struct search *search, const char *path, yyjson_val *object,
                           char ret_path[UNKNOWN_FIELD_SIZE]) {
    yyjson_obj_iter members = yyjson_obj_iter_with(object);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&members)) != nullptr;) {
        const char *name = json_text(key);
        char inner[PATH_SIZE];
        if (name == nullptr || strchr(name, '.') != nullptr) {
            return show(path, key, ret_path);
        }
        snprintf(inner, sizeof(inner), "%s%s%s", path, path[0] == '\0' ? "" : ".", name);
        const struct spec_field *field = find_field(search->tables, inner, false);
        bool is_object = field == nullptr && find_field(search->tables, inner, true) != nullptr;
        if (field == nullptr && !is_object && !foreign_fields_have(search->kind->foreign_fields, inner)) {
            return show(path, key, ret_path);
        }
        yyjson_val *value = yyjson_obj_iter_get_val(key);
        if ((is_object && find_in_object(search, inner, value, ret_path)) ||
            (field != nullptr && field->type == SPEC_REFERENCE &&
             find_in_reference(inner, value, ret_path))) {
            return true;
        }
    }
    return false;
}

bool unknown_field_find(const struct kind *kind, yyjson_val *spec, char ret_path[UNKNOWN_FIELD_SIZE]) {
    struct search search = {.kind = kind};
    kind_list_fields(kind, search.tables);
    return find_in_object(&search, "", spec, ret_path);
}
