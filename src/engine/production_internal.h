// What the files of a production share: its versions.
#pragma once

#include "engine/production.h"

// Reads all versions but the present one from a Secret's data, after its metadata, as far as that can be
// read. Errors: CRYPTO (the metadata is not to be believed), NO_MEMORY.
[[nodiscard]] bool production_read_versions(struct production *p, yyjson_val *entries,
                                            struct error *ret_damage, struct error *e);

// Whether each of them is as it was left. Errors: CRYPTO (says which is not), NO_MEMORY.
[[nodiscard]] bool production_verify_versions(struct production *p, struct error *e);

// Notes the requests that an output answers; NULL: none.
void production_note_requests(struct provenance *provenance, const char *renew, const char *rotate);

// Whether a version is as its metadata says; without that, whether its content is what the status has
// recorded.
bool production_is_sound(const struct production *p, const struct version *version);

// Rebuilds each of them around what is sound. One of which nothing is goes, where context.may_lose_key is
// set. Errors: KEY_LOST, KEY_MISMATCH, CRYPTO, NO_MEMORY.
[[nodiscard]] bool production_repair_versions(struct production *p, struct error *e);

// Makes a version from inputs, with no regard to what there was before. *ret_version is owned. Errors: those
// of production_make.
[[nodiscard]] bool production_make_version(const struct production *p, const struct input *inputs,
                                           struct version *ret_version, struct error *e);

// Whether the output follows versions of an input, and they are known.
bool production_follows(const struct production *p);

// Whether its versions are those of that input. Errors: CRYPTO, NO_MEMORY.
[[nodiscard]] bool production_is_abreast(const struct production *p, bool *ret_is, struct error *e);

// Makes all its versions but the present one, which has been made, from that input; there are none where that
// has none. Errors: NO_MEMORY, INTERNAL.
[[nodiscard]] bool production_follow_anew(struct production *p, struct error *e);

// Brings its versions to those of that input. *present: the present one so far, taken, and the new one
// afterwards. What was made from the same before stays as it is. Errors: as production_make_version.
[[nodiscard]] bool production_follow_from(struct production *p, struct version *present, struct error *e);

// Says what has gone with what the output takes the place of, if it is another one than that.
void production_complete_replaced(const struct production *p, struct replaced *replaced);

// Puts the entries that list things into p->data, in the place of those that are there; or takes them out,
// where there is nothing to list. Errors: as of struct list_entry's write.
[[nodiscard]] bool production_list(struct production *p, struct error *e);

// Copies what they hold. Errors: NO_MEMORY.
[[nodiscard]] bool production_copy_lists(const struct production *p, struct secret_data *copies,
                                         struct error *e);

// Takes those out of the data of a version, which has none.
void production_remove_lists(const struct kind *kind, struct secret_data *data);

// Gives a present version that is made now its number: the next one, where there was one before.
void production_number(struct production *p);
