// The fields of a spec as a table: what each is called, what it may be, and what is to be said of it. The
// decoder reads by it, the webhook compares by it, and the CRDs, the tables in docs/resources and tests of
// bad values are made from it (tools/crd). What holds between fields is the kind's own `check`.
#pragma once

#include "engine/spec.h"

enum spec_type {
    SPEC_TEXT,      // const char *: at most max bytes; NULL or text_fallback when absent
    SPEC_CHOICE,    // const char *: the one of choices itself; the first is the default, and none if it is ""
    SPEC_EITHER,    // bool: of two choices the second was taken
    SPEC_INTEGER,   // int64_t: min to max; fallback when absent
    SPEC_HEX,       // const char *: hexadecimal digits for min to max bytes; NULL when absent
    SPEC_DURATION,  // int64_t: min to max seconds; 0 when absent
    SPEC_ALGORITHM, // const struct algorithm *: of family; NULL or that named text_fallback when absent
    SPEC_REFERENCE, // struct reference: to what sources say; without a name when absent
    SPEC_REFERENCE_KEY, // the same struct reference: another name of the key of the reference key_of
    SPEC_TEXT_LIST,     // struct spec_texts: at most SPEC_TEXTS_MAX of at most max bytes each
    SPEC_LABELS,        // yyjson_val *: an object of labels; NULL when absent
    SPEC_ANNOTATIONS,   // the same of annotations
    SPEC_TYPE_COUNT,
};

// How a text must look, besides its length.
struct text_form {
    bool (*fits)(const char *text); // NULL: the kind's check looks
    const char *refusal;            // what is said of one that does not: "is not a DNS name"
    const char *name;               // for a table of documentation: "a DNS name"
    const char *pattern;            // the same for the CRD (RE2 syntax); NULL: it cannot say it
};

// An object with fields in it: of "privateKey.rotationPolicy" privateKey, of "rotation.window.schedule"
// rotation.window, whose outer is rotation.
struct spec_object {
    const struct spec_object *outer; // NULL: it is a member of the spec itself
    const char *contents; // what it is an object with, as faults go on: " with labels and annotations"
    const char *description;
};

enum { SPEC_TEXTS_MAX = 100 };

struct spec_texts {
    size_t count;
    const char *texts[SPEC_TEXTS_MAX]; // borrowed from the spec's document
};

struct spec_field {
    const char *name;  // "numBytes", or with its objects "privateKey.rotationPolicy"; NULL ends a table
    const char *alias; // another name, which is warned of; NULL: none
    size_t offset;     // of what is read, in the struct that the table is for
    const struct spec_object *object; // where the name has one: the innermost
    const char *across;               // immutable is only whether it is this choice; NULL: all of it
    int64_t min;                      // bytes, seconds, or the number itself; of a text only the CRD has it
    int64_t max;                      // of a list's texts each
    int64_t max_count;                // of a list's texts
    int64_t max_characters;           // of a text, where check counts them; 0: max bytes are all there is
    int64_t fallback;                 // of an integer; one out of bounds stands for its absence
    const char *text_fallback;
    const char *const *choices; // NULL-terminated; of a list of texts those that the CRD allows
    // Of such a list texts that people try, and why they are refused; NULL-terminated, NULL: none.
    const char *const *unfit_choices;
    const char *unfit_reason; // "is not for ..."
    const struct text_form *form;
    const struct input_source *sources;
    // What the entry holds that a reference's key names: "the shared secret"; NULL: it is not said.
    const char *entry;
    const char *key_of; // "messageRef"
    // For people, in one or two sentences, without alias, immutability, or a default that follows from the
    // table; {precious} and the like are put in for each kind.
    const char *description;
    enum spec_type type;
    enum algorithm_family family;
    bool is_required;     // of a reference
    bool is_immutable;    // it stays as it was made; another spelling of the same is no change
    bool empty_is_absent; // ""
    bool counts_bytes;    // the CRD has a rule of its own for bytes, besides that for characters
    bool counts_seconds;  // of a duration: the CRD has a rule for min and max
};

// The name of an object: of at most SPEC_NAME_MAX bytes.
extern const struct text_form spec_form_dns_name;

// Of labels and annotations: how many there may be, and how many bytes the value of an annotation has at
// most.
enum { SPEC_TEMPLATE_ENTRIES_MAX = 64, SPEC_ANNOTATION_MAX = 2048 };

// What every kind with an output Secret has, of struct common_spec; what it has besides if something in it
// cannot be made again, and if it is rotatable; and what kinds with inputs have, of a const char *.
extern const struct spec_field spec_common_fields[];
extern const struct spec_field spec_key_loss_fields[];
extern const struct spec_field spec_rotation_fields[];
extern const struct spec_field spec_service_account_fields[];

// Reads all fields of a table into memory, a zeroed struct of its kind. Texts are borrowed from the spec's
// document. Faults and warnings go to the reader, in the order of the table; what is at fault is as if it
// were absent.
void spec_read_fields(struct spec_reader *reader, const struct spec_field *fields, void *memory);

// Whether an immutable field differs between two structs that were read; false for any other.
[[nodiscard]] bool spec_field_differs(const struct spec_field *field, const void *before, const void *after);
