// Public keys of others: what is read as one is one, and is read as the same in any of its forms.
#include "keys.h"

#include "crypto/encoding.h"

static const struct key_sort sort = {keyform_read_public, false};

static void check_forms(const struct pkey *pkey) {
    struct error e;
    cleanup_buffer struct buffer raw = buffer_create(TEXT_MAX);
    cleanup_buffer struct buffer base64 = buffer_create(TEXT_MAX);
    cleanup_buffer struct buffer pem = buffer_create(TEXT_MAX);
    MUST(pkey_public(pkey, &raw, &e), e);
    CHECK(raw.length == pkey_algorithm(pkey)->public_key_size);
    MUST(base64_encode(buffer_text(&raw), raw.length, &base64, &e), e);
    MUST(pkey_public_pem(pkey, &pem, &e), e);
    check_same(&sort, pkey, buffer_text(&raw), raw.length);
    check_same(&sort, pkey, buffer_text(&base64), base64.length);
    check_same(&sort, pkey, buffer_text(&pem), pem.length);
}

static size_t check_family(enum algorithm_family family, const uint8_t *data, size_t size) {
    const struct algorithm *algorithm;
    size_t read_as = 0;
    for (size_t i = 0; (algorithm = algorithm_at(family, i)) != nullptr; i++) {
        cleanup_pkey struct pkey *pkey = nullptr;
        if (algorithm->instead == nullptr && read_key(&sort, algorithm, data, size, &pkey)) {
            check_forms(pkey);
            check_end(&sort, pkey, data, size);
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
