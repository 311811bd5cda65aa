#include "engine/spec_internal.h"

#include "base/duration.h"
#include "base/utf8.h"
#include "engine/kind.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FIELD_SIZE = 128,
    SENTENCE_SIZE = 1024,   // of a note; the longest lists all signature algorithms
    JOINED_FAULT_MAX = 511, // what the joined text shows of one fault
};

// What is noted of a field, of a name and what there is to say of it: "seed: is too short".
static void tell(struct spec_reader *reader, enum spec_note note, char *sentence) {
    static const char root[] = "spec";
    size_t length = strcspn(sentence, ":");
    const char *message = sentence + length + (strncmp(sentence + length, ": ", 2) == 0 ? 2 : 0);
    char field[FIELD_SIZE];
    snprintf(field, sizeof(field), "%s%s%.*s", root, length == 0 ? "" : ".", (int)length, sentence);
    if (reader->listener != nullptr) {
        reader->listener(reader->context, note, field, message);
    }
}

static void note_fault(struct spec_reader *reader, char *sentence) {
    struct error ignored;
    utf8_make_valid(sentence);
    tell(reader, SPEC_FAULT, sentence);
    // A spec with more faults than the buffer holds shows the first of them.
    (void)buffer_append_format(&reader->faults, &ignored, "%sspec%s%.*s",
                               reader->faults.length > 0 ? "; " : "", sentence[0] == ':' ? "" : ".",
                               JOINED_FAULT_MAX, sentence);
    reader->fault_count++;
}

void spec_field_error(struct spec_reader *reader, const char *format, ...) {
    char sentence[SENTENCE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof(sentence), format, arguments);
    va_end(arguments);
    note_fault(reader, sentence);
}

void spec_warning(struct spec_reader *reader, const char *format, ...) {
    char sentence[SENTENCE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof(sentence), format, arguments);
    va_end(arguments);
    utf8_make_valid(sentence);
    tell(reader, SPEC_WARNING, sentence);
}

int spec_shown_length(const char *text) {
    size_t length = strlen(text);
    if (length > SPEC_VALUE_SHOWN_MAX) {
        length = SPEC_VALUE_SHOWN_MAX;
        while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80) {
            length--;
        }
    }
    return (int)length;
}

void spec_describe_value(yyjson_val *value, char ret_text[SPEC_DESCRIPTION_SIZE]) {
    if (yyjson_is_uint(value)) {
        snprintf(ret_text, SPEC_DESCRIPTION_SIZE, "%" PRIu64, yyjson_get_uint(value));
    } else if (yyjson_is_sint(value)) {
        snprintf(ret_text, SPEC_DESCRIPTION_SIZE, "%" PRId64, yyjson_get_sint(value));
    } else if (yyjson_is_real(value)) {
        snprintf(ret_text, SPEC_DESCRIPTION_SIZE, "the real number %g", yyjson_get_real(value));
    } else if (yyjson_is_str(value)) {
        const char *text = yyjson_get_str(value);
        snprintf(ret_text, SPEC_DESCRIPTION_SIZE, "the text \"%.*s\"", spec_shown_length(text), text);
    } else {
        bool is_container = yyjson_is_ctn(value);
        snprintf(ret_text, SPEC_DESCRIPTION_SIZE, "%s%s", is_container ? "an " : "",
                 yyjson_get_type_desc(value));
    }
}

void spec_begin(struct spec_reader *reader, yyjson_val *spec) {
    reader->spec = yyjson_is_null(spec) ? nullptr : spec;
    if (reader->spec != nullptr && !yyjson_is_obj(spec)) {
        char found[SPEC_DESCRIPTION_SIZE];
        spec_describe_value(spec, found);
        spec_field_error(reader, ": must be an object, not %s", found);
    }
}

// What the first length bytes of a field's name lead to; NULL: nothing, or null.
static yyjson_val *find_member(struct spec_reader *reader, const char *field, size_t length) {
    yyjson_val *value = reader->spec;
    while (length > 0) {
        const char *dot = memchr(field, '.', length);
        size_t name = dot == nullptr ? length : (size_t)(dot - field);
        size_t passed = dot == nullptr ? name : name + 1;
        value = yyjson_obj_getn(value, field, name);
        field += passed;
        length -= passed;
    }
    return yyjson_is_null(value) ? nullptr : value;
}

yyjson_val *spec_value(struct spec_reader *reader, const char *field) {
    return find_member(reader, field, strlen(field));
}

void spec_check_object(struct spec_reader *reader, const char *field, size_t length, const char *contents) {
    yyjson_val *object = find_member(reader, field, length);
    if (object != nullptr && !yyjson_is_obj(object)) {
        char found[SPEC_DESCRIPTION_SIZE];
        spec_describe_value(object, found);
        spec_field_error(reader, "%.*s: must be an object%s, not %s", (int)length, field, contents, found);
    }
}

static const char *text_of(struct spec_reader *reader, const char *field, yyjson_val *value, size_t max) {
    if (value == nullptr) {
        return nullptr;
    }
    const char *text = yyjson_get_str(value);
    if (text == nullptr) {
        char found[SPEC_DESCRIPTION_SIZE];
        spec_describe_value(value, found);
        spec_field_error(reader, "%s: must be a text, not %s", field, found);
        return nullptr;
    }
    if (yyjson_get_len(value) > max || strlen(text) != yyjson_get_len(value)) {
        spec_field_error(reader, "%s: must be a text of at most %zu bytes without NUL; it has %zu", field,
                         max, yyjson_get_len(value));
        return nullptr;
    }
    return text;
}

const char *spec_text(struct spec_reader *reader, const char *field, size_t max) {
    return text_of(reader, field, spec_value(reader, field), max);
}

static void warn_of_alias(struct spec_reader *reader, const char *alias, const char *field) {
    spec_warning(reader, "%s: is another name of spec.%s, which is the usual one", alias, field);
}

const char *spec_text_alias(struct spec_reader *reader, const char *field, const char *alias, size_t max) {
    const char *text = spec_text(reader, field, max);
    const char *other = spec_text(reader, alias, max);
    if (text != nullptr && other != nullptr && strcmp(text, other) != 0) {
        spec_field_error(reader, "%s: %.*s and its other name %s: %.*s differ; give one of them", field,
                         spec_shown_length(text), text, alias, spec_shown_length(other), other);
    }
    if (other != nullptr) {
        warn_of_alias(reader, alias, field);
    }
    return text != nullptr ? text : other;
}

int64_t spec_integer(struct spec_reader *reader, const char *field, const char *alias, int64_t min,
                     int64_t max, int64_t fallback) {
    yyjson_val *value = spec_value(reader, field);
    yyjson_val *other = alias == nullptr ? nullptr : spec_value(reader, alias);
    char found[SPEC_DESCRIPTION_SIZE];
    if (value != nullptr && other != nullptr && !json_equals(value, other)) {
        char other_found[SPEC_DESCRIPTION_SIZE];
        spec_describe_value(value, found);
        spec_describe_value(other, other_found);
        spec_field_error(reader, "%s: %s and its other name %s: %s differ; give one of them", field, found,
                         alias, other_found);
    }
    if (other != nullptr) {
        warn_of_alias(reader, alias, field);
    }
    if (value == nullptr && other != nullptr) {
        value = other;
        field = alias;
    }
    if (value == nullptr) {
        return fallback;
    }
    int64_t number = json_integer(value, min - 1);
    spec_describe_value(value, found);
    if (!yyjson_is_int(value)) {
        spec_field_error(reader, "%s: must be a whole number, not %s", field, found);
        return fallback;
    }
    if (number < min || number > max) {
        spec_field_error(reader, "%s: %s is not between %" PRId64 " and %" PRId64, field, found, min, max);
        return fallback;
    }
    return number;
}

const char *spec_choice(struct spec_reader *reader, const char *field, const char *const *choices) {
    const char *text = spec_text(reader, field, SPEC_NAME_MAX);
    if (text == nullptr) {
        return choices[0];
    }
    cleanup_buffer struct buffer allowed = buffer_create(256);
    struct error ignored;
    for (size_t i = 0; choices[i] != nullptr; i++) {
        if (strcmp(text, choices[i]) == 0) {
            return choices[i];
        }
        (void)buffer_append_format(&allowed, &ignored, "%s%s", allowed.length > 0 ? ", " : "", choices[i]);
    }
    spec_field_error(reader, "%s: %.*s is not one of %s", field, spec_shown_length(text), text,
                     buffer_text(&allowed));
    return choices[0];
}

size_t spec_text_list(struct spec_reader *reader, const char *field, size_t max_count, size_t max_bytes,
                      const char **ret_texts) {
    yyjson_val *list = spec_value(reader, field);
    size_t taken = 0;
    if (list != nullptr && (!yyjson_is_arr(list) || yyjson_arr_size(list) > max_count)) {
        spec_field_error(reader, "%s: must be a list of at most %zu texts", field, max_count);
        return 0;
    }
    size_t index;
    size_t count;
    yyjson_val *value;
    yyjson_arr_foreach(list, index, count, value) {
        char path[64];
        snprintf(path, sizeof(path), "%s[%zu]", field, index);
        const char *text = text_of(reader, path, value, max_bytes);
        if (text != nullptr) {
            ret_texts[taken++] = text;
        }
    }
    return taken;
}

int64_t spec_duration(struct spec_reader *reader, const char *field, int64_t min, int64_t max) {
    const char *text = spec_text(reader, field, SPEC_LABEL_MAX);
    int64_t seconds = 0;
    if (text == nullptr) {
        return 0;
    }
    if (!duration_parse(text, &seconds)) {
        spec_field_error(reader,
                         "%s: \"%.*s\" is not a length of time such as 90m, 1h30m or 2160h; a day is 24h",
                         field, spec_shown_length(text), text);
        return 0;
    }
    if (seconds < min || seconds > max) {
        spec_field_error(reader, "%s: %.*s is not between %" PRId64 " s and %" PRId64 " s", field,
                         spec_shown_length(text), text, min, max);
        return 0;
    }
    return seconds;
}

const char *spec_hex(struct spec_reader *reader, const char *field, size_t min, size_t max) {
    yyjson_val *value = spec_value(reader, field);
    if (value != nullptr && !yyjson_is_str(value)) { // which may be a key, and is not repeated
        spec_field_error(reader, "%s: must be a text of hexadecimal digits", field);
        return nullptr;
    }
    const char *text = text_of(reader, field, value, 2 * max);
    if (text == nullptr) {
        return nullptr;
    }
    size_t digits = strspn(text, "0123456789abcdefABCDEF");
    if (text[digits] != '\0') {
        spec_field_error(reader, "%s: must be hexadecimal; character %zu is not", field, digits + 1);
        return nullptr;
    }
    if (digits % 2 != 0 || digits < 2 * min) {
        spec_field_error(reader, "%s: has %zu hexadecimal digits; an even number from %zu to %zu is allowed",
                         field, digits, 2 * min, 2 * max);
        return nullptr;
    }
    return text;
}

bool spec_append_hex(const char *digits, struct buffer *text, struct error *e) {
    size_t length = digits == nullptr ? 0 : strlen(digits);
    char *room;
    if (!buffer_reserve(text, length, &room, e)) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        room[i] = (char)tolower((unsigned char)digits[i]);
    }
    buffer_advance(text, length);
    return true;
}

static void warn_of_algorithm(struct spec_reader *reader, const char *field,
                              const struct algorithm *algorithm, const char *name) {
    if (strcmp(algorithm->name, name) != 0) {
        spec_warning(reader, "%s: %s is another name of %s, which is the usual one", field, name,
                     algorithm->name);
    }
    if (algorithm->is_weak) {
        spec_warning(reader,
                     "%s: %s has the lowest security category, 1; take a higher one unless sizes are "
                     "pressing",
                     field, algorithm->name);
    }
}

const struct algorithm *spec_algorithm(struct spec_reader *reader, const char *field,
                                       enum algorithm_family family) {
    struct error e = {0};
    const char *name = spec_text(reader, field, SPEC_LABEL_MAX);
    if (name == nullptr) {
        return nullptr;
    }
    const struct algorithm *algorithm = algorithm_find(family, name);
    if (algorithm == nullptr) {
        cleanup_buffer struct buffer names = buffer_create(1024);
        struct error ignored;
        (void)algorithm_describe_names(family, &names, &ignored);
        spec_field_error(reader, "%s: %s is not one of %s", field, name, buffer_text(&names));
        return nullptr;
    }
    if (!algorithm_check_available(algorithm, &e)) {
        reader->out_of_memory = reader->out_of_memory || e.class == ERROR_NO_MEMORY;
        spec_field_error(reader, "%s: %s", field, e.message);
    }
    warn_of_algorithm(reader, field, algorithm, name);
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

// What the sources that a reference may mean have in common.
struct meaning {
    bool found;
    bool takes_key;
    bool needs_key;
    bool has_versions;
};

static struct meaning find_meaning(const struct reference *reference, const struct input_source *sources) {
    struct meaning meaning = {0};
    for (const struct input_source *source = sources; source->kind != nullptr; source++) {
        bool chosen =
            reference->kind == nullptr ? source->by_default : strcmp(reference->kind, source->kind) == 0;
        bool takes_key = chosen && source->data_key == nullptr;
        meaning.found = meaning.found || chosen;
        meaning.has_versions = meaning.has_versions || (chosen && source->has_versions);
        meaning.takes_key = meaning.takes_key || takes_key;
        meaning.needs_key = meaning.needs_key || (takes_key && source->usual_keys == nullptr);
    }
    return meaning;
}

static void refuse_kind(struct spec_reader *reader, const char *field, const char *kind,
                        const struct input_source *sources) {
    cleanup_buffer struct buffer allowed = buffer_create(256);
    struct error ignored;
    for (const struct input_source *source = sources; source->kind != nullptr; source++) {
        (void)buffer_append_format(&allowed, &ignored, "%s%s", source != sources ? ", " : "", source->kind);
    }
    spec_field_error(reader, "%s.kind: %s is not one of %s", field, kind, buffer_text(&allowed));
}

static void refuse_key(struct spec_reader *reader, const char *field, const char *key) {
    spec_field_error(reader, "%s: \"%.*s\" is not the name of an entry: letters, digits, '-', '_' and '.'",
                     field, spec_shown_length(key), key);
}

static void check_key(struct spec_reader *reader, const char *field, const char *key) {
    char path[64];
    snprintf(path, sizeof(path), "%s.key", field);
    if (key != nullptr && !spec_is_data_key(key)) {
        refuse_key(reader, path, key);
    }
}

static void check_kind(struct spec_reader *reader, const char *field, const struct reference *reference,
                       const struct input_source *sources) {
    struct meaning meaning = find_meaning(reference, sources);
    if (!meaning.found) {
        refuse_kind(reader, field, reference->kind, sources);
    } else if (meaning.needs_key && reference->kind != nullptr && reference->key == nullptr) {
        spec_field_error(reader, "%s.key: is required with kind %s", field, reference->kind);
    } else if (!meaning.takes_key && reference->key != nullptr) {
        spec_field_error(reader, "%s.key: goes only with kind Secret or ConfigMap; remove it, or set kind",
                         field);
    }
}

bool spec_is_dns_name(const char *text) {
    char previous = '.';
    for (; *text != '\0'; text++) {
        bool is_plain = (*text >= 'a' && *text <= 'z') || (*text >= '0' && *text <= '9');
        bool is_hyphen = *text == '-' && previous != '.';
        bool is_dot = *text == '.' && previous != '.' && previous != '-';
        if (!is_plain && !is_hyphen && !is_dot) {
            return false;
        }
        previous = *text;
    }
    return previous != '.' && previous != '-';
}

// Only what can be a name is asked for: a path such as "." would mean something else.
static void check_names(struct spec_reader *reader, const char *field, const struct reference *reference) {
    if (reference->name == nullptr) {
        spec_field_error(reader, "%s.name: is required", field);
    } else if (!spec_is_dns_name(reference->name)) {
        spec_field_error(reader, "%s.name: \"%.*s\" is not the name of an object", field,
                         spec_shown_length(reference->name), reference->name);
    }
    if (reference->namespace != nullptr &&
        (!spec_is_dns_name(reference->namespace) || strchr(reference->namespace, '.') != nullptr)) {
        spec_field_error(reader, "%s.namespace: \"%.*s\" is not the name of a namespace", field,
                         spec_shown_length(reference->namespace), reference->namespace);
    }
}

// The version that a reference names; 0: none.
static int64_t read_version(struct spec_reader *reader, const char *field, yyjson_val *object,
                            const struct reference *reference, const struct input_source *sources) {
    yyjson_val *value = yyjson_obj_get(object, "version");
    int64_t number = json_integer(value, 0);
    if (value == nullptr || yyjson_is_null(value)) {
        return 0;
    }
    if (!yyjson_is_int(value) || number < 1 || number > SPEC_VERSION_MAX) {
        char found[SPEC_DESCRIPTION_SIZE];
        spec_describe_value(value, found);
        spec_field_error(reader, "%s.version: must be a whole number from 1 to %d, not %s", field,
                         SPEC_VERSION_MAX, found);
        return 0;
    }
    if (!find_meaning(reference, sources).has_versions) {
        spec_field_error(reader, "%s.version: goes only with a resource that is rotated; remove it", field);
    }
    return number;
}

struct reference spec_reference(struct spec_reader *reader, const char *field,
                                const struct input_source *sources, bool required) {
    yyjson_val *value = spec_value(reader, field);
    if (value == nullptr) {
        if (required) {
            spec_field_error(reader, "%s: is required", field);
        }
        return (struct reference){0};
    }
    if (!yyjson_is_obj(value)) {
        char found[SPEC_DESCRIPTION_SIZE];
        spec_describe_value(value, found);
        spec_field_error(reader, "%s: must be an object with a name, not %s", field, found);
        return (struct reference){0};
    }
    struct reference reference = {
        .name = member(reader, field, value, "name", SPEC_NAME_MAX),
        .namespace = member(reader, field, value, "namespace", SPEC_LABEL_MAX),
        .kind = member(reader, field, value, "kind", SPEC_LABEL_MAX),
        .key = member(reader, field, value, "key", SPEC_NAME_MAX),
    };
    check_names(reader, field, &reference);
    check_kind(reader, field, &reference, sources);
    check_key(reader, field, reference.key);
    reference.version = read_version(reader, field, value, &reference, sources);
    return reference;
}

void spec_reference_key(struct spec_reader *reader, const char *field, const char *key_field,
                        struct reference *reference) {
    const char *key = spec_text(reader, key_field, SPEC_NAME_MAX);
    if (key == nullptr || reference->name == nullptr) {
        return;
    }
    if (!spec_is_data_key(key)) {
        refuse_key(reader, key_field, key);
    } else if (reference->key != nullptr && strcmp(reference->key, key) != 0) {
        spec_field_error(reader, "%s.key: %.*s and its other name %s: %.*s differ; give one of them", field,
                         spec_shown_length(reference->key), reference->key, key_field, spec_shown_length(key),
                         key);
    } else {
        reference->key = key;
    }
}

bool spec_is_data_key(const char *text) {
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    return text[0] != '\0' && text[strspn(text, allowed)] == '\0' && strcmp(text, ".") != 0 &&
           strncmp(text, "..", 2) != 0;
}

bool spec_finish(struct spec_reader *reader, struct error *e) {
    bool no_memory = reader->out_of_memory || (reader->fault_count > 0 && reader->faults.length == 0);
    bool unknown = no_memory || reader->unreadable.class != ERROR_NONE;
    if (no_memory) {
        error_no_memory(e, "noting what is wrong with a spec");
    } else if (unknown) {
        *e = reader->unreadable;
    } else if (reader->fault_count > 0) {
        error_set(e, ERROR_INVALID_SPEC, "%s", buffer_text(&reader->faults));
    }
    buffer_done(&reader->faults);
    return !unknown && reader->fault_count == 0;
}
