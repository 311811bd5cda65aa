// Text as UTF-8.
#pragma once

#include "base/error.h"

#include <stddef.h>

// Overwrites each byte that is no part of valid UTF-8 (RFC 3629), such as a character that was cut in the
// middle, with a question mark, so that text can become JSON.
void text_make_valid(char *text);

// The parts of a comma list, without the spaces around them and without empty ones.
struct text_list {
    const char **items; // NULL-terminated, owned like the texts they point to
    size_t count;
};

// *ret_list is owned. list NULL or empty: no items. Errors: NO_MEMORY.
[[nodiscard]] bool text_split(const char *list, struct text_list *ret_list, struct error *e);
void text_list_done(struct text_list *list);
