// Hexadecimal and base64, read and written, and byte strings of a known length in either of them.
#include "fuzz.h"

#include "crypto/encoding.h"
#include "crypto/keyform.h"

#include <ctype.h>

enum { TEXT_MAX = 1024 * 1024, WANTED = 32 };

typedef bool decoder(const char *text, size_t length, enum encoding_space space, struct secret **ret_bytes,
                     struct error *e);
typedef bool encoder(const void *bytes, size_t length, struct buffer *text, struct error *e);

// The input without what ENCODING_SKIP_SPACES skips; hex digits in lower case.
static void append_plain(const uint8_t *data, size_t size, bool lower, struct buffer *plain) {
    struct error e;
    for (size_t i = 0; i < size; i++) {
        char c = lower ? (char)tolower(data[i]) : (char)data[i];
        bool space = c == ' ' || c == '\t' || c == '\n' || c == '\r';
        MUST(space || buffer_append(plain, &c, 1, &e), e);
    }
}

static bool decode(decoder *read, const char *text, size_t length, enum encoding_space space,
                   struct secret **ret_bytes) {
    struct error e = {0};
    struct secret *untouched = *ret_bytes;
    if (read(text, length, space, ret_bytes, &e)) {
        return true;
    }
    CHECK(*ret_bytes == untouched);
    check_refusal(&e, ERROR_INVALID_SPEC);
    return false;
}

// Bytes have one spelling: what was read is written as it was, but for its spaces (and the case of hex).
static void check_text(decoder *read, encoder *write, const uint8_t *data, size_t size) {
    struct error e;
    cleanup_buffer struct buffer plain = buffer_create(TEXT_MAX);
    cleanup_buffer struct buffer again = buffer_create(TEXT_MAX);
    cleanup_secret struct secret *loose = nullptr;
    cleanup_secret struct secret *strict = nullptr;
    append_plain(data, size, read == hex_decode, &plain);
    bool is_loose = decode(read, (const char *)data, size, ENCODING_SKIP_SPACES, &loose);
    bool is_strict = decode(read, (const char *)data, size, ENCODING_ONE_LINE, &strict);
    CHECK(is_strict == (is_loose && plain.length == size));
    if (is_loose) {
        MUST(write(secret_view(loose), secret_length(loose), &again, &e), e);
        CHECK(again.length == plain.length && strcmp(buffer_text(&again), buffer_text(&plain)) == 0);
    }
    if (is_strict) {
        CHECK(secret_length(strict) == secret_length(loose) &&
              secret_equals(loose, secret_view(strict), secret_length(strict)));
    }
}

static void check_bytes(decoder *read, encoder *write, const uint8_t *data, size_t size) {
    struct error e;
    cleanup_buffer struct buffer text = buffer_create(TEXT_MAX);
    cleanup_secret struct secret *again = nullptr;
    MUST(write(data, size, &text, &e), e);
    CHECK(decode(read, buffer_text(&text), text.length, ENCODING_ONE_LINE, &again));
    CHECK(secret_equals(again, data, size));
}

static void check_known_length(const uint8_t *data, size_t size) {
    struct error e = {0};
    struct secret *untouched = (struct secret *)&e;
    struct secret *bytes = untouched;
    if (keyform_read_bytes("thing", WANTED, data, size, &bytes, &e)) {
        CHECK(secret_length(bytes) == WANTED);
        secret_free(bytes);
    } else {
        CHECK(bytes == untouched && size != WANTED);
        check_refusal(&e, ERROR_INVALID_SPEC);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    check_text(hex_decode, hex_encode, data, size);
    check_text(base64_decode, base64_encode, data, size);
    check_bytes(hex_decode, hex_encode, data, size);
    check_bytes(base64_decode, base64_encode, data, size);
    check_known_length(data, size);
    return 0;
}
