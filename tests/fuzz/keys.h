// What the targets for keys share: a sort of key is what reads it, and whether it has a private part.
#pragma once

#include "fuzz.h"

#include "crypto/keyform.h"

enum { TEXT_MAX = 64 * 1024 };

struct key_sort {
    bool (*read)(const struct algorithm *wanted, const void *bytes, size_t length, struct pkey **ret_pkey,
                 struct error *e);
    bool is_private;
};

// A refusal leaves *ret_pkey alone.
static inline bool read_key(const struct key_sort *sort, const struct algorithm *algorithm, const void *bytes,
                            size_t length, struct pkey **ret_pkey) {
    struct error e = {0};
    struct pkey *untouched = *ret_pkey;
    if (sort->read(algorithm, bytes, length, ret_pkey, &e)) {
        CHECK(pkey_algorithm(*ret_pkey) == algorithm && pkey_has_private(*ret_pkey) == sort->is_private);
        return true;
    }
    CHECK(*ret_pkey == untouched);
    check_refusal(&e, ERROR_INVALID_SPEC);
    return false;
}

static inline void check_same(const struct key_sort *sort, const struct pkey *pkey, const void *bytes,
                              size_t length) {
    struct error e;
    cleanup_pkey struct pkey *again = nullptr;
    CHECK(read_key(sort, pkey_algorithm(pkey), bytes, length, &again));
    MUST(pkey_check_same(pkey, again, &e), e);
}

// Nothing may follow a key, but for what may follow a PEM block.
static inline void check_end(const struct key_sort *sort, const struct pkey *pkey, const uint8_t *data,
                             size_t size) {
    static const char begin[] = "-----BEGIN ";
    struct error e;
    cleanup_pkey struct pkey *again = nullptr;
    cleanup_buffer struct buffer longer = buffer_create(size + 1);
    MUST(buffer_append(&longer, data, size, &e) && buffer_append(&longer, "", 1, &e), e);
    CHECK(memmem(data, size, begin, sizeof(begin) - 1) != nullptr ||
          !read_key(sort, pkey_algorithm(pkey), longer.data, longer.length, &again));
}
