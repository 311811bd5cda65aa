#include "crypto/fingerprint.h"

#include <string.h>

bool fingerprint_compute(const void *bytes, size_t length, char ret_text[FINGERPRINT_SIZE], struct error *e) {
    char digest[DIGEST_TEXT_SIZE];
    if (!digest_format(bytes, length, digest, e)) {
        return false;
    }
    fingerprint_of_digest(digest, ret_text);
    return true;
}

void fingerprint_of_digest(const char digest[DIGEST_TEXT_SIZE], char ret_text[FINGERPRINT_SIZE]) {
    memcpy(ret_text, digest + DIGEST_PREFIX_LENGTH, FINGERPRINT_SIZE - 1);
    ret_text[FINGERPRINT_SIZE - 1] = '\0';
}

const char *fingerprint_show(const char *fingerprint) {
    return fingerprint[0] == '\0' ? "(without a fingerprint)" : fingerprint;
}
