// A signature as an input, in the forms that it may have: of one key and one message there is exactly one
// that is made without randomness, and no other bytes are taken for it.
#include "fuzz.h"

#include "crypto/encoding.h"
#include "crypto/keyform.h"
#include "crypto/signature.h"

static const char message[] = "what is signed";
static const char other_message[] = "what is not signed";

struct signer {
    struct pkey *key;
    struct buffer signature; // of message
};

// The key of a seed that counts from 0, and its signature.
static void make(const char *name, struct signer *signer) {
    struct error e;
    uint8_t seed[256];
    cleanup_secret struct secret *bytes = nullptr;
    const struct algorithm *algorithm = algorithm_find_by_name(name);
    const struct signature_input input = {message, sizeof(message) - 1, "", 0};
    for (size_t i = 0; i < sizeof(seed); i++) {
        seed[i] = (uint8_t)i;
    }
    MUST(secret_copy(seed, algorithm->seed_size, &bytes, &e), e);
    MUST(pkey_from_seed(algorithm, bytes, &signer->key, &e), e);
    signer->signature = buffer_create(SIGNATURE_MAX);
    MUST(signature_sign_deterministic(signer->key, &input, &signer->signature, &e), e);
}

static bool verify(const struct pkey *key, const char *text, const void *signature, size_t length) {
    const struct signature_input input = {text, strlen(text), "", 0};
    struct error e = {0};
    bool valid = true;
    if (!signature_verify(key, &input, signature, length, &valid, &e)) {
        CHECK(valid);
        check_refusal(&e, ERROR_INVALID_SPEC);
        CHECK(length != pkey_algorithm(key)->signature_size);
        return false;
    }
    return valid;
}

static void check_signature(const struct signer *signer, const void *signature, size_t length) {
    bool is_it = length == signer->signature.length && memcmp(signature, signer->signature.data, length) == 0;
    CHECK(verify(signer->key, message, signature, length) == is_it);
    CHECK(!verify(signer->key, other_message, signature, length));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const names[] = {"ML-DSA-44", "SLH-DSA-SHA2-128f"};
    static struct signer signers[sizeof(names) / sizeof(names[0])];
    start_crypto();
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct error e = {0};
        struct secret *untouched = (struct secret *)&e;
        struct secret *bytes = untouched;
        if (signers[i].key == nullptr) {
            make(names[i], &signers[i]);
        }
        check_signature(&signers[i], data, size);
        size_t wanted = pkey_algorithm(signers[i].key)->signature_size;
        if (keyform_read_bytes("signature", wanted, data, size, &bytes, &e)) {
            CHECK(secret_length(bytes) == wanted);
            check_signature(&signers[i], secret_view(bytes), wanted);
            secret_free(bytes);
        } else {
            CHECK(bytes == untouched && size != wanted);
            check_refusal(&e, ERROR_INVALID_SPEC);
        }
    }
    return 0;
}
