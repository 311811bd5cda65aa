// The versions of an output that is rotated. All live in one Secret: the present one under the names that an
// output has without rotation, an earlier one as ENTRY.N, and one that is to come as ENTRY.next, of which
// what is no public entry is hidden: .ENTRY.next. The metadata entry says when each was made, came into use
// and was retired, and what its entries are.
#pragma once

#include "base/clock.h"
#include "crypto/fingerprint.h"
#include "engine/secret_data.h"
#include "json/read.h"

struct kind;

enum {
    VERSIONS_KEPT_MAX = 16,
    VERSION_ENTRY_SIZE = 96, // of an entry's name as the Secret has it
    VERSION_ALGORITHM_SIZE = 64,
};

struct version {
    int64_t number; // from 1; of those kept and the present one each has its own
    char created[CLOCK_TEXT_SIZE];
    char active[CLOCK_TEXT_SIZE];           // when it came into use; "": not yet
    char retired[CLOCK_TEXT_SIZE];          // when another one took its place; "": not yet
    char algorithm[VERSION_ALGORITHM_SIZE]; // canonical name
    char fingerprint[FINGERPRINT_SIZE];     // "": none
    char digest[DIGEST_TEXT_SIZE];          // of what is public of it; "": nothing is
    // Of the input that it was made from, or, of a kind with is_other_version and no input, of its
    // parameters;
    // "": none.
    char input[DIGEST_TEXT_SIZE];
    struct secret_data data; // owned; its keys are those of an output without versions
    yyjson_val *digests; // of its entries, by those keys; borrowed from the metadata; NULL: nothing is known
};

struct versions {
    int64_t number;               // of the present one; 0: there is none
    char active[CLOCK_TEXT_SIZE]; // when the present one came into use
    bool is_retimed;              // which is not when it was made, though it is the first
    bool has_next;
    struct version next;
    size_t kept_count;
    struct version kept[VERSIONS_KEPT_MAX]; // the newest comes first
};

// What a status calls these times, and the states of versions.
#define VERSIONS_FIELD "versions"
#define VERSION_FIELD "version"
#define VERSION_KEY_FIELD "publicKeyDigest" // of a kind that is_made_for_key
#define VERSION_STATE_NEXT "Next"
#define VERSION_STATE_ACTIVE "Active"
#define VERSION_STATE_RETIRED "Retired"
#define VERSION_CREATED_FIELD "createdTime"
#define VERSION_ACTIVE_FIELD "activeTime"
#define VERSION_RETIRED_FIELD "retiredTime"

// Whether there is more to say than that the present version is the first.
bool versions_are_told(const struct versions *versions);

// The name of the entry as the Secret has it; VERSION_PRESENT gives the entry itself.
enum version_place { VERSION_PRESENT, VERSION_KEPT, VERSION_NEXT };
void version_entry_name(const struct kind *kind, enum version_place place, int64_t number, const char *entry,
                        char ret_name[VERSION_ENTRY_SIZE]);

// The same of an entry of which is known whether it is public.
void version_name_entry(bool is_public, enum version_place place, int64_t number, const char *entry,
                        char ret_name[VERSION_ENTRY_SIZE]);

// Whether that is the name of an entry of a version that is not the present one, whatever its number.
bool version_is_entry_name(const struct kind *kind, const char *name);

// Calls visit with each entry of all versions but the present one, by its name in the Secret; while it
// returns true.
bool versions_visit_entries(const struct versions *versions, const struct kind *kind,
                            bool (*visit)(void *context, const char *name, const struct secret *value,
                                          struct error *e),
                            void *context, struct error *e);

// Adds what metadata says of versions to root: nothing, where there is nothing to tell. Errors: CRYPTO,
// NO_MEMORY.
[[nodiscard]] bool versions_store(const struct versions *versions, yyjson_mut_doc *document,
                                  yyjson_mut_val *root, struct error *e);

// Reads what versions_store has written, without the entries' contents, and borrows from root; metadata of an
// output that was never rotated is that of version 1, in use since created. Errors: CRYPTO.
[[nodiscard]] bool versions_load(yyjson_val *root, const char *created, struct versions *ret_versions,
                                 struct error *e);

// For metadata that cannot be read: finds the versions by the names of entries, and nothing else of them.
void versions_find(const struct kind *kind, yyjson_val *entries, struct versions *ret_versions);

// What a status says of versions, present number; without the entries' contents. Nothing can be wrong with
// it: what cannot be read is left out.
void versions_recall(yyjson_val *list, int64_t number, struct versions *ret_versions);

// The same of the one of that number, into its texts, which stay as they are where the list says nothing.
void version_recall(yyjson_val *list, struct version *version);

// Reads the entries of all versions but the present one from a Secret's data. What is no base64 is none:
// *ret_damage says so. Errors: NO_MEMORY.
[[nodiscard]] bool versions_read(struct versions *versions, const struct kind *kind, yyjson_val *entries,
                                 struct error *ret_damage, struct error *e);

// The same of one entry only.
[[nodiscard]] bool versions_read_entry(struct versions *versions, const char *entry, bool is_public,
                                       yyjson_val *entries, struct error *ret_damage, struct error *e);

// The version with that index, of all but the present one: those kept, the newest first, and then the next
// one. NULL: there are no more.
const struct version *versions_get(const struct versions *versions, size_t index);
struct version *versions_at(struct versions *versions, size_t index);

// Whether the version of that number is kept.
bool versions_keep(const struct versions *versions, int64_t number);

// Puts version in front of those kept, taken, of which there are fewer than VERSIONS_KEPT_MAX.
void versions_retire(struct versions *versions, struct version *version);

// Takes out the kept version at index and frees it.
void versions_drop(struct versions *versions, size_t index);

// The highest number that any of them has.
int64_t versions_newest(const struct versions *versions);

void version_done(struct version *version);
void versions_done(struct versions *versions);
