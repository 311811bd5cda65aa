// One PEM block in the shapes in which people have it.
#pragma once

#include "base/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#define shape_say(buffer, ...)                                                                               \
    do {                                                                                                     \
        struct error shape_error;                                                                            \
        assert_true(buffer_append_format(buffer, &shape_error, __VA_ARGS__));                                \
    } while (0)

static const char *const pem_shapes[] = {
    "lines that end with CR and LF",
    "lines that end with CR",
    "text before it",
    "a byte order mark before it",
    "no line end after it",
    "base64 in lines of 76",
    "base64 in one line",
    "all in one line",
    "lines that are indented",
    "an empty line after each line",
};

enum { PEM_SHAPE_COUNT = sizeof(pem_shapes) / sizeof(pem_shapes[0]) };

// The base64 of a block as OpenSSL writes it, in lines of width (0: one line).
static inline void shape_body(const char *pem, size_t width, struct buffer *text) {
    const char *at = strchr(pem, '\n') + 1;
    const char *end = strstr(at, "-----END");
    size_t column = 0;
    shape_say(text, "%.*s", (int)(at - pem), pem);
    for (; at < end; at++) {
        if (*at != '\n') {
            shape_say(text, "%s%c", width > 0 && column > 0 && column % width == 0 ? "\n" : "", *at);
            column++;
        }
    }
    shape_say(text, "\n%s", end);
}

static inline void replace_line_ends(const char *pem, const char *with, struct buffer *text) {
    for (; *pem != '\0'; pem++) {
        shape_say(text, *pem == '\n' ? "%s" : "%.1s", *pem == '\n' ? with : pem);
    }
}

// Appends pem, one block as OpenSSL writes it, in one of the shapes.
static inline void pem_shape(size_t shape, const char *pem, struct buffer *text) {
    switch (shape) {
    case 0:
        replace_line_ends(pem, "\r\n", text);
        break;
    case 1:
        replace_line_ends(pem, "\r", text);
        break;
    case 2:
        shape_say(text, "Bag Attributes\n    friendlyName: x\nsubject=CN = x\n%s", pem);
        break;
    case 3:
        shape_say(text, "\xef\xbb\xbf%s", pem);
        break;
    case 4:
        shape_say(text, "%.*s", (int)strlen(pem) - 1, pem);
        break;
    case 5:
        shape_body(pem, 76, text);
        break;
    case 6:
        shape_body(pem, 0, text);
        break;
    case 7:
        replace_line_ends(pem, " ", text);
        break;
    case 8:
        shape_say(text, "    ");
        replace_line_ends(pem, "\n    ", text);
        break;
    default:
        replace_line_ends(pem, "\n\n", text);
        break;
    }
}
