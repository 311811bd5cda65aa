// A ciphertext as an input: any of the right length gives a secret, always the same, and only the one that
// was made for the key gives the secret of whoever made it.
#include "fuzz.h"

#include "crypto/kem.h"
#include "crypto/keyform.h"

struct exchange {
    struct pkey *key;
    struct buffer ciphertext;
    struct secret *shared;
};

static struct secret *counting(size_t length) {
    struct error e;
    uint8_t bytes[64];
    struct secret *secret = nullptr;
    CHECK(length <= sizeof(bytes));
    for (size_t i = 0; i < length; i++) {
        bytes[i] = (uint8_t)i;
    }
    MUST(secret_copy(bytes, length, &secret, &e), e);
    return secret;
}

// The key of a seed that counts from 0, and an exchange with it that is always the same.
static void make(const char *name, struct exchange *exchange) {
    struct error e;
    const struct algorithm *algorithm = algorithm_find_by_name(name);
    cleanup_secret struct secret *seed = counting(algorithm->seed_size);
    cleanup_secret struct secret *m = counting(32);
    exchange->ciphertext = buffer_create(algorithm->ciphertext_size);
    MUST(pkey_from_seed(algorithm, seed, &exchange->key, &e), e);
    MUST(kem_encapsulate_with(exchange->key, m, &exchange->ciphertext, &exchange->shared, &e), e);
}

static void check_ciphertext(const struct exchange *exchange, const void *bytes, size_t length) {
    const struct algorithm *algorithm = pkey_algorithm(exchange->key);
    struct error e = {0};
    struct secret *untouched = (struct secret *)&e;
    struct secret *shared = untouched;
    struct secret *again = nullptr;
    if (!kem_decapsulate(exchange->key, bytes, length, &shared, &e)) {
        CHECK(shared == untouched && length != algorithm->ciphertext_size);
        check_refusal(&e, ERROR_INVALID_SPEC);
        return;
    }
    bool is_it = memcmp(bytes, exchange->ciphertext.data, length) == 0;
    CHECK(length == algorithm->ciphertext_size && secret_length(shared) == algorithm->shared_secret_size);
    CHECK(secret_equals(exchange->shared, secret_view(shared), secret_length(shared)) == is_it);
    MUST(kem_decapsulate(exchange->key, bytes, length, &again, &e), e);
    CHECK(secret_equals(again, secret_view(shared), secret_length(shared)));
    secret_free(shared);
    secret_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const names[] = {"ML-KEM-512", "ML-KEM-768", "ML-KEM-1024"};
    static struct exchange exchanges[sizeof(names) / sizeof(names[0])];
    start_crypto();
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct error e = {0};
        struct secret *untouched = (struct secret *)&e;
        struct secret *bytes = untouched;
        if (exchanges[i].key == nullptr) {
            make(names[i], &exchanges[i]);
        }
        check_ciphertext(&exchanges[i], data, size);
        size_t wanted = pkey_algorithm(exchanges[i].key)->ciphertext_size;
        if (keyform_read_bytes("ciphertext", wanted, data, size, &bytes, &e)) {
            CHECK(secret_length(bytes) == wanted);
            check_ciphertext(&exchanges[i], secret_view(bytes), wanted);
            secret_free(bytes);
        } else {
            CHECK(bytes == untouched && size != wanted);
            check_refusal(&e, ERROR_INVALID_SPEC);
        }
    }
    return 0;
}
