#include "crypto/keyform.h"

#include "base/pem_form.h"
#include "crypto/certificate_internal.h"
#include "crypto/encoding.h"
#include "crypto/handles.h"
#include "crypto/openssl.h"
#include "crypto/pkey_internal.h"

#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <string.h>

// One of the two sorts of key that are read: the same outer forms, with other contents.
struct sort {
    size_t (*raw_size)(const struct algorithm *algorithm);
    bool (*read_raw)(const struct algorithm *wanted, const void *bytes, size_t length, struct pkey **ret_pkey,
                     struct error *e);
    bool (*read_der)(const struct algorithm *wanted, const void *der, size_t length, struct pkey **ret_pkey,
                     struct error *e);
    bool (*read_pem)(const struct algorithm *wanted, const char *label, const void *der, size_t length,
                     struct pkey **ret_pkey, struct error *e);
};

static bool check_algorithm(const ASN1_OBJECT *found, const struct algorithm *wanted, struct error *e) {
    if (OBJ_obj2nid(found) == OBJ_txt2nid(wanted->openssl_name)) {
        return true;
    }
    char name[128];
    if (OBJ_obj2txt(name, sizeof(name), found, 0) <= 0) {
        return error_set(e, ERROR_INVALID_SPEC, "the key is of an unknown algorithm, %s is wanted",
                         wanted->name);
    }
    return error_set(e, ERROR_INVALID_SPEC, "the key is of %s, %s is wanted", name, wanted->name);
}

static bool take_spki(const struct algorithm *wanted, const X509_PUBKEY *spki, struct pkey **ret_pkey,
                      struct error *e) {
    ASN1_OBJECT *found = nullptr;
    if (X509_PUBKEY_get0_param(&found, nullptr, nullptr, nullptr, spki) != 1 ||
        !check_algorithm(found, wanted, e)) {
        return false;
    }
    EVP_PKEY *evp = X509_PUBKEY_get(spki);
    if (evp == nullptr) {
        return crypto_error(e, ERROR_INVALID_SPEC, "not a public key of %s", wanted->name);
    }
    return pkey_wrap(wanted, evp, false, ret_pkey, e);
}

static bool read_public_der(const struct algorithm *wanted, const void *der, size_t length,
                            struct pkey **ret_pkey, struct error *e) {
    const unsigned char *end = der;
    cleanup_x509_pubkey X509_PUBKEY *spki = d2i_X509_PUBKEY(nullptr, &end, (long)length);
    if (spki == nullptr) {
        return crypto_error(e, ERROR_INVALID_SPEC, "not a SubjectPublicKeyInfo");
    }
    if (end != (const unsigned char *)der + length) {
        return error_set(e, ERROR_INVALID_SPEC, "bytes follow the SubjectPublicKeyInfo");
    }
    return take_spki(wanted, spki, ret_pkey, e);
}

static bool read_certificate(const struct algorithm *wanted, const void *der, size_t length,
                             struct pkey **ret_pkey, struct error *e) {
    cleanup_x509 X509 *certificate = nullptr;
    if (!certificate_decode(der, length, &certificate, e)) {
        return false;
    }
    return take_spki(wanted, X509_get_X509_PUBKEY(certificate), ret_pkey, e);
}

static bool read_public_pem(const struct algorithm *wanted, const char *label, const void *der, size_t length,
                            struct pkey **ret_pkey, struct error *e) {
    if (strcmp(label, PEM_STRING_PUBLIC) == 0) {
        return read_public_der(wanted, der, length, ret_pkey, e);
    }
    if (strcmp(label, PEM_STRING_X509) == 0) {
        return read_certificate(wanted, der, length, ret_pkey, e);
    }
    return error_set(e, ERROR_INVALID_SPEC, "the PEM block is \"%.64s\", not \"%s\" or \"%s\"", label,
                     PEM_STRING_PUBLIC, PEM_STRING_X509);
}

// Of a PKCS#8 key with seed and expanded key OpenSSL makes the key from the seed and compares the whole of
// the other.
static bool read_private_der(const struct algorithm *wanted, const void *der, size_t length,
                             struct pkey **ret_pkey, struct error *e) {
    const unsigned char *end = der;
    const ASN1_OBJECT *found;
    cleanup_pkcs8 PKCS8_PRIV_KEY_INFO *pkcs8 = d2i_PKCS8_PRIV_KEY_INFO(nullptr, &end, (long)length);
    if (pkcs8 == nullptr || PKCS8_pkey_get0(&found, nullptr, nullptr, nullptr, pkcs8) != 1) {
        return crypto_error(e, ERROR_INVALID_SPEC, "not a PKCS#8 private key");
    }
    if (end != (const unsigned char *)der + length) {
        return error_set(e, ERROR_INVALID_SPEC, "bytes follow the PKCS#8 private key");
    }
    if (!check_algorithm(found, wanted, e)) {
        return false;
    }
    EVP_PKEY *evp = EVP_PKCS82PKEY_ex(pkcs8, nullptr, nullptr);
    if (evp == nullptr) {
        return crypto_error(e, ERROR_INVALID_SPEC, "not a private key of %s", wanted->name);
    }
    return pkey_wrap(wanted, evp, true, ret_pkey, e);
}

static bool read_private_pem(const struct algorithm *wanted, const char *label, const void *der,
                             size_t length, struct pkey **ret_pkey, struct error *e) {
    if (strcmp(label, PEM_STRING_PKCS8INF) == 0) {
        return read_private_der(wanted, der, length, ret_pkey, e);
    }
    if (strcmp(label, PEM_STRING_PKCS8) == 0) {
        return error_set(e, ERROR_INVALID_SPEC,
                         "the private key is encrypted, it must be given without a passphrase");
    }
    return error_set(e, ERROR_INVALID_SPEC, "the PEM block is \"%.64s\", not \"%s\"", label,
                     PEM_STRING_PKCS8INF);
}

static size_t public_raw_size(const struct algorithm *algorithm) {
    return algorithm->public_key_size;
}

static size_t private_raw_size(const struct algorithm *algorithm) {
    return algorithm->private_key_size;
}

static const struct sort public_key = {public_raw_size, pkey_from_public, read_public_der, read_public_pem};
static const struct sort private_key = {private_raw_size, pkey_from_private, read_private_der,
                                        read_private_pem};

static bool is_pem(const void *bytes, size_t length) {
    static const char begin[] = "-----BEGIN ";
    return length > 0 && memmem(bytes, length, begin, sizeof(begin) - 1) != nullptr;
}

static bool is_der(const uint8_t *bytes, size_t length) {
    return length > 0 && bytes[0] == (V_ASN1_SEQUENCE | V_ASN1_CONSTRUCTED);
}

// Whether it cannot be text besides, as a private key never can: then it is not searched through for PEM.
static bool is_binary_der(const uint8_t *bytes, size_t length) {
    return is_der(bytes, length) && length > 2 && (bytes[1] > '~' || bytes[2] < '\t');
}

static bool read_pem(const struct sort *sort, const struct algorithm *wanted, const void *bytes,
                     size_t length, struct pkey **ret_pkey, struct error *e) {
    char *label = nullptr;
    char *header = nullptr;
    unsigned char *der = nullptr;
    long der_length = 0;
    cleanup_buffer struct buffer normal = {0};
    if (!pem_form_normalize(bytes, length, &normal, e)) {
        return false;
    }
    cleanup_bio BIO *bio = BIO_new_mem_buf(buffer_text(&normal), (int)normal.length);
    if (bio == nullptr || PEM_read_bio(bio, &label, &header, &der, &der_length) != 1) {
        return crypto_error(e, ERROR_INVALID_SPEC, "not a complete PEM block");
    }
    bool done = sort->read_pem(wanted, label, der, (size_t)der_length, ret_pkey, e);
    OPENSSL_free(label);
    OPENSSL_free(header);
    OPENSSL_free(der);
    return done;
}

static bool read_plain(const struct sort *sort, const struct algorithm *wanted, const void *bytes,
                       size_t length, struct pkey **ret_pkey, struct error *e) {
    if (length == sort->raw_size(wanted)) {
        return sort->read_raw(wanted, bytes, length, ret_pkey, e);
    }
    if (!is_binary_der(bytes, length) && is_pem(bytes, length)) {
        return read_pem(sort, wanted, bytes, length, ret_pkey, e);
    }
    if (is_der(bytes, length)) {
        return sort->read_der(wanted, bytes, length, ret_pkey, e);
    }
    return sort->read_raw(wanted, bytes, length, ret_pkey, e) ||
           error_wrap(e, "neither PEM nor DER, so taken as raw bytes");
}

static bool read_key(const struct sort *sort, const struct algorithm *wanted, const void *bytes,
                     size_t length, struct pkey **ret_pkey, struct error *e) {
    if (length > KEYFORM_INPUT_MAX) {
        return error_set(e, ERROR_INVALID_SPEC, "%zu bytes are too many for a key", length);
    }
    if (length == sort->raw_size(wanted)) { // not looked through for base64, which would tell of its bytes
        return sort->read_raw(wanted, bytes, length, ret_pkey, e);
    }
    // What is no base64 throughout is taken as it is. DER that is base64 throughout does not exist.
    cleanup_secret struct secret *decoded = nullptr;
    struct error no_base64;
    if (base64_decode(bytes, length, ENCODING_SKIP_SPACES, &decoded, &no_base64)) {
        bytes = secret_view(decoded);
        length = secret_length(decoded);
    } else if (no_base64.class != ERROR_INVALID_SPEC) {
        *e = no_base64;
        return false;
    }
    return read_plain(sort, wanted, bytes, length, ret_pkey, e);
}

bool keyform_read_public(const struct algorithm *wanted, const void *bytes, size_t length,
                         struct pkey **ret_pkey, struct error *e) {
    return read_key(&public_key, wanted, bytes, length, ret_pkey, e);
}

// Whether one more reading as algorithm leaves the key unambiguous; the first that succeeds is in *pkey.
static bool read_candidate(const struct algorithm *algorithm, const void *bytes, size_t length,
                           struct pkey **pkey, struct error *e) {
    cleanup_pkey struct pkey *read = nullptr;
    if (!keyform_read_public(algorithm, bytes, length, &read, e)) {
        return e->class == ERROR_INVALID_SPEC;
    }
    if (*pkey != nullptr) {
        return error_set(e, ERROR_INVALID_SPEC,
                         "the bytes are a public key of %s, %s or another of its size; name the algorithm",
                         pkey_algorithm(*pkey)->name, algorithm->name);
    }
    *pkey = read;
    read = nullptr;
    return true;
}

bool keyform_read_any_public(enum algorithm_family family, const void *bytes, size_t length,
                             struct pkey **ret_pkey, struct error *e) {
    cleanup_pkey struct pkey *found = nullptr;
    const struct algorithm *candidate;
    for (size_t i = 0; (candidate = algorithm_at(family, i)) != nullptr; i++) {
        if (candidate->instead == nullptr && !read_candidate(candidate, bytes, length, &found, e)) {
            return false;
        }
    }
    if (found == nullptr) {
        return error_set(e, ERROR_INVALID_SPEC, "not a public key of any %s that is served",
                         family == ALGORITHM_KEM ? "KEM" : "signature algorithm");
    }
    *ret_pkey = found;
    found = nullptr;
    return true;
}

static bool has_private_size(const struct algorithm *algorithm, size_t length) {
    return length == algorithm->private_key_size || length == algorithm->seed_size;
}

// And none of a public key: a seed of ML-DSA is as long as a public key of SLH-DSA.
static bool has_size_of_private_only(enum algorithm_family family, size_t length) {
    const struct algorithm *candidate;
    bool of_private = false;
    bool of_public = false;
    for (size_t i = 0; (candidate = algorithm_at(family, i)) != nullptr; i++) {
        of_private = of_private || (candidate->instead == nullptr && has_private_size(candidate, length));
        of_public = of_public || length == candidate->public_key_size;
    }
    return of_private && !of_public;
}

static bool is_pkcs8(const uint8_t *bytes, size_t length) {
    const unsigned char *end = bytes;
    cleanup_pkcs8 PKCS8_PRIV_KEY_INFO *pkcs8 = d2i_PKCS8_PRIV_KEY_INFO(nullptr, &end, (long)length);
    ERR_clear_error();
    return pkcs8 != nullptr;
}

bool keyform_seems_private(enum algorithm_family family, const struct algorithm *algorithm, const void *bytes,
                           size_t length) {
    static const char label[] =
        "PRIVATE KEY-----"; // behind it may be what it is for, or that it is encrypted
    cleanup_secret struct secret *decoded = nullptr;
    struct error no_base64;
    if (length > KEYFORM_INPUT_MAX) {
        return false;
    }
    if (base64_decode(bytes, length, ENCODING_SKIP_SPACES, &decoded, &no_base64)) {
        bytes = secret_view(decoded);
        length = secret_length(decoded);
    }
    if (is_pem(bytes, length)) {
        return memmem(bytes, length, label, sizeof(label) - 1) != nullptr;
    }
    return (is_der(bytes, length) && is_pkcs8(bytes, length)) ||
           (algorithm != nullptr ? has_private_size(algorithm, length)
                                 : has_size_of_private_only(family, length));
}

bool keyform_read_private(const struct algorithm *wanted, const void *bytes, size_t length,
                          struct pkey **ret_pkey, struct error *e) {
    return read_key(&private_key, wanted, bytes, length, ret_pkey, e);
}

bool keyform_read_bytes(const char *what, size_t wanted, const void *bytes, size_t length,
                        struct secret **ret_bytes, struct error *e) {
    if (length == wanted) {
        return secret_copy(bytes, length, ret_bytes, e);
    }
    if (length > KEYFORM_INPUT_MAX) {
        return error_set(e, ERROR_INVALID_SPEC, "%zu bytes are too many for a %s", length, what);
    }
    static const struct {
        const char *name;
        bool (*decode)(const char *text, size_t length, enum encoding_space space, struct secret **ret_bytes,
                       struct error *e);
    } forms[] = {{"base64", base64_decode},
                 {"hex", hex_decode}}; // hex is base64 too: what it says comes last
    const char *form = "raw bytes";
    size_t found = length;
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        struct secret *decoded;
        struct error undecodable;
        if (forms[i].decode(bytes, length, ENCODING_SKIP_SPACES, &decoded, &undecodable)) {
            found = secret_length(decoded);
            form = forms[i].name;
            if (found == wanted) {
                *ret_bytes = decoded;
                return true;
            }
            secret_free(decoded);
        } else if (undecodable.class != ERROR_INVALID_SPEC) {
            *e = undecodable;
            return false;
        }
    }
    return error_set(e, ERROR_INVALID_SPEC, "a %s has %zu bytes, this one has %zu as %s", what, wanted, found,
                     form);
}
