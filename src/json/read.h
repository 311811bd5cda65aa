// Reading JSON: yyjson, behind the bounds that it does not set itself. Values are read with yyjson's own
// functions and with the short-cuts below, which treat "absent" and "of another type" alike.
#pragma once

#include "base/error.h"

#include <yyjson.h>

enum { JSON_DEPTH_MAX = 64 };

// Parses one JSON text (RFC 8259) of length bytes, which need no NUL after them. Refused: nesting over
// JSON_DEPTH_MAX, an object with the same key twice, anything after the value, bad UTF-8. *ret_document is
// owned and lives in base/memory, so freeing it cleanses it; text is not kept. Takes n log n time for n bytes
// at worst. Errors: INVALID_SPEC (says where), NO_MEMORY.
[[nodiscard]] bool json_parse(const char *text, size_t length, yyjson_doc **ret_document, struct error *e);

// How many bytes of text its first value takes, which is an object and begins with the first of them; length:
// it does not end. Nothing else of it is checked, and of any other text the number says nothing.
size_t json_measure(const char *text, size_t length);

// Takes document; NULL is allowed.
void json_free(yyjson_doc *document);

// The value under the given keys, outermost first, NULL-terminated; NULL: something on the way is absent.
// value may be NULL. Borrowed until the document is freed.
[[gnu::sentinel]] yyjson_val *json_find(yyjson_val *value, ...);

// value's text, or NULL when it is absent, no string, or holds U+0000, which a C string would end at. Where
// such bytes are allowed, use yyjson_get_str and yyjson_get_len.
const char *json_text(yyjson_val *value);

// Writes what a message shows of a text, which may be a key: at most JSON_SHOWN_MAX bytes of it, no part of a
// character, and U+0000 as "\\u0000"; "" for what is no text.
enum { JSON_SHOWN_MAX = 64, JSON_SHOWN_SIZE = 6 * JSON_SHOWN_MAX + 1 };
void json_show(yyjson_val *value, char ret_text[JSON_SHOWN_SIZE]);

// Copies an optional text of at most size - 1 bytes, with its NUL; absent is "". False: there is something
// else.
[[nodiscard]] bool json_copy_text(yyjson_val *object, const char *key, char *ret_text, size_t size);

// Member key's text, as json_text.
const char *json_member_text(yyjson_val *object, const char *key);

// Whether that member is this text; text NULL: no.
bool json_member_is(yyjson_val *object, const char *key, const char *text);

// Whether two values are equal (NULL: absent). Objects of which one has its members in another order are
// equal too, unless the values have more than JSON_UNORDERED_MAX parts: to find that out takes a time that
// grows with the square of their size.
enum { JSON_UNORDERED_MAX = 1024 };
bool json_equals(yyjson_val *one, yyjson_val *other);

// value as an integer; fallback when it is absent, no integer or out of range.
int64_t json_integer(yyjson_val *value, int64_t fallback);

static inline void json_cleanup(yyjson_doc **document) {
    json_free(*document);
}
#define cleanup_json [[gnu::cleanup(json_cleanup)]]
