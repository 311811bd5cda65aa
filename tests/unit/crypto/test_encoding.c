#include "support.h"

#include <openssl/rand.h>

typedef bool decoder(const char *text, size_t length, enum encoding_space space, struct secret **ret_bytes,
                     struct error *e);

static void assert_decodes(decoder *decode, const char *text, enum encoding_space space, const char *bytes) {
    struct error e;
    cleanup_secret struct secret *decoded = nullptr;
    must(decode(text, strlen(text), space, &decoded, &e), e);
    assert_true(secret_equals(decoded, bytes, strlen(bytes)));
}

static void assert_refused(decoder *decode, const char *text, enum encoding_space space, const char *part) {
    struct error e;
    struct secret *decoded = nullptr;
    must_fail(decode(text, strlen(text), space, &decoded, &e), e, ERROR_INVALID_SPEC, part);
    assert_null(decoded);
}

static void test_hex_encode(void **) {
    struct error e;
    cleanup_buffer struct buffer text = buffer_create(9);
    must(buffer_append_text(&text, ">", &e), e);
    must(hex_encode("\x00\x7f\xab\xff", 4, &text, &e), e);
    must(hex_encode(nullptr, 0, &text, &e), e);
    assert_string_equal(buffer_text(&text), ">007fabff");
    must_fail(hex_encode("x", 1, &text, &e), e, ERROR_INTERNAL, "over the limit");
    assert_string_equal(buffer_text(&text), ">007fabff");
}

static void test_hex_decode(void **) {
    assert_decodes(hex_decode, "", ENCODING_ONE_LINE, "");
    assert_decodes(hex_decode, "4a4B6F", ENCODING_ONE_LINE, "JKo");
    assert_decodes(hex_decode, " 4a 4\n\tB6\r\nF ", ENCODING_SKIP_SPACES, "JKo");
    struct secret *all = from_hex("00010910a0Ff");
    assert_true(secret_equals(all, "\x00\x01\x09\x10\xa0\xff", 6));
    secret_free(all);
}

static void test_hex_decode_refuses(void **) {
    assert_refused(hex_decode, "4", ENCODING_ONE_LINE, "an odd number of hex digits (1)");
    assert_refused(hex_decode, "4a4", ENCODING_SKIP_SPACES, "an odd number of hex digits (3)");
    assert_refused(hex_decode, "4a4g", ENCODING_ONE_LINE, "at position 4");
    assert_refused(hex_decode, "0x4a", ENCODING_ONE_LINE, "at position 2");
    assert_refused(hex_decode, "4a 4b", ENCODING_ONE_LINE, "at position 3");
    assert_refused(hex_decode, "4a\n", ENCODING_ONE_LINE, "at position 3");
    assert_refused(hex_decode, "4a\v4b", ENCODING_SKIP_SPACES, "at position 3");
}

static void test_hex_takes_no_nul(void **) {
    struct error e;
    struct secret *decoded = nullptr;
    must_fail(hex_decode("4a\0", 3, ENCODING_SKIP_SPACES, &decoded, &e), e, ERROR_INVALID_SPEC,
              "at position 3");
}

// RFC 4648 section 10.
static const struct {
    const char *bytes;
    const char *text;
} rfc4648[] = {
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
    {"\xfb\xff\xbf", "+/+/"},
};

static void test_base64_known_answers(void **) {
    struct error e;
    for (size_t i = 0; i < sizeof(rfc4648) / sizeof(rfc4648[0]); i++) {
        cleanup_buffer struct buffer text = buffer_create(100);
        must(base64_encode(rfc4648[i].bytes, strlen(rfc4648[i].bytes), &text, &e), e);
        assert_string_equal(buffer_text(&text), rfc4648[i].text);
        assert_decodes(base64_decode, rfc4648[i].text, ENCODING_ONE_LINE, rfc4648[i].bytes);
    }
}

static void test_base64_encode_keeps_the_cap(void **) {
    struct error e;
    cleanup_buffer struct buffer text = buffer_create(8);
    must(base64_encode("foob", 4, &text, &e), e);
    must_fail(base64_encode("f", 1, &text, &e), e, ERROR_INTERNAL, "over the limit");
    assert_string_equal(buffer_text(&text), "Zm9vYg==");
    must_fail(base64_encode("f", SIZE_MAX / 2, &text, &e), e, ERROR_INTERNAL, "over the limit");
}

static void test_base64_skips_spaces_where_it_is_told(void **) {
    assert_decodes(base64_decode, " Zm 9v\r\nYm\tE =\n", ENCODING_SKIP_SPACES, "fooba");
    assert_refused(base64_decode, "Zm9v\nYmE=", ENCODING_ONE_LINE, "at position 5");
    assert_refused(base64_decode, "Zm9vYmE= ", ENCODING_ONE_LINE, "at position 9");
    assert_refused(base64_decode, "Zm9v\fYmE=", ENCODING_SKIP_SPACES, "at position 5");
}

static void test_base64_decode_refuses(void **) {
    static const struct {
        const char *text;
        const char *part;
    } wrong[] = {
        {"Z", "incomplete"},
        {"Zg", "incomplete"},
        {"Zm8", "incomplete"},
        {"Zg=", "incomplete"},
        {"Zm9vY", "incomplete"},
        {"=", "at position 1"},
        {"Z=", "at position 2"},
        {"Z===", "at position 2"},
        {"A===", "at position 2"},
        {"====", "at position 1"},
        {"Zg===", "at position 5"},
        {"Zm8==", "at position 5"},
        {"Zm9v=", "at position 5"},
        {"Zg==Zg==", "at position 5"},
        {"Zg=v", "at position 4"},
        {"Zm8=Zm8=", "at position 5"},
        {"Zh==", "at position 3"},
        {"Zo==", "at position 3"},
        {"Zm9=", "at position 4"},
        {"Zm+=", "at position 4"},
        {"Zm-v", "at position 3"},
        {"Zm_v", "at position 3"},
        {"Zm.v", "at position 3"},
        {"Zm\x80v", "at position 3"},
        {"Zm9v,Zm9v", "at position 5"},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_refused(base64_decode, wrong[i].text, ENCODING_SKIP_SPACES, wrong[i].part);
    }
}

// Of all characters exactly the 22 and 64 digits pass.
static void test_digits_are_known(void **) {
    struct error e;
    int hex = 0;
    int base64 = 0;
    for (int character = 0; character < 256; character++) {
        const char text[4] = {'A', 'A', 'A', (char)character};
        struct secret *decoded = nullptr;
        if (hex_decode(text, 4, ENCODING_ONE_LINE, &decoded, &e)) {
            hex++;
            secret_free(decoded);
        }
        decoded = nullptr;
        if (base64_decode(text, 4, ENCODING_ONE_LINE, &decoded, &e) && secret_length(decoded) == 3) {
            base64++;
        }
        secret_free(decoded);
    }
    assert_int_equal(hex, 22);
    assert_int_equal(base64, 64);
}

static void test_base64_and_hex_round_trips(void **) {
    struct error e;
    uint8_t bytes[300];
    assert_int_equal(RAND_bytes(bytes, sizeof(bytes)), 1);
    for (size_t length = 0; length <= sizeof(bytes); length++) {
        cleanup_buffer struct buffer base64 = buffer_create(1000);
        cleanup_buffer struct buffer hex = buffer_create(1000);
        cleanup_secret struct secret *from_base64 = nullptr;
        cleanup_secret struct secret *back = nullptr;
        must(base64_encode(bytes, length, &base64, &e), e);
        must(base64_decode(buffer_text(&base64), base64.length, ENCODING_ONE_LINE, &from_base64, &e), e);
        assert_true(secret_equals(from_base64, bytes, length));
        must(hex_encode(bytes, length, &hex, &e), e);
        must(hex_decode(buffer_text(&hex), hex.length, ENCODING_ONE_LINE, &back, &e), e);
        assert_true(secret_equals(back, bytes, length));
    }
}

int main(void) {
    start_or_fail();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hex_encode),
        cmocka_unit_test(test_hex_decode),
        cmocka_unit_test(test_hex_decode_refuses),
        cmocka_unit_test(test_hex_takes_no_nul),
        cmocka_unit_test(test_base64_known_answers),
        cmocka_unit_test(test_base64_encode_keeps_the_cap),
        cmocka_unit_test(test_base64_skips_spaces_where_it_is_told),
        cmocka_unit_test(test_base64_decode_refuses),
        cmocka_unit_test(test_digits_are_known),
        cmocka_unit_test(test_base64_and_hex_round_trips),
    };
    return cmocka_run_group_tests_name("crypto/encoding", tests, nullptr, nullptr);
}
