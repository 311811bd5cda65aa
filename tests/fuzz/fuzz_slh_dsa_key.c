// Private keys of SLH-DSA, which are checked by making their public key anew: apart from the other private
// keys for its slowness, and of the fast parameters only.
#include "keys.h"

#include "crypto/encoding.h"

static const struct key_sort sort = {keyform_read_private, true};

static void check_forms(const struct pkey *pkey) {
    struct error e;
    cleanup_secret struct secret *raw = nullptr;
    cleanup_secret struct secret *pem = nullptr;
    MUST(pkey_private(pkey, &raw, &e), e);
    CHECK(secret_length(raw) == pkey_algorithm(pkey)->private_key_size);
    check_same(&sort, pkey, secret_view(raw), secret_length(raw));
    MUST(pkey_best_pem(pkey, &pem, &e), e);
    check_same(&sort, pkey, secret_view(pem), secret_length(pem));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const names[] = {"SLH-DSA-SHA2-128f", "SLH-DSA-SHAKE-128f"};
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
