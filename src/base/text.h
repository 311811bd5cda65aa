// Lists that are written as one text.
#pragma once

#include "base/error.h"

#include <stddef.h>

// The parts of a comma list, without the spaces around them and without empty ones.
struct text_list {
    const char **items; // NULL-terminated, owned like the texts they point to
    size_t count;
};

// *ret_list is owned. list NULL or empty: no items. Errors: NO_MEMORY.
[[nodiscard]] bool text_split(const char *list, struct text_list *ret_list, struct error *e);
void text_list_done(struct text_list *list);
