// What tests of objects share.
#pragma once

#include "../base/check.h"
#include "../base/short_memory.h"
#include "../json/quoted.h"

#include "kube/object.h"
#include "json/write.h"

static inline struct kube_object *object_of(const char *text) {
    struct error e;
    cleanup_json yyjson_doc *document = parse_quoted(text);
    struct kube_object *object = nullptr;
    must(kube_object_create(yyjson_doc_get_root(document), &(struct kube_kept){.annotations = "qubesec.io/"},
                            &object, &e),
         e);
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
