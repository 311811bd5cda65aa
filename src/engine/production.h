// One object's output, as the engine looks at it and makes it: values in, values out. There is no request and
// no clock in here but context.now; whoever reads and writes Secrets (src/reconcile) brings what they hold.
#pragma once

#include "engine/decode.h"
#include "engine/rotation.h"

struct production {
    const struct decoded *decoded;        // borrowed
    struct input inputs[KIND_INPUTS_MAX]; // those of decoded->requests, borrowed; context.inputs are these
    struct produce_context context;

    // What is known of the output: read by production_examine, or made.
    bool is_stored; // there is a Secret that data was read from
    struct secret_data data;
    bool has_provenance; // its metadata entry could be read
    struct provenance provenance;
    yyjson_doc *provenance_text; // owned: what provenance borrows from; NULL: nothing
    struct report report;        // what its kind says of it; report.status is owned

    // Of a kind that is rotated: all versions, of the present one only what is not in data and provenance.
    struct versions versions;
    struct version_name { // of one that was kept when the Secret was read, and may have gone since
        int64_t number;
        char fingerprint[FINGERPRINT_SIZE];
    } read[VERSIONS_KEPT_MAX];
    size_t read_count;
    bool has_read_next; // and there was a next one
    // What the present version was made from, or by, is another one now; it is to be rotated.
    bool is_input_changed;
    bool is_input_gone;    // and nobody keeps what it was made from
    bool is_next_outdated; // so it is of the next version: nobody could read what is made with that
    bool is_waiting; // it was made from earlier inputs, and serves until it is made anew from those of now
    bool is_version_lost; // production_repair has failed for one that was kept, and not for the present one

    const struct secret_data *former;       // what lists held before data was another one; NULL: see data
    struct replaced replaced;               // what the output to be made takes the place of
    char changed[PROVENANCE_SENTENCE_SIZE]; // of a stale output: what it was made from, and has changed
    bool has_other_parameters;              // the stale output was made by another spec
};

enum output_state {
    OUTPUT_ABSENT,
    OUTPUT_GOOD,    // what spec and inputs ask for; data, provenance and report are filled
    OUTPUT_STALE,   // made from other inputs or by another spec
    OUTPUT_DUE,     // good, but to be made anew before it expires
    OUTPUT_DAMAGED, // not as it was left
};

// Notes in *provenance what an output made now is made from: the digests of its inputs and of its parameters.
// An input that is not loaded counts as the one that known (NULL: nothing) names. Errors: CRYPTO, NO_MEMORY.
[[nodiscard]] bool production_describe(const struct production *p, const struct provenance *known,
                                       struct provenance *provenance, struct error *e);

// Looks at the `data` of a Secret: GOOD, STALE or DAMAGED; *ret_damage: what is wrong, when it is damaged.
// What other people have added to it is not looked at. p->context.record says what the status has recorded.
// Errors: CRYPTO, NO_MEMORY (nothing is known of the Secret).
[[nodiscard]] bool production_examine(struct production *p, yyjson_val *entries, enum output_state *ret_state,
                                      struct error *ret_damage, struct error *e);

// Makes the output, in the place of what p holds, which the kind may keep some of; checks it by the same
// inspection that verifies stored ones, and adds its metadata entry. What it fails with leaves p as it was.
// Errors: those of struct kind's produce, CRYPTO (what was made is not good), NO_MEMORY.
[[nodiscard]] bool production_make(struct production *p, struct error *e);

// The same around what cannot be made again, of what p holds. Errors: those of struct kind's repair.
[[nodiscard]] bool production_repair(struct production *p, struct error *e);

// Whether the present version becomes another one with ROTATION_FOLLOW.
bool production_present_changes(const struct production *p);

// Whether what the present version was made from, of the input that versions follow, is kept by whoever
// rotates it; and whether what the next one was made from is.
bool production_input_is_kept(const struct production *p);
bool production_next_input_is_kept(const struct production *p);

// Whether the entries that list things are as they should be. Errors: CRYPTO, NO_MEMORY.
[[nodiscard]] bool production_check_lists(const struct production *p, bool *ret_good, struct error *e);

// Takes a step of rotation with an output that is GOOD; afterwards data, provenance, report and versions are
// as they are to be stored. Errors: those of struct kind's produce, CRYPTO (what was made is not good),
// NO_MEMORY; what p holds is not to be used then.
[[nodiscard]] bool production_rotate(struct production *p, const struct rotation *rotation, struct error *e);

// For a kind without an output Secret: evaluates the inputs into p->report. Errors: those of struct kind's
// evaluate.
[[nodiscard]] bool production_evaluate(struct production *p, struct error *e);

// Lets the kind inspect what p holds, and fills p->report. Errors: those of struct kind's inspect.
[[nodiscard]] bool production_inspect(struct production *p, struct error *e);

// Makes the metadata entry of p->data anew from p->provenance, in the form of this version. Errors: as
// provenance_store.
[[nodiscard]] bool production_rewrite_provenance(struct production *p, struct error *e);

// Forgets the Secret, and what borrows from it; the report stays.
void production_forget(struct production *p);

void production_done(struct production *p);
