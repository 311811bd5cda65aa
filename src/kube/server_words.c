#include "kube/server_words.h"

#include "base/utf8.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum {
    TEXT_MAX = 16 * 1024,  // bytes that are looked at
    LIST_MIN = 8,          // numbers in a row that may be the bytes of a key
    BINARY_SIGNS_MIN = 2,  // as many say that there are bytes which are no text
    RUN_MIN = 8,           // shorter than that nothing is a key
    CODE_MAX = 10,         // letters and digits of one part of a name, such as a ReplicaSet's hash
    CODES_MAX = 18,        // in all parts of a name
    CAPITAL_CODES_MAX = 8, // in those with capitals, such as ML-KEM
    NUMBER_MAX = 20,       // digits
    WORD_MAX = 40,         // letters
    SHORT_NAME_MAX = 10,   // letters
    LONG_WORD_MIN = 6,     // letters; shorter ones have a capital at their beginning only
    HUMP_LENGTH = 4,       // on average: capitals, and the small letters after them
    ACRONYM_MAX = 6,       // capitals within a word
    CAPITALS_MAX = 16,     // of a word of capitals
    SMALL_PERCENT = 50,    // of a word's letters, unless it is one of capitals
    UUID_LENGTH = 36,
    GENERATED_LENGTH = 5, // what metadata.generateName appends
};

static const char removed[] = "[removed]";
static const char cut[] = "...";
static const char pem_dashes[] = "-----";

// A part of a text.
struct span {
    const char *begin;
    const char *end;
};

static size_t span_length(struct span span) {
    return (size_t)(span.end - span.begin);
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_lower(char c) {
    return c >= 'a' && c <= 'z';
}

static bool is_upper(char c) {
    return c >= 'A' && c <= 'Z';
}

static bool is_letter(char c) {
    return is_lower(c) || is_upper(c);
}

static bool is_hex(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_one_of(char c, const char *set) {
    return c != '\0' && strchr(set, c) != nullptr;
}

static const char *skip_if(const char *at, bool (*is)(char c)) {
    while (is(*at)) {
        at++;
    }
    return at;
}

// ---- words

static bool span_has(struct span span, const char *set) {
    for (const char *at = span.begin; at < span.end; at++) {
        if (is_one_of(*at, set)) {
            return true;
        }
    }
    return false;
}

static bool has_vowel(struct span span) {
    return span_has(span, "aeiouyAEIOUY");
}

// Letters such as lowercase, CamelCase, PublicKeyPEM, CAPITALS; random ones are seldom like that. Capitals,
// then at least two small letters with a vowel, and so on.
static bool is_word(struct span part) {
    const char *at = part.begin;
    size_t small = 0;
    size_t humps = 0;
    while (at < part.end) {
        struct span capitals = {at, skip_if(at, is_upper)};
        struct span rest = {capitals.end, skip_if(capitals.end, is_lower)};
        bool is_all = span_length(capitals) == span_length(part);
        if (is_all || span_length(capitals) > ACRONYM_MAX) {
            return is_all && span_length(part) <= CAPITALS_MAX && has_vowel(part);
        }
        if (rest.end < part.end || span_length(rest) > 0) {
            if (span_length(rest) < 2 || !has_vowel((struct span){capitals.begin, rest.end})) {
                return false; // this is also where a character is no letter
            }
        }
        small += span_length(rest);
        humps++;
        at = rest.end;
    }
    size_t length = span_length(part);
    bool is_long = length >= LONG_WORD_MIN || small + 1 >= length;
    return is_long && length <= WORD_MAX && small * 100 >= length * SMALL_PERCENT &&
           length >= humps * HUMP_LENGTH;
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

// A field's name with short words in it, such as onKeyLoss.
static bool is_short_name(struct span part) {
    const char *at = part.begin;
    while (at < part.end && is_letter(*at)) {
        at++;
    }
    return at == part.end && is_lower(part.begin[0]) && span_length(part) <= SHORT_NAME_MAX;
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

static bool is_equals_sign(char c) {
    return c == '=';
}

static bool is_of_run(char c) {
    return is_letter(c) || is_digit(c) || c == '+' || is_one_of(c, separators);
}

// The end of the run at `at`: before the dashes of a PEM header, which may follow without a space.
static const char *skip_run(const char *at) {
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

// Whether all from `at` to the run's end is base64's padding.
static bool is_padding(const char *at, const char *end) {
    return at < end && skip_if(at, is_equals_sign) == end;
}

// Whether a part of the run is a number or a word as they are in names: CamelCase and dashes do not go
// together in any, and nothing but small letters before padding is a word.
static bool is_plain(struct span part, struct span run) {
    bool is_padded = is_padding(part.end, run.end) && skip_if(part.begin, is_lower) != part.end;
    bool is_mixed = span_has(run, "-_") && is_camel(part);
    return is_number(part) || ((is_word(part) || is_short_name(part)) && !is_padded && !is_mixed);
}

// Whether the run is a name, a path or a setting: words, numbers and short codes.
static bool is_name(struct span run) {
    size_t codes = 0;    // characters of parts that are neither words nor numbers
    size_t capitals = 0; // and of those that are no codes of small letters and digits either
    if (span_length(run) < RUN_MIN || is_uuid(run)) {
        return true;
    }
    for (const char *at = run.begin; at < run.end; at++) {
        struct span part = next_part(at, run.end);
        at = part.end;
        if (is_plain(part, run)) {
            continue;
        }
        bool code = is_code(part);
        if (!code && span_length(part) >= RUN_MIN) {
            return false;
        }
        codes += span_length(part);
        capitals += code ? 0 : span_length(part);
    }
    return codes <= CODES_MAX && capitals <= CAPITAL_CODES_MAX && (run.end[-1] != '=' || codes == 0);
}

static struct span find_run(const char *at) {
    struct span run = {at, skip_run(at)};
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

// What is not to be shown at `at`, at the beginning of a word; empty: nothing.
static struct span find_hidden(const char *at) {
    struct span (*const finders[])(const char *at) = {find_pem, find_list, find_run};
    struct span found = {at, at};
    for (size_t i = 0; i < sizeof(finders) / sizeof(finders[0]) && span_length(found) == 0; i++) {
        found = finders[i](at);
    }
    return found;
}

// Adds what is at `at`, and returns what comes next.
static const char *add_piece(struct words *words, const char *at) {
    struct span hidden = find_hidden(at);
    if (span_length(hidden) > 0) {
        add(words, removed, sizeof(removed) - 1);
        return hidden.end;
    }
    const char *end = skip_run(at);
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

// ---- comparing

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
