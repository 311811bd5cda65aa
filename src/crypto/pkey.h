// An asymmetric key: a public key, or a private key with its public key. It goes in and out as the raw
// encodings of its standard, and out as PEM. Reading what others wrote is keyform.h's.
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "base/secret.h"
#include "crypto/algorithm.h"

#include <stddef.h>

// Never changes once it is made, so threads may share one. It is counted, and freed with the last count.
struct pkey;

// A new random key pair (ML-KEM: FIPS 203 algorithm 19); *ret_pkey is owned. Errors: CRYPTO, NO_MEMORY.
[[nodiscard]] bool pkey_generate(const struct algorithm *algorithm, struct pkey **ret_pkey, struct error *e);

// The key pair of a seed of algorithm->seed_size bytes (ML-KEM: d || z, FIPS 203 algorithm 16); *ret_pkey is
// owned. Errors: INVALID_SPEC (wrong length), CRYPTO, NO_MEMORY.
[[nodiscard]] bool pkey_from_seed(const struct algorithm *algorithm, const struct secret *seed,
                                  struct pkey **ret_pkey, struct error *e);

// A key pair from a raw private key of algorithm->private_key_size bytes (ML-KEM: dk), which is checked (FIPS
// 203 section 7.3, and encapsulating and decapsulating must agree); *ret_pkey is owned. Such a key has no
// seed. Errors: INVALID_SPEC (wrong length, or it is not such a key), NO_MEMORY.
[[nodiscard]] bool pkey_from_private(const struct algorithm *algorithm, const void *bytes, size_t length,
                                     struct pkey **ret_pkey, struct error *e);

// A public key from its raw encoding of algorithm->public_key_size bytes (ML-KEM: ek), which is checked (FIPS
// 203 section 7.2); *ret_pkey is owned. Errors: INVALID_SPEC (wrong length, or it is not such a key),
// NO_MEMORY.
[[nodiscard]] bool pkey_from_public(const struct algorithm *algorithm, const void *bytes, size_t length,
                                    struct pkey **ret_pkey, struct error *e);

// One more count, which is the caller's.
struct pkey *pkey_retain(struct pkey *pkey);

// Takes one count of pkey; NULL is allowed.
void pkey_free(struct pkey *pkey);

// Static.
const struct algorithm *pkey_algorithm(const struct pkey *pkey);

bool pkey_has_private(const struct pkey *pkey);

// Appends the raw public key, algorithm->public_key_size bytes. Errors: as buffer_append, CRYPTO.
[[nodiscard]] bool pkey_public(const struct pkey *pkey, struct buffer *bytes, struct error *e);

// The raw private key, algorithm->private_key_size bytes; *ret_bytes is owned. Errors: CRYPTO (a public key
// has none), NO_MEMORY.
[[nodiscard]] bool pkey_private(const struct pkey *pkey, struct secret **ret_bytes, struct error *e);

// Appends the public key as PEM "PUBLIC KEY" (SubjectPublicKeyInfo; ML-KEM: RFC 9935). Errors: as
// buffer_append, CRYPTO.
[[nodiscard]] bool pkey_public_pem(const struct pkey *pkey, struct buffer *pem, struct error *e);

// The private key as PEM "PRIVATE KEY" (PKCS#8 with the seed only; ML-KEM: RFC 9935 section 6); *ret_pem is
// owned and holds text without a NUL. Only a key that has its seed can be written so: a generated one, one
// from a seed, or one that was read from such a PEM. Errors: CRYPTO (no private key or no seed), NO_MEMORY.
[[nodiscard]] bool pkey_private_pem(const struct pkey *pkey, struct secret **ret_pem, struct error *e);

// Whether pkey_private_pem can write the key.
bool pkey_has_seed(const struct pkey *pkey);

// The private key as PEM "PRIVATE KEY" (PKCS#8 with the expanded key, RFC 9935 section 6, RFC 9881 section
// 6), for one whose seed is not known; *ret_pem is owned and holds text without a NUL. Not every program
// reads it. Errors: as of pkey_private, CRYPTO.
[[nodiscard]] bool pkey_expanded_pem(const struct pkey *pkey, struct secret **ret_pem, struct error *e);

// The private key as PEM in the better form: as pkey_private_pem where its seed is known, else as
// pkey_expanded_pem. *ret_pem is owned. Errors: as of these.
[[nodiscard]] bool pkey_best_pem(const struct pkey *pkey, struct secret **ret_pem, struct error *e);

// Checks that two keys are the same: algorithm, public key, and, when both have one, private key (compared as
// raw encodings). Errors: CRYPTO (they differ; the message says in what), NO_MEMORY.
[[nodiscard]] bool pkey_check_same(const struct pkey *one, const struct pkey *other, struct error *e);

static inline void pkey_cleanup(struct pkey **pkey) {
    pkey_free(*pkey);
}
#define cleanup_pkey [[gnu::cleanup(pkey_cleanup)]]
