#include "kinds/spec.h"

#include "kinds/kind.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    VALUE_SHOWN_MAX = 64, // bytes of a wrong value that a message repeats
    NAME_MAX_BYTES = 253,
    LABEL_MAX_BYTES = 63,
    TEMPLATE_ENTRIES_MAX = 64,
};

void spec_fault(struct spec_reader *reader, const char *format, ...) {
    char sentence[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof(sentence), format, arguments);
    va_end(arguments);
    // A spec with more faults than the buffer holds shows the first of them.
    struct error ignored;
    (void)buffer_append_format(&reader->faults, &ignored, "%sspec.%s", reader->faults.length > 0 ? "; " : "", sentence);
}

// The field's value, NULL when it is absent or null.
static yyjson_val *field_value(struct spec_reader *reader, const char *field) {
    yyjson_val *value = yyjson_obj_get(reader->spec, field);
    return yyjson_is_null(value) ? nullptr : value;
}

static const char *text_of(struct spec_reader *reader, const char *field, yyjson_val *value, size_t max) {
    if (value == nullptr) {
        return nullptr;
    }
    const char *text = json_text(value);
    if (text == nullptr) {
        spec_fault(reader, "%s: must be a text, not a %s", field, yyjson_get_type_desc(value));
        return nullptr;
    }
    if (yyjson_get_len(value) > max || strlen(text) != yyjson_get_len(value)) {
        spec_fault(reader, "%s: must be a text of at most %zu bytes without NUL; it has %zu", field, max,
                   yyjson_get_len(value));
        return nullptr;
    }
    return text;
}

const char *spec_text(struct spec_reader *reader, const char *field, size_t max) {
    return text_of(reader, field, field_value(reader, field), max);
}

const char *spec_text_alias(struct spec_reader *reader, const char *field, const char *alias, size_t max) {
    const char *text = spec_text(reader, field, max);
    const char *other = spec_text(reader, alias, max);
    if (text != nullptr && other != nullptr && strcmp(text, other) != 0) {
        spec_fault(reader, "%s: %.*s and its other name %s: %.*s differ; give one of them", field, VALUE_SHOWN_MAX,
                   text, alias, VALUE_SHOWN_MAX, other);
    }
    return text != nullptr ? text : other;
}

int64_t spec_integer(struct spec_reader *reader, const char *field, const char *alias, int64_t min, int64_t max,
                     int64_t fallback) {
    yyjson_val *value = field_value(reader, field);
    yyjson_val *other = alias == nullptr ? nullptr : field_value(reader, alias);
    if (value != nullptr && other != nullptr && !yyjson_equals(value, other)) {
        spec_fault(reader, "%s and its other name %s differ; give one of them", field, alias);
    }
    if (value == nullptr && other != nullptr) {
        value = other;
        field = alias;
    }
    if (value == nullptr) {
        return fallback;
    }
    int64_t number = json_integer(value, min - 1);
    if (!yyjson_is_int(value)) {
        spec_fault(reader, "%s: must be a whole number, not a %s", field, yyjson_get_type_desc(value));
        return fallback;
    }
    if (number < min || number > max) {
        spec_fault(reader, "%s: %" PRId64 " is not between %" PRId64 " and %" PRId64, field, number, min, max);
        return fallback;
    }
    return number;
}

const char *spec_choice(struct spec_reader *reader, const char *field, const char *const *choices) {
    const char *text = spec_text(reader, field, NAME_MAX_BYTES);
    if (text == nullptr) {
        return choices[0];
    }
    cleanup_buffer struct buffer allowed = buffer_create(256);
    struct error ignored;
    for (size_t i = 0; choices[i] != nullptr; i++) {
        if (strcmp(text, choices[i]) == 0) {
            return choices[i];
        }
        (void)buffer_append_format(&allowed, &ignored, "%s%s", i > 0 ? ", " : "", choices[i]);
    }
    spec_fault(reader, "%s: %.*s is not one of %s", field, VALUE_SHOWN_MAX, text, buffer_text(&allowed));
    return choices[0];
}

const char *spec_hex(struct spec_reader *reader, const char *field, size_t min, size_t max) {
    const char *text = spec_text(reader, field, 2 * max);
    if (text == nullptr) {
        return nullptr;
    }
    size_t digits = strspn(text, "0123456789abcdefABCDEF");
    if (text[digits] != '\0') {
        spec_fault(reader, "%s: must be hexadecimal; character %zu is not", field, digits + 1);
        return nullptr;
    }
    if (digits % 2 != 0 || digits < 2 * min) {
        spec_fault(reader, "%s: has %zu hexadecimal digits; an even number from %zu to %zu is allowed", field, digits,
                   2 * min, 2 * max);
        return nullptr;
    }
    return text;
}

const struct algorithm *spec_algorithm(struct spec_reader *reader, enum algorithm_family family) {
    const char *name = spec_text(reader, "algorithm", LABEL_MAX_BYTES);
    if (name == nullptr) {
        return nullptr;
    }
    const struct algorithm *algorithm = algorithm_find(family, name);
    if (algorithm == nullptr) {
        cleanup_buffer struct buffer names = buffer_create(1024);
        struct error ignored;
        (void)algorithm_describe_names(family, &names, &ignored);
        spec_fault(reader, "algorithm: %s is not one of %s", name, buffer_text(&names));
    }
    return algorithm;
}

static const char *member(struct spec_reader *reader, const char *field, yyjson_val *object, const char *name,
                          size_t max) {
    char path[64];
    snprintf(path, sizeof(path), "%s.%s", field, name);
    yyjson_val *value = yyjson_obj_get(object, name);
    const char *text = text_of(reader, path, yyjson_is_null(value) ? nullptr : value, max);
    return text != nullptr && text[0] == '\0' ? nullptr : text;
}

static void check_kind(struct spec_reader *reader, const char *field, const struct reference *reference,
                       const struct input_source *sources) {
    if (reference->kind == nullptr) {
        return;
    }
    cleanup_buffer struct buffer allowed = buffer_create(256);
    struct error ignored;
    for (size_t i = 0; sources[i].kind != nullptr; i++) {
        if (strcmp(reference->kind, sources[i].kind) == 0) {
            if (sources[i].data_key == nullptr && reference->key == nullptr) {
                spec_fault(reader, "%s.key: is required with kind %s", field, reference->kind);
            }
            return;
        }
        (void)buffer_append_format(&allowed, &ignored, "%s%s", i > 0 ? ", " : "", sources[i].kind);
    }
    spec_fault(reader, "%s.kind: %s is not one of %s", field, reference->kind, buffer_text(&allowed));
}

struct reference spec_reference(struct spec_reader *reader, const char *field, const struct input_source *sources,
                                bool required) {
    yyjson_val *value = field_value(reader, field);
    if (value == nullptr) {
        if (required) {
            spec_fault(reader, "%s: is required", field);
        }
        return (struct reference){0};
    }
    if (!yyjson_is_obj(value)) {
        spec_fault(reader, "%s: must be an object with a name, not a %s", field, yyjson_get_type_desc(value));
        return (struct reference){0};
    }
    struct reference reference = {
        .name = member(reader, field, value, "name", NAME_MAX_BYTES),
        .namespace = member(reader, field, value, "namespace", LABEL_MAX_BYTES),
        .kind = member(reader, field, value, "kind", LABEL_MAX_BYTES),
        .key = member(reader, field, value, "key", NAME_MAX_BYTES),
    };
    if (reference.name == nullptr) {
        spec_fault(reader, "%s.name: is required", field);
    }
    check_kind(reader, field, &reference, sources);
    return reference;
}

static bool is_reserved(const char *key) {
    const char *slash = strchr(key, '/');
    static const char domain[] = "qubesec.io";
    size_t prefix = slash == nullptr ? 0 : (size_t)(slash - key);
    size_t length = sizeof(domain) - 1;
    return strcmp(key, "app.kubernetes.io/managed-by") == 0 ||
           (prefix >= length && strncmp(slash - length, domain, length) == 0 &&
            (prefix == length || slash[-(ptrdiff_t)length - 1] == '.'));
}

// secretTemplate's labels or annotations; NULL when absent or at fault.
static yyjson_val *template_part(struct spec_reader *reader, yyjson_val *template, const char *name) {
    yyjson_val *part = yyjson_obj_get(template, name);
    if (part == nullptr || yyjson_is_null(part)) {
        return nullptr;
    }
    if (!yyjson_is_obj(part) || yyjson_obj_size(part) > TEMPLATE_ENTRIES_MAX) {
        spec_fault(reader, "secretTemplate.%s: must be an object of at most %d texts", name, TEMPLATE_ENTRIES_MAX);
        return nullptr;
    }
    size_t index;
    size_t count;
    yyjson_val *key;
    yyjson_val *value;
    yyjson_obj_foreach(part, index, count, key, value) {
        const char *text = yyjson_get_str(key);
        if (!yyjson_is_str(value)) {
            spec_fault(reader, "secretTemplate.%s: the value of %.*s must be a text", name, VALUE_SHOWN_MAX, text);
            return nullptr;
        }
        if (is_reserved(text)) {
            spec_fault(reader, "secretTemplate.%s: %.*s is set by the operator itself", name, VALUE_SHOWN_MAX, text);
            return nullptr;
        }
    }
    return part;
}

struct common_spec spec_common(struct spec_reader *reader) {
    static const char *const policies[] = {"Delete", "Retain", nullptr};
    yyjson_val *template = field_value(reader, "secretTemplate");
    return (struct common_spec){
        .output_secret_name = spec_text_alias(reader, "outputSecretName", "secretName", NAME_MAX_BYTES),
        .retain = spec_choice(reader, "deletionPolicy", policies) == policies[1],
        .labels = template_part(reader, template, "labels"),
        .annotations = template_part(reader, template, "annotations"),
    };
}

bool spec_finish(struct spec_reader *reader, struct error *e) {
    if (reader->faults.length > 0) {
        error_set(e, ERROR_INVALID_SPEC, "%s", buffer_text(&reader->faults));
    }
    bool valid = reader->faults.length == 0;
    buffer_free(&reader->faults);
    return valid;
}
