// Random numbers from the two sources that a user can name, and how random some bytes look.
#pragma once

#include "base/error.h"
#include "base/secret.h"

#include <stddef.h>

// length bytes from the kernel (getrandom(2)); *ret_secret is owned. Errors: CRYPTO, NO_MEMORY, INTERNAL (too
// large for a secret).
[[nodiscard]] bool random_system(size_t length, struct secret **ret_secret, struct error *e);

// length bytes from OpenSSL's private generator (RAND_priv_bytes; SP 800-90A, seeded by the kernel);
// *ret_secret is owned. Errors: as random_system.
[[nodiscard]] bool random_openssl(size_t length, struct secret **ret_secret, struct error *e);

// The Shannon entropy of the bytes' distribution, in bits per byte: 0 (all the same, or none) to 8 (all 256
// equally often). At most log2(length), so a short run shows less than 8 however random it is.
double random_entropy(const void *bytes, size_t length);
