// One input of an object, as the engine and the kinds take it: bytes, or the handle of a key, which need not
// have bytes here.
#pragma once

#include "base/secret.h"
#include "crypto/fingerprint.h"
#include "crypto/pkey.h"
#include "engine/versions.h"

struct input {
    const char *field;     // as in its request
    const char *algorithm; // status.algorithm of the resource that it came from; NULL: not from one of ours
    const char *made_for;  // status.publicKeyDigest of that resource; NULL: it says none
    const char *verified;  // status.digest (or, of version 0.1.0, .fingerprint) of that resource; NULL: none
    const struct secret *bytes;  // borrowed; NULL: there are none, or it is not loaded
    const struct secret *beside; // the entry that is given by itself, too; NULL: there is none
    struct pkey *key;            // borrowed; NULL: it is to be read from bytes
    int64_t version;             // the number of the version that it is; 0: it has none
    // The other versions, of each of which data has nothing but the entry that is read; borrowed. NULL: there
    // are none, or they are not asked for.
    const struct versions *versions;
    bool is_confidential;   // it is an entry of a Secret, and not one that is public
    bool is_of_old_origin;  // the output was made from what the reference means now: the status says no other
    bool is_version_edited; // but of another version of it, or of none, than the reference names now
};

// Whether there is anything of it.
bool input_is_loaded(const struct input *input);

// The digest that the output's metadata has of it: of its bytes, or of the public key where it has none.
// Errors: CRYPTO, NO_MEMORY.
[[nodiscard]] bool input_digest(const struct input *input, char ret_digest[DIGEST_TEXT_SIZE],
                                struct error *e);
