#include "crypto/openssl.h"

#include "base/memory.h"
#include "crypto/algorithm.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/decoder.h>
#include <openssl/encoder.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/objects.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <stdarg.h>
#include <stdio.h>

static_assert(OPENSSL_VERSION_NUMBER >= 0x30500000L, "OpenSSL 3.5 or later is needed");

static void *allocate(size_t size, const char *, int) {
    return memory_allocate(size);
}

static void *resize(void *block, size_t size, const char *, int) {
    return memory_resize(block, size);
}

static void release(void *block, const char *, int) {
    memory_free(block);
}

static OSSL_PROVIDER *default_provider; // owned, until OpenSSL's own cleanup at exit

static void unload_default_provider(void) {
    OSSL_PROVIDER_unload(default_provider);
}

// Go's crypto/x509 and others read the seed form only, which is not what OpenSSL writes when it is not told.
// Read are the forms of the RFCs; the raw forms without any ASN.1 and the one with a public key at the end,
// which OpenSSL also knows, are not.
static bool configure_private_key_forms(OSSL_PROVIDER *provider) {
    static const char *const settings[][2] = {
        {"ml-kem.output_formats", "seed-only"},
        {"ml-kem.input_formats", "seed-only priv-only seed-priv"},
        {"ml-dsa.output_formats", "seed-only"},
        {"ml-dsa.input_formats", "seed-only priv-only seed-priv"},
    };
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        if (OSSL_PROVIDER_add_conf_parameter(provider, settings[i][0], settings[i][1]) != 1) {
            return false;
        }
    }
    return true;
}

// OpenSSL makes the methods of an operation when the first of them is asked for, and the decoders for a kind
// of key in one of its forms likewise, and never again: one for which memory was out then stays missing.
// Sound keys and certificates could not be read from then on, and would be taken for damaged ones. So all are
// made at the start, which fails when memory is out. (Of what the loaded providers do not have there is
// none.)
static void make_methods(void) {
#define MAKE_METHODS(type, any) type##_free(type##_fetch(nullptr, any, nullptr))
    MAKE_METHODS(EVP_MD, "SHA2-256");
    MAKE_METHODS(EVP_CIPHER, "AES-256-CTR");
    MAKE_METHODS(EVP_MAC, "HMAC");
    MAKE_METHODS(EVP_KDF, "HKDF");
    MAKE_METHODS(EVP_RAND, "CTR-DRBG");
    MAKE_METHODS(EVP_KEYMGMT, "EC");
    MAKE_METHODS(EVP_KEYEXCH, "ECDH");
    MAKE_METHODS(EVP_SIGNATURE, "ECDSA");
    MAKE_METHODS(EVP_KEM, "ML-KEM-768");
    MAKE_METHODS(OSSL_ENCODER, "EC");
    MAKE_METHODS(OSSL_DECODER, "EC");
#undef MAKE_METHODS
}

static void make_decoder(const char *input, const char *structure, const char *key_type, int selection) {
    EVP_PKEY *none = nullptr;
    OSSL_DECODER_CTX_free(
        OSSL_DECODER_CTX_new_for_pkey(&none, input, structure, key_type, selection, nullptr, nullptr));
}

static void make_decoders_of(const char *key_type) {
    make_decoder("DER", "SubjectPublicKeyInfo", key_type, EVP_PKEY_PUBLIC_KEY);
    make_decoder("DER", "PrivateKeyInfo", key_type, EVP_PKEY_KEYPAIR);
}

static void make_decoders(void) {
    static const enum algorithm_family families[] = {ALGORITHM_KEM, ALGORITHM_SIGNATURE};
    make_decoders_of(SN_X9_62_id_ecPublicKey);
    make_decoder("PEM", nullptr, nullptr, EVP_PKEY_KEYPAIR);
    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
        const struct algorithm *algorithm;
        for (size_t row = 0; (algorithm = algorithm_at(families[i], row)) != nullptr; row++) {
            make_decoders_of(algorithm->openssl_name);
        }
    }
}

bool crypto_start(struct error *e) {
    static bool started;
    if (started) {
        return true;
    }
    (void)memory_take_failure();
    if (CRYPTO_set_mem_functions(allocate, resize, release) != 1) {
        return error_set(e, ERROR_INTERNAL, "OpenSSL was in use before it was given its memory");
    }
    if (OPENSSL_version_major() < 3 || (OPENSSL_version_major() == 3 && OPENSSL_version_minor() < 5)) {
        return error_set(e, ERROR_CRYPTO, "OpenSSL %s is loaded, 3.5 or later is needed", crypto_version());
    }
    default_provider = OSSL_PROVIDER_load(nullptr, "default");
    if (default_provider == nullptr || OPENSSL_atexit(unload_default_provider) != 1) {
        return crypto_error(e, ERROR_CRYPTO, "loading OpenSSL's default provider");
    }
    if (!configure_private_key_forms(default_provider)) {
        return crypto_error(e, ERROR_CRYPTO, "configuring OpenSSL's default provider");
    }
    make_methods();
    make_decoders();
    ERR_clear_error();
    if (memory_take_failure()) {
        return error_no_memory(e, "OpenSSL's methods");
    }
    started = true;
    return true;
}

const char *crypto_version(void) {
    return OpenSSL_version(OPENSSL_FULL_VERSION_STRING);
}

// One round over the providers.
struct description {
    struct buffer *text;
    struct error *error;
    size_t count;
};

static int describe_provider(OSSL_PROVIDER *provider, void *memory) {
    struct description *description = memory;
    const char *version = "";
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_ptr(OSSL_PROV_PARAM_VERSION, (char **)&version, 0),
        OSSL_PARAM_construct_end(),
    };
    (void)OSSL_PROVIDER_get_params(provider, parameters); // one may have no version
    bool done = buffer_append_format(description->text, description->error, "%s%s%s%s",
                                     description->count++ > 0 ? ", " : "", OSSL_PROVIDER_get0_name(provider),
                                     version[0] == '\0' ? "" : " ", version);
    return done ? 1 : 0;
}

bool crypto_describe_providers(struct buffer *text, struct error *e) {
    struct description description = {.text = text, .error = e};
    e->class = ERROR_NONE;
    int done = OSSL_PROVIDER_do_all(nullptr, describe_provider, &description);
    if (done != 1 && e->class != ERROR_NONE) {
        return false;
    }
    if (done != 1 || description.count == 0) {
        return crypto_error(e, ERROR_CRYPTO, "OpenSSL has no provider");
    }
    ERR_clear_error();
    return EVP_default_properties_is_fips_enabled(nullptr) != 1 ||
           buffer_append_text(text, " (only FIPS)", e);
}

bool crypto_error(struct error *e, enum error_class class, const char *format, ...) {
    char doing[ERROR_MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(doing, sizeof(doing), format, arguments);
    va_end(arguments);

    const char *data = "";
    int flags = 0;
    unsigned long code = ERR_get_error_all(nullptr, nullptr, nullptr, &data, &flags);
    const char *reason = code == 0 ? nullptr : ERR_reason_error_string(code);
    bool with_data = (flags & ERR_TXT_STRING) != 0 && data[0] != '\0';
    error_set(e, class, "%s: %s%s%s%s", doing, reason == nullptr ? "OpenSSL gave no reason" : reason,
              with_data ? " (" : "", with_data ? data : "", with_data ? ")" : "");
    for (; code != 0; code = ERR_get_error()) {
        if (ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE) {
            e->class = ERROR_NO_MEMORY;
        }
    }
    e->class = memory_has_failed() ? ERROR_NO_MEMORY : e->class; // of which OpenSSL does not always tell
    return false;
}
