// What tests of objects share: JSON in which ' stands for ", so that it can be read in C, and objects
// of it.
#pragma once

#include "../base/check.h"
#include "../base/short_memory.h"

#include "kube/object.h"
#include "json/write.h"

static inline void unquote(char *json) {
    for (; *json != '\0'; json++) {
        *json = (char)(*json == '\'' ? '"' : *json);
    }
}

static inline yyjson_doc *parse_quoted(const char *text) {
    struct error e;
    yyjson_doc *document = nullptr;
    char *json = memory_copy_text(text);
    unquote(json);
    bool parsed = json_parse(json, strlen(json), &document, &e);
    memory_free(json);
    must(parsed, e);
    return document;
}

static inline struct kube_object *object_of(const char *text) {
    struct error e;
    cleanup_json yyjson_doc *document = parse_quoted(text);
    struct kube_object *object = nullptr;
    must(kube_object_create(yyjson_doc_get_root(document), &object, &e), e);
    return object;
}

// Two JSON texts say the same, whatever the order of members; ' stands for " in both.
static inline void assert_same_json(const char *text, const char *expected) {
    cleanup_json yyjson_doc *one = parse_quoted(text);
    cleanup_json yyjson_doc *other = parse_quoted(expected);
    if (!yyjson_equals(yyjson_doc_get_root(one), yyjson_doc_get_root(other))) {
        fail_msg("%s\nis not\n%s", text, expected);
    }
}
