#include "crypto/encoding.h"

#include <limits.h>
#include <openssl/evp.h>
#include <stdint.h>
#include <string.h>

bool hex_encode(const void *bytes, size_t length, struct buffer *text, struct error *e) {
    static const char digits[] = "0123456789abcdef";
    const uint8_t *from = bytes;
    char *room;
    if (!buffer_reserve(text, 2 * length, &room, e)) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        room[2 * i] = digits[from[i] >> 4];
        room[2 * i + 1] = digits[from[i] & 15];
    }
    buffer_advance(text, 2 * length);
    return true;
}

// The digit's value, or -1.
static int hex_value(char digit) {
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    char lower = (char)(digit | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

static bool is_skipped(char character, enum encoding_space space) {
    return space == ENCODING_SKIP_SPACES &&
           (character == ' ' || character == '\t' || character == '\n' || character == '\r');
}

bool hex_decode(const char *text, size_t length, enum encoding_space space, struct secret **ret_bytes,
                struct error *e) {
    cleanup_secret struct secret *secret = nullptr;
    if (!secret_create(length / 2, &secret, e)) {
        return false;
    }
    uint8_t *to = secret_bytes(secret);
    size_t digits = 0;
    int high = 0;
    for (size_t i = 0; i < length; i++) {
        if (is_skipped(text[i], space)) {
            continue;
        }
        int value = hex_value(text[i]);
        if (value < 0) {
            return error_set(e, ERROR_INVALID_SPEC, "the character at position %zu is not a hex digit",
                             i + 1);
        }
        if (digits % 2 == 0) {
            high = value;
        } else {
            to[digits / 2] = (uint8_t)(high << 4 | value);
        }
        digits++;
    }
    if (digits % 2 != 0) {
        return error_set(e, ERROR_INVALID_SPEC, "an odd number of hex digits (%zu)", digits);
    }
    secret_shorten(secret, digits / 2);
    *ret_bytes = secret;
    secret = nullptr;
    return true;
}

bool base64_encode(const void *bytes, size_t length, struct buffer *text, struct error *e) {
    if (length > INT_MAX / 4 * 3) {
        return error_set(e, ERROR_INTERNAL, "%zu bytes are too many for base64", length);
    }
    size_t encoded = (length + 2) / 3 * 4;
    char *room;
    if (!buffer_reserve(text, encoded, &room, e)) {
        return false;
    }
    EVP_EncodeBlock((unsigned char *)room, bytes,
                    (int)length); // ends in a NUL, which buffer_reserve has room for
    buffer_advance(text, encoded);
    return true;
}

// The digit's value, or -1.
static int base64_value(char digit) {
    if (digit >= 'A' && digit <= 'Z') {
        return digit - 'A';
    }
    if (digit >= 'a' && digit <= 'z') {
        return digit - 'a' + 26;
    }
    if (digit >= '0' && digit <= '9') {
        return digit - '0' + 52;
    }
    return digit == '+' ? 62 : digit == '/' ? 63 : -1;
}

// What one pass over base64 text holds. EVP_DecodeBlock is not used: it takes "=" for a zero digit anywhere,
// any number of them, and ignores unused bits that are set.
struct base64_reader {
    uint8_t *to;
    size_t length;   // bytes written
    uint32_t group;  // the bits of the present group of four
    unsigned digits; // characters of the present group, padding counted
    unsigned padding;
};

// Takes the next character; false: it does not belong there.
static bool take_character(struct base64_reader *reader, char character) {
    if (character == '=') {
        if (reader->digits < 2) {
            return false; // nothing to pad, or one digit only
        }
        unsigned unused = reader->digits == 2 ? 4 : 2; // bits of the last digit that no byte uses
        if (reader->padding == 0 && (reader->group & ((1U << unused) - 1)) != 0) {
            return false;
        }
        reader->padding++;
        reader->group <<= 6;
    } else {
        int value = base64_value(character);
        if (value < 0 || reader->padding > 0) {
            return false;
        }
        reader->group = reader->group << 6 | (uint32_t)value;
    }
    reader->digits++;
    if (reader->digits == 4) {
        unsigned bytes = 3 - reader->padding;
        for (unsigned i = 0; i < bytes; i++) {
            reader->to[reader->length++] = (uint8_t)(reader->group >> (16 - 8 * i));
        }
        reader->digits = 0;
        reader->group = 0; // padding stays: nothing may follow it
    }
    return true;
}

bool base64_decode(const char *text, size_t length, enum encoding_space space, struct secret **ret_bytes,
                   struct error *e) {
    cleanup_secret struct secret *secret = nullptr;
    if (!secret_create(length / 4 * 3, &secret, e)) {
        return false;
    }
    struct base64_reader reader = {.to = secret_bytes(secret)};
    for (size_t i = 0; i < length; i++) {
        if (is_skipped(text[i], space)) {
            continue;
        }
        if (!take_character(&reader, text[i])) {
            return error_set(e, ERROR_INVALID_SPEC,
                             "the character at position %zu does not belong into base64", i + 1);
        }
    }
    if (reader.digits != 0) {
        return error_set(e, ERROR_INVALID_SPEC, "the base64 text ends in an incomplete group of four");
    }
    secret_shorten(secret, reader.length);
    *ret_bytes = secret;
    secret = nullptr;
    return true;
}
