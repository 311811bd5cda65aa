#include "kube/server_words.h"

#include "base/utf8.h"
#include "kube/server_words_key.h"

#include <stdint.h>

enum {
    TEXT_MAX = 16 * 1024, // bytes that are looked at
    BINARY_SIGNS_MIN = 2, // as many say that there are bytes which are no text
};

static const char removed[] = "[removed]";
static const char cut[] = "...";

// ---- bytes that are no text

// The length of the control character at `at`; 0: there is none.
static size_t control_length(const char *at) {
    uint8_t first = (uint8_t)at[0];
    if ((first < 0x20 && !is_one_of(at[0], "\t\n\r") && first != 0) || first == 0x7f) {
        return 1;
    }
    return first == 0xc2 && (uint8_t)at[1] >= 0x80 && (uint8_t)at[1] < 0xa0 ? 2 : 0;
}

// The same of what is not seen, or changes how others are: control characters, and of U+2000 to U+206F the
// separators of lines and the marks of direction.
static size_t unseen_length(const char *at) {
    const uint8_t *bytes = (const uint8_t *)at;
    if (bytes[0] != 0xe2 || (bytes[1] != 0x80 && bytes[1] != 0x81)) {
        return control_length(at);
    }
    bool first_half = (bytes[2] >= 0x8b && bytes[2] <= 0x8f) || (bytes[2] >= 0xa8 && bytes[2] <= 0xae);
    bool second_half = bytes[2] >= 0xa0 && bytes[2] <= 0xaf;
    return (bytes[1] == 0x80 ? first_half : second_half) ? 3 : 0;
}

// The length of a sign of such bytes at `at`: a control character, what a decoder puts in the place of what
// is no UTF-8, or an escape as programs print them; 0: there is none.
static size_t binary_sign(const char *at) {
    static const char replacement[] = "\xef\xbf\xbd";
    size_t control = control_length(at);
    if (control > 0) {
        return control;
    }
    if (strncmp(at, replacement, sizeof(replacement) - 1) == 0) {
        return sizeof(replacement) - 1;
    }
    bool hex = at[0] == '\\' && is_one_of(at[1], "xuU") && is_hex(at[2]) && is_hex(at[3]);
    bool octal = at[0] == '\\' && is_digit(at[1]) && is_digit(at[2]) && is_digit(at[3]);
    return hex || octal ? 4 : 0;
}

static bool is_space(char c) {
    return is_one_of(c, " \t\n\r");
}

// From the word in which the first sign is to the end of the one with the last; empty if there are too few.
static struct span find_binary(struct span text) {
    struct span binary = {text.end, text.end};
    size_t signs = 0;
    for (const char *at = text.begin; at < text.end;) {
        size_t length = binary_sign(at);
        if (length > 0) {
            binary.begin = signs == 0 ? at : binary.begin;
            binary.end = at + length;
            signs++;
        }
        at += length > 0 ? length : 1;
    }
    if (signs < BINARY_SIGNS_MIN) {
        return (struct span){text.end, text.end};
    }
    while (binary.begin > text.begin && !is_space(binary.begin[-1])) {
        binary.begin--;
    }
    while (binary.end < text.end && !is_space(*binary.end)) {
        binary.end++;
    }
    return binary;
}

// ---- writing

struct words {
    char *text; // SERVER_WORDS_SIZE
    size_t length;
    bool is_cut; // something did not find room
};

static void add(struct words *words, const char *bytes, size_t length) {
    size_t room = SERVER_WORDS_SIZE - 1 - words->length;
    if (length > room) {
        words->is_cut = true;
        length = room;
    }
    memcpy(words->text + words->length, bytes, length);
    words->length += length;
}

// One space between words, none at the beginning.
static void add_space(struct words *words) {
    if (words->length > 0 && words->text[words->length - 1] != ' ') {
        add(words, " ", 1);
    }
}

static void finish(struct words *words) {
    size_t kept = SERVER_WORDS_SIZE - sizeof(cut);
    if (words->is_cut) {
        words->length = words->length < kept ? words->length : kept;
        while (words->length > 0 && ((uint8_t)words->text[words->length] & 0xc0) == 0x80) {
            words->length--; // after a whole character
        }
        add(words, cut, sizeof(cut) - 1);
    }
    while (words->length > 0 && words->text[words->length - 1] == ' ') {
        words->length--;
    }
    words->text[words->length] = '\0';
    utf8_make_valid(words->text);
}

// Adds what is at `at`, and returns what comes next.
static const char *add_piece(struct words *words, const char *at) {
    struct span hidden = server_words_find_key(at);
    if (span_length(hidden) > 0) {
        add(words, removed, sizeof(removed) - 1);
        return hidden.end;
    }
    const char *end = server_words_skip_run(at);
    if (end > at) {
        add(words, at, (size_t)(end - at));
        return end;
    }
    size_t unseen = is_space(*at) ? 1 : unseen_length(at);
    if (unseen > 0) {
        add_space(words);
        return at + unseen;
    }
    add(words, at, 1);
    return at + 1;
}

void server_words_clean(const char *text, char ret_words[SERVER_WORDS_SIZE]) {
    struct words words = {.text = ret_words};
    struct span all = {text, text + strnlen(text, TEXT_MAX)};
    struct span binary = find_binary(all);
    const char *at = text;
    while (at < all.end && words.length < SERVER_WORDS_SIZE - 1) {
        if (at >= binary.begin && at < binary.end) {
            add(&words, removed, sizeof(removed) - 1);
            at = binary.end;
            continue;
        }
        at = add_piece(&words, at);
    }
    words.is_cut = words.is_cut || *at != '\0';
    finish(&words);
}
