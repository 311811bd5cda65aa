// What unit tests of base, json and kube share.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../torture/torture.h"

#include "base/buffer.h"
#include "base/error.h"

#include <string.h>

// The call must succeed, with its error in e.
#define must(call, e)                                                                                        \
    do {                                                                                                     \
        if (!(call)) {                                                                                       \
            torture_note_failure(#call, &(e));                                                               \
            fail_msg("%s: %s", #call, (e).message);                                                          \
        }                                                                                                    \
    } while (0)

// The call must fail with that class and with part in its message.
#define must_fail(call, e, expected, part)                                                                   \
    do {                                                                                                     \
        (e) = (struct error){0};                                                                             \
        if (call) {                                                                                          \
            torture_note_wrong(#call, nullptr);                                                              \
            fail_msg("%s: succeeded", #call);                                                                \
        }                                                                                                    \
        if ((e).class != (expected) || strstr((e).message, part) == nullptr) {                               \
            if ((e).class != (expected)) {                                                                   \
                torture_note_wrong(#call, &(e));                                                             \
            }                                                                                                \
            fail_msg("%s: %s \"%s\", wanted %s \"%s\"", #call, error_class_name((e).class), (e).message,     \
                     error_class_name(expected), part);                                                      \
        }                                                                                                    \
    } while (0)

// Appends to buffer, whose cap is expected to suffice.
#define say(buffer, ...)                                                                                     \
    do {                                                                                                     \
        struct error say_error;                                                                              \
        must(buffer_append_format(buffer, &say_error, __VA_ARGS__), say_error);                              \
    } while (0)
