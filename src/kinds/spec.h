// Reading a resource's spec: every field with its bounds, its alias and its default. All faults of a spec are
// collected, each naming the field, the value and what is allowed; a reader never stops at the first.
#pragma once

#include "base/buffer.h"
#include "crypto/algorithm.h"
#include "json/read.h"

struct input_source;

struct spec_reader {
    yyjson_val *spec;     // NULL when the object has none
    struct buffer faults; // one sentence after the other, divided by "; "
    size_t fault_count;   // also of those that faults had no room for
};

// A reference to another object; texts are borrowed from the spec's document, NULL where the field is absent.
struct reference {
    const char *name; // NULL: there is no reference
    const char *namespace;
    const char *kind;
    const char *key;
};

// What every kind's spec has.
struct common_spec {
    const char *output_secret_name; // NULL: the default
    bool retain;                    // deletionPolicy: Retain
    yyjson_val *labels;             // of secretTemplate; NULL: none
    yyjson_val *annotations;
};

// Notes a fault: "spec." + the formatted text.
[[gnu::format(printf, 2, 3)]] void spec_fault(struct spec_reader *reader, const char *format, ...);

// A text of at most max bytes; NULL when absent (or at fault).
const char *spec_text(struct spec_reader *reader, const char *field, size_t max);

// The same under one of two names; both are allowed only with the same value.
const char *spec_text_alias(struct spec_reader *reader, const char *field, const char *alias, size_t max);

// An integer under one of two names (alias may be NULL), min to max.
int64_t spec_integer(struct spec_reader *reader, const char *field, const char *alias, int64_t min,
                     int64_t max, int64_t fallback);

// One of choices (NULL-terminated); the first is the default.
const char *spec_choice(struct spec_reader *reader, const char *field, const char *const *choices);

// Hex digits for min to max bytes; NULL when absent. The digits are checked, not decoded.
const char *spec_hex(struct spec_reader *reader, const char *field, size_t min, size_t max);

// Appends hex digits that spec_hex gave (NULL: none) in lower case, so that bytes have one spelling. Errors:
// as buffer_append.
[[nodiscard]] bool spec_append_hex(const char *digits, struct buffer *text, struct error *e);

// The algorithm that the field names, by any of its names; NULL when absent.
const struct algorithm *spec_algorithm(struct spec_reader *reader, enum algorithm_family family);

// A reference whose kind, when it is named, is one of sources, and whose key is there exactly if such a
// source needs one. required: absent is a fault.
struct reference spec_reference(struct spec_reader *reader, const char *field,
                                const struct input_source *sources, bool required);

// The fields that every kind has.
struct common_spec spec_common(struct spec_reader *reader);

// Whether no fault was noted; else *e is INVALID_SPEC and lists them all, or NO_MEMORY.
[[nodiscard]] bool spec_finish(struct spec_reader *reader, struct error *e);
