// Certificates as they are read, and what can be read from them.
#include "base/memory.h"
#include "base/pem_form.h"
#include "crypto/certificate_internal.h"
#include "crypto/encoding.h"
#include "crypto/handles.h"
#include "crypto/openssl.h"
#include "crypto/pkey_internal.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

bool certificate_wrap(X509 *x509, struct certificate **ret_certificate, struct error *e) {
    struct certificate *certificate = memory_allocate_zeroed(1, sizeof(*certificate));
    if (certificate == nullptr) {
        X509_free(x509);
        return error_no_memory(e, "a certificate");
    }
    certificate->x509 = x509;
    *ret_certificate = certificate;
    return true;
}

bool certificate_copy(const struct certificate *certificate, struct certificate **ret_copy, struct error *e) {
    X509_up_ref(certificate->x509);
    return certificate_wrap(certificate->x509, ret_copy, e);
}

void certificate_free(struct certificate *certificate) {
    if (certificate != nullptr) {
        X509_free(certificate->x509);
        memory_free(certificate);
    }
}

void certificate_free_chain(struct certificate **chain, size_t count) {
    for (size_t i = 0; chain != nullptr && i < count; i++) {
        certificate_free(chain[i]);
    }
    memory_free(chain);
}

// ---- reading

bool certificate_decode(const void *der, size_t length, X509 **ret_x509, struct error *e) {
    const unsigned char *end = der;
    X509 *x509 = d2i_X509(nullptr, &end, (long)length);
    if (x509 == nullptr) {
        return crypto_error(e, ERROR_INVALID_SPEC, "not a certificate");
    }
    if (end != (const unsigned char *)der + length) {
        X509_free(x509);
        return error_set(e, ERROR_INVALID_SPEC, "bytes follow the certificate");
    }
    *ret_x509 = x509;
    return true;
}

static bool read_der(const unsigned char *der, size_t length, struct certificate **ret_certificate,
                     struct error *e) {
    X509 *x509;
    return certificate_decode(der, length, &x509, e) && certificate_wrap(x509, ret_certificate, e);
}

// Reads the next block, whatever it is. *ret_certificate stays NULL where it is none; *ret_end: there was
// none.
static bool read_block(BIO *bio, struct certificate **ret_certificate, bool *ret_end, struct error *e) {
    char *label = nullptr;
    char *header = nullptr;
    unsigned char *der = nullptr;
    long length = 0;
    if (PEM_read_bio(bio, &label, &header, &der, &length) != 1) {
        *ret_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
        if (*ret_end) {
            ERR_clear_error();
            return true;
        }
        return crypto_error(e, ERROR_INVALID_SPEC, "a PEM block is incomplete");
    }
    bool read = strcmp(label, PEM_STRING_X509) != 0 || read_der(der, (size_t)length, ret_certificate, e);
    OPENSSL_free(label);
    OPENSSL_free(header);
    OPENSSL_free(der);
    return read;
}

static bool read_blocks(BIO *bio, struct certificate **chain, size_t *count, struct error *e) {
    for (bool end = false; !end;) {
        struct certificate *certificate = nullptr;
        if (!read_block(bio, &certificate, &end, e)) {
            return false;
        }
        if (certificate != nullptr && *count == CERTIFICATE_CHAIN_MAX) {
            certificate_free(certificate);
            return error_set(e, ERROR_INVALID_SPEC, "there are more than %d certificates",
                             CERTIFICATE_CHAIN_MAX);
        }
        if (certificate != nullptr) {
            chain[(*count)++] = certificate;
        }
    }
    return *count > 0 || error_set(e, ERROR_INVALID_SPEC, "there is no PEM block of a certificate");
}

static bool read_text(const void *pem, size_t length, struct certificate **chain, size_t *count,
                      struct error *e) {
    cleanup_buffer struct buffer normal = {0};
    if (!pem_form_normalize(pem, length, &normal, e)) {
        return false;
    }
    cleanup_bio BIO *bio = BIO_new_mem_buf(buffer_text(&normal), (int)normal.length);
    return bio == nullptr ? crypto_error(e, ERROR_CRYPTO, "reading certificates")
                          : read_blocks(bio, chain, count, e);
}

bool certificate_read_chain(const void *pem, size_t length, struct certificate ***ret_chain,
                            size_t *ret_count, struct error *e) {
    struct certificate **chain = memory_allocate_zeroed(CERTIFICATE_CHAIN_MAX, sizeof(*chain));
    size_t count = 0;
    if (chain == nullptr) {
        return error_no_memory(e, "a chain of certificates");
    }
    if (length > CERTIFICATE_TEXT_MAX) {
        memory_free(chain);
        return error_set(e, ERROR_INVALID_SPEC, "%zu bytes are too many for a chain of certificates", length);
    }
    if (!read_text(pem, length, chain, &count, e)) {
        certificate_free_chain(chain, count);
        return false;
    }
    *ret_chain = chain;
    *ret_count = count;
    return true;
}

bool certificate_chain_read(const struct secret *pem, struct certificate_chain *ret_chain, struct error *e) {
    return certificate_read_chain(secret_view(pem), secret_length(pem), &ret_chain->certificates,
                                  &ret_chain->count, e);
}

void certificate_chain_done(struct certificate_chain *chain) {
    certificate_free_chain(chain->certificates, chain->count);
    *chain = (struct certificate_chain){0};
}

// ---- what is in it

bool certificate_check_key(const struct certificate *certificate, const struct pkey *pkey, struct error *e) {
    EVP_PKEY *own = X509_get0_pubkey(certificate->x509);
    return (own != nullptr && EVP_PKEY_eq(own, pkey_evp(pkey)) == 1) ||
           crypto_error(e, ERROR_CRYPTO, "the certificate is of another key");
}

bool certificate_same_key(const struct certificate *one, const struct certificate *other) {
    EVP_PKEY *left = X509_get0_pubkey(one->x509);
    EVP_PKEY *right = X509_get0_pubkey(other->x509);
    return left != nullptr && right != nullptr && EVP_PKEY_eq(left, right) == 1;
}

// OpenSSL's own comparison takes names for the same that differ in case and spaces; other programs do not.
bool certificate_same_name(const X509_NAME *one, const X509_NAME *other) {
    const unsigned char *left;
    const unsigned char *right;
    size_t left_length;
    size_t right_length;
    return X509_NAME_get0_der(one, &left, &left_length) == 1 &&
           X509_NAME_get0_der(other, &right, &right_length) == 1 && left_length == right_length &&
           memcmp(left, right, left_length) == 0;
}

bool certificate_same_subject(const struct certificate *one, const struct certificate *other) {
    return certificate_same_name(X509_get_subject_name(one->x509), X509_get_subject_name(other->x509));
}

bool certificate_is_self_issued(const struct certificate *certificate) {
    return certificate_same_name(X509_get_subject_name(certificate->x509),
                                 X509_get_issuer_name(certificate->x509));
}

bool certificate_equals(const struct certificate *one, const struct certificate *other) {
    return X509_cmp(one->x509, other->x509) == 0;
}

int certificate_name_type(enum san_type type) {
    static const int types[] = {
        [SAN_DNS] = GEN_DNS, [SAN_IP] = GEN_IPADD, [SAN_EMAIL] = GEN_EMAIL, [SAN_URI] = GEN_URI};
    return types[type];
}

const void *certificate_name_bytes(const struct san *san, size_t *ret_length) {
    bool is_address = san->type == SAN_IP;
    *ret_length = is_address ? san->bytes_length : strlen(san->text);
    return is_address ? (const void *)san->bytes : san->text;
}

static bool is_name(const GENERAL_NAME *name, const struct san *san) {
    int type;
    const ASN1_STRING *value = GENERAL_NAME_get0_value(name, &type);
    if (type != certificate_name_type(san->type)) { // value may be something else then
        return false;
    }
    size_t length;
    const void *bytes = certificate_name_bytes(san, &length);
    return (size_t)ASN1_STRING_length(value) == length &&
           memcmp(ASN1_STRING_get0_data(value), bytes, length) == 0;
}

static bool has_name(const GENERAL_NAMES *names, const struct san *san) {
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        if (is_name(sk_GENERAL_NAME_value(names, i), san)) {
            return true;
        }
    }
    return false;
}

bool certificate_has_names(const struct certificate *certificate, const struct san *names, size_t count) {
    GENERAL_NAMES *own = X509_get_ext_d2i(certificate->x509, NID_subject_alt_name, nullptr, nullptr);
    bool same = own == nullptr ? count == 0 : (size_t)sk_GENERAL_NAME_num(own) == count;
    for (size_t i = 0; same && i < count; i++) {
        same = has_name(own, &names[i]);
    }
    GENERAL_NAMES_free(own);
    ERR_clear_error();
    return same;
}

bool certificate_is_ca(const struct certificate *certificate) {
    return (X509_get_extension_flags(certificate->x509) & EXFLAG_CA) != 0;
}

int certificate_path_length(const struct certificate *certificate) {
    long length = X509_get_pathlen(certificate->x509);
    return length < 0 || length > INT32_MAX ? CERTIFICATE_PATH_LENGTH_NONE : (int)length;
}

const struct certificate_purpose_names certificate_purpose_names[CERTIFICATE_PURPOSE_COUNT] = {
    {CERTIFICATE_SERVER_AUTH, XKU_SSL_SERVER, NID_server_auth},
    {CERTIFICATE_CLIENT_AUTH, XKU_SSL_CLIENT, NID_client_auth},
    {CERTIFICATE_CODE_SIGNING, XKU_CODE_SIGN, NID_code_sign},
    {CERTIFICATE_EMAIL_PROTECTION, XKU_SMIME, NID_email_protect},
    {CERTIFICATE_TIME_STAMPING, XKU_TIMESTAMP, NID_time_stamp},
    {CERTIFICATE_OCSP_SIGNING, XKU_OCSP_SIGN, NID_OCSP_sign},
};

unsigned certificate_purposes(const struct certificate *certificate) {
    uint32_t listed = X509_get_extended_key_usage(certificate->x509); // all bits: there is none
    unsigned purposes = 0;
    for (size_t i = 0; (listed & XKU_ANYEKU) == 0 && i < CERTIFICATE_PURPOSE_COUNT; i++) {
        purposes |= (listed & certificate_purpose_names[i].flag) != 0 ? certificate_purpose_names[i].own : 0;
    }
    return purposes;
}

static int64_t seconds_of(const ASN1_TIME *time) {
    struct tm parts;
    return ASN1_TIME_to_tm(time, &parts) == 1 ? timegm(&parts) : 0;
}

int64_t certificate_not_before(const struct certificate *certificate) {
    return seconds_of(X509_get0_notBefore(certificate->x509));
}

int64_t certificate_not_after(const struct certificate *certificate) {
    return seconds_of(X509_get0_notAfter(certificate->x509));
}

// ---- as text

// Appends what has been written into bio.
static bool take_text(BIO *bio, struct buffer *text, struct error *e) {
    char *written;
    long length = BIO_get_mem_data(bio, &written);
    return buffer_append(text, written, length < 0 ? 0 : (size_t)length, e);
}

static bool append_name(const X509_NAME *name, struct buffer *text, struct error *e) {
    unsigned long flags = XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB;
    cleanup_bio BIO *bio = BIO_new(BIO_s_mem());
    if (bio == nullptr || X509_NAME_print_ex(bio, name, 0, flags) < 0) {
        return crypto_error(e, ERROR_CRYPTO, "writing a name");
    }
    return take_text(bio, text, e);
}

bool certificate_append_subject(const struct certificate *certificate, struct buffer *text, struct error *e) {
    return append_name(X509_get_subject_name(certificate->x509), text, e);
}

bool certificate_append_issuer(const struct certificate *certificate, struct buffer *text, struct error *e) {
    return append_name(X509_get_issuer_name(certificate->x509), text, e);
}

bool certificate_append_serial(const struct certificate *certificate, struct buffer *text, struct error *e) {
    const ASN1_INTEGER *serial = X509_get0_serialNumber(certificate->x509);
    return hex_encode(ASN1_STRING_get0_data(serial), (size_t)ASN1_STRING_length(serial), text, e);
}

bool certificate_append_pem(const struct certificate *certificate, struct buffer *pem, struct error *e) {
    cleanup_bio BIO *bio = BIO_new(BIO_s_mem());
    if (bio == nullptr || PEM_write_bio_X509(bio, certificate->x509) != 1) {
        return crypto_error(e, ERROR_CRYPTO, "writing a certificate");
    }
    return take_text(bio, pem, e);
}

bool certificate_append_der(const struct certificate *certificate, struct buffer *der, struct error *e) {
    unsigned char *bytes = nullptr;
    int length = i2d_X509(certificate->x509, &bytes);
    if (length < 0) {
        return crypto_error(e, ERROR_CRYPTO, "writing a certificate");
    }
    bool done = buffer_append(der, bytes, (size_t)length, e);
    OPENSSL_free(bytes);
    return done;
}
