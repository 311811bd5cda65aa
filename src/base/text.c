#include "base/text.h"

#include "base/memory.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

// Length in bytes of the character that starts at bytes; 0: it is not valid.
static size_t character_length(const uint8_t *bytes) {
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    if (bytes[0] < 0x80) {
        return 1;
    }
    size_t length = bytes[0] >= 0xf0 ? 4 : bytes[0] >= 0xe0 ? 3 : 2;
    if (bytes[0] < 0xc2 || bytes[0] > 0xf4) {
        return 0;
    }
    uint32_t code = bytes[0] & (0xffu >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        if ((bytes[i] & 0xc0) != 0x80) { // the text's end, too
            return 0;
        }
        code = code << 6 | (bytes[i] & 0x3f);
    }
    bool surrogate = code >= 0xd800 && code <= 0xdfff;
    return code < smallest[length] || code > 0x10ffff || surrogate ? 0 : length;
}

void text_make_valid(char *text) {
    while (*text != '\0') {
        size_t length = character_length((const uint8_t *)text);
        if (length == 0) {
            *text = '?';
            length = 1;
        }
        text += length;
    }
}

// The items' texts stand behind the pointers, in the same block.
bool text_split(const char *list, struct text_list *ret_list, struct error *e) {
    size_t length = list == nullptr ? 0 : strlen(list);
    size_t most = length / 2 + 1; // each item but the last has a comma behind it
    const char **items = memory_allocate((most + 1) * sizeof(*items) + length + 1);
    if (items == nullptr) {
        return error_no_memory(e, "a list");
    }
    char *text = (char *)(items + most + 1);
    memcpy(text, list == nullptr ? "" : list, length + 1);
    size_t count = 0;
    char *rest = text;
    for (char *item; (item = strtok_r(rest, ", ", &rest)) != nullptr;) {
        items[count++] = item;
    }
    items[count] = nullptr;
    *ret_list = (struct text_list){items, count};
    return true;
}

void text_list_done(struct text_list *list) {
    memory_free(list->items);
    *list = (struct text_list){0};
}
