#include "tools/crd/bad_specs.h"

#include "json/read.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { VALUE_SIZE = 32 * 1024 };

static const char both[] = "both";
static const char validator[] = "validator";

struct maker {
    const struct kind *kind;
    bad_spec_listener *listener;
    void *context;
    char value[VALUE_SIZE]; // JSON
};

// ---- specs

// What a kind needs besides its required fields, and so that each of the others may be there.
static const struct {
    const char *kind;
    const char *field;
    const char *value;
} needed[] = {
    {"QuantumDecapsulateSecret", "ciphertextRef", "{\"name\":\"a\"}"},
    {"QuantumCertificate", "commonName", "\"x\""},
    {"QuantumCertificate", "certType", "\"ca\""},
};

// Sets a member, "name" or "object.name" or "object.object.name", to a value in JSON, alone in its objects;
// NULL: removes it, which is a member of the spec itself.
static bool set_member(yyjson_mut_doc *document, const char *name, const char *value, struct error *e) {
    yyjson_mut_val *object = yyjson_mut_doc_get_root(document);
    cleanup_json yyjson_doc *parsed = nullptr;
    if (value == nullptr) {
        (void)yyjson_mut_obj_remove_key(object, name);
        return true;
    }
    if (!json_parse(value, strlen(value), &parsed, e)) {
        return false;
    }
    for (const char *dot; (dot = strchr(name, '.')) != nullptr;) {
        yyjson_mut_val *inner = yyjson_mut_obj(document);
        (void)yyjson_mut_obj_put(object, yyjson_mut_strncpy(document, name, (size_t)(dot - name)), inner);
        object = inner;
        name = dot + 1;
    }
    return yyjson_mut_obj_put(object, yyjson_mut_strcpy(document, name),
                              yyjson_val_mut_copy(document, yyjson_doc_get_root(parsed))) ||
           error_no_memory(e, "a spec");
}

bool bad_specs_good_one(const struct kind *kind, yyjson_mut_doc **ret_spec, struct error *e) {
    cleanup_json_mut yyjson_mut_doc *document = nullptr;
    bool made = json_create(&document, e);
    for (const struct spec_field *field = kind->fields; made && field->name != nullptr; field++) {
        made = !field->is_required || set_member(document, field->name, "{\"name\":\"a\"}", e);
    }
    for (size_t i = 0; made && i < sizeof(needed) / sizeof(needed[0]); i++) {
        made = strcmp(needed[i].kind, kind->kind) != 0 ||
               set_member(document, needed[i].field, needed[i].value, e);
    }
    if (made) {
        *ret_spec = document;
        document = nullptr;
    }
    return made;
}

// A spec with these members, of which the second may have no name; told is the field that a fault names.
static void tell_two(const struct maker *m, const char *told, const char *what, const char *refused_by,
                     const char *const members[2][2]) {
    struct error ignored;
    cleanup_json_mut yyjson_mut_doc *spec = nullptr;
    bool made = bad_specs_good_one(m->kind, &spec, &ignored);
    for (size_t i = 0; made && i < 2 && members[i][0] != nullptr; i++) {
        made = set_member(spec, members[i][0], members[i][1], &ignored);
    }
    if (made) {
        const struct bad_spec bad = {m->kind, told, what, refused_by, spec};
        m->listener(m->context, &bad);
    }
}

static void tell(const struct maker *m, const char *name, const char *what, const char *refused_by,
                 const char *value) {
    tell_two(m, name, what, refused_by, (const char *const[2][2]){{name, value}, {nullptr, nullptr}});
}

// ---- values

// A text of so many times this character, in JSON.
static const char *repeat(struct maker *m, char character, int64_t times) {
    size_t length = (size_t)times;
    m->value[0] = '"';
    memset(m->value + 1, character, length);
    memcpy(m->value + 1 + length, "\"", 2);
    return m->value;
}

[[gnu::format(printf, 2, 3)]] static const char *write_value(struct maker *m, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(m->value, sizeof(m->value), format, arguments);
    va_end(arguments);
    return m->value;
}

// So many texts, or members of an object with this behind each name, between brackets.
static const char *write_many(struct maker *m, const char *brackets, const char *behind, int64_t count) {
    size_t length = 0;
    for (int64_t i = 0; i < count; i++) {
        m->value[length++] = i == 0 ? brackets[0] : ',';
        length +=
            (size_t)snprintf(m->value + length, sizeof(m->value) - length, "\"a%" PRId64 "\"%s", i, behind);
    }
    snprintf(m->value + length, sizeof(m->value) - length, "%c", brackets[1]);
    return m->value;
}

// ---- by type

static int64_t most_characters(const struct spec_field *field) {
    return field->max_characters != 0 ? field->max_characters : field->max;
}

static void bad_text(struct maker *m, const struct spec_field *field) {
    for (const char *name = field->name; name != nullptr;
         name = name == field->name ? field->alias : nullptr) {
        tell(m, name, "number", both, "5");
        tell(m, name, "too long", both, repeat(m, 'x', most_characters(field) + 1));
        if (field->form != nullptr) {
            tell(m, name, "another form", both, "\"A b?\"");
        }
    }
    if (field->alias != nullptr) {
        tell_two(m, field->name, "two values", both,
                 (const char *const[2][2]){{field->name, "\"a\""}, {field->alias, "\"b\""}});
    }
}

static void bad_choice(struct maker *m, const struct spec_field *field) {
    tell(m, field->name, "number", both, "5");
    tell(m, field->name, "unknown", both, "\"?\"");
    if (field->choices[0][0] != '\0') {
        tell(m, field->name, "empty", both, "\"\"");
    }
}

static void bad_integer(struct maker *m, const struct spec_field *field) {
    for (const char *name = field->name; name != nullptr;
         name = name == field->name ? field->alias : nullptr) {
        tell(m, name, "too little", both, write_value(m, "%" PRId64, field->min - 1));
        tell(m, name, "too much", both, write_value(m, "%" PRId64, field->max + 1));
        tell(m, name, "huge", both, "4611686018427387904");
        tell(m, name, "fraction", both, "1.5");
        tell(m, name, "text", both, write_value(m, "\"%" PRId64 "\"", field->min));
    }
    if (field->alias != nullptr) {
        char most[32];
        snprintf(most, sizeof(most), "%" PRId64, field->max);
        tell_two(m, field->name, "two values", both,
                 (const char *const[2][2]){{field->name, most},
                                           {field->alias, write_value(m, "%" PRId64, field->min)}});
    }
}

static void bad_hex(struct maker *m, const struct spec_field *field) {
    int64_t least = field->min > 0 ? field->min : 1;
    tell(m, field->name, "number", both, "12345678");
    tell(m, field->name, "not hexadecimal", both, repeat(m, 'x', 2 * least));
    tell(m, field->name, "odd", both, repeat(m, '0', 2 * least + 1));
    tell(m, field->name, "too long", both, repeat(m, '0', 2 * (field->max + 1)));
    if (field->min > 0) {
        tell(m, field->name, "too short", both, repeat(m, '0', 2 * (field->min - 1)));
    }
}

static void bad_duration(struct maker *m, const struct spec_field *field) {
    tell(m, field->name, "number", both, "5");
    tell(m, field->name, "another form", both, "\"soon\"");
    const char *refused_by = field->counts_seconds ? both : validator;
    tell(m, field->name, "too little", refused_by, write_value(m, "\"%" PRId64 "s\"", field->min - 1));
    tell(m, field->name, "too much", refused_by, write_value(m, "\"%" PRId64 "h\"", field->max / 3600 + 1));
}

static void bad_algorithm(struct maker *m, const struct spec_field *field) {
    enum algorithm_family other = field->family == ALGORITHM_KEM ? ALGORITHM_SIGNATURE : ALGORITHM_KEM;
    tell(m, field->name, "number", both, "768");
    tell(m, field->name, "unknown", both, "\"?\"");
    tell(m, field->name, "empty", both, "\"\"");
    tell(m, field->name, "of another family", both, write_value(m, "\"%s\"", algorithm_at(other, 0)->name));
}

static const struct input_source *find_keyed(const struct input_source *sources) {
    while (sources->kind != nullptr && sources->data_key != nullptr) {
        sources++;
    }
    return sources->kind == nullptr ? nullptr : sources;
}

static void bad_reference_key_of(struct maker *m, const struct spec_field *field) {
    const struct input_source *keyed = find_keyed(field->sources);
    char path[64];
    snprintf(path, sizeof(path), "%s.key", field->name);
    for (const struct input_source *source = field->sources; source->kind != nullptr; source++) {
        const struct {
            bool is_bad;
            const char *what;
            const char *key;
            const char *refused_by;
        } keys[] = {
            {source->data_key == nullptr && source->usual_keys == nullptr, "absent", "", both},
            {source->data_key == nullptr, "another form", ",\"key\":\"a/b\"", both},
            {source->data_key == nullptr, "two dots", ",\"key\":\"..a\"", validator},
            {source->data_key != nullptr, "too much", ",\"key\":\"k\"", keyed != nullptr ? both : validator},
        };
        for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
            if (keys[i].is_bad) {
                char what[64];
                snprintf(what, sizeof(what), "%s of %s", keys[i].what, source->kind);
                write_value(m, "{\"name\":\"a\",\"kind\":\"%s\"%s}", source->kind, keys[i].key);
                tell_two(m, path, what, keys[i].refused_by,
                         (const char *const[2][2]){{field->name, m->value}, {nullptr, nullptr}});
            }
        }
    }
}

static bool has_versions(const struct input_source *sources) {
    while (sources->kind != nullptr && !sources->has_versions) {
        sources++;
    }
    return sources->kind != nullptr;
}

// What a version may not be; and one of a source that has none.
static void bad_reference_version_of(struct maker *m, const struct spec_field *field) {
    static const char *const unfit[] = {"0", "1000000001", "1.5", "\"1\"", nullptr};
    static const char *const fit[] = {"1", nullptr};
    char path[64];
    snprintf(path, sizeof(path), "%s.version", field->name);
    for (const struct input_source *source = field->sources; source->kind != nullptr; source++) {
        const char *key = source->data_key == nullptr ? ",\"key\":\"k\"" : "";
        const char *refused_by = has_versions(field->sources) ? both : validator;
        for (const char *const *value = source->has_versions ? unfit : fit; *value != nullptr; value++) {
            char what[64];
            snprintf(what, sizeof(what), "version %s of %s", *value, source->kind);
            write_value(m, "{\"name\":\"a\",\"kind\":\"%s\"%s,\"version\":%s}", source->kind, key, *value);
            tell_two(m, path, what, refused_by,
                     (const char *const[2][2]){{field->name, m->value}, {nullptr, nullptr}});
        }
    }
}

static void bad_reference(struct maker *m, const struct spec_field *field) {
    static const struct {
        const char *member;
        const char *what;
        const char *value;
    } values[] = {
        {"", "text", "\"a\""},
        {".name", "name absent", "{\"namespace\":\"a\"}"},
        {".name", "name of another form", "{\"name\":\"A_b\"}"},
        {".namespace", "namespace of another form", "{\"name\":\"a\",\"namespace\":\"a.b\"}"},
        {".kind", "kind unknown", "{\"name\":\"a\",\"kind\":\"Pod\"}"},
    };
    char path[64];
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        snprintf(path, sizeof(path), "%s%s", field->name, values[i].member);
        tell_two(m, path, values[i].what, both,
                 (const char *const[2][2]){{field->name, values[i].value}, {nullptr, nullptr}});
    }
    snprintf(path, sizeof(path), "%s.name", field->name);
    write_value(m, "{\"name\":\"%0254d\"}", 0);
    tell_two(m, path, "name too long", both,
             (const char *const[2][2]){{field->name, m->value}, {nullptr, nullptr}});
    if (field->is_required) {
        tell(m, field->name, "absent", both, nullptr);
    }
    bad_reference_key_of(m, field);
    bad_reference_version_of(m, field);
}

static const struct spec_field *find_field(const struct kind *kind, const char *name) {
    const struct spec_field *field = kind->fields;
    while (field->name != nullptr && strcmp(field->name, name) != 0) {
        field++;
    }
    return field;
}

static void bad_reference_key(struct maker *m, const struct spec_field *field) {
    const struct input_source *keyed = find_keyed(find_field(m->kind, field->key_of)->sources);
    char path[64];
    snprintf(path, sizeof(path), "%s.key", field->key_of);
    tell(m, field->name, "number", both, "5");
    tell(m, field->name, "another form", both, "\"a/b\"");
    write_value(m, "{\"name\":\"a\",\"kind\":\"%s\",\"key\":\"a\"}", keyed->kind);
    tell_two(m, path, "two values", both,
             (const char *const[2][2]){{field->key_of, m->value}, {field->name, "\"b\""}});
}

static void bad_list(struct maker *m, const struct spec_field *field) {
    char path[64];
    snprintf(path, sizeof(path), "%s[0]", field->name);
    const char *unknown = field->choices != nullptr ? "[\"?\"]" : "[\"\"]";
    tell(m, field->name, "text", both, "\"x\"");
    tell(m, field->name, "too many", both, write_many(m, "[]", "", field->max_count + 1));
    tell_two(m, path, "number", both, (const char *const[2][2]){{field->name, "[1]"}, {nullptr, nullptr}});
    tell_two(m, path, "another form", both,
             (const char *const[2][2]){{field->name, unknown}, {nullptr, nullptr}});
}

static void bad_template(struct maker *m, const struct spec_field *field) {
    tell(m, field->name, "text", both, "\"x\"");
    tell(m, field->name, "key of another form", both, "{\"a b\":\"v\"}");
    tell(m, field->name, "reserved", both, "{\"app.kubernetes.io/managed-by\":\"v\"}");
    tell(m, field->name, "reserved domain", both, "{\"x.qubesec.io/a\":\"v\"}");
    tell(m, field->name, "number", both, "{\"a\":1}");
    tell(m, field->name, "too many", both, write_many(m, "{}", ":\"\"", field->max_count + 1));
    char *at = m->value + snprintf(m->value, sizeof(m->value), "{\"a\":\"");
    memset(at, 'v', (size_t)field->max + 1);
    memcpy(at + field->max + 1, "\"}", 3);
    tell(m, field->name, "too long", both, m->value);
}

static void (*const makers[SPEC_TYPE_COUNT])(struct maker *m, const struct spec_field *field) = {
    [SPEC_TEXT] = bad_text,
    [SPEC_CHOICE] = bad_choice,
    [SPEC_EITHER] = bad_choice,
    [SPEC_INTEGER] = bad_integer,
    [SPEC_HEX] = bad_hex,
    [SPEC_DURATION] = bad_duration,
    [SPEC_ALGORITHM] = bad_algorithm,
    [SPEC_REFERENCE] = bad_reference,
    [SPEC_REFERENCE_KEY] = bad_reference_key,
    [SPEC_TEXT_LIST] = bad_list,
    [SPEC_LABELS] = bad_template,
    [SPEC_ANNOTATIONS] = bad_template,
};

// Each object that the field is in may be none.
static void bad_objects(struct maker *m, const struct spec_field *field) {
    size_t length = strlen(field->name);
    for (const struct spec_object *object = field->object; object != nullptr; object = object->outer) {
        char name[64];
        do {
            length--;
        } while (field->name[length] != '.');
        snprintf(name, sizeof(name), "%.*s", (int)length, field->name);
        tell(m, name, "text", both, "\"x\"");
    }
}

void bad_specs_list(const struct kind *kind, bad_spec_listener *listener, void *context) {
    struct maker m = {.kind = kind, .listener = listener, .context = context};
    const struct spec_field *tables[KIND_TABLES_MAX + 1];
    kind_list_fields(kind, tables);
    for (size_t i = 0; tables[i] != nullptr; i++) {
        for (const struct spec_field *field = tables[i]; field->name != nullptr; field++) {
            makers[field->type](&m, field);
            bad_objects(&m, field);
        }
    }
}

// ---- edits

enum { EDIT_VALUE_SIZE = 512 };

// Two good values that are not the same; false: there is only one.
static bool list_values(const struct spec_field *field, char ret_values[2][EDIT_VALUE_SIZE]) {
    for (size_t i = 0; i < 2; i++) {
        char *value = ret_values[i];
        size_t skipped = field->type == SPEC_CHOICE && field->choices[0][0] == '\0' ? 1 : 0;
        switch (field->type) {
        case SPEC_INTEGER:
            snprintf(value, EDIT_VALUE_SIZE, "%" PRId64, i == 0 ? field->min : field->max);
            break;
        case SPEC_HEX: // of as many digits as are needed
            snprintf(value, EDIT_VALUE_SIZE, "\"%0*zu\"", (int)(2 * (field->min > 0 ? field->min : 1)), i);
            break;
        case SPEC_ALGORITHM:
            snprintf(value, EDIT_VALUE_SIZE, "\"%s\"", algorithm_at(field->family, i)->name);
            break;
        case SPEC_CHOICE:
            if (field->choices[skipped + i] == nullptr) {
                return false;
            }
            snprintf(value, EDIT_VALUE_SIZE, "\"%s\"", field->choices[skipped + i]);
            break;
        default: // an address is a good text, too
            snprintf(value, EDIT_VALUE_SIZE, "\"%s%c\"", field->form != nullptr ? "" : "https://", "ab"[i]);
        }
    }
    return true;
}

static void tell_edit(const struct kind *kind, const struct spec_field *field, bad_edit_listener *listener,
                      void *context) {
    char values[2][EDIT_VALUE_SIZE];
    struct error ignored;
    cleanup_json_mut yyjson_mut_doc *before = nullptr;
    cleanup_json_mut yyjson_mut_doc *after = nullptr;
    if (list_values(field, values) && bad_specs_good_one(kind, &before, &ignored) &&
        bad_specs_good_one(kind, &after, &ignored) && set_member(before, field->name, values[0], &ignored) &&
        set_member(after, field->name, values[1], &ignored)) {
        const struct bad_edit edit = {field, before, after};
        listener(context, &edit);
    }
}

void bad_edits_list(const struct kind *kind, bad_edit_listener *listener, void *context) {
    const struct spec_field *tables[KIND_TABLES_MAX + 1];
    kind_list_fields(kind, tables);
    for (size_t i = 0; tables[i] != nullptr; i++) {
        for (const struct spec_field *field = tables[i]; field->name != nullptr; field++) {
            if (field->is_immutable) {
                tell_edit(kind, field, listener, context);
            }
        }
    }
}
