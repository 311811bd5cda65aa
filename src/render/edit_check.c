#include "render/edit_check.h"

#include "engine/decode.h"

#include <string.h>

struct edit {
    const struct kind *kind;
    const char *name;
    yyjson_val *kept;
    yyjson_val *object;
    const struct decoded *before;
    const struct decoded *now;
};

static void refuse_edit(void *context, const struct spec_field *field) {
    struct error *e = context;
    if (e->class == ERROR_NONE) {
        error_set(e, ERROR_INVALID_SPEC, "spec.%s: " DECODED_IMMUTABLE, field->name);
    }
}

// ---- a kept spec that is at fault

// What a spec has under the field's name or the other one; NULL: nothing.
static yyjson_val *written(yyjson_val *object, const struct spec_field *field) {
    yyjson_val *value = json_find(object, "spec", field->name, nullptr);
    if ((value == nullptr || yyjson_is_null(value)) && field->alias != nullptr) {
        value = json_find(object, "spec", field->alias, nullptr);
    }
    return yyjson_is_null(value) ? nullptr : value;
}

struct fault_search {
    const struct spec_field *field;
    bool found;
};

static void look_for_fault(void *context, enum spec_note note, const char *name, const char *) {
    struct fault_search *search = context;
    static const char prefix[] = "spec.";
    size_t length = sizeof(prefix) - 1;
    const struct spec_field *field = search->field;
    bool is_of_all = strncmp(name, prefix, length) != 0; // the spec is no object
    if (note == SPEC_FAULT && (is_of_all || strcmp(name + length, field->name) == 0 ||
                               (field->alias != nullptr && strcmp(name + length, field->alias) == 0))) {
        search->found = true;
    }
}

// Whether the spec of object is at fault in that field, so that it is decoded as if it were absent.
static bool is_at_fault(const struct edit *edit, yyjson_val *object, const struct spec_field *field) {
    struct fault_search search = {.field = field};
    cleanup_decoded struct decoded decoded = {0};
    struct error e;
    bool good = decode_spec(edit->kind, edit->name, yyjson_obj_get(object, "spec"), look_for_fault, &search,
                            &decoded, &e);
    return search.found || (!good && e.class != ERROR_INVALID_SPEC);
}

// Whether the field now says what was made by the status of what is kept.
static bool is_as_made(const struct edit *edit, const struct spec_field *table,
                       const struct spec_field *field) {
    yyjson_val *status = yyjson_obj_get(edit->kept, "status");
    const char *name = json_member_text(status, "algorithm");
    if (table == spec_common_fields) { // of which only the Secret's name is immutable
        return json_member_is(yyjson_obj_get(status, "secretRef"), "name", edit->now->secret_name);
    }
    if (field->type != SPEC_ALGORITHM || name == nullptr) {
        return false;
    }
    const struct algorithm *made = algorithm_find(field->family, name);
    const char *spec = edit->now->spec;
    return made != nullptr && *(const struct algorithm *const *)(spec + field->offset) == made;
}

static bool has_changed(const struct edit *edit, const struct spec_field *table,
                        const struct spec_field *field) {
    if (!field->is_immutable || json_equals(written(edit->kept, field), written(edit->object, field))) {
        return false;
    }
    if (is_at_fault(edit, edit->object, field)) {
        return true;
    }
    if (is_at_fault(edit, edit->kept, field)) {
        return !is_as_made(edit, table, field);
    }
    return decoded_differ(edit->before, edit->now, table, field);
}

static const struct spec_field *find_changed(const struct edit *edit) {
    const struct spec_field *tables[KIND_TABLES_MAX + 1];
    kind_list_fields(edit->kind, tables);
    for (const struct spec_field *const *table = tables; *table != nullptr; table++) {
        for (const struct spec_field *field = *table; field->name != nullptr; field++) {
            if (has_changed(edit, *table, field)) {
                return field;
            }
        }
    }
    return nullptr;
}

// faults: of the kept spec.
static bool check_correction(const struct edit *edit, const char *faults, struct error *e) {
    const struct spec_field *field = find_changed(edit);
    return field == nullptr ||
           error_set(
               e, ERROR_INVALID_SPEC,
               "spec.%s: " DECODED_IMMUTABLE
               "; the spec that is kept is at fault (%.400s): where it was edited by hand, put it right "
               "there",
               field->name, faults);
}

bool edit_check(const struct kind *kind, yyjson_val *kept, yyjson_val *object, struct error *e) {
    cleanup_decoded struct decoded before = {0};
    cleanup_decoded struct decoded now = {0};
    struct error faults = {0};
    struct error refusal = {0};
    const char *name = json_text(json_find(object, "metadata", "name", nullptr));
    bool was_good = decode_object(kind, name, kept, &before, &faults);
    if (!was_good && faults.class != ERROR_INVALID_SPEC) {
        *e = faults;
        return false;
    }
    if (!decode_object(kind, name, object, &now, e) && (was_good || e->class != ERROR_INVALID_SPEC)) {
        return false;
    }
    if (was_good) {
        decoded_compare(&before, &now, refuse_edit, &refusal);
        *e = refusal;
        return refusal.class == ERROR_NONE;
    }
    const struct edit edit = {kind, name, kept, object, &before, &now};
    return json_find(kept, "status", "secretRef", "name", nullptr) == nullptr ||
           check_correction(&edit, faults.message, e);
}
