// JSON in which ' stands for ", so that it can be read in C. Included after what defines must.
#pragma once

#include "base/memory.h"
#include "json/read.h"

#include <string.h>

static inline void unquote(char *json) {
    for (; *json != '\0'; json++) {
        *json = (char)(*json == '\'' ? '"' : *json);
    }
}

// Parses such text. The document is the caller's.
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
