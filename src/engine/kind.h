// A kind is a value: what the reconciler (src/reconcile) needs to know to serve one custom resource.
// Kinds are pure: no I/O, no clock, no state. To add one, write a file with its `const struct kind` and a row
// in table.c.
#pragma once

#include "crypto/fingerprint.h"
#include "engine/foreign_field.h"
#include "engine/input.h"
#include "engine/provenance.h"
#include "engine/secret_data.h"
#include "engine/spec_field.h"

// The API group and version of our kinds. Each of them says so itself: whoever has a kind asks it.
#define QUBESEC_GROUP "qubesec.io"
#define QUBESEC_API_VERSION "v1"

// An annotation of our objects that people set: each new text asks once for the output to be issued anew. The
// field of the status has the text that was answered last.
#define RENEW_ANNOTATION "qubesec.io/renew"
#define RENEW_STATUS_FIELD "lastRenewRequest"

// The same for an output that is rotated.
#define ROTATE_ANNOTATION "qubesec.io/rotate"
#define ROTATE_STATUS_FIELD "lastRotateRequest"

// What the status of an output that is trusted by a root calls the digest of that, and of all roots that it
// gives.
#define TRUST_ROOT_FIELD "rootDigest"
#define TRUST_BUNDLE_FIELD "caBundleDigest"

enum { KIND_INPUTS_MAX = 4, KIND_SOURCES_MAX = 8, KIND_TABLES_MAX = 5 };

// One place where an input may come from.
struct input_source {
    const char *kind;     // a kind of ours, "Secret", "ConfigMap" or "URL"; NULL ends a list
    const char *data_key; // the entry of our kind's output Secret that is read; NULL: the reference's own key
    bool by_default;      // tried when the reference names no kind
    bool is_public;       // that entry is no secret: whoever may see the resource may read it

    // What our kind has made and verified stays good for this use whatever befell its object since: only that
    // its Secret is still the verified one counts.
    bool outlives_readiness;

    // Our kind's output is rotated, or follows one that is: all versions of the entry are read, and a
    // reference may name one of them.
    bool has_versions;

    // Further entries of our kind's output Secret, which are put behind the first; NULL: none.
    const char *const *also;
    // One of them that is given by itself, too; NULL: none.
    const char *beside;
    // Where a reference without a key looks: the first of these entries that is there, or else the only one
    // that is. NULL: the reference must have a key.
    const char *const *usual_keys;
};

// One input that an object needs.
struct input_request {
    const char *field; // "publicKeyRef"
    struct reference reference;
    const struct input_source *sources; // allowed ones, at most KIND_SOURCES_MAX, in the order of search
};

// What the object's status says of the output that was verified last. Texts are borrowed, "" where it says
// nothing.
struct record {
    const char *fingerprint;
    const char *digest;            // of what is public of it
    const char *public_key_digest; // of the key that it was made for
    const char *ciphertext;        // hex; only where the object has been read live
    const char *public_key_pem;    // of the output's key; the same
    const char *renew_request;     // the last one that was answered
    const char *rotate_request;    // the same, of a kind that is both renewed and rotated
    int64_t version;               // of a rotated output; 0: it does not say
    yyjson_val *versions;          // as status.versions has them; NULL: it does not say
    int64_t renew_at;              // of an output that expires, in seconds since 1970; 0: it does not say
    bool is_current;               // it was made from the present spec and the present inputs
};

// Of a status that says nothing.
extern const struct record record_of_nothing;

// What surrounds the making or checking of an output.
struct produce_context {
    int64_t now;                // of the wall clock, in seconds since 1970
    const char *secret_name;    // the output Secret's
    const struct input *inputs; // those of the object, as list_inputs has them; one may not be loaded
    struct record record;
    const char *renew_request;  // that the output is made for, too; NULL or "": none
    const char *rotate_request; // the same, of a kind that is both renewed and rotated
    bool wants_other_key;       // another version is asked for, of another key whatever the spec says

    // What the output Secret holds, not checked; NULL: nothing. Its metadata; NULL: that cannot be read.
    const struct secret_data *previous;
    const struct provenance *previous_provenance;
    bool previous_is_current;  // it was made from the present spec and the present inputs, as far as is known
    bool previous_is_verified; // all of it was found as it was left
    bool previous_stays;       // if it was made from another input than there is now: as an earlier version
    bool keeps_key;            // whatever the spec says of another key with each output
    bool may_lose_key;         // what cannot be made again is gone, and something new may take its place
    bool is_version;           // it is not the present version, and may be of an earlier spec
    bool is_of_other_spec;     // it was made by an earlier spec, and is used until another version is
};

enum { REPORT_ABOUT_SIZE = 384 };

// What a kind says of an output Secret that is as it should be, or, if it has none, of its evaluation.
struct report {
    char fingerprint[FINGERPRINT_SIZE]; // "": none is shown
    char digest[DIGEST_TEXT_SIZE];      // of what is public; "": nothing is
    char about[REPORT_ABOUT_SIZE]; // what else people look for first: "by CN=Root until ..."; "": nothing
    const char *warning;           // static text for the status; NULL: none
    const char *warning_reason; // of the Event that tells the same when the output was made; NULL: no Event
    yyjson_mut_doc *status;     // the kind's own status fields, an object; made by the caller

    // Of a evaluation: how it ended, all static. NULL: "Success", and the usual reason and message.
    const char *outcome; // status.status: "Valid"
    const char *reason;  // of the Ready condition
    const char *message;
    bool is_alarming; // its Event is a warning

    // Of an output that expires, in seconds since 1970; 0: it does not.
    int64_t expires_at;
    int64_t valid_from;
    int64_t renew_at; // 0: when it has expired, or its inputs change: one made earlier would not last longer
};

// One version of an output, as it is listed for others.
struct listed_version {
    const struct secret_data *data;
    const char *digest; // of what is public of it
    int64_t not_before; // in seconds since 1970; 0: nothing is known
};

// What an entry lists.
struct list_question {
    const struct listed_version *versions; // the present one first, then the next, then those that are kept
    size_t count;
    bool has_next;
    bool is_told;                  // the output is rotated, or was
    const struct input *inputs;    // those that the output is made from now
    const struct secret *previous; // what the entry holds; NULL: nothing
};

// An entry of the output Secret that is about all versions, or about more than the output.
struct list_entry {
    const char *name; // NULL ends a table
    // Appends what the entry is to hold; nothing: there is to be none. The same as long as nothing changes,
    // given what it has written before. Errors: CRYPTO, NO_MEMORY.
    bool (*write)(const void *spec, const struct list_question *question, struct buffer *text,
                  struct error *e);
};

struct kind {
    const char *group;   // of the API: "qubesec.io"
    const char *version; // of the API: "v1"
    const char *kind;    // "QuantumKEMKeyPair"
    const char *plural;
    const char *short_name;
    const char *standard; // what the output follows: "FIPS 203"
    // The output Secret's entries, NULL-terminated, besides metadata; NULL: there is no output Secret, but a
    // evaluation.
    const char *const *entries;
    // The name of the output's only entry, for a kind whose spec chooses it; NULL: it is as entries says.
    const char *(*name_entry)(const void *spec);
    const char *provenance_entry; // NULL: "metadata"
    const char *secret_type;      // NULL: "Opaque"
    const char *secret_suffix;    // what is put after the object's name for the output Secret's default name
    const char *output;           // what it is called: "key pair"; NULL: it has no name of its own
    const char *precious;         // what people would miss if the output were another one; NULL: nothing
    bool is_made_once;            // no edit of the spec and no other input makes it anew
    bool is_renewable;            // the output is issued anew, in time or on request
    bool is_rotatable;            // it is made anew from time to time, and previous versions are kept
    bool
        is_made_for_key; // each version is for a public key, the leading input, whose digest the status tells
    bool is_public;      // of the output something is public, so that its status has a digest
    // The output has a version for each of one of its inputs, which is that of leading_input; it is not
    // rotated itself.
    bool follows;
    size_t leading_input; // the index of the input that versions are made from; 0 where there is none
    // Which of the output's entries are no secret, NULL-terminated; NULL: none.
    const char *const *public_entries;

    // The spec's fields besides the common ones, read into a zeroed struct of spec_size bytes, which borrows
    // from the spec's document.
    size_t spec_size;
    const struct spec_field *fields;
    const struct foreign_field *foreign_fields; // names that it refuses with advice; NULL: none

    // Called when all fields were read: checks what holds between them, and fills what follows from them.
    // Every fault goes to the reader, after which the spec is not served. NULL: there is nothing of that
    // kind.
    void (*check)(struct spec_reader *reader, void *spec);

    // Frees what check has allocated within spec, which may be half filled; NULL: nothing.
    void (*free_spec)(void *spec);

    // Fills requests and returns how many there are; NULL: the kind has no inputs.
    size_t (*list_inputs)(const void *spec, struct input_request requests[KIND_INPUTS_MAX]);

    // Gives the one form of input number index that its fingerprint is of, so that a key that is merely
    // written differently is no other input; *ret_bytes is owned, and left alone where the input is in that
    // form already. NULL: all are. Errors: INVALID_SPEC.
    bool (*normalize)(const void *spec, const struct input *inputs, size_t index, struct secret **ret_bytes,
                      struct error *e);

    // Whether producing or judging takes seconds of a processor; NULL: it never does.
    bool (*is_slow)(const void *spec, const struct input *inputs);

    // Appends to parameters whatever of spec decides the output, besides algorithm and inputs; NULL: nothing
    // does. What is stored is compared with it after an upgrade too: the text for a spec must never change.
    bool (*describe_parameters)(const void *spec, struct buffer *parameters, struct error *e);

    // Makes the output from spec and inputs (in the order of list_inputs) into data, which is empty;
    // *ret_algorithm: the canonical name, static. Errors: INVALID_SPEC (an input that cannot be used),
    // KEY_MISMATCH (inputs that are not of one key), KEY_LOST and KEY_MISMATCH as of repair (where something
    // of the previous output is kept), CRYPTO, NO_MEMORY.
    bool (*produce)(const void *spec, const struct input *inputs, const struct produce_context *context,
                    struct secret_data *data, const char **ret_algorithm, struct error *e);

    // For a kind whose output has what cannot be made again: makes the output's entries around what is sound
    // of that in context->previous, into data, which is empty. NULL: all of it can be made again. Errors:
    // KEY_LOST (nothing of it is sound), KEY_MISMATCH (two forms of it are sound and differ), those of
    // produce.
    bool (*repair)(const void *spec, const struct input *inputs, const struct produce_context *context,
                   struct secret_data *data, const char **ret_algorithm, struct error *e);

    // What can be had from nowhere any more when after takes the place of before, static; NULL: nothing. For
    // a kind that keeps what is precious in what it makes anew; without this function it is gone.
    const char *(*find_gone)(const void *spec, const struct secret_data *before,
                             const struct secret_data *after);

    // Of a kind that is rotatable: whether an output of that spec is, so that another one would be another;
    // NULL: each.
    bool (*can_rotate)(const void *spec);

    // Of a kind that is rotatable: an upper bound of the bytes of one version's entries in the output Secret,
    // and of what is published of it beside them. NULL only for one that is not.
    size_t (*version_bytes)(const void *spec);

    // Entries that are written anew whenever what they list changes, some of them among the above; NULL:
    // there are none.
    const struct list_entry *lists;

    // Of a kind that is both renewed and rotated: whether an output that is made now, by spec, is another
    // version than data, and not that one renewed.
    bool (*is_other_version)(const void *spec, const struct secret_data *data);

    // Of a kind that has versions since others trust them: what was made from such a version needs it, and it
    // goes when nothing does any more.
    bool serves_dependents;

    // Whether an output that was made from earlier inputs still serves with these, so that it need not be
    // made anew at once; NULL: it never does. Errors: CRYPTO (it does not), NO_MEMORY.
    bool (*check_serves)(const void *spec, const struct secret_data *data, const struct input *inputs,
                         int64_t now, struct error *e);

    // Of a kind whose output has an entry that is no secret and that a ConfigMap can have, too: the entry,
    // which has the same name there, and what the spec says of the ConfigMap. NULL: there is nothing of that
    // kind.
    const char *bundle_entry;
    const struct bundle_spec *(*find_bundle)(const void *spec);

    // Whether the output Secret outlives the object where the spec does not say; NULL: it does not.
    bool (*retains)(const void *spec);

    // Checks an output, new or stored: complete, right lengths, keys that belong together, what spec asks
    // for. Fills report. Errors: CRYPTO (says what is wrong), NO_MEMORY.
    bool (*inspect)(const void *spec, const struct secret_data *data, const struct provenance *provenance,
                    const struct produce_context *context, struct report *report, struct error *e);

    // For a kind without an output Secret, in place of the last two: evaluates the inputs. Fills report.
    // Errors: as of produce.
    bool (*evaluate)(const void *spec, const struct input *inputs, const struct produce_context *context,
                     struct report *report, const char **ret_algorithm, struct error *e);
};

// The names of the output Secret's entries for that spec, besides metadata: entry number index, NULL after
// the last.
const char *kind_entry(const struct kind *kind, const void *spec, size_t index);
const char *kind_metadata_entry(const struct kind *kind);

// What the spec says of a ConfigMap in which an entry of the output is kept, too; NULL: there is to be none.
const struct bundle_spec *kind_bundle(const struct kind *kind, const void *spec);

// Whether an output of that spec is rotated.
bool kind_can_rotate(const struct kind *kind, const void *spec);

// The list of that name; NULL: the kind has none.
const struct list_entry *kind_find_list(const struct kind *kind, const char *name);

// Whether the output Secret may hold versions of the output.
bool kind_has_versions(const struct kind *kind);

// Fills ret_tables with the tables of all fields that a spec of the kind has: its own first; NULL after the
// last.
void kind_list_fields(const struct kind *kind, const struct spec_field *ret_tables[KIND_TABLES_MAX + 1]);

// Reads and checks a spec into memory, zeroed, of the kind's spec_size; and what all kinds with an output
// Secret have. Faults and warnings go to the reader.
void kind_read_spec(const struct kind *kind, struct spec_reader *reader, void *memory);
void kind_read_common(const struct kind *kind, struct spec_reader *reader, struct common_spec *common);

// Call the kind's functions of these names. When memory was out on the way, whatever a kind says is not to be
// trusted, since OpenSSL takes a failed allocation for a bad key, or answers with an implicit rejection: the
// error is NO_MEMORY then. A kind without normalize takes all inputs as they are.
[[nodiscard]] bool kind_normalize(const struct kind *kind, const void *spec, const struct input *inputs,
                                  size_t index, struct secret **ret_bytes, struct error *e);
[[nodiscard]] bool kind_produce(const struct kind *kind, const void *spec, const struct input *inputs,
                                const struct produce_context *context, struct secret_data *data,
                                const char **ret_algorithm, struct error *e);
[[nodiscard]] bool kind_repair(const struct kind *kind, const void *spec, const struct input *inputs,
                               const struct produce_context *context, struct secret_data *data,
                               const char **ret_algorithm, struct error *e);
[[nodiscard]] bool kind_inspect(const struct kind *kind, const void *spec, const struct secret_data *data,
                                const struct provenance *provenance, const struct produce_context *context,
                                struct report *report, struct error *e);
[[nodiscard]] bool kind_evaluate(const struct kind *kind, const void *spec, const struct input *inputs,
                                 const struct produce_context *context, struct report *report,
                                 const char **ret_algorithm, struct error *e);

// Adds a member to report's status; field is borrowed as long as it. Memory that is out shows when it is
// written. A time is in seconds since 1970.
void report_text(struct report *report, const char *field, const char *text);
void report_span(struct report *report, const char *field, const struct secret *text);
void report_integer(struct report *report, const char *field, int64_t number);
void report_real(struct report *report, const char *field, double number);
// The number of an input's version; nothing is added where it has none, which is 0.
void report_version(struct report *report, const char *field, int64_t version);
void report_bool(struct report *report, const char *field, bool value);
void report_time(struct report *report, const char *field, int64_t seconds);

// Makes the fingerprint of secret bytes the report's; of fewer than FINGERPRINTED_BYTES_MIN there is none.
// Errors: CRYPTO, NO_MEMORY.
[[nodiscard]] bool report_fingerprint(struct report *report, const struct secret *bytes, struct error *e);

// Makes fingerprint and digest of public bytes the report's. Errors: CRYPTO, NO_MEMORY.
[[nodiscard]] bool report_public(struct report *report, const void *bytes, size_t length, struct error *e);

// Reports the fingerprint of an input in field, unless it could be searched for: of what is in a Secret of
// fewer than REPORTED_SECRET_MIN bytes. Errors: CRYPTO, NO_MEMORY.
enum { REPORTED_SECRET_MIN = 32 };
[[nodiscard]] bool report_input(struct report *report, const char *field, const struct input *input,
                                struct error *e);
