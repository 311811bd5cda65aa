#include "base/secret.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    SECRET_MAX = 16 * 1024 * 1024,
    KEPT_PAGES_MAX = 4, // larger mappings are not kept
    KEPT_MAX = 16,      // of each size, once they are kept at all
};

struct secret {
    size_t length;
    size_t mapped; // bytes of the mapping, this header included
    uint8_t bytes[];
};

// Mappings of secrets that have gone, cleansed, for those to come: to map, lock and unmap pages takes five
// calls of the kernel, which stop all threads for a moment. By their number of pages less one.
static struct {
    pthread_mutex_t lock;
    size_t limit;
    size_t count[KEPT_PAGES_MAX];
    struct secret *mappings[KEPT_PAGES_MAX][KEPT_MAX];
} kept = {.lock = PTHREAD_MUTEX_INITIALIZER};

static size_t page_size(void) {
    static atomic_size_t size;
    size_t known = atomic_load_explicit(&size, memory_order_relaxed);
    if (known == 0) {
        known = (size_t)sysconf(_SC_PAGESIZE);
        atomic_store_explicit(&size, known, memory_order_relaxed);
    }
    return known;
}

static size_t mapping_size(size_t length) {
    size_t page = page_size();
    return (sizeof(struct secret) + length + page - 1) / page * page;
}

// NULL: none of that size is kept.
static struct secret *take_kept(size_t mapped) {
    size_t pages = mapped / page_size();
    struct secret *secret = nullptr;
    if (pages <= KEPT_PAGES_MAX) {
        pthread_mutex_lock(&kept.lock);
        if (kept.count[pages - 1] > 0) {
            secret = kept.mappings[pages - 1][--kept.count[pages - 1]];
        }
        pthread_mutex_unlock(&kept.lock);
    }
    return secret;
}

// False: there are enough.
static bool keep(struct secret *secret, size_t mapped) {
    size_t pages = mapped / page_size();
    bool done = false;
    if (pages <= KEPT_PAGES_MAX) {
        pthread_mutex_lock(&kept.lock);
        done = kept.count[pages - 1] < kept.limit;
        if (done) {
            kept.mappings[pages - 1][kept.count[pages - 1]++] = secret;
        }
        pthread_mutex_unlock(&kept.lock);
    }
    return done;
}

void secret_keep_mappings(void) {
    pthread_mutex_lock(&kept.lock);
    kept.limit = KEPT_MAX;
    pthread_mutex_unlock(&kept.lock);
}

// All three are advice that a small RLIMIT_MEMLOCK or an old kernel may refuse; the secret is usable without.
static struct secret *map(size_t mapped) {
    void *mapping = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapping == MAP_FAILED) {
        return nullptr;
    }
    (void)madvise(mapping, mapped, MADV_DONTDUMP);
    (void)madvise(mapping, mapped, MADV_WIPEONFORK);
    (void)mlock(mapping, mapped);
    return mapping;
}

bool secret_create(size_t length, struct secret **ret_secret, struct error *e) {
    if (length > SECRET_MAX) {
        return error_set(e, ERROR_INTERNAL, "a secret of %zu bytes is over the limit of %d", length,
                         SECRET_MAX);
    }
    size_t mapped = mapping_size(length);
    struct secret *secret = take_kept(mapped);
    secret = secret == nullptr ? map(mapped) : secret;
    if (secret == nullptr) {
        return error_no_memory(e, "a secret");
    }
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
        if (!keep(secret, mapped)) {
            (void)munmap(secret, mapped);
        }
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

// ---- the process

bool secret_forbid_dumps(struct error *e) {
    struct rlimit none = {0};
    return (prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L) == 0 && setrlimit(RLIMIT_CORE, &none) == 0) ||
           error_set(e, ERROR_INTERNAL, "forbidding core dumps of this process failed");
}
