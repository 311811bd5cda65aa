// Parts of texts, and what kinds of ASCII characters they are made of, whatever the locale.
#pragma once

#include <stddef.h>
#include <string.h>

// A part of a text.
struct span {
    const char *begin;
    const char *end;
};

static inline size_t span_length(struct span span) {
    return (size_t)(span.end - span.begin);
}

static inline bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static inline bool is_lower(char c) {
    return c >= 'a' && c <= 'z';
}

static inline bool is_upper(char c) {
    return c >= 'A' && c <= 'Z';
}

static inline bool is_letter(char c) {
    return is_lower(c) || is_upper(c);
}

static inline bool is_hex(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static inline bool is_one_of(char c, const char *set) {
    return c != '\0' && strchr(set, c) != nullptr;
}

static inline const char *skip_if(const char *at, bool (*is)(char c)) {
    while (is(*at)) {
        at++;
    }
    return at;
}

static inline bool span_has(struct span span, const char *set) {
    for (const char *at = span.begin; at < span.end; at++) {
        if (is_one_of(*at, set)) {
            return true;
        }
    }
    return false;
}
