#include "runtime/list_items.h"

#include <string.h>

enum {
    KEPT_CAPACITY = 64 * 1024, // bytes that may stay allocated between two items
    ROOT_DEPTH = 1,
    ITEMS_DEPTH = 2,
};

static const char items_key[] = "\"items\"";

void list_items_done(struct list_items *items) {
    size_t envelope_cap = items->envelope.cap;
    size_t item_cap = items->item.cap;
    buffer_done(&items->envelope);
    buffer_done(&items->item);
    *items = list_items_create(envelope_cap, item_cap);
}

static bool append(struct list_items *items, const char *bytes, size_t length, struct error *e) {
    struct buffer *to = items->in_items ? &items->item : &items->envelope;
    if (length > to->cap - to->length) {
        return error_set(e, ERROR_IO, "%s of a list is longer than %zu bytes",
                         items->in_items ? "an item" : "what is beside the items", to->cap);
    }
    return buffer_append(to, bytes, length, e);
}

static bool is_space(char byte) {
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

// Whether the array that begins now is the value of the root's "items".
static bool begins_items(const struct list_items *items) {
    const struct buffer *envelope = &items->envelope;
    size_t length = sizeof(items_key) - 1;
    if (items->depth != ROOT_DEPTH || envelope->length - items->key <= length ||
        memcmp(envelope->data + items->key, items_key, length) != 0) {
        return false;
    }
    const char *at = envelope->data + items->key + length;
    const char *end = envelope->data + envelope->length;
    size_t colons = 0;
    for (; at < end && (is_space(*at) || *at == ':'); at++) {
        colons += *at == ':';
    }
    return at == end && colons == 1;
}

struct receiver {
    bool (*item)(void *context, const char *text, size_t length, struct error *e);
    void *context;
};

// Gives out the item that a comma or the closing bracket ends.
static bool end_item(struct list_items *items, bool last, const struct receiver *receiver, struct error *e) {
    struct buffer *item = &items->item;
    bool is_empty_array = last && item->length == 0 && !items->separated;
    if (!is_empty_array && !receiver->item(receiver->context, buffer_text(item), item->length, e)) {
        return false;
    }
    buffer_clear(item, KEPT_CAPACITY);
    items->separated = !last;
    items->in_items = !last;
    return true;
}

// Takes in one byte outside of texts.
static bool take_mark(struct list_items *items, char byte, const struct receiver *receiver, struct error *e) {
    bool between_items = items->in_items && items->depth == ITEMS_DEPTH;
    bool begins = false;
    switch (byte) {
    case '"':
        items->in_text = true;
        items->key = items->in_items ? items->key : items->envelope.length;
        break;
    case '[':
        begins = !items->in_items && begins_items(items);
        items->depth++;
        break;
    case '{':
        items->depth++;
        break;
    case ']':
    case '}':
        if (between_items && !end_item(items, true, receiver, e)) {
            return false;
        }
        items->depth -= items->depth > 0;
        break;
    case ',':
        if (between_items) {
            return end_item(items, false, receiver, e);
        }
        break;
    default:
        break;
    }
    bool is_dropped = between_items && items->item.length == 0 && is_space(byte);
    if (!is_dropped && !append(items, &byte, 1, e)) {
        return false;
    }
    items->in_items = items->in_items || begins;
    return true;
}

// How many of the bytes belong to the text that is open, up to its closing quote.
static size_t take_text(struct list_items *items, const char *bytes, size_t length) {
    size_t taken = 0;
    while (taken < length && items->in_text) {
        char byte = bytes[taken++];
        if (items->escaped) {
            items->escaped = false;
        } else if (byte == '\\') {
            items->escaped = true;
        } else if (byte == '"') {
            items->in_text = false;
        }
    }
    return taken;
}

bool list_items_feed(struct list_items *items, const char *bytes, size_t length,
                     bool (*item)(void *context, const char *text, size_t length, struct error *e),
                     void *context, struct error *e) {
    const struct receiver receiver = {item, context};
    while (length > 0) {
        size_t taken = 1;
        if (items->in_text) {
            taken = take_text(items, bytes, length);
            if (!append(items, bytes, taken, e)) {
                return false;
            }
        } else if (!take_mark(items, *bytes, &receiver, e)) {
            return false;
        }
        bytes += taken;
        length -= taken;
    }
    return true;
}
