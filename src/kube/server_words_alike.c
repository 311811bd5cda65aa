#include "base/span.h"
#include "kube/server_words.h"

#include <stdint.h>

enum {
    GENERATED_LENGTH = 5, // what metadata.generateName appends
};

static bool is_of_word(char c) {
    return is_letter(c) || is_digit(c) || is_one_of(c, "+-_.:") || (uint8_t)c >= 0x80;
}

static bool has_digit(struct span word) {
    return span_has(word, "0123456789");
}

// The word without the end that metadata.generateName has given it.
static struct span without_generated_end(struct span word) {
    static const char alphabet[] = "bcdfghjklmnpqrstvwxz2456789";
    if (span_length(word) <= GENERATED_LENGTH || word.end[-GENERATED_LENGTH - 1] != '-') {
        return word;
    }
    for (const char *at = word.end - GENERATED_LENGTH; at < word.end; at++) {
        if (!is_one_of(*at, alphabet)) {
            return word;
        }
    }
    word.end -= GENERATED_LENGTH;
    return word;
}

static bool is_same(struct span one, struct span other) {
    return span_length(one) == span_length(other) && memcmp(one.begin, other.begin, span_length(one)) == 0;
}

static bool are_words_alike(struct span one, struct span other) {
    return is_same(one, other) || (has_digit(one) && has_digit(other)) ||
           is_same(without_generated_end(one), without_generated_end(other));
}

bool server_words_are_alike(const char *one, const char *other) {
    while (*one != '\0' && *other != '\0') {
        struct span a = {one, skip_if(one, is_of_word)};
        struct span b = {other, skip_if(other, is_of_word)};
        if (!are_words_alike(a, b)) {
            return false;
        }
        one = a.end;
        other = b.end;
        if (*one != *other) {
            return false;
        }
        one += *one == '\0' ? 0 : 1;
        other += *other == '\0' ? 0 : 1;
    }
    return *one == *other;
}
