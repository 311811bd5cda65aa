// Secret bytes: keys, shared secrets, seeds. Each lives in pages of its own that core dumps leave out, that a
// fork does not inherit, that are not swapped where the system allows it, and that are cleansed when freed.
// There is no way to print one.
#pragma once

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

struct secret;

// length zero bytes (0 is allowed, up to 16 MiB); *ret_secret is owned. Errors: NO_MEMORY, INTERNAL (too
// large).
[[nodiscard]] bool secret_create(size_t length, struct secret **ret_secret, struct error *e);

// As secret_create, filled with a copy of bytes.
[[nodiscard]] bool secret_copy(const void *bytes, size_t length, struct secret **ret_secret, struct error *e);

// Takes secret; NULL is allowed.
void secret_free(struct secret *secret);

// Keeps this process's memory out of core files and debuggers, for good. Errors: INTERNAL.
[[nodiscard]] bool secret_forbid_dumps(struct error *e);

// From now on some mappings of secrets that are freed are kept, cleansed, for those to come, up to 640 KiB:
// it saves the kernel most of the work in a program that makes many. Any thread.
void secret_keep_mappings(void);

// The bytes, for writing and reading; borrowed until secret is freed.
uint8_t *secret_bytes(struct secret *secret);
const uint8_t *secret_view(const struct secret *secret);

// Length in bytes.
size_t secret_length(const struct secret *secret);

// Forgets (and cleanses) all but the first length bytes; length must not exceed the present one.
void secret_shorten(struct secret *secret, size_t length);

// Whether the secret holds exactly these bytes, in a time that depends on length only.
bool secret_equals(const struct secret *secret, const void *bytes, size_t length);

// The outcome, which was computed from secret bytes and may be known: whether a text is base64 at all,
// whether two keys are the same. A branch on anything else that follows from secret bytes would tell about
// them by its time, and a test finds it (tests/timing).
bool secret_reveal(bool outcome);

// All ones if low <= value <= high, else 0, without a branch; all below 2^31.
static inline uint32_t secret_mask_between(uint32_t value, uint32_t low, uint32_t high) {
    return (((value - low) | (high - value)) >> 31) - 1;
}

static inline void secret_cleanup(struct secret **secret) {
    secret_free(*secret);
}
#define cleanup_secret [[gnu::cleanup(secret_cleanup)]]
