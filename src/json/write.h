// Writing JSON: documents are built with yyjson's own mutable functions; these create them in base/memory, so
// that what held a secret is cleansed, and turn them into text.
//
// A document remembers that memory was out while something was added to it, and json_write and json_freeze
// then fail: the results of yyjson's adding functions need not be looked at one by one. (They also refuse a
// text that is NULL, without a trace, and most keep a pointer to the text: use yyjson_mut_obj_add_strcpy for
// what may go away.)
#pragma once

#include "base/buffer.h"

#include <yyjson.h>

// An empty document whose root is an object; *ret_document is owned. Errors: NO_MEMORY.
[[nodiscard]] bool json_create(yyjson_mut_doc **ret_document, struct error *e);

// Takes document, which json_create made; NULL is allowed.
void json_mut_free(yyjson_mut_doc *document);

// Adds a copy of text to object, unless it is NULL or "".
void json_add_text(yyjson_mut_doc *document, yyjson_mut_val *object, const char *field, const char *text);

// Whether all that was added to document is in it. Errors: NO_MEMORY (it is not), INTERNAL (no root).
[[nodiscard]] bool json_is_complete(const yyjson_mut_doc *document, struct error *e);

// Appends document as compact text to buffer, which is left as it was when this fails. Errors: NO_MEMORY
// (now, or while the document was built), INTERNAL (no root, bad UTF-8 or a number that JSON has not, over
// the buffer's cap).
[[nodiscard]] bool json_write(const yyjson_mut_doc *document, struct buffer *buffer, struct error *e);

// The immutable form of a document, an independent copy, as small as can be; *ret_document is owned. Errors:
// NO_MEMORY (now, or while the document was built), INTERNAL (no root).
[[nodiscard]] bool json_freeze(const yyjson_mut_doc *document, yyjson_doc **ret_document, struct error *e);

static inline void json_mut_cleanup(yyjson_mut_doc **document) {
    json_mut_free(*document);
}
#define cleanup_json_mut [[gnu::cleanup(json_mut_cleanup)]]
