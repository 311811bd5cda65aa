// Private keys of others: what is read as one is one, with the public key that belongs to it.
#include "fuzz.h"

#include "crypto/encoding.h"
#include "crypto/keyform.h"

enum { TEXT_MAX = 64 * 1024 };

static bool read(const struct algorithm *algorithm, const void *bytes, size_t length,
                 struct pkey **ret_pkey) {
    struct error e = {0};
    struct pkey *untouched = *ret_pkey;
    if (keyform_read_private(algorithm, bytes, length, ret_pkey, &e)) {
        CHECK(pkey_algorithm(*ret_pkey) == algorithm && pkey_has_private(*ret_pkey));
        return true;
    }
    CHECK(*ret_pkey == untouched);
    check_refusal(&e, ERROR_INVALID_SPEC);
    return false;
}

static void check_same(const struct pkey *pkey, const void *bytes, size_t length) {
    struct error e;
    cleanup_pkey struct pkey *again = nullptr;
    CHECK(read(pkey_algorithm(pkey), bytes, length, &again));
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
    struct error e = {0};
    cleanup_secret struct secret *raw = nullptr;
    cleanup_secret struct secret *pem = nullptr;
    cleanup_buffer struct buffer base64 = buffer_create(TEXT_MAX);
    MUST(pkey_private(pkey, &raw, &e), e);
    CHECK(secret_length(raw) == pkey_algorithm(pkey)->private_key_size);
    check_same(pkey, secret_view(raw), secret_length(raw));
    MUST(base64_encode(secret_view(raw), secret_length(raw), &base64, &e), e);
    check_same(pkey, buffer_text(&base64), base64.length);
    if (pkey_private_pem(pkey, &pem, &e)) {
        check_same(pkey, secret_view(pem), secret_length(pem));
    } else {
        check_refusal(&e, ERROR_CRYPTO); // it has no seed
    }
}

// SLH-DSA is left out for its slowness: OpenSSL makes its public key anew to check it.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const names[] = {"ML-KEM-512", "ML-KEM-768", "ML-KEM-1024",
                                        "ML-DSA-44",  "ML-DSA-65",  "ML-DSA-87"};
    start_crypto();
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        cleanup_pkey struct pkey *pkey = nullptr;
        if (read(algorithm_find_by_name(names[i]), data, size, &pkey)) {
            check_forms(pkey);
            check_end(pkey, data, size);
        }
    }
    return 0;
}
