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
    struct error unreadable; // nor where the system did not give what a field names; NONE: it did
    spec_listener *listener; // NULL: nobody hears of warnings, or of a fault in full
    void *context;
};

enum { SPEC_VERSION_MAX = 1000000000 }; // that a reference may name

// A reference to another object; texts are borrowed from the spec's document, NULL where the field is absent.
struct reference {
    const char *name; // NULL: there is no reference
    const char *namespace;
    const char *kind;
    const char *key;
    int64_t version; // of an output that is rotated; 0: the present one
};

// How often the output is made anew, and how long its previous versions stay; of a kind that is rotatable.
struct rotation_spec {
    bool is_given;           // spec.rotation is an object; without it the output is made once
    int64_t every_s;         // seconds between two rotations; 0: only on request
    int64_t keep;            // how many previous versions stay
    int64_t keep_for_s;      // seconds for which a previous version stays at least; 0: none are asked for
    int64_t publish_ahead_s; // seconds between the making of a version and its use; 0: it is used at once
    const char *schedule;    // of the window: when it opens; NULL: it is always open. Borrowed
    const char *time_zone;   // in which the schedule is read. Borrowed
    int64_t window_s;        // seconds for which the window stays open; 0: there is none
};

// A ConfigMap in which what is public of the output is kept, too. All is borrowed from the spec's document.
struct bundle_spec {
    const char *config_map_name; // NULL: there is to be none
    yyjson_val *labels;          // of the ConfigMap, besides the operator's own; NULL: none
    yyjson_val *annotations;
};

// What every kind's spec has.
struct common_spec {
    const char *output_secret_name; // NULL: the default
    bool retain;                    // deletionPolicy: Retain
    bool policy_is_given;           // deletionPolicy is there
    bool fails_on_key_loss;         // onKeyLoss: Fail
    yyjson_val *labels;             // of secretTemplate; NULL: none
    yyjson_val *annotations;
    struct rotation_spec rotation;
};

// Sets what is read, which may be NULL; anything but an object is a fault.
void spec_begin(struct spec_reader *reader, yyjson_val *spec);

// Notes a fault: "spec." + the formatted text, which begins with a field's name and ": ".
[[gnu::format(printf, 2, 3)]] void spec_field_error(struct spec_reader *reader, const char *format, ...);

// Notes, in the same form, something that is allowed but seldom wise. It is shown to whoever writes the
// object, and may be cut after 256 bytes; it must not repeat what could be a key.
[[gnu::format(printf, 2, 3)]] void spec_warning(struct spec_reader *reader, const char *format, ...);

// Appends hex digits of a spec's field (NULL: none) in lower case, so that bytes have one spelling. Errors:
// as buffer_append.
[[nodiscard]] bool spec_append_hex(const char *digits, struct buffer *text, struct error *e);

enum { SPEC_NAME_MAX = 253, SPEC_DATA_KEY_MAX = 253 }; // bytes

// Whether text can name an entry of a Secret or ConfigMap.
bool spec_is_data_key(const char *text);

enum { SPEC_LABEL_MAX = 63 }; // bytes

// Whether text is what Kubernetes takes for the name in the key of a label or an annotation, and for a
// label's value that is not empty.
bool spec_is_label_text(const char *text);

// Whether key is the key of a label or an annotation: NAME, or PREFIX/NAME. Kubernetes takes the prefix of an
// annotation in capital letters, too: is_annotation.
bool spec_is_label_key(const char *key, bool is_annotation);

enum {
    SPEC_VALUE_SHOWN_MAX = 64, // bytes of a wrong value that a message repeats
    SPEC_DESCRIPTION_SIZE = SPEC_VALUE_SHOWN_MAX + 32,
};

// Writes what value is, for people.
void spec_describe_value(yyjson_val *value, char ret_text[SPEC_DESCRIPTION_SIZE]);

// The field's value, NULL when it is absent or null; "privateKey.rotationPolicy" is a member of an object,
// and "rotation.window.schedule" of one in another.
yyjson_val *spec_value(struct spec_reader *reader, const char *field);

// Whether no fault was noted; else *e is INVALID_SPEC and lists them all, or it is IO or NO_MEMORY, and the
// spec may be good.
[[nodiscard]] bool spec_finish(struct spec_reader *reader, struct error *e);
