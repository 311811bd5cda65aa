// server_words_clean: whatever a server says becomes one short line that can be shown, and is alike itself.
#include "fuzz.h"

#include "kube/server_words.h"

enum { KEY_DIGITS = 64 };

// The input with a key in hexadecimal in its middle, between spaces.
static char *with_key(const char *text, const char *key) {
    struct error e;
    cleanup_buffer struct buffer both = buffer_create(1024 * 1024);
    size_t half = strlen(text) / 2;
    MUST(buffer_append_format(&both, &e, "%.*s %s %s", (int)half, text, key, text + half), e);
    char *copy = memory_copy_text(buffer_text(&both));
    CHECK(copy != nullptr);
    return copy;
}

static void check_words(const char *words) {
    size_t length = strlen(words);
    CHECK(length < SERVER_WORDS_SIZE && is_valid_text(words));
    CHECK(length == 0 || (words[0] != ' ' && words[length - 1] != ' '));
    CHECK(strstr(words, "  ") == nullptr && strstr(words, "-----BEGIN") == nullptr);
    for (size_t i = 0; i < length; i++) {
        CHECK((unsigned char)words[i] >= ' ' && words[i] != 0x7f);
    }
    CHECK(server_words_are_alike(words, words));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char key[] = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    static_assert(sizeof(key) == KEY_DIGITS + 1);
    char words[SERVER_WORDS_SIZE];
    cleanup_text char *text = text_of(data, size);
    server_words_clean(text, words);
    check_words(words);
    cleanup_text char *quoting = with_key(text, key);
    server_words_clean(quoting, words);
    check_words(words);
    for (size_t at = 0; at + 16 <= KEY_DIGITS; at++) {
        char piece[17];
        (void)snprintf(piece, sizeof(piece), "%.16s", key + at);
        CHECK(strstr(words, piece) == nullptr);
    }
    size_t half = strlen(text) / 2;
    cleanup_text char *first = memory_copy_span(text, half);
    CHECK(first != nullptr);
    bool alike = server_words_are_alike(first, text + half);
    CHECK(alike == server_words_are_alike(text + half, first));
    return 0;
}
