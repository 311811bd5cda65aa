#include "base/text.h"

#include "base/memory.h"

#include <string.h>

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
