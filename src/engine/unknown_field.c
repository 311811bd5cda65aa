#include "engine/unknown_field.h"

#include <stdio.h>
#include <string.h>

// A name that holds U+0000, which a C string would end at, is none of any names.
static bool is_one_of(yyjson_val *name, const char *const *names) {
    while (*names != nullptr && !yyjson_equals_str(name, *names)) {
        names++;
    }
    return *names != nullptr;
}

// The first member of a reference that references do not have; NULL: there is none.
static yyjson_val *find_in_reference(yyjson_val *reference) {
    static const char *const members[] = {"name", "namespace", "kind", "key", nullptr};
    yyjson_obj_iter names = yyjson_obj_iter_with(reference);
    for (yyjson_val *name; (name = yyjson_obj_iter_next(&names)) != nullptr;) {
        if (!is_one_of(name, members)) {
            return name;
        }
    }
    return nullptr;
}

// The field of that name, or one of those that it is the object of (is_object); NULL: there is none. The
// point in a field's name stands between two members: no member has one in its own name.
static const struct spec_field *find_field(const struct spec_field *const *tables, const char *name,
                                           bool is_object) {
    size_t length = strlen(name);
    for (; *tables != nullptr; tables++) {
        for (const struct spec_field *field = *tables; field->name != nullptr; field++) {
            bool same = strcmp(field->name, name) == 0 ||
                        (field->alias != nullptr && strcmp(field->alias, name) == 0);
            bool inside = strncmp(field->name, name, length) == 0 && field->name[length] == '.';
            if (is_object ? inside : same) {
                return field;
            }
        }
    }
    return nullptr;
}

// The first member of an object with fields in it that is none of them; NULL: there is none.
static yyjson_val *find_in_object(const struct kind *kind, const struct spec_field *const *tables,
                                  const char *object_name, yyjson_val *object) {
    yyjson_obj_iter names = yyjson_obj_iter_with(object);
    for (yyjson_val *name; (name = yyjson_obj_iter_next(&names)) != nullptr;) {
        char path[UNKNOWN_FIELD_SIZE];
        const char *text = json_text(name);
        snprintf(path, sizeof(path), "%s.%s", object_name, text == nullptr ? "" : text);
        if (find_field(tables, path, false) == nullptr && !foreign_fields_have(kind->foreign_fields, path)) {
            return name;
        }
    }
    return nullptr;
}

static void format_path(yyjson_val *name, yyjson_val *inner, char ret_path[UNKNOWN_FIELD_SIZE]) {
    char outer_text[JSON_SHOWN_SIZE];
    char inner_text[JSON_SHOWN_SIZE];
    json_show(name, outer_text);
    json_show(inner, inner_text);
    snprintf(ret_path, UNKNOWN_FIELD_SIZE, "spec.%s%s%s", outer_text, inner == nullptr ? "" : ".",
             inner_text);
}

bool unknown_field_find(const struct kind *kind, yyjson_val *spec, char ret_path[UNKNOWN_FIELD_SIZE]) {
    const struct spec_field *tables[KIND_TABLES_MAX + 1];
    kind_list_fields(kind, tables);
    yyjson_obj_iter members = yyjson_obj_iter_with(spec);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&members)) != nullptr;) {
        const char *name = json_text(key);
        yyjson_val *value = yyjson_obj_iter_get_val(key);
        bool is_plain = name != nullptr && strchr(name, '.') == nullptr;
        const struct spec_field *field = is_plain ? find_field(tables, name, false) : nullptr;
        bool is_object = is_plain && field == nullptr && find_field(tables, name, true) != nullptr;
        bool is_foreign = is_plain && foreign_fields_have(kind->foreign_fields, name);
        yyjson_val *inner = is_object ? find_in_object(kind, tables, name, value)
                            : field != nullptr && field->type == SPEC_REFERENCE ? find_in_reference(value)
                                                                                : nullptr;
        if ((field == nullptr && !is_object && !is_foreign) || inner != nullptr) {
            format_path(key, inner, ret_path);
            return true;
        }
    }
    return false;
}
