#include "base/utf8.h"

#include <stddef.h>
#include <stdint.h>

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

void utf8_make_valid(char *text) {
    while (*text != '\0') {
        size_t length = character_length((const uint8_t *)text);
        if (length == 0) {
            *text = '?';
            length = 1;
        }
        text += length;
    }
}
