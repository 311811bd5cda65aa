// What the files that read specs share among themselves: among it, how a field of each type is read. Each
// gives what stands for absent when the field is at fault.
#pragma once

#include "engine/spec.h"

// How many bytes of text a message shows: no more than SPEC_VALUE_SHOWN_MAX, and never a part of a character,
// which would make the message unfit for JSON.
int spec_shown_length(const char *text);

// Notes a fault where what the first length bytes of field name (as of spec_value) is there and no object;
// contents: what it is an object with, as the message goes on.
void spec_check_object(struct spec_reader *reader, const char *field, size_t length, const char *contents);

// RFC 1123: labels of lower-case letters, digits and, within, '-', divided by dots.
bool spec_is_dns_name(const char *text);

// A text of at most max bytes; NULL when absent (or at fault).
const char *spec_text(struct spec_reader *reader, const char *field, size_t max);

// The same under one of two names; both are allowed only with the same value. The alias is warned of.
const char *spec_text_alias(struct spec_reader *reader, const char *field, const char *alias, size_t max);

// An integer under one of two names (alias may be NULL, and is warned of), min to max.
int64_t spec_integer(struct spec_reader *reader, const char *field, const char *alias, int64_t min,
                     int64_t max, int64_t fallback);

// One of choices (NULL-terminated); the first is the default.
const char *spec_choice(struct spec_reader *reader, const char *field, const char *const *choices);

// The texts of a list of at most max_count texts of at most max_bytes each, borrowed; returns how many there
// are, 0 when it is absent or at fault.
size_t spec_text_list(struct spec_reader *reader, const char *field, size_t max_count, size_t max_bytes,
                      const char **ret_texts);

// Hex digits for min to max bytes; NULL when absent. The digits are checked, not decoded.
const char *spec_hex(struct spec_reader *reader, const char *field, size_t min, size_t max);

// A length of time in seconds, as Go writes it without fractions: "90m", "1h30m", "2160h"; of units h, m, s;
// min to max; 0 when absent.
int64_t spec_duration(struct spec_reader *reader, const char *field, int64_t min, int64_t max);

// The algorithm that the field names, by any of its names; NULL when absent. One that the loaded OpenSSL
// lacks is a fault; an alias, and what is below the usual strength, is warned of.
const struct algorithm *spec_algorithm(struct spec_reader *reader, const char *field,
                                       enum algorithm_family family);

// A reference whose kind, when it is named, is one of sources, and whose key is there if such a source needs
// one, and not if none takes one. required: absent is a fault.
struct reference spec_reference(struct spec_reader *reader, const char *field,
                                const struct input_source *sources, bool required);

// Takes the key of the reference in field from a field of its own, key_field; both are allowed only with the
// same value.
void spec_reference_key(struct spec_reader *reader, const char *field, const char *key_field,
                        struct reference *reference);

// The labels or annotations of secretTemplate in field; NULL when absent or at fault.
yyjson_val *spec_template_part(struct spec_reader *reader, const char *field, bool is_labels);
