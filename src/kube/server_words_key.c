// What may be key material in a text, told by its form from names, words and numbers.
#include "kube/server_words_key.h"

enum {
    LIST_MIN = 8,        // numbers in a row that may be the bytes of a key
    RUN_MIN = 8,         // shorter than that nothing is a key
    CODE_MAX = 10,       // small letters and digits of one part of a name, such as a ReplicaSet's hash
    MIXED_MAX = 7,       // any characters of one part of a name, such as ML
    CODES_MAX = 18,      // both together, the mixed ones counted twice: SLH-DSA-SHA2-128s
    NUMBER_MAX = 20,     // digits
    WORD_MAX = 40,       // letters
    SHORT_NAME_MAX = 10, // letters
    CAPITALS_MAX = 16,   // of a word of capitals
    UUID_LENGTH = 36,
};

static const char pem_dashes[] = "-----";

// ---- words

static bool has_vowel(struct span span) {
    return span_has(span, "aeiouyAEIOUY");
}

// Letters as names have them: lowercase, CamelCase, PublicKeyPEM, CAPITALS. Capitals have two small letters
// or more after them, or end the word; there is a vowel in each such group, and most letters are small.
// Random letters are seldom so.
static bool is_word(struct span part) {
    size_t small = 0;
    for (const char *at = part.begin; at < part.end;) {
        const char *capitals_end = skip_if(at, is_upper);
        struct span group = {at, skip_if(capitals_end, is_lower)};
        size_t follow = (size_t)(group.end - capitals_end);
        bool ends = follow == 0 && group.end == part.end;
        if ((follow < 2 && !ends) || !has_vowel(group)) {
            return false;
        }
        small += follow;
        at = group.end;
    }
    size_t length = span_length(part);
    return small == 0 ? length <= CAPITALS_MAX : length <= WORD_MAX && 2 * small >= length;
}

// Whether capitals follow small letters.
static bool is_camel(struct span part) {
    for (const char *at = part.begin; at + 1 < part.end; at++) {
        if (is_lower(at[0]) && is_upper(at[1])) {
            return true;
        }
    }
    return false;
}

// A field's name with short words in it, such as onKeyLoss, or a short one, such as svc.
static bool is_short_name(struct span part) {
    const char *at = part.begin;
    while (at < part.end && is_letter(*at)) {
        at++;
    }
    size_t length = span_length(part);
    return at == part.end && is_lower(part.begin[0]) && length > 1 && length <= SHORT_NAME_MAX;
}

static bool is_number(struct span part) {
    return skip_if(part.begin, is_digit) == part.end && span_length(part) <= NUMBER_MAX;
}

// Small letters and digits.
static bool is_code(struct span part) {
    for (const char *at = part.begin; at < part.end; at++) {
        if (!is_digit(*at) && !is_lower(*at)) {
            return false;
        }
    }
    return span_length(part) <= CODE_MAX;
}

static bool is_uuid(struct span run) {
    for (size_t i = 0; i < span_length(run); i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? run.begin[i] != '-' : !is_hex(run.begin[i])) {
            return false;
        }
    }
    return span_length(run) == UUID_LENGTH;
}

// ---- runs of what base64, its form for URLs, and hexadecimal are made of

static const char separators[] = "-_/=";

static bool is_of_run(char c) {
    return is_letter(c) || is_digit(c) || c == '+' || is_one_of(c, separators);
}

const char *server_words_skip_run(const char *at) {
    while (is_of_run(*at) && strncmp(at, pem_dashes, sizeof(pem_dashes) - 1) != 0) {
        at++;
    }
    return at;
}

static struct span next_part(const char *at, const char *end) {
    struct span part = {at, at};
    while (part.end < end && !is_one_of(*part.end, separators)) {
        part.end++;
    }
    return part;
}

static bool is_padded(struct span run) {
    return run.end[-1] == '=';
}

// Whether a part of the run is a number or a word as they are in names: none has CamelCase beside dashes, or
// before base64's padding.
static bool is_plain(struct span part, struct span run) {
    bool may_be_camel = !span_has(run, "-_") && !is_padded(run);
    return is_number(part) || ((is_word(part) || is_short_name(part)) && (may_be_camel || !is_camel(part)));
}

// Whether the run is a name, a path or a setting: words, numbers and short codes.
static bool is_name(struct span run) {
    size_t codes = 0; // characters of parts that are neither words nor numbers
    if (span_length(run) < RUN_MIN || is_uuid(run)) {
        return true;
    }
    for (const char *at = run.begin; at < run.end; at++) {
        struct span part = next_part(at, run.end);
        at = part.end;
        if (is_plain(part, run)) {
            continue;
        }
        bool is_mixed = !is_code(part);
        if (is_mixed && span_length(part) > MIXED_MAX) {
            return false;
        }
        codes += span_length(part) * (is_mixed ? 2 : 1);
    }
    return codes <= (is_padded(run) ? 0 : CODES_MAX);
}

static struct span find_run(const char *at) {
    struct span run = {at, server_words_skip_run(at)};
    return is_name(run) ? (struct span){at, at} : run;
}

// ---- bytes as a list of numbers: [12 255 7], 0c:ff:07, 0x0c, 0xff

// The end of a byte's number at `at`, or at.
static const char *skip_byte(const char *at) {
    const char *digits = at[0] == '0' && (at[1] == 'x' || at[1] == 'X') ? at + 2 : at;
    const char *end = skip_if(digits, is_hex);
    size_t length = (size_t)(end - digits);
    bool decimal = digits == at && length == 3 && skip_if(digits, is_digit) == end;
    bool hex = length == 2 || (length == 1 && (digits != at || is_digit(*digits)));
    return (decimal || hex) && !is_letter(*end) ? end : at;
}

static struct span find_list(const char *at) {
    struct span list = {at, at};
    size_t count = 0;
    for (;;) {
        const char *end = skip_byte(at);
        if (end == at) {
            break;
        }
        count++;
        list.end = end;
        at = end;
        at += is_one_of(*at, ",:;-") ? 1 : 0;
        at += *at == ' ' ? 1 : 0;
        if (at == end) {
            break;
        }
    }
    return count >= LIST_MIN ? list : (struct span){list.begin, list.begin};
}

// ---- PEM

static struct span find_pem(const char *at) {
    static const char begin[] = "-----BEGIN";
    static const char end[] = "-----END";
    if (strncmp(at, begin, sizeof(begin) - 1) != 0) {
        return (struct span){at, at};
    }
    const char *tail = strstr(at, end);
    const char *dashes = tail == nullptr ? nullptr : strstr(tail + sizeof(end) - 1, pem_dashes);
    return (struct span){at, dashes == nullptr ? at + strlen(at) : dashes + sizeof(pem_dashes) - 1};
}

// ---- all of them

struct span server_words_find_key(const char *at) {
    struct span (*const finders[])(const char *at) = {find_pem, find_list, find_run};
    struct span found = {at, at};
    for (size_t i = 0; i < sizeof(finders) / sizeof(finders[0]) && span_length(found) == 0; i++) {
        found = finders[i](at);
    }
    return found;
}
