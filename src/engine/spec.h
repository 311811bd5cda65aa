// Reading a resource's spec: every field with its bounds, its alias and its default. All faults of a spec are
// collected, each naming the field, the value and what is allowed; a reader never stops at the first.
#pragma once

#include "base/buffer.h"
#include "crypto/algorithm.h"
#include "json/read.h"

struct input_source;

enum spec_note {
    SPEC_FAULT,   // it cannot be served as it is
    SPEC_WARNING, // it can, but its author should know something
};

// Told of each fault and each warning in turn: field is "spec.seed", message goes on from there; both are
// borrowed during the call.
typedef void spec_listener(void *context, enum spec_note note, const char *field, const char *message);

struct spec_reader {
    yyjson_val *spec;        // NULL when the object has none
    struct buffer faults;    // one sentence after the other, divided by "; "
    size_t fault_count;      // also of those that faults had no room for
    bool out_of_memory;      // nothing is known of the spec then
    spec_listener *listener; // NULL: nobody hears of warnings, or of a fault in full
    void *context;
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
    bool policy_is_given;           // deletionPolicy is there
    bool fails_on_key_loss;         // onKeyLoss: Fail
    yyjson_val *labels;             // of secretTemplate; NULL: none
    yyjson_val *annotations;
};

// Sets what is read, which may be NULL; anything but an object is a fault.
void spec_begin(struct spec_reader *reader, yyjson_val *spec);

// Notes a fault: "spec." + the formatted text, which begins with a field's name and ": ".
[[gnu::format(printf, 2, 3)]] void spec_field_error(struct spec_reader *reader, const char *format, ...);

// Notes, in the same form, something that is allowed but seldom wise. It is shown to whoever writes the
// object, and may be cut after 256 bytes; it must not repeat what could be a key.
[[gnu::format(printf, 2, 3)]] void spec_warning(struct spec_reader *reader, const char *format, ...);

// A text of at most max bytes; NULL when absent (or at fault).
const char *spec_text(struct spec_reader *reader, const char *field, size_t max);

// The same under one of two names; both are allowed only with the same value. The alias is warned of.
const char *spec_text_alias(struct spec_reader *reader, const char *field, const char *alias, size_t max);

// An integer under one of two names (alias may be NULL, and is warned of), min to max.
int64_t spec_integer(struct spec_reader *reader, const char *field, const char *alias, int64_t min,
                     int64_t max, int64_t fallback);

// One of choices (NULL-terminated); the first is the default.
const char *spec_choice(struct spec_reader *reader, const char *field, const char *const *choices);

// The same of a member of an object: "privateKey.rotationPolicy".
const char *spec_member_choice(struct spec_reader *reader, const char *field, const char *name,
                               const char *const *choices);

// The texts of a list of at most max_count texts of at most max_bytes each, borrowed; returns how many there
// are, 0 when it is absent or at fault.
size_t spec_text_list(struct spec_reader *reader, const char *field, size_t max_count, size_t max_bytes,
                      const char **ret_texts);

// Hex digits for min to max bytes; NULL when absent. The digits are checked, not decoded.
const char *spec_hex(struct spec_reader *reader, const char *field, size_t min, size_t max);

// Appends hex digits that spec_hex gave (NULL: none) in lower case, so that bytes have one spelling. Errors:
// as buffer_append.
[[nodiscard]] bool spec_append_hex(const char *digits, struct buffer *text, struct error *e);

// A length of time in seconds, as Go writes it without fractions: "90m", "1h30m", "2160h"; of units h, m, s;
// min to max; 0 when absent.
int64_t spec_duration(struct spec_reader *reader, const char *field, int64_t min, int64_t max);

// Reads such a text. False: it is none, or 2^53 seconds and more.
[[nodiscard]] bool spec_parse_duration(const char *text, int64_t *ret_seconds);

// The algorithm that the field names, by any of its names; NULL when absent. One that the loaded OpenSSL
// lacks is a fault; an alias, and what is below the usual strength, is warned of.
const struct algorithm *spec_algorithm(struct spec_reader *reader, enum algorithm_family family);

// A reference whose kind, when it is named, is one of sources, and whose key is there if such a source needs
// one, and not if none takes one. required: absent is a fault.
struct reference spec_reference(struct spec_reader *reader, const char *field,
                                const struct input_source *sources, bool required);

// Takes the key of the reference in field from a field of its own, key_field; both are allowed only with the
// same value.
void spec_reference_key(struct spec_reader *reader, const char *field, const char *key_field,
                        struct reference *reference);

enum { SPEC_DATA_KEY_MAX = 253 }; // bytes

// Whether text can name an entry of a Secret or ConfigMap.
bool spec_is_data_key(const char *text);

// The name in serviceAccountName; "default" when absent.
const char *spec_service_account(struct spec_reader *reader);

// The fields that every kind has.
struct common_spec spec_common(struct spec_reader *reader);

// Whether onKeyLoss is Fail; for kinds with something that cannot be made again.
bool spec_fails_on_key_loss(struct spec_reader *reader);

// Whether no fault was noted; else *e is INVALID_SPEC and lists them all, or NO_MEMORY.
[[nodiscard]] bool spec_finish(struct spec_reader *reader, struct error *e);
