// What of a damaged output is still sound, when it cannot be made again.
#pragma once

#include "crypto/pkey.h"
#include "engine/kind.h"

// Whether recorded, a digest or what a status shows of one, is that of bytes. Errors: CRYPTO, NO_MEMORY.
[[nodiscard]] bool salvage_is_recorded(const char *recorded, const struct secret *bytes, bool *ret_is,
                                       struct error *e);

// Finds the entry of that key in context->previous, if it is the one that was made: it has length bytes, and
// the metadata, or else what the status has recorded of it, says so. Where nothing is said the length is all
// that there is to judge by. recorded: its digest or fingerprint; "": the status says none. *ret_entry is
// borrowed from context; NULL: it is not sound. Errors: CRYPTO, NO_MEMORY.
[[nodiscard]] bool salvage_entry(const struct produce_context *context, const char *key, size_t length,
                                 const char *recorded, const struct secret **ret_entry, struct error *e);

// Reads the entry of that key as a private key; *ret_pkey is owned, NULL: it holds none of that algorithm.
// Errors: NO_MEMORY.
[[nodiscard]] bool salvage_private_key(const struct secret_data *data, const char *key,
                                       const struct algorithm *algorithm, struct pkey **ret_pkey,
                                       struct error *e);

// Checks that private and public key belong together. Errors: CRYPTO (they do not), NO_MEMORY.
typedef bool key_pair_checker(const struct pkey *pkey, struct error *e);

// Of two forms of a private key (NULL: that one is lost) gives the better one: of two that are the same the
// one with a seed, else the first; of two that differ the one that passes check, if the other does not.
// *ret_pkey is one of them. For the message: names, the entries'; recorded, the fingerprint of the public key
// that the status has recorded, "": it says none. Errors: KEY_LOST (neither is there), KEY_MISMATCH (they are
// two keys; the message says of which public keys), CRYPTO, NO_MEMORY.
[[nodiscard]] bool salvage_choose(struct pkey *const forms[2], const char *const names[2],
                                  key_pair_checker *check, const char *recorded, const struct pkey **ret_pkey,
                                  struct error *e);

// Whether a private key that is left is the one that the status has recorded, if that tells. Errors:
// KEY_MISMATCH, CRYPTO, NO_MEMORY.
[[nodiscard]] bool salvage_check_recorded(const struct pkey *pkey, const struct record *record,
                                          struct error *e);
