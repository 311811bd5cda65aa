// Public keys of others: what is read as one is one, and is read as the same in any of its forms.
#include "fuzz.h"

#include "crypto/encoding.h"
#include "crypto/keyform.h"

enum { TEXT_MAX = 64 * 1024 };

static bool read(const struct algorithm *algorithm, const void *bytes, size_t length,
                 struct pkey **ret_pkey) {
    struct error e = {0};
    struct pkey *untouched = *ret_pkey;
    if (keyform_read_public(algorithm, bytes, length, ret_pkey, &e)) {
        CHECK(pkey_algorithm(*ret_pkey) == algorithm && !pkey_has_private(*ret_pkey));
        return true;
    }
    CHECK(*ret_pkey == untouched);
    check_refusal(&e, ERROR_INVALID_SPEC);
    return false;
}

static void check_same(const struct pkey *pkey, const struct buffer *form) {
    struct error e;
    cleanup_pkey struct pkey *again = nullptr;
    CHECK(read(pkey_algorithm(pkey), buffer_text(form), form->length, &again));
    MUST(pkey_check_same(pkey, again, &e), e);
}

// Nothing may follow a key, but for what may follow a PEM block.
static void check_end(const struct pkey *pkey, const uint8_t *data, size_t size) {
    static const char begin[] = "-----BEGIN ";
    struct error e;
    cleanup_pkey struct pkey *again = nullptr;
    cleanup_buffer struct buffer longer = buffer_create(size + 1);
    MUST(buffer_append(&longer, data, size, &e) && buffer_append(&longer, "", 1, &e), e);
    CHECK(memmem(data, size, begin, sizeof(begin) - 1) != nullptr ||
          !read(pkey_algorithm(pkey), longer.data, longer.length, &again));
}

static void check_forms(const struct pkey *pkey) {
    struct error e;
    cleanup_buffer struct buffer raw = buffer_create(TEXT_MAX);
    cleanup_buffer struct buffer base64 = buffer_create(TEXT_MAX);
    cleanup_buffer struct buffer pem = buffer_create(TEXT_MAX);
    MUST(pkey_public(pkey, &raw, &e), e);
    CHECK(raw.length == pkey_algorithm(pkey)->public_key_size);
    MUST(base64_encode(buffer_text(&raw), raw.length, &base64, &e), e);
    MUST(pkey_public_pem(pkey, &pem, &e), e);
    check_same(pkey, &raw);
    check_same(pkey, &base64);
    check_same(pkey, &pem);
}

static size_t check_family(enum algorithm_family family, const uint8_t *data, size_t size) {
    const struct algorithm *algorithm;
    size_t read_as = 0;
    for (size_t i = 0; (algorithm = algorithm_at(family, i)) != nullptr; i++) {
        cleanup_pkey struct pkey *pkey = nullptr;
        if (algorithm->instead == nullptr && read(algorithm, data, size, &pkey)) {
            check_forms(pkey);
            check_end(pkey, data, size);
            read_as++;
        }
    }
    return read_as;
}

// The algorithm need not be named where only one fits.
static void check_any(enum algorithm_family family, const uint8_t *data, size_t size, size_t read_as) {
    struct error e = {0};
    struct pkey *untouched = (struct pkey *)&e;
    struct pkey *pkey = untouched;
    CHECK(keyform_read_any_public(family, data, size, &pkey, &e) == (read_as == 1));
    if (read_as == 1) {
        pkey_free(pkey);
    } else {
        CHECK(pkey == untouched);
        check_refusal(&e, ERROR_INVALID_SPEC);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    start_crypto();
    for (enum algorithm_family family = ALGORITHM_KEM; family <= ALGORITHM_SIGNATURE; family++) {
        check_any(family, data, size, check_family(family, data, size));
    }
    return 0;
}
