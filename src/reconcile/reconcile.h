// One reconcile in progress: what its steps (inputs.c, output.c, status.c) share. For the files of this
// folder only.
#pragma once

#include "base/log.h"
#include "engine/decode.h"
#include "reconcile/reconcile_id.h"
#include "reconcile/reconciler.h"
#include "reconcile/renewal.h"

enum { PATH_MAX_BYTES = 2048, REASON_SIZE = 64, SOURCE_FROM_SIZE = 64 + 253 + 1 };

// One input: where it is, and, once loaded, what it is.
struct source {
    const struct input_request *request;
    const struct input_source *from;
    const struct kube_resource *resource; // Secrets or ConfigMaps; NULL: a URL
    const char *namespace;                // where the reference points to
    const char *name;                     // of the Secret, ConfigMap, or URL
    const char *data_key;
    struct kube_object *upstream; // owned: the resource of ours that the Secret belongs to; NULL: none
    struct kube_object *seen;     // owned: what the watch says of the Secret or ConfigMap; NULL: nothing
    struct kube_object *read;     // owned: its metadata as read with the bytes
    struct secret *bytes;         // owned; NULL: not loaded
};

// Writes "Kind/name", as status.inputs[].from names one of our own objects.
void source_format_from(const char *kind, const char *name, char ret_from[SOURCE_FROM_SIZE]);

// How a status is told, besides that a change of its Ready condition is an Event.
enum telling {
    TELL_ANEW,      // in the words of this time
    TELL_AS_BEFORE, // in the words of the last time, where it is the same but for what varies
    TELL_EACH_TIME, // the same, and it is counted in the Event
    TELL_NOTHING,   // no status at all: it is over in a moment, and what ends it wakes the object
};

struct reconcile {
    const struct reconciler_parts *parts;
    const struct kind *kind;
    const struct object_key *key;
    const struct queue_attempt *attempt;
    char id[RECONCILE_ID_SIZE];  // for logs, Events and the status that it writes
    struct kube_object *object;  // owned
    struct kube_object *written; // owned: the same with the status that was written; NULL: none was
    struct decoded decoded;
    struct source sources[KIND_INPUTS_MAX];

    // How it ends. A step that stops early leaves here what its error does not say: the reason, where that is
    // not the one of the error's class; and RESULT_SLOW, where it left work that takes seconds undone.
    struct outcome *outcome;
    enum telling telling;

    bool is_granted;   // some input is in another namespace, and may be read
    bool is_outdated;  // the output was found not to be what is asked for
    bool is_contested; // the output's labels, annotations or owner are changed by others again and again
    uint32_t upkeep_wait_ms; // when to look at them again; 0: no need to
    struct produce_context context;
    struct input inputs[KIND_INPUTS_MAX];
    yyjson_doc *live;         // owned: the list with the object, as it was read live; NULL: it was not
    struct replaced replaced; // what the output to be made takes the place of
    char changed[PROVENANCE_SENTENCE_SIZE]; // of a stale output: what it was made from, and has changed
    bool has_other_parameters;              // the stale output was made by another spec
    bool is_adopted;                        // the output was left from an earlier object

    bool is_counted;              // the output's remake was counted
    bool is_made;                 // the output was made, and not found as it is
    struct secret_data data;      // the output, made or read
    struct provenance provenance; // its metadata entry
    bool has_provenance;          // metadata could be read
    yyjson_doc *secret_document;  // owned: the Secret that data was read from; NULL: none
    yyjson_doc *provenance_text;  // owned: what metadata borrows from
    struct report report;         // what its kind says of it; report.status is owned
    struct kube_object *output;   // owned: the output Secret's metadata as last read or written
};

// Logs about r's object, with r's id; detail may be NULL.
void reconcile_log(const struct reconcile *r, enum log_level level, const char *what, const char *detail);

// Records an Event about r's object, with r's id.
void reconcile_record(const struct reconcile *r, bool warning, const char *reason, const char *action,
                      const char *note);

// Sends a request of r's as kube_client_call does. That the operator may not do something is no answer to
// whether the object's owner may, so FORBIDDEN becomes REFUSED.
[[nodiscard]] bool reconcile_request(const struct reconcile *r, const struct kube_request *request,
                                     yyjson_doc **ret_document, struct error *e);

// Reads an object as it is now, or, with version, at that version or any later one: the API server may answer
// from its memory then, without asking etcd. *ret_document is owned. Errors: as reconcile_request.
[[nodiscard]] bool reconcile_get(const struct reconcile *r, const struct kube_resource *resource,
                                 const char *namespace, const char *name, const char *version,
                                 yyjson_doc **ret_document, struct error *e);

// What the watch knows of the object of that kind, namespace and name: a count that is the caller's, or NULL.
struct kube_object *reconcile_find(const struct reconcile *r, const char *kind, const char *namespace,
                                   const char *name);

// grants.c: references into other namespaces.

// Whether the source is in r's own namespace.
bool source_is_own(const struct reconcile *r, const struct source *source);

// Whether r's ServiceAccount may refer to the object that source's reference means by from: it may get it,
// or, if it is one of ours, use it. Always in r's own namespace. Errors: FORBIDDEN (says which grants would
// do), those of access_review.
[[nodiscard]] bool grants_check(struct reconcile *r, const struct source *source,
                                const struct input_source *from, struct error *e);

// Whether r's ServiceAccount may have the secret bytes used that source's upstream keeps in the Secret
// source->name: it may get both, or use the upstream. Else as grants_check, which has said yes before.
[[nodiscard]] bool grants_check_secret(struct reconcile *r, const struct source *source, struct error *e);

// presence.c: what the watch has not shown yet.

// Asks the API server for r's object, and stores what it says. Errors: RETRYABLE (it is gone, is being
// deleted, was edited, or another one has its name), those of requests.
[[nodiscard]] bool recheck_object(struct reconcile *r, struct error *e);

// Asks the API server for r's object and for its inputs: whether they are those that r has read. Nothing that
// is there is replaced before. Errors: RETRYABLE (they are not; the news are stored), those of requests.
[[nodiscard]] bool recheck_all(struct reconcile *r, struct error *e);

// inputs.c: step 3.

// Finds each input and what the watch knows of it, with no request. Errors: NOT_FOUND (missing or not
// finished; the reason says what is waited for), FORBIDDEN (in another namespace), INVALID_SPEC, RETRYABLE
// (its owner is about to look at it again).
[[nodiscard]] bool inputs_resolve(struct reconcile *r, struct error *e);

// Reads all inputs but URLs, live, and brings them to their normal form. Errors: as inputs_resolve, and those
// of requests and of struct kind's normalize.
[[nodiscard]] bool inputs_load(struct reconcile *r, struct error *e);

// Reads what inputs_load left out. Errors: NOT_FOUND with a time to wait (the URL gave nothing), NO_MEMORY.
[[nodiscard]] bool inputs_load_urls(struct reconcile *r, struct error *e);

// The inputs as struct kind's functions take them, borrowed from r; one that is not loaded has no bytes.
void inputs_list(const struct reconcile *r, struct input ret_inputs[KIND_INPUTS_MAX]);

// Names the object in an error of a kind's about one of its inputs ("spec.publicKeyRef: not a public key"),
// and what to do.
void inputs_explain(const struct reconcile *r, struct error *e);

// Notes the inputs' digests in *metadata; an input that is not loaded counts as the one that known
// names.
[[nodiscard]] bool inputs_describe(const struct reconcile *r, const struct provenance *known,
                                   struct provenance *metadata, struct error *e);

void inputs_free(struct reconcile *r);

// output.c, output_apply.c and output_write.c: steps 4 to 6.

enum output_state {
    OUTPUT_ABSENT,
    OUTPUT_GOOD,    // ours, and what spec and inputs ask for; r->data, metadata and report are filled
    OUTPUT_STALE,   // ours, but made from other inputs or by another spec
    OUTPUT_DUE,     // ours and good, but to be made anew before it expires
    OUTPUT_DAMAGED, // ours, and not as we left it
};

// The store that has the metadata of the output Secret.
struct store *output_store(const struct reconcile *r);

// Notes in *metadata what an output made now is made from: its inputs (as inputs_describe) and its
// parameters.
[[nodiscard]] bool output_describe(const struct reconcile *r, const struct provenance *known,
                                   struct provenance *metadata, struct error *e);

// Lets the kind inspect what r has of the output, and fills r->report. Errors: those of struct kind's
// inspect.
[[nodiscard]] bool output_inspect(struct reconcile *r, struct error *e);

// Whether the output is one that expires and is to be renewed now; else *ret_wait_ms: when to look at it
// again, 0: never.
bool reconcile_is_due(const struct reconcile *r, const struct renewal *renewal, uint32_t *ret_wait_ms);

// The same of the output that r->report is about.
bool reconcile_output_is_due(const struct reconcile *r, uint32_t *ret_wait_ms);

// Looks at the output Secret: at what the watch says, and, where there is something to look at, live. An
// adoptable Secret that is sound is good, too. *ret_damage: what is wrong, when it is damaged. Errors:
// CONFLICT (it is not ours), and those of requests.
[[nodiscard]] bool output_examine(struct reconcile *r, enum output_state *ret_state, struct error *ret_damage,
                                  struct error *e);

// As output_examine, live whatever the watch says.
[[nodiscard]] bool output_examine_live(struct reconcile *r, enum output_state *ret_state,
                                       struct error *ret_damage, struct error *e);

// Does what follows from the state of the output that was examined; damage: as output_examine gives it.
// Errors: those of output_make and output_repair, KEY_LOST and KEY_MISMATCH (nothing was written), CONFLICT,
// RETRYABLE, CRYPTO (later: it comes too often).
[[nodiscard]] bool output_apply(struct reconcile *r, enum output_state state, const struct error *damage,
                                struct error *e);

// Whether this worker may make or judge the output: work that takes seconds is left to one that may do it.
// Errors: RETRYABLE, and the outcome's result is RESULT_SLOW.
[[nodiscard]] bool output_may_make(struct reconcile *r, struct error *e);

// Makes the output and writes it: creates the Secret, or replaces our own entries of the one examined; what
// other people have added to it stays. Errors: those of struct kind's produce, CONFLICT (another one took the
// name), and those of requests.
[[nodiscard]] bool output_make(struct reconcile *r, struct error *e);

// Replaces the entries of the one examined by those that the kind rebuilds around what cannot be made again.
// Errors: those of struct kind's repair, and of requests.
[[nodiscard]] bool output_repair(struct reconcile *r, struct error *e);

// For a kind without an output Secret: evaluates the inputs. Errors: those of struct kind's evaluate.
[[nodiscard]] bool output_evaluate(struct reconcile *r, struct error *e);

// Brings the labels, annotations and owner of a good Secret to what they should be, where they differ, and
// its metadata entry to the form of this version.
[[nodiscard]] bool output_keep_metadata(struct reconcile *r, struct error *e);

// For an object that waits or has failed: takes its owner off a Secret of its own that is to outlive it, so
// that deletionPolicy Retain holds from the moment that it is asked for. Errors: those of requests.
[[nodiscard]] bool output_release(struct reconcile *r, struct error *e);

// replacement.c: what is told when the output is another one than it was.

// Notes what the output to be made takes the place of, and why. reason: of the Event. cause: a few words.
void replacement_note(struct reconcile *r, const char *reason, const char *cause);

// Records an Event if the output is not the one that the status has recorded: made by r, by a reconcile that
// was broken off before it could say so, or by somebody else.
void replacement_tell(const struct reconcile *r);

void output_free(struct reconcile *r);

// conflict.c: what is told of a Secret that is in the way. Both: CONFLICT.

// It is somebody else's; metadata is the Secret's.
bool conflict_with_foreign(const struct reconcile *r, yyjson_val *metadata, struct error *e);

// It could be adopted, but for why.
bool conflict_with_left(const struct reconcile *r, const char *why, struct error *e);

// upkeep.c: how often the metadata of a good output is put right.

// Whether what output_keep_metadata would write is to be written now. Sets what r says of the matter.
[[nodiscard]] bool upkeep_may_write(struct reconcile *r);

// status.c: step 7.

enum phase { PHASE_PENDING, PHASE_SUCCESS, PHASE_FAILED };

// Whether recorded, a part of a status with uid and resourceVersion, names exactly this version of object.
bool status_names(yyjson_val *recorded, const struct kube_object *object);

// The Ready condition of a status; NULL: there is none.
yyjson_val *status_find_ready(yyjson_val *status);

// A time that a status says, in seconds since 1970; 0: it says none.
int64_t status_time(yyjson_val *status, const char *field);

// Whether the output was made from what source is found in now: the status says no other.
bool status_has_origin(const struct reconcile *r, const struct source *source);

// Whether the status has recorded the public key that r->report is about.
bool status_has_key(const struct reconcile *r);

// Fills r->context's record from the object's status, as it was read live if it was.
void status_read_record(struct reconcile *r);

// Whether the status says that object's present generation was served, with exactly the output and inputs
// that the watch now shows: nothing is to be done then, before the renewal that it announces.
bool status_is_settled(const struct reconcile *r, struct renewal *ret_renewal);

// Whether the status says of a finished object what nothing is known against: its present generation was
// served, and its output is there and was not found to be anything else.
bool status_stands(const struct reconcile *r);

// Patches the status where it differs, and records an Event if its Ready condition changed, or if each time
// is told (r->telling): the same failure again continues the Event's series, and is the same although the
// server's words for it vary. message: for people.
[[nodiscard]] bool status_publish(struct reconcile *r, enum phase phase, const char *reason,
                                  const char *message, struct error *e);
