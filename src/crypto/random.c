#include "crypto/random.h"

#include "base/memory.h"
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

double random_entropy(const void *bytes, size_t length) {
    const uint8_t *from = bytes;
    size_t counts[256] = {0};
    for (size_t i = 0; i < length; i++) {
        counts[from[i]]++;
    }
    double entropy = 0;
    for (size_t value = 0; value < 256; value++) {
        if (counts[value] > 0) {
            double share = (double)counts[value] / (double)length;
            entropy += share * log2(1 / share);
        }
    }
    memory_cleanse(counts, sizeof(counts));
    return entropy;
}
