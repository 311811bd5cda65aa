#include "crypto/algorithm.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <string.h>

// The twelve parameter sets of SLH-DSA (FIPS 205 table 2): n is the security parameter in bytes.
#define SLH_DSA(set, n, signature, slow)                                                                     \
    {                                                                                                        \
        .family = ALGORITHM_SIGNATURE,                                                                       \
        .name = "SLH-DSA-" set,                                                                              \
        .openssl_name = "SLH-DSA-" set,                                                                      \
        .standard = "FIPS 205",                                                                              \
        .public_key_size = 2 * (n),                                                                          \
        .private_key_size = 4 * (n),                                                                         \
        .seed_size = 3 * (n),                                                                                \
        .signature_size = (signature),                                                                       \
        .is_slow = (slow),                                                                                   \
        .aliases = {"SPHINCS+-" set "-simple"},                                                              \
    }

// Sizes: FIPS 203 table 3, FIPS 204 table 2; Falcon: of its round-3 submission, as liboqs has it. The names
// of the competition (Kyber, Dilithium, SPHINCS+) are accepted as other names of what the standards made of
// them; the round-3 schemes are not served.
static const struct algorithm algorithms[] = {
    {
        .family = ALGORITHM_KEM,
        .name = "ML-KEM-512",
        .openssl_name = "ML-KEM-512",
        .standard = "FIPS 203",
        .public_key_size = 800,
        .private_key_size = 1632,
        .seed_size = 64,
        .ciphertext_size = 768,
        .shared_secret_size = 32,
        .is_weak = true, // security category 1
        .aliases = {"Kyber512"},
    },
    {
        .family = ALGORITHM_KEM,
        .name = "ML-KEM-768",
        .openssl_name = "ML-KEM-768",
        .standard = "FIPS 203",
        .public_key_size = 1184,
        .private_key_size = 2400,
        .seed_size = 64,
        .ciphertext_size = 1088,
        .shared_secret_size = 32,
        .aliases = {"Kyber768"},
    },
    {
        .family = ALGORITHM_KEM,
        .name = "ML-KEM-1024",
        .openssl_name = "ML-KEM-1024",
        .standard = "FIPS 203",
        .public_key_size = 1568,
        .private_key_size = 3168,
        .seed_size = 64,
        .ciphertext_size = 1568,
        .shared_secret_size = 32,
        .aliases = {"Kyber1024"},
    },
    {
        .family = ALGORITHM_SIGNATURE,
        .name = "ML-DSA-44",
        .openssl_name = "ML-DSA-44",
        .standard = "FIPS 204",
        .public_key_size = 1312,
        .private_key_size = 2560,
        .seed_size = 32,
        .signature_size = 2420,
        .aliases = {"Dilithium2", "CRYSTALS-Dilithium2"},
    },
    {
        .family = ALGORITHM_SIGNATURE,
        .name = "ML-DSA-65",
        .openssl_name = "ML-DSA-65",
        .standard = "FIPS 204",
        .public_key_size = 1952,
        .private_key_size = 4032,
        .seed_size = 32,
        .signature_size = 3309,
        .aliases = {"Dilithium3", "CRYSTALS-Dilithium3"},
    },
    {
        .family = ALGORITHM_SIGNATURE,
        .name = "ML-DSA-87",
        .openssl_name = "ML-DSA-87",
        .standard = "FIPS 204",
        .public_key_size = 2592,
        .private_key_size = 4896,
        .seed_size = 32,
        .signature_size = 4627,
        .aliases = {"Dilithium5", "CRYSTALS-Dilithium5"},
    },
    SLH_DSA("SHA2-128s", 16, 7856, true),
    SLH_DSA("SHA2-128f", 16, 17088, false),
    SLH_DSA("SHA2-192s", 24, 16224, true),
    SLH_DSA("SHA2-192f", 24, 35664, false),
    SLH_DSA("SHA2-256s", 32, 29792, true),
    SLH_DSA("SHA2-256f", 32, 49856, false),
    SLH_DSA("SHAKE-128s", 16, 7856, true),
    SLH_DSA("SHAKE-128f", 16, 17088, false),
    SLH_DSA("SHAKE-192s", 24, 16224, true),
    SLH_DSA("SHAKE-192f", 24, 35664, false),
    SLH_DSA("SHAKE-256s", 32, 29792, true),
    SLH_DSA("SHAKE-256f", 32, 49856, false),
    {
        .family = ALGORITHM_SIGNATURE,
        .name = "Falcon512",
        .openssl_name = "falcon512",
        .standard = "Falcon round 3",
        .public_key_size = 897,
        .private_key_size = 1281,
        .signature_size = 752,
        .signature_varies = true,
        .instead = "ML-DSA-65",
        .aliases = {"Falcon-512"},
    },
    {
        .family = ALGORITHM_SIGNATURE,
        .name = "Falcon1024",
        .openssl_name = "falcon1024",
        .standard = "Falcon round 3",
        .public_key_size = 1793,
        .private_key_size = 2305,
        .signature_size = 1462,
        .signature_varies = true,
        .instead = "ML-DSA-87",
        .aliases = {"Falcon-1024"},
    },
};

#undef SLH_DSA

enum { ALGORITHM_COUNT = sizeof(algorithms) / sizeof(algorithms[0]) };

static bool has_name(const struct algorithm *algorithm, const char *name) {
    if (strcmp(algorithm->name, name) == 0) {
        return true;
    }
    for (const char *const *alias = algorithm->aliases; *alias != nullptr; alias++) {
        if (strcmp(*alias, name) == 0) {
            return true;
        }
    }
    return false;
}

const struct algorithm *algorithm_find(enum algorithm_family family, const char *name) {
    for (size_t i = 0; i < ALGORITHM_COUNT; i++) {
        if (algorithms[i].family == family && has_name(&algorithms[i], name)) {
            return &algorithms[i];
        }
    }
    return nullptr;
}

const struct algorithm *algorithm_at(enum algorithm_family family, size_t index) {
    for (size_t i = 0; i < ALGORITHM_COUNT; i++) {
        if (algorithms[i].family == family && index-- == 0) {
            return &algorithms[i];
        }
    }
    return nullptr;
}

const struct algorithm *algorithm_find_by_name(const char *name) {
    const struct algorithm *algorithm = algorithm_find(ALGORITHM_KEM, name);
    return algorithm != nullptr ? algorithm : algorithm_find(ALGORITHM_SIGNATURE, name);
}

bool algorithm_describe_sizes(enum algorithm_family family, size_t size, struct buffer *text,
                              struct error *e) {
    for (size_t i = 0; i < ALGORITHM_COUNT; i++) {
        const struct algorithm *algorithm = &algorithms[i];
        if (algorithm->family == family && algorithm->public_key_size == size &&
            !buffer_append_format(text, e, "%s%s", text->length > 0 ? ", " : "", algorithm->name)) {
            return false;
        }
    }
    return true;
}

bool algorithm_check_available(const struct algorithm *algorithm, struct error *e) {
    if (algorithm->instead == nullptr) {
        return true;
    }
    EVP_KEYMGMT *management = EVP_KEYMGMT_fetch(nullptr, algorithm->openssl_name, nullptr);
    bool available = management != nullptr;
    EVP_KEYMGMT_free(management);
    ERR_clear_error();
    return available ||
           error_set(e, ERROR_INVALID_SPEC,
                     "%s needs an OpenSSL provider that has it, and none is loaded; use %s, which "
                     "is always served",
                     algorithm->name, algorithm->instead);
}

bool algorithm_describe_names(enum algorithm_family family, struct buffer *text, struct error *e) {
    const char *separator = "";
    for (size_t i = 0; i < ALGORITHM_COUNT; i++) {
        const struct algorithm *algorithm = &algorithms[i];
        if (algorithm->family != family || algorithm->instead != nullptr) {
            continue;
        }
        if (!buffer_append_format(text, e, "%s%s", separator, algorithm->name)) {
            return false;
        }
        separator = ", ";
    }
    return true;
}
