// What the files that read specs share among themselves.
#pragma once

#include "engine/spec.h"

enum {
    SPEC_VALUE_SHOWN_MAX = 64, // bytes of a wrong value that a message repeats
    SPEC_DESCRIPTION_SIZE = SPEC_VALUE_SHOWN_MAX + 32,
    SPEC_NAME_MAX = 253,
    SPEC_LABEL_MAX = 63,
};

// How many bytes of text a message shows: no more than SPEC_VALUE_SHOWN_MAX, and never a part of a character,
// which would make the message unfit for JSON.
int spec_shown_length(const char *text);

// Writes what value is, for people.
void spec_describe_value(yyjson_val *value, char ret_text[SPEC_DESCRIPTION_SIZE]);

// The field's value, NULL when it is absent or null.
yyjson_val *spec_value(struct spec_reader *reader, const char *field);

// RFC 1123: labels of lower-case letters, digits and, within, '-', divided by dots.
bool spec_is_dns_name(const char *text);
