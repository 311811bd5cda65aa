#include "crypto/openssl.h"

#include "base/memory.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
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

bool crypto_start(struct error *e) {
    static bool started;
    if (started) {
        return true;
    }
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
    return false;
}
