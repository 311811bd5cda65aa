#include "kube/yaml.h"

#include "base/memory.h"
#include "json/allocator.h"

#include <stdint.h>
#include <string.h>

enum { INDENT = 2 };

static bool append_indent(struct buffer *text, size_t depth, struct error *e) {
    return buffer_append_format(text, e, "%*s", (int)(depth * INDENT), "");
}

// Whether every reader of YAML takes the bare text for a text: no number, no word that is another type.
static bool is_plain(const char *text, size_t length) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    static const char others[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./+-";
    static const char *const words[] = {"true", "false", "null", "yes", "no", "on",
                                        "off",  "y",     "n",    "nan", "inf"};
    if (length == 0 || strlen(text) != length || strchr(letters, text[0]) == nullptr ||
        strspn(text, others) != length) {
        return false;
    }
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcasecmp(text, words[i]) == 0) {
            return false;
        }
    }
    return true;
}

// Whether it is lines that a literal block shows as they are, as PEM is.
static bool is_block(const char *text, size_t length) {
    if (length < 2 || strlen(text) != length || text[0] == ' ' || text[0] == '\n' ||
        text[length - 1] != '\n' || text[length - 2] == '\n') {
        return false;
    }
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++) {
        bool is_shown = *at == '\n' || (*at >= 0x20 && *at < 0x7f);
        if (!is_shown || (*at == ' ' && at[1] == '\n')) {
            return false;
        }
    }
    return true;
}

static bool append_block(const char *block, size_t depth, struct buffer *text, struct error *e) {
    if (!buffer_append_text(text, "|\n", e)) {
        return false;
    }
    while (*block != '\0') {
        size_t length = strcspn(block, "\n");
        if (!append_indent(text, length == 0 ? 0 : depth, e) || !buffer_append(text, block, length, e) ||
            !buffer_append_text(text, "\n", e)) {
            return false;
        }
        block += length + 1;
    }
    return true;
}

// One character of valid UTF-8 as a number; *ret_next is behind it.
static uint32_t decode_character(const unsigned char *at, const unsigned char **ret_next) {
    unsigned length = at[0] < 0x80 ? 1 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
    uint32_t character = length == 1 ? at[0] : at[0] & (0x7fU >> length);
    for (unsigned i = 1; i < length; i++) {
        character = character << 6 | (at[i] & 0x3fU);
    }
    *ret_next = at + length;
    return character;
}

// In double quotes, all but printable ASCII escaped: YAML takes no control characters, and some of what looks
// like a line's end for a blank.
static bool append_quoted(const char *own, size_t length, struct buffer *text, struct error *e) {
    const unsigned char *at = (const unsigned char *)own;
    const unsigned char *end = at + length;
    bool done = buffer_append_text(text, "\"", e);
    while (done && at < end) {
        const unsigned char *next;
        uint32_t character = decode_character(at, &next);
        bool is_shown = character >= 0x20 && character < 0x7f;
        if (is_shown && character != '"' && character != '\\') {
            done = buffer_append(text, at, 1, e);
        } else if (is_shown) {
            done = buffer_append_format(text, e, "\\%c", (char)character);
        } else {
            done = buffer_append_format(text, e, character > 0xffff ? "\\U%08X" : "\\u%04X", character);
        }
        at = next;
    }
    return done && buffer_append_text(text, "\"", e);
}

// Numbers, true, false, null, and what is empty are in YAML as they are in JSON.
static bool append_plain(yyjson_val *value, struct buffer *text, struct error *e) {
    if (yyjson_is_str(value)) {
        return append_quoted(yyjson_get_str(value), yyjson_get_len(value), text, e);
    }
    size_t length;
    cleanup_text char *json =
        yyjson_val_write_opts(value, YYJSON_WRITE_NOFLAG, &json_allocator, &length, nullptr);
    return json != nullptr ? buffer_append(text, json, length, e) : error_no_memory(e, "writing YAML");
}

static bool append_key(yyjson_val *key, struct buffer *text, struct error *e) {
    bool plain = is_plain(yyjson_get_str(key), yyjson_get_len(key));
    return (plain ? buffer_append_text(text, yyjson_get_str(key), e) : append_plain(key, text, e)) &&
           buffer_append_text(text, ":", e);
}

static bool is_filled(yyjson_val *value) {
    return yyjson_arr_size(value) > 0 || yyjson_obj_size(value) > 0;
}

static bool append_scalar(yyjson_val *value, size_t depth, struct buffer *text, struct error *e) {
    const char *own = yyjson_get_str(value);
    if (own != nullptr && is_block(own, yyjson_get_len(value))) {
        return append_block(own, depth, text, e);
    }
    bool plain = own != nullptr && is_plain(own, yyjson_get_len(value));
    return (plain ? buffer_append_text(text, own, e) : append_plain(value, text, e)) &&
           buffer_append_text(text, "\n", e);
}

static bool append_collection(yyjson_val *value, size_t depth, bool is_in_line, struct buffer *text,
                              struct error *e);

// A value behind "key:" or "-".
static bool append_value(yyjson_val *value, size_t depth, bool is_item, struct buffer *text,
                         struct error *e) {
    if (!is_filled(value)) {
        return buffer_append_text(text, " ", e) && append_scalar(value, depth, text, e);
    }
    return buffer_append_text(text, is_item ? " " : "\n", e) &&
           append_collection(value, depth, is_item, text, e);
}

// is_in_line: the first part stands behind "- ".
static bool append_collection(yyjson_val *value, size_t depth, bool is_in_line, struct buffer *text,
                              struct error *e) {
    size_t index = 0;
    if (yyjson_is_arr(value)) {
        size_t count;
        yyjson_val *item;
        yyjson_arr_foreach(value, index, count, item) {
            if (!append_indent(text, is_in_line && index == 0 ? 0 : depth, e) ||
                !buffer_append_text(text, "-", e) || !append_value(item, depth + 1, true, text, e)) {
                return false;
            }
        }
        return true;
    }
    yyjson_obj_iter members = yyjson_obj_iter_with(value);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&members)) != nullptr; index++) {
        if (!append_indent(text, is_in_line && index == 0 ? 0 : depth, e) || !append_key(key, text, e) ||
            !append_value(yyjson_obj_iter_get_val(key), depth + 1, false, text, e)) {
            return false;
        }
    }
    return true;
}

bool yaml_write(yyjson_val *value, struct buffer *text, struct error *e) {
    return is_filled(value) ? append_collection(value, 0, false, text, e) : append_scalar(value, 1, text, e);
}
