#include "crypto/digest.h"

#include "crypto/encoding.h"
#include "crypto/openssl.h"

#include <openssl/evp.h>
#include <string.h>

bool digest_compute(const void *bytes, size_t length, uint8_t ret_digest[DIGEST_SIZE], struct error *e) {
    return EVP_Q_digest(nullptr, "SHA2-256", nullptr, bytes, length, ret_digest, nullptr) == 1 ||
           crypto_error(e, ERROR_CRYPTO, "computing a SHA-256 digest");
}

// It may be of a secret, so its digits are not printed, which would look them up.
bool digest_format(const void *bytes, size_t length, char ret_text[DIGEST_TEXT_SIZE], struct error *e) {
    cleanup_buffer struct buffer digits = buffer_create(2 * DIGEST_SIZE);
    uint8_t digest[DIGEST_SIZE];
    if (!digest_compute(bytes, length, digest, e) || !hex_encode(digest, sizeof(digest), &digits, e)) {
        return false;
    }
    memcpy(ret_text, "sha256:", DIGEST_PREFIX_LENGTH);
    memcpy(ret_text + DIGEST_PREFIX_LENGTH, digits.data, digits.length);
    ret_text[DIGEST_TEXT_SIZE - 1] = '\0';
    return true;
}
