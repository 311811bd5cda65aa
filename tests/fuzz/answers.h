// What the targets share that read objects: JSON of the input, and an API that answers with it.
#pragma once

#include "fuzz.h"

#include "kube/api.h"
#include "json/read.h"
#include "json/write.h"

enum { DOCUMENT_TEXT_MAX = 4 * 1024 * 1024 };

// The input as JSON; owned. NULL: it is none.
[[maybe_unused]] static yyjson_doc *json_of(const void *data, size_t size) {
    struct error ignored;
    yyjson_doc *document = nullptr;
    return json_parse(data, size, &document, &ignored) ? document : nullptr;
}

// An independent copy, owned.
[[maybe_unused]] static yyjson_doc *copy_of(yyjson_val *value) {
    struct error e;
    yyjson_doc *copy = nullptr;
    cleanup_json_mut yyjson_mut_doc *document = nullptr;
    MUST(json_create(&document, &e), e);
    yyjson_mut_doc_set_root(document, yyjson_val_mut_copy(document, value));
    MUST(json_freeze(document, &copy, &e), e);
    return copy;
}

// value with a merge patch (RFC 7386) applied to it, owned.
[[maybe_unused]] static yyjson_doc *patched(yyjson_val *value, yyjson_val *patch) {
    struct error e;
    yyjson_doc *copy = nullptr;
    cleanup_json_mut yyjson_mut_doc *document = nullptr;
    MUST(json_create(&document, &e), e);
    yyjson_mut_doc_set_root(document, yyjson_merge_patch(document, value, patch));
    MUST(json_freeze(document, &copy, &e), e);
    return copy;
}

// An API that gives the same answer to whatever it is asked; answer NULL: it fails.
struct answering {
    yyjson_val *answer;
    enum error_class failure;
    size_t asked;     // how often
    yyjson_doc *body; // of the last request that had one, owned
};

[[maybe_unused]] static bool answer_request(void *context, const struct api_request *request,
                                            yyjson_doc **ret_document, struct error *e) {
    struct answering *answering = context;
    answering->asked++;
    if (request->body != nullptr) {
        json_free(answering->body);
        MUST(json_freeze(request->body, &answering->body, e), *e);
    }
    if (answering->answer == nullptr) {
        return error_set(e, answering->failure, "it fails");
    }
    if (ret_document != nullptr) {
        *ret_document = copy_of(answering->answer);
    }
    return true;
}
