#include "base/pem_form.h"

#include "check.h"
#include "pem_shapes.h"

enum { BIG = 100000 };

// 150 characters of base64, as OpenSSL writes them.
#define BODY_LINE "MIIBcTCCARagAwIBAgIBATAKBggqhkjOPQQDAjANMQswCQYDVQQDDAJDQTAeFw0y"
#define CERTIFICATE                                                                                          \
    "-----BEGIN CERTIFICATE-----\n" BODY_LINE "\n" BODY_LINE "\nNjEwMDUxMjAwMDBaFw0+/w==\n"                  \
    "-----END CERTIFICATE-----\n"
#define KEY "-----BEGIN PRIVATE KEY-----\nMC4CAQAw\n-----END PRIVATE KEY-----\n"

static void assert_normalizes(const char *text, size_t length, const char *wanted) {
    struct error e;
    cleanup_buffer struct buffer made = {0};
    must(pem_form_normalize(text, length, &made, &e), e);
    assert_string_equal(buffer_text(&made), wanted);
    assert_int_equal(made.length, strlen(wanted));
}

static void assert_text(const char *text, const char *wanted) {
    assert_normalizes(text, strlen(text), wanted);
}

// Their marks are parted, and else they stay.
static void assert_refused(const char *text) {
    struct error e;
    cleanup_buffer struct buffer made = {0};
    must(pem_form_normalize(text, strlen(text), &made, &e), e);
    const char *at = buffer_text(&made);
    for (; *text != '\0'; text++, at++) {
        at += *at == ' ' && *text != ' ' ? 1 : 0;
        assert_int_equal(*at, *text);
    }
    assert_int_equal(*at, '\0');
}

static void assert_has(const char *text, const char *part, bool wanted) {
    struct error e;
    cleanup_buffer struct buffer made = {0};
    must(pem_form_normalize(text, strlen(text), &made, &e), e);
    assert_int_equal(strstr(buffer_text(&made), part) != nullptr, wanted);
}

static void every_shape_becomes_the_one_of_the_rfc(void **) {
    for (size_t i = 0; i < PEM_SHAPE_COUNT; i++) {
        struct error e;
        cleanup_buffer struct buffer shaped = buffer_create(BIG);
        cleanup_buffer struct buffer made = {0};
        pem_shape(i, CERTIFICATE, &shaped);
        must(pem_form_normalize(shaped.data, shaped.length, &made, &e), e);
        const char *block = strstr(buffer_text(&made), "-----BEGIN");
        if (block == nullptr || strncmp(block, CERTIFICATE, strlen(CERTIFICATE)) != 0 ||
            (block != made.data && block[-1] != '\n')) {
            fail_msg("%s: %s", pem_shapes[i], buffer_text(&made));
        }
    }
}

static void blocks_are_parted_and_what_is_between_them_stays(void **) {
    static const char glued[] =
        "-----BEGIN A-----\nAAAA\n-----END A----------BEGIN B-----\nBBBB\n-----END B-----";
    assert_text(glued,
                "-----BEGIN A-----\nAAAA\n-----END A-----\n-----BEGIN B-----\nBBBB\n-----END B-----\n");
    assert_text("-----BEGIN A----- AAAA -----END A----- \t -----BEGIN B----- BBBB -----END B-----",
                "-----BEGIN A-----\nAAAA\n-----END A-----\n \t \n"
                "-----BEGIN B-----\nBBBB\n-----END B-----\n");
    assert_text("one\n" CERTIFICATE "two\n" KEY "three", "one\n" CERTIFICATE "two\n" KEY "three");
    assert_text("one\r -----BEGIN A-----\rAAAA\r-----END A-----",
                "one\r \n-----BEGIN A-----\nAAAA\n-----END A-----\n");
    assert_text(CERTIFICATE CERTIFICATE, CERTIFICATE CERTIFICATE);
}

static void what_is_no_block_of_base64_is_left_as_it_is(void **) {
    static const char *const texts[] = {
        "",
        "no PEM",
        "-----BEGIN ",
        "-----BEGIN A",
        "-----BEGIN A----",
        "-----BEGIN A-----",
        "-----BEGIN A-----\nAAAA\n",
        "-----BEGIN A-----\nAAAA\n-----END ",
        "-----BEGIN A-----\nAAAA\n-----END B-----\n",
        "-----BEGIN A-----\nAAAA\n-----END A----\n",
        "-----BEGIN A-----\nAA%A\n-----END A-----\n",
        "-----BEGIN A-----\nAA\xc2\xa0 AA\n-----END A-----\n",
        "-----BEGIN A-----\nX: y\n\nAAAA\n-----END A-----\n",
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----\n",
        "-----BEGIN A\n-----\nAAAA\n-----END A\n-----\n",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_text(texts[i], texts[i]);
    }
}

// Whoever has put anything before it wants it not to be read.
static void what_is_not_first_in_its_line_is_no_block(void **) {
    static const char *const texts[] = {
        "#" CERTIFICATE,
        "# " CERTIFICATE,
        "the line -----BEGIN A----- begins it",
        "  #\t" CERTIFICATE,
        "x\n#" CERTIFICATE,
        "# -----BEGIN A----- AAAA -----END A-----\n",
        "# -----BEGIN A-----AAAA-----END A----------BEGIN B-----BBBB-----END B-----\n",
        "#-----BEGIN A-----\n#AAAA\n#-----END A-----\n",
        "ca: " CERTIFICATE,
        "\"" CERTIFICATE "\"",
        "-----BEGIN A-----" KEY,
        "-----BEGIN -----BEGIN A-----AAAA-----END A-----",
        "#\xef\xbb\xbf" CERTIFICATE,
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_refused(texts[i]);
        assert_has(texts[i], "-----BEGIN CERT", false);
    }
    assert_text("-----BEGIN A-----AAAA-----END A-----#-----BEGIN B-----BBBB-----END B-----",
                "-----BEGIN A-----\nAAAA\n-----END A-----\n#- ----BEGIN B-----BBBB-----END B-----");
    assert_text(CERTIFICATE "# -----BEGIN A----- AAAA -----END A-----\n",
                CERTIFICATE "# - ----BEGIN A----- AAAA -----END A-----\n");
    assert_text("x-----BEGIN A-----BEGIN B-----", "x- ----BEGIN A- ----BEGIN B-----");
}

// A boundary in a text is taken for one only if all of a block follows.
static void a_block_behind_a_boundary_that_begins_none_is_found(void **) {
    assert_text("-----BEGIN A-----\n -----BEGIN A-----AAAA-----END A-----",
                "-----BEGIN A-----\n \n-----BEGIN A-----\nAAAA\n-----END A-----\n");
}

static void a_block_of_nothing_stays_one(void **) {
    assert_text("-----BEGIN A----- -----END A-----", "-----BEGIN A-----\n-----END A-----\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_shape_becomes_the_one_of_the_rfc),
        cmocka_unit_test(blocks_are_parted_and_what_is_between_them_stays),
        cmocka_unit_test(what_is_no_block_of_base64_is_left_as_it_is),
        cmocka_unit_test(what_is_not_first_in_its_line_is_no_block),
        cmocka_unit_test(a_block_behind_a_boundary_that_begins_none_is_found),
        cmocka_unit_test(a_block_of_nothing_stays_one),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
