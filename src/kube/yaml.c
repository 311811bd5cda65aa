#include "kube/yaml.h"

#include "json/write.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

// A collection that is being filled.
struct level {
    yyjson_mut_val *collection;
    yyjson_mut_val *key; // of an object: the key whose value comes next; NULL: a key comes next
};

struct reader {
    yaml_parser_t parser;
    yyjson_mut_doc *document;
    struct level levels[JSON_DEPTH_MAX + 1]; // one for the array that holds a stream's documents
    size_t depth;
    size_t depth_max;
    yaml_event_type_t last; // the event after which nothing is read
};

static bool yaml_failure(const yaml_event_t *event, const char *what, struct error *e) {
    return error_set(e, ERROR_INVALID_SPEC, "YAML, line %zu: %s", event->start_mark.line + 1, what);
}

static bool is_one_of(const char *text, const char *const *words) {
    for (; *words != nullptr; words++) {
        if (strcmp(text, *words) == 0) {
            return true;
        }
    }
    return false;
}

static yyjson_mut_val *number(yyjson_mut_doc *document, const char *text) {
    if (text[strspn(text, "+-.0123456789eE")] != '\0' || text[strcspn(text, "0123456789")] == '\0') {
        return nullptr;
    }
    char *end;
    errno = 0;
    long long integer = strtoll(text, &end, 10);
    if (*end == '\0' && errno == 0) {
        return yyjson_mut_sint(document, integer);
    }
    double real = strtod(text, &end);
    return *end == '\0' && isfinite(real) ? yyjson_mut_real(document, real) : nullptr; // JSON has no others
}

static yyjson_mut_val *scalar(yyjson_mut_doc *document, const yaml_event_t *event) {
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", nullptr};
    static const char *const trues[] = {"true", "True", "TRUE", nullptr};
    static const char *const falses[] = {"false", "False", "FALSE", nullptr};
    const char *text = (const char *)event->data.scalar.value;
    size_t length = event->data.scalar.length;
    bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (plain && is_one_of(text, nulls)) {
        return yyjson_mut_null(document);
    }
    if (plain && (is_one_of(text, trues) || is_one_of(text, falses))) {
        return yyjson_mut_bool(document, is_one_of(text, trues));
    }
    yyjson_mut_val *typed = plain ? number(document, text) : nullptr;
    return typed != nullptr ? typed : yyjson_mut_strncpy(document, text, length);
}

// Puts value where it belongs: into the innermost collection, or as the root.
static bool place(struct reader *reader, yyjson_mut_val *value, const yaml_event_t *event, struct error *e) {
    if (reader->depth == 0) {
        yyjson_mut_doc_set_root(reader->document, value);
        return true;
    }
    struct level *level = &reader->levels[reader->depth - 1];
    if (yyjson_mut_is_arr(level->collection)) {
        (void)yyjson_mut_arr_append(level->collection, value);
        return true;
    }
    if (level->key != nullptr) {
        (void)yyjson_mut_obj_add(level->collection, level->key, value);
        level->key = nullptr;
        return true;
    }
    if (event->type != YAML_SCALAR_EVENT) {
        return yaml_failure(event, "a key must be a text", e);
    }
    const char *text = (const char *)event->data.scalar.value;
    size_t length = event->data.scalar.length; // it may hold a NUL
    if (yyjson_mut_obj_getn(level->collection, text, length) != nullptr) {
        return yaml_failure(event, "the same key comes twice", e);
    }
    level->key = yyjson_mut_strncpy(reader->document, text, length);
    return level->key != nullptr || error_no_memory(e, "reading YAML");
}

static bool open_collection(struct reader *reader, yyjson_mut_val *collection, const yaml_event_t *event,
                            struct error *e) {
    if (collection == nullptr) {
        return error_no_memory(e, "reading YAML");
    }
    if (reader->depth == reader->depth_max) {
        return yaml_failure(event, "it is nested too deeply", e);
    }
    if (!place(reader, collection, event, e)) {
        return false;
    }
    reader->levels[reader->depth++] = (struct level){.collection = collection};
    return true;
}

static bool take_event(struct reader *reader, const yaml_event_t *event, struct error *e) {
    switch (event->type) {
    case YAML_ALIAS_EVENT:
        return yaml_failure(event, "aliases are not read", e);
    case YAML_SCALAR_EVENT: {
        yyjson_mut_val *value = scalar(reader->document, event);
        return value != nullptr ? place(reader, value, event, e) : error_no_memory(e, "reading YAML");
    }
    case YAML_SEQUENCE_START_EVENT:
        return open_collection(reader, yyjson_mut_arr(reader->document), event, e);
    case YAML_MAPPING_START_EVENT:
        return open_collection(reader, yyjson_mut_obj(reader->document), event, e);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        reader->depth--;
        return true;
    default:
        return true;
    }
}

static bool next_event(struct reader *reader, bool *ret_end, struct error *e) {
    yaml_event_t event;
    if (yaml_parser_parse(&reader->parser, &event) == 0) {
        if (reader->parser.error == YAML_MEMORY_ERROR) {
            return error_no_memory(e, "reading YAML");
        }
        return error_set(e, ERROR_INVALID_SPEC, "YAML, line %zu: %s", reader->parser.problem_mark.line + 1,
                         reader->parser.problem == nullptr ? "it cannot be read" : reader->parser.problem);
    }
    *ret_end = event.type == reader->last || event.type == YAML_STREAM_END_EVENT;
    bool taken = take_event(reader, &event, e);
    yaml_event_delete(&event);
    return taken;
}

static bool read_all(struct reader *reader, struct error *e) {
    bool end = false;
    while (!end) {
        if (!next_event(reader, &end, e)) {
            return false;
        }
    }
    return true;
}

static bool read_text(struct reader *reader, const char *text, size_t length, struct error *e) {
    if (yaml_parser_initialize(&reader->parser) == 0) {
        return error_no_memory(e, "reading YAML");
    }
    yaml_parser_set_input_string(&reader->parser, (const unsigned char *)text, length);
    bool read = read_all(reader, e);
    yaml_parser_delete(&reader->parser);
    return read;
}

bool yaml_parse(const char *text, size_t length, yyjson_doc **ret_document, struct error *e) {
    cleanup_json_mut yyjson_mut_doc *document = nullptr;
    if (!json_create(&document, e)) {
        return false;
    }
    struct reader reader = {
        .document = document, .depth_max = JSON_DEPTH_MAX, .last = YAML_DOCUMENT_END_EVENT};
    yyjson_mut_doc_set_root(document, yyjson_mut_null(document));
    return read_text(&reader, text, length, e) && json_freeze(document, ret_document, e);
}

bool yaml_parse_stream(const char *text, size_t length, yyjson_doc **ret_array, struct error *e) {
    cleanup_json_mut yyjson_mut_doc *document = nullptr;
    if (!json_create(&document, e)) {
        return false;
    }
    yyjson_mut_val *array = yyjson_mut_arr(document);
    struct reader reader = {
        .document = document, .depth_max = JSON_DEPTH_MAX + 1, .last = YAML_STREAM_END_EVENT};
    yyjson_mut_doc_set_root(document, array);
    reader.levels[reader.depth++] = (struct level){.collection = array};
    return read_text(&reader, text, length, e) && json_freeze(document, ret_array, e);
}
