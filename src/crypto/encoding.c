#include "crypto/encoding.h"

#include "base/memory.h"

#include <endian.h>
#include <stdint.h>
#include <string.h>

// What is encoded or decoded may be a key, so neither time nor addresses follow from it: digits are computed,
// not looked up, and a character decides a branch only where secret_reveal says what that tells.

enum { NO_DIGIT = 0x100 };

static char hex_digit(uint32_t value) {
    return (char)(value + '0' + (secret_mask_between(value, 10, 15) & ('a' - '0' - 10)));
}

bool hex_encode(const void *bytes, size_t length, struct buffer *text, struct error *e) {
    const uint8_t *from = bytes;
    char *room;
    if (!buffer_reserve(text, 2 * length, &room, e)) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        room[2 * i] = hex_digit(from[i] >> 4);
        room[2 * i + 1] = hex_digit(from[i] & 15);
    }
    buffer_advance(text, 2 * length);
    return true;
}

// The digit's value, or NO_DIGIT.
static uint32_t hex_value(char digit) {
    uint32_t character = (uint8_t)digit;
    uint32_t lower = character | 0x20;
    uint32_t is_decimal = secret_mask_between(character, '0', '9');
    uint32_t is_letter = secret_mask_between(lower, 'a', 'f');
    return (is_decimal & (character - '0')) | (is_letter & (lower - 'a' + 10)) |
           (~(is_decimal | is_letter) & NO_DIGIT);
}

static bool is_skipped(char character, enum encoding_space space) {
    uint32_t value = (uint8_t)character;
    return space == ENCODING_SKIP_SPACES &&
           secret_reveal((secret_mask_between(value, ' ', ' ') | secret_mask_between(value, '\t', '\n') |
                          secret_mask_between(value, '\r', '\r')) != 0);
}

bool hex_decode(const char *text, size_t length, enum encoding_space space, struct secret **ret_bytes,
                struct error *e) {
    cleanup_secret struct secret *secret = nullptr;
    if (!secret_create(length / 2, &secret, e)) {
        return false;
    }
    uint8_t *to = secret_bytes(secret);
    size_t digits = 0;
    uint32_t high = 0;
    for (size_t i = 0; i < length; i++) {
        if (is_skipped(text[i], space)) {
            continue;
        }
        uint32_t value = hex_value(text[i]);
        if (secret_reveal(value == NO_DIGIT)) {
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

// Eight digits are computed at once, one in each byte of a word ("lane"), the first in the highest.
enum { DIGITS = 8, DIGITS_BYTES = 6 }; // so many digits are so many bytes

static const uint64_t ones = 0x0101010101010101; // one in each lane

// 48 bits as eight lanes of six.
static uint64_t spread(uint64_t bits) {
    bits = (bits & 0xffffff000000) << 8 | (bits & 0xffffff);
    bits = (bits & 0x00fff00000fff000) << 4 | (bits & 0x00000fff00000fff);
    return (bits & 0x0fc00fc00fc00fc0) << 2 | (bits & 0x003f003f003f003f);
}

// One in each lane whose value is above limit, else 0; both are below 64.
static uint64_t lanes_above(uint64_t values, unsigned limit) {
    return (values + ones * (127 - limit)) >> 7 & ones;
}

// From one run of digits to the next the distance of value and character changes. No lane leaves its byte.
static uint64_t base64_digits(uint64_t values) {
    uint64_t digits = values + ones * 'A';
    digits += lanes_above(values, 25) * ('a' - 'Z' - 1);
    digits -= lanes_above(values, 51) * ('z' + 1 - '0');
    digits -= lanes_above(values, 61) * ('9' + 1 - '+');
    return digits + lanes_above(values, 62) * ('/' - '+' - 1);
}

static void encode_eight(const uint8_t bytes[DIGITS_BYTES], char digits[DIGITS]) {
    uint64_t bits = 0;
    for (size_t i = 0; i < DIGITS_BYTES; i++) {
        bits = bits << 8 | bytes[i];
    }
    bits = htobe64(base64_digits(spread(bits)));
    memcpy(digits, &bits, DIGITS);
}

// (EVP_EncodeBlock looks digits up.)
bool base64_encode(const void *bytes, size_t length, struct buffer *text, struct error *e) {
    const uint8_t *from = bytes;
    size_t size = (length + 2) / 3 * 4;
    char *room;
    if (!buffer_reserve(text, size, &room, e)) {
        return false;
    }
    size_t rest = length % DIGITS_BYTES;
    for (; length > rest; length -= DIGITS_BYTES, from += DIGITS_BYTES, room += DIGITS) {
        encode_eight(from, room);
    }
    if (rest > 0) {
        uint8_t last[DIGITS_BYTES] = {0};
        char digits[DIGITS];
        memcpy(last, from, rest);
        encode_eight(last, digits);
        size_t written = (rest * 4 + 2) / 3;
        memset(digits + written, '=', sizeof(digits) - written);
        memcpy(room, digits, (rest + 2) / 3 * 4);
        memory_cleanse(last, sizeof(last));
        memory_cleanse(digits, sizeof(digits));
    }
    buffer_advance(text, size);
    return true;
}

// The digit's value, or NO_DIGIT.
static uint32_t base64_value(char digit) {
    uint32_t character = (uint8_t)digit;
    uint32_t is_upper = secret_mask_between(character, 'A', 'Z');
    uint32_t is_lower = secret_mask_between(character, 'a', 'z');
    uint32_t is_decimal = secret_mask_between(character, '0', '9');
    uint32_t is_plus = secret_mask_between(character, '+', '+');
    uint32_t is_slash = secret_mask_between(character, '/', '/');
    return (is_upper & (character - 'A')) | (is_lower & (character - 'a' + 26)) |
           (is_decimal & (character - '0' + 52)) | (is_plus & 62) | (is_slash & 63) |
           (~(is_upper | is_lower | is_decimal | is_plus | is_slash) & NO_DIGIT);
}

// What one pass over base64 text holds. EVP_DecodeBlock looks digits up, too; and it takes "=" for a zero
// digit anywhere, any number of them, and ignores unused bits that are set.
struct base64_reader {
    uint8_t *to;
    size_t length;   // bytes written
    uint32_t group;  // the bits of the present group of four
    unsigned digits; // characters of the present group, padding counted
    unsigned padding;
};

// Takes the next character; false: it does not belong there.
static bool take_character(struct base64_reader *reader, char character) {
    if (secret_reveal(character == '=')) {
        if (reader->digits < 2) {
            return false; // nothing to pad, or one digit only
        }
        unsigned unused = reader->digits == 2 ? 4 : 2; // bits of the last digit that no byte uses
        if (reader->padding == 0 && secret_reveal((reader->group & ((1U << unused) - 1)) != 0)) {
            return false;
        }
        reader->padding++;
        reader->group <<= 6;
    } else {
        uint32_t value = base64_value(character);
        if (reader->padding > 0 || secret_reveal(value == NO_DIGIT)) {
            return false;
        }
        reader->group = reader->group << 6 | value;
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

bool base64url_encode(const void *bytes, size_t length, struct buffer *text, struct error *e) {
    size_t begin = text->length;
    if (!base64_encode(bytes, length, text, e)) {
        return false;
    }
    for (size_t i = begin; i < text->length; i++) {
        char *digit = (char *)text->data + i;
        if (*digit == '+') {
            *digit = '-';
        } else if (*digit == '/') {
            *digit = '_';
        }
    }
    while (text->length > begin && text->data[text->length - 1] == '=') {
        text->data[--text->length] = '\0';
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
