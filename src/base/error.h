// Errors: a class that decides what happens next, and a message for people.
//
// Every fallible function returns bool (true: done), takes `struct error *e` last and leaves its ret_...
// parameters untouched when it fails. The caller passes an error that it owns, usually on its stack; nothing
// is allocated.
#pragma once

#include <stddef.h>
#include <stdint.h>

enum error_class {
    ERROR_NONE,         // no error: a zeroed struct error
    ERROR_RETRYABLE,    // the same call may succeed later: a busy or restarting server, a lost race
    ERROR_CONFLICT,     // something of that name exists and is not ours
    ERROR_NOT_FOUND,    // the thing asked for does not exist
    ERROR_GONE,         // a resourceVersion or continue token is too old: list again
    ERROR_FORBIDDEN,    // refused by authorization
    ERROR_INVALID_SPEC, // what the user wrote, or the input that it names, cannot be served as it is
    ERROR_REFUSED,  // the API server did not accept a request of ours: admission, quota, missing permission
    ERROR_KEY_LOST, // what cannot be made again is gone, and nothing may take its place
    ERROR_KEY_MISMATCH, // two things that are sound by themselves are not of one key
    ERROR_CRYPTO,       // OpenSSL failed, or a result did not pass its check
    ERROR_IO,           // the network or the file system failed
    ERROR_NO_MEMORY,
    ERROR_INTERNAL, // a broken assumption of our own
};

enum { ERROR_CLASS_COUNT = ERROR_INTERNAL + 1, ERROR_MESSAGE_SIZE = 1024 };

struct error {
    enum error_class class;
    uint32_t retry_after_ms; // what the server asked for; 0: it did not say
    char message[ERROR_MESSAGE_SIZE];
};

// Fills *e (a too long message is cut, ending in "..."). Always returns false, so that a function can end
// with `return error_set(e, ...)`.
[[gnu::format(printf, 3, 4)]] bool error_set(struct error *e, enum error_class class, const char *format,
                                             ...);

// Puts what the caller was doing in front of the message: "reading x: " + message. Always returns false.
[[gnu::format(printf, 2, 3)]] bool error_wrap(struct error *e, const char *format, ...);

// Out of memory while doing `what`. Always returns false.
bool error_no_memory(struct error *e, const char *what);

// The class's name in lower case with underscores, as metrics and logs show it; static.
const char *error_class_name(enum error_class class);
