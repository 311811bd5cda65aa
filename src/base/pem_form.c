#include "base/pem_form.h"

#include "base/secret.h"
#include "base/span.h"

#include <stdint.h>
#include <string.h>

enum { LINE = 64 };

static const char begin_mark[] = "-----BEGIN ";
static const char end_mark[] = "-----END ";
static const char dashes[] = "-----";
static const char byte_order[] = "\xef\xbb\xbf"; // before a file that some editors write

struct block {
    const char *begin; // of the first boundary
    struct span label;
    struct span body;
    const char *end; // behind the last boundary
};

static const char *find(struct span text, const char *part) {
    return memmem(text.begin, span_length(text), part, strlen(part));
}

// What a body is made of may be a key: of each character it is known only which of these it is.
static bool is_white(char c) {
    uint32_t value = (uint8_t)c;
    return secret_reveal((secret_mask_between(value, ' ', ' ') | secret_mask_between(value, '\t', '\n') |
                          secret_mask_between(value, '\r', '\r')) != 0);
}

static bool is_line_end(char c) {
    uint32_t value = (uint8_t)c;
    return secret_reveal((secret_mask_between(value, '\n', '\n') | secret_mask_between(value, '\r', '\r')) !=
                         0);
}

static bool is_base64(char c) {
    uint32_t value = (uint8_t)c;
    return secret_reveal((secret_mask_between(value | 0x20, 'a', 'z') | secret_mask_between(value, '/', '9') |
                          secret_mask_between(value, '+', '+') | secret_mask_between(value, '=', '=')) != 0);
}

static struct span skip_label(struct span text) {
    struct span label = {text.begin, text.begin};
    while (label.end < text.end && *label.end >= ' ' && *label.end != '-') {
        label.end++;
    }
    return label;
}

static struct span skip_body(struct span text) {
    struct span body = {text.begin, text.begin};
    while (body.end < text.end && (is_white(*body.end) || is_base64(*body.end))) {
        body.end++;
    }
    return body;
}

// Whether text begins with part; then it is taken off.
static bool take(struct span *text, struct span part) {
    size_t length = span_length(part);
    bool begins = span_length(*text) >= length && strncmp(text->begin, part.begin, length) == 0;
    text->begin += begins ? length : 0;
    return begins;
}

static bool take_text(struct span *text, const char *part) {
    return take(text, (struct span){part, part + strlen(part)});
}

// Reads the block that begins where text does. False: there is none that is complete.
static bool read_block(struct span text, struct block *ret_block) {
    struct block block = {.begin = text.begin};
    if (!take_text(&text, begin_mark)) {
        return false;
    }
    block.label = skip_label(text);
    text.begin = block.label.end;
    if (!take_text(&text, dashes)) {
        return false;
    }
    block.body = skip_body(text);
    text.begin = block.body.end;
    if (!take_text(&text, end_mark) || !take(&text, block.label) || !take_text(&text, dashes)) {
        return false;
    }
    block.end = text.begin;
    *ret_block = block;
    return true;
}

// How many of the bytes right before at, and not before begin, are no more than space in a line.
static size_t space_before(const char *begin, const char *at) {
    size_t mark = strlen(byte_order);
    if (at > begin && is_white(at[-1])) {
        return is_line_end(at[-1]) ? 0 : 1;
    }
    return (size_t)(at - begin) >= mark && strncmp(at - mark, byte_order, mark) == 0 ? mark : 0;
}

// Whether nothing but space is before at in its line, or between it and begin: what is behind anything else,
// such as the sign of a comment, is not meant to be read.
static bool is_first(const char *begin, const char *at) {
    size_t space;
    while ((space = space_before(begin, at)) > 0) {
        at -= space;
    }
    return at == begin || is_line_end(at[-1]);
}

// text begins behind the block before, or with the whole text.
static bool find_block(struct span text, struct block *ret_block) {
    const char *begin = text.begin;
    const char *at;
    while ((at = find(text, begin_mark)) != nullptr) {
        text.begin = at;
        if (is_first(begin, at) && read_block(text, ret_block)) {
            return true;
        }
        text.begin = at + 1;
    }
    return false;
}

// Into room that is large enough.
static char *write_body(struct span body, char *to) {
    size_t column = 0;
    for (const char *at = body.begin; at < body.end; at++) {
        if (is_white(*at)) {
            continue;
        }
        if (column == LINE) {
            *to++ = '\n';
            column = 0;
        }
        *to++ = *at;
        column++;
    }
    if (column > 0) {
        *to++ = '\n';
    }
    return to;
}

static bool append_body(struct span body, struct buffer *text, struct error *e) {
    size_t length = span_length(body);
    char *room;
    if (!buffer_reserve(text, length + length / LINE + 1, &room, e)) {
        return false;
    }
    buffer_advance(text, (size_t)(write_body(body, room) - room));
    return true;
}

static bool append_boundary(const char *mark, struct span label, struct buffer *text, struct error *e) {
    return buffer_append_format(text, e, "%s%.*s%s\n", mark, (int)span_length(label), label.begin, dashes);
}

static bool append_block(const struct block *block, struct buffer *text, struct error *e) {
    bool in_line = text->length > 0 && text->data[text->length - 1] != '\n';
    return (!in_line || buffer_append_text(text, "\n", e)) &&
           append_boundary(begin_mark, block->label, text, e) && append_body(block->body, text, e) &&
           append_boundary(end_mark, block->label, text, e);
}

// Appends what is not part of a block. A mark that is not first in its line is parted: who reads a long line
// in pieces may find it at the beginning of one.
static bool append_other(struct span other, struct buffer *text, struct error *e) {
    struct span rest = other;
    const char *at = rest.begin;
    while ((at = find((struct span){at, other.end}, begin_mark)) != nullptr) {
        at++;
        if (!is_first(other.begin, at - 1)) {
            if (!buffer_append(text, rest.begin, (size_t)(at - rest.begin), e) ||
                !buffer_append_text(text, " ", e)) {
                return false;
            }
            rest.begin = at;
        }
    }
    return buffer_append(text, rest.begin, span_length(rest), e);
}

bool pem_form_normalize(const void *bytes, size_t length, struct buffer *ret_text, struct error *e) {
    cleanup_buffer struct buffer text = buffer_create(2 * length + LINE); // a block is at least 31 bytes
    const char *begin = length == 0 ? "" : bytes;
    struct span rest = {begin, begin + length};
    struct block block;
    while (find_block(rest, &block)) {
        if (!append_other((struct span){rest.begin, block.begin}, &text, e) ||
            !append_block(&block, &text, e)) {
            return false;
        }
        rest.begin = block.end;
        (void)take_text(&rest, "\n"); // which append_block has written
    }
    if (!append_other(rest, &text, e)) {
        return false;
    }
    *ret_text = text;
    text = (struct buffer){0};
    return true;
}
