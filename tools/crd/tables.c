// Prints the tables of all kinds' fields as JSON, for tools/crd/make.py; with the argument bad-specs, specs
// with one fault each that follow from them, for tests/e2e/test_agreement.py. It is a program of its own, so
// that the operator has none of it.
#include "kinds/table.h"
#include "tools/crd/bad_specs.h"
#include "json/write.h"

#include <stdio.h>
#include <string.h>

enum { TEXT_MAX = 4 * 1024 * 1024 };

static const char *const type_names[SPEC_TYPE_COUNT] = {
    [SPEC_TEXT] = "text",
    [SPEC_CHOICE] = "choice",
    [SPEC_EITHER] = "choice",
    [SPEC_INTEGER] = "integer",
    [SPEC_HEX] = "hex",
    [SPEC_DURATION] = "duration",
    [SPEC_ALGORITHM] = "algorithm",
    [SPEC_REFERENCE] = "reference",
    [SPEC_REFERENCE_KEY] = "reference key",
    [SPEC_TEXT_LIST] = "list",
    [SPEC_LABELS] = "labels",
    [SPEC_ANNOTATIONS] = "annotations",
};

static void add_text(yyjson_mut_doc *document, yyjson_mut_val *object, const char *name, const char *text) {
    if (text != nullptr) {
        (void)yyjson_mut_obj_add_str(document, object, name, text);
    }
}

static void add_texts(yyjson_mut_doc *document, yyjson_mut_val *object, const char *name,
                      const char *const *texts) {
    if (texts == nullptr) {
        return;
    }
    yyjson_mut_val *list = yyjson_mut_obj_add_arr(document, object, name);
    for (; *texts != nullptr; texts++) {
        (void)yyjson_mut_arr_add_str(document, list, *texts);
    }
}

// By each algorithm's name its other names.
static void add_family(yyjson_mut_doc *document, yyjson_mut_val *object, enum algorithm_family family) {
    const struct algorithm *algorithm;
    yyjson_mut_val *names = yyjson_mut_obj_add_obj(document, object, "algorithms");
    for (size_t i = 0; (algorithm = algorithm_at(family, i)) != nullptr; i++) {
        add_texts(document, names, algorithm->name, algorithm->aliases);
    }
}

static void add_sources(yyjson_mut_doc *document, yyjson_mut_val *object,
                        const struct input_source *sources) {
    yyjson_mut_val *list = yyjson_mut_obj_add_arr(document, object, "sources");
    for (const struct input_source *source = sources; source->kind != nullptr; source++) {
        yyjson_mut_val *one = yyjson_mut_arr_add_obj(document, list);
        add_text(document, one, "kind", source->kind);
        (void)yyjson_mut_obj_add_bool(document, one, "byDefault", source->by_default);
        (void)yyjson_mut_obj_add_bool(document, one, "takesKey", source->data_key == nullptr);
        (void)yyjson_mut_obj_add_bool(document, one, "hasVersions", source->has_versions);
        add_texts(document, one, "usualKeys", source->usual_keys);
    }
}

// The descriptions of the objects that a field is in, the outermost first.
static void add_objects(yyjson_mut_doc *document, yyjson_mut_val *one, const struct spec_object *object) {
    if (object == nullptr) {
        return;
    }
    yyjson_mut_val *list = yyjson_mut_obj_add_arr(document, one, "objectDescriptions");
    for (; object != nullptr; object = object->outer) {
        (void)yyjson_mut_arr_prepend(list, yyjson_mut_str(document, object->description));
    }
}

static void add_field(yyjson_mut_doc *document, yyjson_mut_val *list, const struct spec_field *field) {
    yyjson_mut_val *one = yyjson_mut_arr_add_obj(document, list);
    add_text(document, one, "name", field->name);
    add_text(document, one, "alias", field->alias);
    add_text(document, one, "type", type_names[field->type]);
    (void)yyjson_mut_obj_add_bool(document, one, "required", field->is_required);
    (void)yyjson_mut_obj_add_bool(document, one, "immutable", field->is_immutable);
    add_text(document, one, "across", field->across);
    (void)yyjson_mut_obj_add_int(document, one, "min", field->min);
    (void)yyjson_mut_obj_add_int(document, one, "max", field->max);
    (void)yyjson_mut_obj_add_int(document, one, "maxCount", field->max_count);
    (void)yyjson_mut_obj_add_int(document, one, "maxCharacters",
                                 field->max_characters != 0 ? field->max_characters : field->max);
    (void)yyjson_mut_obj_add_bool(document, one, "countsBytes", field->counts_bytes);
    (void)yyjson_mut_obj_add_bool(document, one, "countsSeconds", field->counts_seconds);
    (void)yyjson_mut_obj_add_int(document, one, "fallback", field->fallback);
    add_text(document, one, "textFallback", field->text_fallback);
    add_texts(document, one, "choices", field->choices);
    add_texts(document, one, "unfitChoices", field->unfit_choices);
    add_text(document, one, "unfitReason", field->unfit_reason);
    add_text(document, one, "pattern", field->form == nullptr ? nullptr : field->form->pattern);
    add_text(document, one, "form", field->form == nullptr ? nullptr : field->form->name);
    add_text(document, one, "refusal", field->form == nullptr ? nullptr : field->form->refusal);
    add_text(document, one, "keyOf", field->key_of);
    add_text(document, one, "entry", field->entry);
    add_text(document, one, "description", field->description);
    add_objects(document, one, field->object);
    if (field->type == SPEC_ALGORITHM) {
        add_family(document, one, field->family);
    } else if (field->type == SPEC_REFERENCE) {
        add_sources(document, one, field->sources);
        (void)yyjson_mut_obj_add_int(document, one, "versionMax", SPEC_VERSION_MAX);
    }
}

static void add_foreign_fields(yyjson_mut_doc *document, yyjson_mut_val *object,
                               const struct foreign_field *fields) {
    yyjson_mut_val *list = yyjson_mut_obj_add_arr(document, object, "foreignFields");
    for (; fields != nullptr && fields->name != nullptr; fields++) {
        yyjson_mut_val *one = yyjson_mut_arr_add_obj(document, list);
        add_text(document, one, "name", fields->name);
        add_text(document, one, "type", fields->type);
        add_text(document, one, "advice", fields->advice);
    }
}

static void add_kind(yyjson_mut_doc *document, yyjson_mut_val *list, const struct kind *kind) {
    const struct spec_field *tables[KIND_TABLES_MAX + 1];
    yyjson_mut_val *one = yyjson_mut_arr_add_obj(document, list);
    add_text(document, one, "kind", kind->kind);
    add_text(document, one, "group", kind->group);
    add_text(document, one, "version", kind->version);
    add_text(document, one, "plural", kind->plural);
    add_text(document, one, "shortName", kind->short_name);
    add_text(document, one, "secretSuffix", kind->secret_suffix);
    add_text(document, one, "precious", kind->precious);
    (void)yyjson_mut_obj_add_bool(document, one, "hasSecret", kind->entries != nullptr);
    (void)yyjson_mut_obj_add_bool(document, one, "retainsSometimes", kind->retains != nullptr);
    (void)yyjson_mut_obj_add_bool(document, one, "isPublic", kind->is_public);
    (void)yyjson_mut_obj_add_bool(document, one, "isRotatable", kind->is_rotatable);
    (void)yyjson_mut_obj_add_bool(document, one, "isMadeForKey", kind->is_made_for_key);
    (void)yyjson_mut_obj_add_bool(document, one, "hasVersions", kind_has_versions(kind));
    (void)yyjson_mut_obj_add_bool(document, one, "namesEntry", kind->name_entry != nullptr);
    add_foreign_fields(document, one, kind->foreign_fields);
    yyjson_mut_val *fields = yyjson_mut_obj_add_arr(document, one, "fields");
    kind_list_fields(kind, tables);
    for (size_t i = 0; tables[i] != nullptr; i++) {
        for (const struct spec_field *field = tables[i]; field->name != nullptr; field++) {
            add_field(document, fields, field);
        }
    }
}

static void add_bad_spec(void *context, const struct bad_spec *bad) {
    yyjson_mut_doc *document = context;
    yyjson_mut_val *one = yyjson_mut_arr_add_obj(document, yyjson_mut_doc_get_root(document));
    (void)yyjson_mut_obj_add_strcpy(document, one, "kind", bad->kind->kind);
    (void)yyjson_mut_obj_add_strcpy(document, one, "field", bad->field);
    (void)yyjson_mut_obj_add_strcpy(document, one, "what", bad->what);
    (void)yyjson_mut_obj_add_strcpy(document, one, "refusedBy", bad->refused_by);
    (void)yyjson_mut_obj_add_val(document, one, "spec",
                                 yyjson_mut_val_mut_copy(document, yyjson_mut_doc_get_root(bad->spec)));
}

int main(int, char **arguments) {
    struct error e;
    cleanup_json_mut yyjson_mut_doc *document = nullptr;
    cleanup_buffer struct buffer text = buffer_create(TEXT_MAX);
    if (!json_create(&document, &e)) {
        return 1;
    }
    yyjson_mut_val *list = yyjson_mut_arr(document);
    yyjson_mut_doc_set_root(document, list);
    bool bad = arguments[1] != nullptr && strcmp(arguments[1], "bad-specs") == 0;
    for (const struct kind *const *kind = kind_table; *kind != nullptr; kind++) {
        if (bad) {
            bad_specs_list(*kind, add_bad_spec, document);
        } else {
            add_kind(document, list, *kind);
        }
    }
    if (!json_write(document, &text, &e)) {
        fprintf(stderr, "crd_tables: %s\n", e.message);
        return 1;
    }
    puts(buffer_text(&text));
    return 0;
}
