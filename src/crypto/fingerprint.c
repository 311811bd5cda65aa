#include "crypto/fingerprint.h"

#include "crypto/digest.h"

#include <stdio.h>

bool fingerprint_compute(const void *bytes, size_t length, char ret_text[FINGERPRINT_SIZE], struct error *e) {
    uint8_t digest[DIGEST_SIZE];
    if (!digest_compute(bytes, length, digest, e)) {
        return false;
    }
    for (int i = 0; i < (FINGERPRINT_SIZE - 1) / 2; i++) {
        snprintf(ret_text + 2 * i, 3, "%02x", digest[i]);
    }
    return true;
}
