#include "crypto/algorithm.h"

#include <string.h>

// Sizes: FIPS 203 table 3. The Kyber names are accepted as other names of ML-KEM; the round-3 scheme is not
// served.
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
};

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

const struct algorithm *algorithm_find_by_public_key_size(enum algorithm_family family, size_t size) {
    for (size_t i = 0; i < ALGORITHM_COUNT; i++) {
        if (algorithms[i].family == family && algorithms[i].public_key_size == size) {
            return &algorithms[i];
        }
    }
    return nullptr;
}

bool algorithm_describe_names(enum algorithm_family family, struct buffer *text, struct error *e) {
    const char *separator = "";
    for (size_t i = 0; i < ALGORITHM_COUNT; i++) {
        const struct algorithm *algorithm = &algorithms[i];
        if (algorithm->family != family) {
            continue;
        }
        if (!buffer_append_format(text, e, "%s%s", separator, algorithm->name)) {
            return false;
        }
        for (const char *const *alias = algorithm->aliases; *alias != nullptr; alias++) {
            const char *before = alias == algorithm->aliases ? " (= " : " = ";
            const char *after = alias[1] == nullptr ? ")" : "";
            if (!buffer_append_format(text, e, "%s%s%s", before, *alias, after)) {
                return false;
            }
        }
        separator = ", ";
    }
    return true;
}
