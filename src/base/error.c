#include "base/error.h"

#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

// Ends a text that snprintf had to cut in "...", and makes it valid UTF-8.
static void finish(char *message, int written) {
    if (written >= ERROR_MESSAGE_SIZE) {
        size_t end = ERROR_MESSAGE_SIZE - 4;
        while (end > 0 && ((unsigned char)message[end] & 0xc0) == 0x80) {
            end--; // after a whole character
        }
        memcpy(message + end, "...", 4);
    }
    utf8_make_valid(message);
}

bool error_set(struct error *e, enum error_class class, const char *format, ...) {
    char message[ERROR_MESSAGE_SIZE]; // since e->message may be among the arguments
    va_list arguments;
    va_start(arguments, format);
    finish(message, vsnprintf(message, sizeof(message), format, arguments));
    va_end(arguments);
    e->class = class;
    e->retry_after_ms = 0;
    memcpy(e->message, message, sizeof(message));
    return false;
}

bool error_wrap(struct error *e, const char *format, ...) {
    char wrapped[ERROR_MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    int written = vsnprintf(wrapped, sizeof(wrapped), format, arguments);
    va_end(arguments);
    if (written >= 0 && written < ERROR_MESSAGE_SIZE) {
        size_t used = (size_t)written;
        written += snprintf(wrapped + used, sizeof(wrapped) - used, ": %s", e->message);
    }
    finish(wrapped, written);
    memcpy(e->message, wrapped, sizeof(wrapped));
    return false;
}

bool error_no_memory(struct error *e, const char *what) {
    return error_set(e, ERROR_NO_MEMORY, "out of memory: %s", what);
}

const char *error_class_name(enum error_class class) {
    static const char *const names[ERROR_CLASS_COUNT] = {
        [ERROR_NONE] = "none",
        [ERROR_RETRYABLE] = "retryable",
        [ERROR_CONFLICT] = "conflict",
        [ERROR_NOT_FOUND] = "not_found",
        [ERROR_GONE] = "gone",
        [ERROR_FORBIDDEN] = "forbidden",
        [ERROR_INVALID_SPEC] = "invalid_spec",
        [ERROR_REFUSED] = "refused",
        [ERROR_KEY_LOST] = "key_lost",
        [ERROR_KEY_MISMATCH] = "key_mismatch",
        [ERROR_CRYPTO] = "crypto",
        [ERROR_IO] = "io",
        [ERROR_NO_MEMORY] = "no_memory",
        [ERROR_INTERNAL] = "internal",
    };
    return (unsigned)class < ERROR_CLASS_COUNT ? names[class] : "unknown";
}
