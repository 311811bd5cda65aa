// What the tests of this folder share.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../torture/torture.h"

#include "base/buffer.h"
#include "base/error.h"
#include "base/secret.h"
#include "crypto/encoding.h"
#include "crypto/openssl.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

// The call must succeed, with its error in e, and leave nothing in OpenSSL's error queue.
#define must(call, e)                                                                                        \
    do {                                                                                                     \
        if (!(call)) {                                                                                       \
            torture_note_failure(#call, &(e));                                                               \
            fail_msg("%s: %s", #call, (e).message);                                                          \
        }                                                                                                    \
        assert_int_equal(ERR_peek_error(), 0);                                                               \
    } while (0)

// The call must fail with that class and with part in its message, and leave nothing in OpenSSL's error
// queue.
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
        assert_int_equal(ERR_peek_error(), 0);                                                               \
    } while (0)

// The bytes of hex digits, owned.
static inline struct secret *from_hex(const char *digits) {
    struct error e;
    struct secret *bytes = nullptr;
    must(hex_decode(digits, strlen(digits), ENCODING_ONE_LINE, &bytes, &e), e);
    return bytes;
}

static inline void assert_hex(const void *bytes, size_t length, const char *digits) {
    struct error e;
    cleanup_buffer struct buffer text = buffer_create(1 << 20);
    must(hex_encode(bytes, length, &text, &e), e);
    assert_string_equal(buffer_text(&text), digits);
}

static inline void assert_secret_hex(const struct secret *secret, const char *digits) {
    assert_hex(secret_view(secret), secret_length(secret), digits);
}

// Bytes that are too long to be written into a test are compared by their SHA-256.
static inline void assert_sha256(const void *bytes, size_t length, const char *digits) {
    unsigned char digest[32];
    assert_int_equal(EVP_Q_digest(nullptr, "SHA2-256", nullptr, bytes, length, digest, nullptr), 1);
    assert_hex(digest, sizeof(digest), digits);
}

// Starts OpenSSL as the program does, for main.
static inline void start_or_fail(void) {
    struct error e;
    if (!crypto_start(&e)) {
        fprintf(stderr, "%s\n", e.message);
        _Exit(2);
    }
}
