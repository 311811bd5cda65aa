#include "json/read.h"

#include "base/memory.h"
#include "base/secret.h"
#include "json/allocator.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
    FEW_KEYS = 12,       // objects up to this size are checked by comparing all pairs
    KEY_SHOWN_MAX = 128, // bytes of a key that an error message shows
};

enum { WORD = sizeof(uint64_t) };

// The top bit of each byte of word that is c, and perhaps of others if there is one.
static uint64_t bytes_that_are(uint64_t word, char c) {
    const uint64_t ones = UINT64_MAX / UINT8_MAX;
    uint64_t zero_where_equal = word ^ ones * (uint8_t)c;
    return (zero_where_equal - ones) & ~zero_where_equal & ones << 7;
}

// Whether one of the word's characters is of use to string_end. A string may be a key, in base64, none of
// which is; so that is all that its characters may decide.
static bool has_quote_or_escape(const char *text) {
    uint64_t word;
    memcpy(&word, text, WORD);
    return secret_reveal((bytes_that_are(word, '"') | bytes_that_are(word, '\\')) != 0);
}

// The position of the quote that ends the string whose opening quote is at `start`, or length.
static size_t string_end(const char *text, size_t length, size_t start) {
    size_t i = start + 1;
    while (i < length) {
        if (length - i >= WORD && !has_quote_or_escape(text + i)) {
            i += WORD;
        } else if (secret_reveal(text[i] == '"')) {
            return i;
        } else {
            i += secret_reveal(text[i] == '\\') ? 2 : 1;
        }
    }
    return length;
}

// Looks at brackets outside strings only; whether they match is the parser's business.
static bool check_depth(const char *text, size_t length, struct error *e) {
    size_t depth = 0;
    for (size_t i = 0; i < length; i++) {
        switch (text[i]) {
        case '"':
            i = string_end(text, length, i);
            break;
        case '[':
        case '{':
            depth++;
            if (depth > JSON_DEPTH_MAX) {
                return error_set(e, ERROR_INVALID_SPEC, "JSON is nested over %d levels deep at byte %zu",
                                 JSON_DEPTH_MAX, i);
            }
            break;
        case ']':
        case '}':
            depth -= depth > 0 ? 1 : 0;
            break;
        default:
            break;
        }
    }
    return true;
}

size_t json_measure(const char *text, size_t length) {
    size_t depth = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '"') {
            i = string_end(text, length, i);
        } else if (text[i] == '{') {
            depth++;
        } else if (text[i] == '}' && --depth == 0) {
            return i + 1;
        }
    }
    return length;
}

static int compare_keys(const void *left, const void *right) {
    yyjson_val *a = *(yyjson_val *const *)left;
    yyjson_val *b = *(yyjson_val *const *)right;
    size_t a_length = yyjson_get_len(a);
    size_t b_length = yyjson_get_len(b);
    if (a_length != b_length) {
        return a_length < b_length ? -1 : 1;
    }
    return memcmp(yyjson_get_str(a), yyjson_get_str(b), a_length);
}

// How many bytes of a text are shown where there is room for max: no part of a character.
static size_t shown_length(const char *text, size_t length, size_t max) {
    if (length > max) {
        length = max;
        while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80) {
            length--;
        }
    }
    return length;
}

static bool refuse_duplicate(yyjson_val *key, struct error *e) {
    const char *text = yyjson_get_str(key);
    size_t length = shown_length(text, yyjson_get_len(key), KEY_SHOWN_MAX);
    return error_set(e, ERROR_INVALID_SPEC, "JSON has the key \"%.*s\" twice in one object", (int)length,
                     text);
}

static bool check_few_keys(yyjson_val *object, struct error *e) {
    yyjson_val *seen[FEW_KEYS];
    size_t count = 0;
    yyjson_obj_iter members = yyjson_obj_iter_with(object);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&members)) != nullptr; count++) {
        for (size_t i = 0; i < count; i++) {
            if (compare_keys(&seen[i], &key) == 0) {
                return refuse_duplicate(key, e);
            }
        }
        seen[count] = key;
    }
    return true;
}

static bool check_many_keys(yyjson_val *object, struct error *e) {
    size_t count = 0;
    yyjson_val **keys = memory_allocate(yyjson_obj_size(object) * sizeof(yyjson_val *));
    if (keys == nullptr) {
        return error_no_memory(e, "reading JSON");
    }
    yyjson_obj_iter members = yyjson_obj_iter_with(object);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&members)) != nullptr;) {
        keys[count++] = key;
    }
    qsort(keys, count, sizeof(yyjson_val *), compare_keys);
    bool unique = true;
    for (size_t i = 1; i < count && unique; i++) {
        unique = compare_keys(&keys[i - 1], &keys[i]) != 0 || refuse_duplicate(keys[i], e);
    }
    memory_free(keys);
    return unique;
}

// yyjson keeps all values of a document in one array, in the order of the text, so no recursion is needed.
static bool check_keys(yyjson_doc *document, struct error *e) {
    yyjson_val *values = yyjson_doc_get_root(document);
    size_t count = yyjson_doc_get_val_count(document);
    for (size_t i = 0; i < count; i++) {
        size_t size = yyjson_obj_size(&values[i]);
        if (size < 2) {
            continue;
        }
        if (size <= FEW_KEYS ? !check_few_keys(&values[i], e) : !check_many_keys(&values[i], e)) {
            return false;
        }
    }
    return true;
}

bool json_parse(const char *text, size_t length, yyjson_doc **ret_document, struct error *e) {
    if (!check_depth(text, length, e)) {
        return false;
    }
    yyjson_read_err fault;
    // The parser changes the text only with YYJSON_READ_INSITU, so the cast is safe.
    cleanup_json yyjson_doc *document =
        yyjson_read_opts((char *)text, length, YYJSON_READ_NOFLAG, &json_allocator, &fault);
    if (document == nullptr) {
        return fault.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION
                   ? error_no_memory(e, "reading JSON")
                   : error_set(e, ERROR_INVALID_SPEC, "not JSON at byte %zu: %s", fault.pos, fault.msg);
    }
    if (!check_keys(document, e)) {
        return false;
    }
    *ret_document = document;
    document = nullptr;
    return true;
}

void json_free(yyjson_doc *document) {
    yyjson_doc_free(document);
}

yyjson_val *json_find(yyjson_val *value, ...) {
    va_list keys;
    va_start(keys, value);
    for (const char *key; value != nullptr && (key = va_arg(keys, const char *)) != nullptr;) {
        value = yyjson_obj_get(value, key);
    }
    va_end(keys);
    return value;
}

const char *json_text(yyjson_val *value) {
    const char *text = yyjson_get_str(value);
    return text != nullptr && strlen(text) == yyjson_get_len(value) ? text : nullptr;
}

bool json_copy_text(yyjson_val *object, const char *key, char *ret_text, size_t size) {
    yyjson_val *value = yyjson_obj_get(object, key);
    const char *text = value == nullptr ? "" : json_text(value);
    if (text == nullptr || strlen(text) >= size) {
        return false;
    }
    memcpy(ret_text, text, strlen(text) + 1);
    return true;
}

const char *json_member_text(yyjson_val *object, const char *key) {
    return json_text(yyjson_obj_get(object, key));
}

void json_show(yyjson_val *value, char ret_text[JSON_SHOWN_SIZE]) {
    const char *text = yyjson_get_str(value);
    size_t length = shown_length(text, yyjson_get_len(value), JSON_SHOWN_MAX);
    char *end = ret_text;
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\0') {
            memcpy(end, "\\u0000", 6);
            end += 6;
        } else {
            *end++ = text[i];
        }
    }
    *end = '\0';
}

bool json_member_is(yyjson_val *object, const char *key, const char *text) {
    const char *present = json_member_text(object, key);
    return present != nullptr && text != nullptr && strcmp(present, text) == 0;
}

static bool is_alike(yyjson_val *one, yyjson_val *other) {
    size_t length = unsafe_yyjson_get_len(one); // of a container, how many it holds; of a number, nothing
    if (unsafe_yyjson_get_type(one) != unsafe_yyjson_get_type(other) ||
        length != unsafe_yyjson_get_len(other)) {
        return false;
    }
    if (unsafe_yyjson_is_str(one)) { // whose subtype is no part of its value
        return memcmp(unsafe_yyjson_get_str(one), unsafe_yyjson_get_str(other), length) == 0;
    }
    bool is_number = unsafe_yyjson_is_num(one);
    return unsafe_yyjson_get_subtype(one) == unsafe_yyjson_get_subtype(other) &&
           (!is_number || one->uni.u64 == other->uni.u64);
}

bool json_equals(yyjson_val *one, yyjson_val *other) {
    if (one == nullptr || other == nullptr) {
        return one == other;
    }
    // All that a value holds follows it in the array of its document.
    ptrdiff_t count = unsafe_yyjson_get_next(one) - one;
    bool alike = unsafe_yyjson_get_next(other) - other == count;
    for (ptrdiff_t i = 0; alike && i < count; i++) {
        alike = is_alike(one + i, other + i);
    }
    return alike || (count <= JSON_UNORDERED_MAX && yyjson_equals(one, other));
}

int64_t json_integer(yyjson_val *value, int64_t fallback) {
    if (yyjson_is_sint(value)) {
        return yyjson_get_sint(value);
    }
    if (yyjson_is_uint(value) && yyjson_get_uint(value) <= INT64_MAX) {
        return (int64_t)yyjson_get_uint(value);
    }
    return fallback;
}
