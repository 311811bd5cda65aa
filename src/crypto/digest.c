#include "crypto/digest.h"

#include "crypto/openssl.h"

#include <openssl/evp.h>

bool digest_compute(const void *bytes, size_t length, uint8_t ret_digest[DIGEST_SIZE], struct error *e) {
    return EVP_Q_digest(nullptr, "SHA2-256", nullptr, bytes, length, ret_digest, nullptr) == 1 ||
           crypto_error(e, ERROR_CRYPTO, "computing a SHA-256 digest");
}
