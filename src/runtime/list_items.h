// Cuts the answer to a list into its items while it arrives, so that an answer of any length needs no more
// memory than one item of it. Each byte is looked at once. What is between items is not judged here: whoever
// parses the items and the envelope finds what is malformed.
#pragma once

#include "base/buffer.h"

struct list_items {
    struct buffer envelope; // the answer with no items in its "items": {"metadata":{...},"items":[]}
    struct buffer item;     // the beginning of the item whose end has not come
    unsigned depth;         // of arrays and objects that are open, those of an item included
    bool in_text;           // between two quotes
    bool escaped;           // the last byte was a backslash in a text
    bool in_items;          // between the brackets of "items"
    bool separated;         // a comma came, after which there must be an item
    size_t key;             // where in the envelope its last text begins
};

// The envelope may be up to envelope_cap bytes long, an item up to item_cap.
static inline struct list_items list_items_create(size_t envelope_cap, size_t item_cap) {
    return (struct list_items){.envelope = buffer_create(envelope_cap), .item = buffer_create(item_cap)};
}

// Frees the content; what was taken in is forgotten, and items is usable again.
void list_items_done(struct list_items *items);

// Takes in length more bytes and calls item for each item that is complete now; text is borrowed during the
// call and has no NUL after it. It is a JSON text only if the answer is one: it may be anything, but is of
// length 0 only where an item is missing. false from item ends this: the rest of bytes is dropped, and *e is
// item's. Errors: those of item, IO (an item or the envelope is over its cap), NO_MEMORY.
[[nodiscard]] bool list_items_feed(struct list_items *items, const char *bytes, size_t length,
                                   bool (*item)(void *context, const char *text, size_t length,
                                                struct error *e),
                                   void *context, struct error *e);
