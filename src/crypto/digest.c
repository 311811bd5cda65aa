#include "crypto/digest.h"

#include "crypto/openssl.h"

#include <openssl/evp.h>
#include <stdio.h>

bool digest_compute(const void *bytes, size_t length, uint8_t ret_digest[DIGEST_SIZE], struct error *e) {
    return EVP_Q_digest(nullptr, "SHA2-256", nullptr, bytes, length, ret_digest, nullptr) == 1 ||
           crypto_error(e, ERROR_CRYPTO, "computing a SHA-256 digest");
}

bool digest_format(const void *bytes, size_t length, char ret_text[DIGEST_TEXT_SIZE], struct error *e) {
    uint8_t digest[DIGEST_SIZE];
    if (!digest_compute(bytes, length, digest, e)) {
        return false;
    }
    int written = snprintf(ret_text, DIGEST_TEXT_SIZE, "sha256:");
    for (int i = 0; i < DIGEST_SIZE; i++) {
        snprintf(ret_text + written + 2 * i, 3, "%02x", digest[i]);
    }
    return true;
}
