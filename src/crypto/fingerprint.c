#include "crypto/fingerprint.h"

#include "crypto/openssl.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdio.h>

bool fingerprint_compute(const void *bytes, size_t length, char ret_text[FINGERPRINT_SIZE], struct error *e) {
    unsigned char digest[SHA256_DIGEST_LENGTH];
    if (EVP_Q_digest(nullptr, "SHA2-256", nullptr, bytes, length, digest, nullptr) != 1) {
        return crypto_error(e, ERROR_CRYPTO, "computing a SHA-256 digest");
    }
    for (int i = 0; i < (FINGERPRINT_SIZE - 1) / 2; i++) {
        snprintf(ret_text + 2 * i, 3, "%02x", digest[i]);
    }
    return true;
}
