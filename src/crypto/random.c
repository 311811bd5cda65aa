#include "crypto/random.h"

#include "crypto/openssl.h"

#include <errno.h>
#include <math.h>
#include <openssl/rand.h>
#include <string.h>
#include <sys/random.h>

bool random_system(size_t length, struct secret **ret_secret, struct error *e) {
    cleanup_secret struct secret *secret = nullptr;
    if (!secret_create(length, &secret, e)) {
        return false;
    }
    for (size_t done = 0; done < length;) {
        ssize_t got = getrandom(secret_bytes(secret) + done, length - done, 0);
        if (got >= 0) {
            done += (size_t)got;
        } else if (errno != EINTR) {
            return error_set(e, ERROR_CRYPTO, "getrandom: %s", strerror(errno));
        }
    }
    *ret_secret = secret;
    secret = nullptr;
    return true;
}

bool random_openssl(size_t length, struct secret **ret_secret, struct error *e) {
    cleanup_secret struct secret *secret = nullptr;
    if (!secret_create(length, &secret, e)) {
        return false;
    }
    if (RAND_priv_bytes(secret_bytes(secret), (int)length) != 1) {
        return crypto_error(e, ERROR_CRYPTO, "making %zu random bytes", length);
    }
    *ret_secret = secret;
    secret = nullptr;
    return true;
}

// How many of the bytes have that value. All are looked at in the same way: a table of counts would be
// written to at addresses that follow from the bytes.
static int64_t count_value(const uint8_t *bytes, size_t length, size_t value) {
    int64_t count = 0;
    for (size_t i = 0; i < length; i++) {
        count += bytes[i] == value;
    }
    return count;
}

double random_entropy(const void *bytes, size_t length) {
    double entropy = 0;
    for (size_t value = 0; value < 256; value++) {
        int64_t count = count_value(bytes, length, value);
        double share = length > 0 ? (double)count / (double)length : 0;
        double never = (double)(int64_t)(((uint64_t)count - 1) >> 63); // 1 if it does not occur, else 0
        entropy -= share * log2(share + never);
    }
    return entropy;
}
