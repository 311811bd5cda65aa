// What of a damaged output is still sound, when it cannot be made again.
#pragma once

#include "crypto/pkey.h"
#include "kinds/kind.h"

// Finds the entry of that key in occasion->previous, if it is the one that was made: it has length bytes, and
// the metadata, or else what the status has recorded of it, says so. Where nothing is said the length is all
// that there is to judge by. recorded: its digest or fingerprint; "": the status says none. *ret_entry is
// borrowed from occasion; NULL: it is not sound. Errors: CRYPTO, NO_MEMORY.
[[nodiscard]] bool salvage_entry(const struct occasion *occasion, const char *key, size_t length,
                                 const char *recorded, const struct secret **ret_entry, struct error *e);

// Reads the entry of that key as a private key; *ret_pkey is owned, NULL: it holds none of that algorithm.
// Errors: NO_MEMORY.
[[nodiscard]] bool salvage_private_key(const struct secret_data *data, const char *key,
                                       const struct algorithm *algorithm, struct pkey **ret_pkey,
                                       struct error *e);

// Of two forms of a private key (NULL: that one is lost) gives the better one, the first of two that are the
// same; *ret_pkey is one of them. names: the entries', for the message. recorded: the fingerprint of the
// public key that the status has recorded, for the message too; "": it is not known. Errors: KEY_LOST
// (neither is there), KEY_MISMATCH (they are two keys; the message says of which public keys), CRYPTO,
// NO_MEMORY.
[[nodiscard]] bool salvage_choose(struct pkey *const forms[2], const char *const names[2],
                                  const char *recorded, const struct pkey **ret_pkey, struct error *e);

// The fingerprint of a key's public half in its raw encoding. Errors: CRYPTO, NO_MEMORY.
[[nodiscard]] bool salvage_name_key(const struct pkey *pkey, char ret_fingerprint[FINGERPRINT_SIZE],
                                    struct error *e);
