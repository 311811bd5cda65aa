#include "base/secret.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SECRET_MAX = 16 * 1024 * 1024 };

struct secret {
    size_t length;
    size_t mapped; // bytes of the mapping, this header included
    uint8_t bytes[];
};

static size_t mapping_size(size_t length) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (sizeof(struct secret) + length + page - 1) / page * page;
}

bool secret_create(size_t length, struct secret **ret_secret, struct error *e) {
    if (length > SECRET_MAX) {
        return error_set(e, ERROR_INTERNAL, "a secret of %zu bytes is over the limit of %d", length,
                         SECRET_MAX);
    }
    size_t mapped = mapping_size(length);
    struct secret *secret = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (secret == MAP_FAILED) {
        return error_no_memory(e, "a secret");
    }
    // All three are advice that a small RLIMIT_MEMLOCK or an old kernel may refuse; the secret is usable
    // without.
    (void)madvise(secret, mapped, MADV_DONTDUMP);
    (void)madvise(secret, mapped, MADV_WIPEONFORK);
    (void)mlock(secret, mapped);
    secret->length = length;
    secret->mapped = mapped;
    *ret_secret = secret;
    return true;
}

bool secret_copy(const void *bytes, size_t length, struct secret **ret_secret, struct error *e) {
    if (!secret_create(length, ret_secret, e)) {
        return false;
    }
    if (length > 0) {
        memcpy((*ret_secret)->bytes, bytes, length);
    }
    return true;
}

void secret_free(struct secret *secret) {
    if (secret != nullptr) {
        size_t mapped = secret->mapped;
        explicit_bzero(secret, mapped);
        (void)munmap(secret, mapped);
    }
}

uint8_t *secret_bytes(struct secret *secret) {
    return secret->bytes;
}

const uint8_t *secret_view(const struct secret *secret) {
    return secret->bytes;
}

size_t secret_length(const struct secret *secret) {
    return secret->length;
}

void secret_shorten(struct secret *secret, size_t length) {
    if (length < secret->length) {
        explicit_bzero(secret->bytes + length, secret->length - length);
        secret->length = length;
    }
}

bool secret_equals(const struct secret *secret, const void *bytes, size_t length) {
    if (secret->length != length) {
        return false;
    }
    const uint8_t *other = bytes;
    volatile uint8_t difference = 0;
    for (size_t i = 0; i < length; i++) {
        difference = (uint8_t)(difference | (secret->bytes[i] ^ other[i]));
    }
    return secret_reveal(difference == 0);
}

[[gnu::noinline]] bool secret_reveal(bool outcome) {
    return outcome;
}
