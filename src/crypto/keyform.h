// Reading what others wrote: keys and byte strings in the forms that people and programs keep them in.
#pragma once

#include "base/error.h"
#include "base/secret.h"
#include "crypto/algorithm.h"
#include "crypto/pkey.h"

#include <stddef.h>

enum { KEYFORM_INPUT_MAX = 1024 * 1024 }; // bytes that are looked at; a key is a few thousand

// A public key of the wanted algorithm, in any of these forms: its raw encoding; SubjectPublicKeyInfo (RFC
// 5280; ML-KEM: RFC 9935) or an X.509 certificate as PEM, whose first block counts; SubjectPublicKeyInfo as
// DER; base64 of any of these, with spaces and line ends anywhere. *ret_pkey is owned. A certificate's key is
// taken, its signature and dates are not looked at. Errors: INVALID_SPEC (none of these forms, another
// algorithm, or not a valid key), NO_MEMORY.
[[nodiscard]] bool keyform_read_public(const struct algorithm *wanted, const void *bytes, size_t length,
                                       struct pkey **ret_pkey, struct error *e);

// The same, of whichever algorithm of the family it is. Raw bytes may fit several of one size (SLH-DSA).
// Errors: as keyform_read_public, and INVALID_SPEC for such a key.
[[nodiscard]] bool keyform_read_any_public(enum algorithm_family family, const void *bytes, size_t length,
                                           struct pkey **ret_pkey, struct error *e);

// Whether bytes that are no public key look like a private one, which whoever holds them took for the other:
// by the label of PEM, as PKCS#8, or by the length of a raw key or a seed of that algorithm (NULL: of any of
// the family), or base64 of any of these.
bool keyform_seems_private(enum algorithm_family family, const struct algorithm *algorithm, const void *bytes,
                           size_t length);

// A private key of the wanted algorithm: its raw encoding; PKCS#8 as PEM or DER with the seed, the expanded
// key or both (ML-KEM: RFC 9935 section 6), which must belong together; base64 of any of these. Encrypted
// ones are not read. *ret_pkey is owned; it has its seed if the form had it. Errors: as keyform_read_public.
[[nodiscard]] bool keyform_read_private(const struct algorithm *wanted, const void *bytes, size_t length,
                                        struct pkey **ret_pkey, struct error *e);

// Bytes whose number is known, such as a ciphertext or a signature: wanted bytes as they are, or as hex
// digits or base64, with spaces and line ends anywhere. *ret_bytes is owned. what names them in messages
// ("ciphertext of ML-KEM-768"). Errors: INVALID_SPEC (none of these forms, or another number), NO_MEMORY.
[[nodiscard]] bool keyform_read_bytes(const char *what, size_t wanted, const void *bytes, size_t length,
                                      struct secret **ret_bytes, struct error *e);
