#include "engine/spec_field.h"

#include "engine/spec_internal.h"

#include <string.h>
#include <strings.h>

// ---- reading: one function for each type; member is where it goes

typedef void member_reader(struct spec_reader *reader, const struct spec_field *field, void *member);

// The name under which the spec has it.
static const char *written_name(struct spec_reader *reader, const struct spec_field *field) {
    bool is_alias = field->alias != nullptr && spec_value(reader, field->name) == nullptr;
    return is_alias ? field->alias : field->name;
}

static const char *without_empty(const struct spec_field *field, const char *text) {
    return text != nullptr && text[0] == '\0' && field->empty_is_absent ? nullptr : text;
}

static bool has_form(const struct spec_field *field, const char *text) {
    return field->form == nullptr || field->form->fits == nullptr || field->form->fits(text);
}

static void read_text(struct spec_reader *reader, const struct spec_field *field, void *member) {
    size_t max = (size_t)field->max;
    const char *text = without_empty(field, field->alias == nullptr
                                                ? spec_text(reader, field->name, max)
                                                : spec_text_alias(reader, field->name, field->alias, max));
    if (text != nullptr && !has_form(field, text)) {
        spec_field_error(reader, "%s: \"%.*s\" %s", written_name(reader, field), spec_shown_length(text),
                         text, field->form->refusal);
        text = nullptr;
    }
    *(const char **)member = text != nullptr ? text : field->text_fallback;
}

static void read_choice(struct spec_reader *reader, const struct spec_field *field, void *member) {
    *(const char **)member = spec_choice(reader, field->name, field->choices);
}

static void read_either(struct spec_reader *reader, const struct spec_field *field, void *member) {
    *(bool *)member = spec_choice(reader, field->name, field->choices) == field->choices[1];
}

static void read_integer(struct spec_reader *reader, const struct spec_field *field, void *member) {
    *(int64_t *)member =
        spec_integer(reader, field->name, field->alias, field->min, field->max, field->fallback);
}

static void read_hex(struct spec_reader *reader, const struct spec_field *field, void *member) {
    const char *digits = spec_hex(reader, field->name, (size_t)field->min, (size_t)field->max);
    *(const char **)member = without_empty(field, digits);
}

static void read_duration(struct spec_reader *reader, const struct spec_field *field, void *member) {
    *(int64_t *)member = spec_duration(reader, field->name, field->min, field->max);
}

static void read_algorithm(struct spec_reader *reader, const struct spec_field *field, void *member) {
    const struct algorithm *algorithm = spec_algorithm(reader, field->name, field->family);
    bool falls_back = algorithm == nullptr && field->text_fallback != nullptr;
    *(const struct algorithm **)member =
        falls_back ? algorithm_find(field->family, field->text_fallback) : algorithm;
}

static void read_reference(struct spec_reader *reader, const struct spec_field *field, void *member) {
    *(struct reference *)member = spec_reference(reader, field->name, field->sources, field->is_required);
}

static void read_reference_key(struct spec_reader *reader, const struct spec_field *field, void *member) {
    spec_reference_key(reader, field->key_of, field->name, member);
}

static void read_text_list(struct spec_reader *reader, const struct spec_field *field, void *member) {
    struct spec_texts *list = member;
    list->count =
        spec_text_list(reader, field->name, (size_t)field->max_count, (size_t)field->max, list->texts);
}

static void read_labels(struct spec_reader *reader, const struct spec_field *field, void *member) {
    *(yyjson_val **)member = spec_template_part(reader, field->name, true);
}

static void read_annotations(struct spec_reader *reader, const struct spec_field *field, void *member) {
    *(yyjson_val **)member = spec_template_part(reader, field->name, false);
}

static member_reader *const readers[SPEC_TYPE_COUNT] = {
    [SPEC_TEXT] = read_text,
    [SPEC_CHOICE] = read_choice,
    [SPEC_EITHER] = read_either,
    [SPEC_INTEGER] = read_integer,
    [SPEC_HEX] = read_hex,
    [SPEC_DURATION] = read_duration,
    [SPEC_ALGORITHM] = read_algorithm,
    [SPEC_REFERENCE] = read_reference,
    [SPEC_REFERENCE_KEY] = read_reference_key,
    [SPEC_TEXT_LIST] = read_text_list,
    [SPEC_LABELS] = read_labels,
    [SPEC_ANNOTATIONS] = read_annotations,
};

static bool is_around(const struct spec_object *object, const struct spec_object *inner) {
    while (inner != nullptr && inner != object) {
        inner = inner->outer;
    }
    return inner == object;
}

// Checks the objects that the field is in, but for those that the field before it is in, too.
static void check_objects(struct spec_reader *reader, const struct spec_field *field,
                          const struct spec_object *before) {
    size_t length = strlen(field->name);
    for (const struct spec_object *object = field->object; object != nullptr && !is_around(object, before);
         object = object->outer) {
        do {
            length--;
        } while (field->name[length] != '.');
        spec_check_object(reader, field->name, length, object->contents);
    }
}

void spec_read_fields(struct spec_reader *reader, const struct spec_field *fields, void *memory) {
    const struct spec_object *before = nullptr;
    for (const struct spec_field *field = fields; field->name != nullptr; field++) {
        check_objects(reader, field, before);
        before = field->object;
        readers[field->type](reader, field, (char *)memory + field->offset);
    }
}

// ---- comparing

static const char *text_at(const void *memory, const struct spec_field *field) {
    const char *text = *(const char *const *)((const char *)memory + field->offset);
    return text == nullptr ? "" : text;
}

bool spec_field_differs(const struct spec_field *field, const void *before, const void *after) {
    if (!field->is_immutable) {
        return false;
    }
    if (field->type == SPEC_INTEGER) {
        return *(const int64_t *)((const char *)before + field->offset) !=
               *(const int64_t *)((const char *)after + field->offset);
    }
    if (field->type == SPEC_ALGORITHM) {
        return *(const struct algorithm *const *)((const char *)before + field->offset) !=
               *(const struct algorithm *const *)((const char *)after + field->offset);
    }
    const char *one = text_at(before, field);
    const char *other = text_at(after, field);
    if (field->across != nullptr) {
        return (strcmp(one, field->across) == 0) != (strcmp(other, field->across) == 0);
    }
    return (field->type == SPEC_HEX ? strcasecmp(one, other) : strcmp(one, other)) != 0;
}
