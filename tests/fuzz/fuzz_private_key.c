// Private keys of others: what is read as one is one, with the public key that belongs to it.
#include "keys.h"

#include "crypto/encoding.h"

static const struct key_sort sort = {keyform_read_private, true};

static void check_forms(const struct pkey *pkey) {
    struct error e = {0};
    cleanup_secret struct secret *raw = nullptr;
    cleanup_secret struct secret *pem = nullptr;
    cleanup_buffer struct buffer base64 = buffer_create(TEXT_MAX);
    MUST(pkey_private(pkey, &raw, &e), e);
    CHECK(secret_length(raw) == pkey_algorithm(pkey)->private_key_size);
    check_same(&sort, pkey, secret_view(raw), secret_length(raw));
    MUST(base64_encode(secret_view(raw), secret_length(raw), &base64, &e), e);
    check_same(&sort, pkey, buffer_text(&base64), base64.length);
    if (pkey_private_pem(pkey, &pem, &e)) {
        check_same(&sort, pkey, secret_view(pem), secret_length(pem));
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
        if (read_key(&sort, algorithm_find_by_name(names[i]), data, size, &pkey)) {
            check_forms(pkey);
            check_end(&sort, pkey, data, size);
        }
    }
    return 0;
}
