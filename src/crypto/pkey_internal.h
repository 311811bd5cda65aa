// For the files of this folder only: the OpenSSL key inside a struct pkey.
#pragma once

#include "crypto/pkey.h"

#include <openssl/types.h>

// Wraps an OpenSSL key, which the caller has seen to be of that algorithm. Takes evp, also when it fails.
// Errors: NO_MEMORY.
[[nodiscard]] bool pkey_wrap(const struct algorithm *algorithm, EVP_PKEY *evp, bool has_private,
                             struct pkey **ret_pkey, struct error *e);

// Borrowed until pkey is freed.
EVP_PKEY *pkey_evp(const struct pkey *pkey);
