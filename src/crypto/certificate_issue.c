// Certificates as they are made: RFC 5280, with the choices that it leaves made once, here.
#include "crypto/certificate_internal.h"
#include "crypto/handles.h"
#include "crypto/openssl.h"
#include "crypto/pkey_internal.h"

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include <string.h>

enum { KEY_IDENTIFIER_SIZE = 20 };
static const int64_t last_second = 253402300799; // 9999-12-31T23:59:59Z

// ---- the subject

struct part {
    const char *what;
    int nid;
    const char *text;
    size_t max; // characters
};

// Whether text is UTF-8 without control characters; *ret_count: of its characters.
static bool is_proper_text(const char *text, size_t *ret_count) {
    const unsigned char *at = (const unsigned char *)text;
    size_t left = strlen(text);
    *ret_count = 0;
    while (left > 0) {
        unsigned long character;
        int length = UTF8_getc(at, (int)left, &character);
        bool is_control = character < 0x20 || (character >= 0x7f && character < 0xa0);
        bool is_surrogate = character >= 0xd800 && character < 0xe000;
        if (length <= 0 || is_control || is_surrogate || character > 0x10ffff) {
            return false;
        }
        at += length;
        left -= (size_t)length;
        (*ret_count)++;
    }
    return true;
}

static bool is_country(const char *text) {
    return strlen(text) == 2 && text[0] >= 'A' && text[0] <= 'Z' && text[1] >= 'A' && text[1] <= 'Z';
}

static bool check_part(const struct part *part, struct error *e) {
    size_t count;
    if (part->nid == NID_countryName && !is_country(part->text)) {
        return error_set(e, ERROR_INVALID_SPEC, "%s: must be two upper-case letters (ISO 3166)", part->what);
    }
    if (!is_proper_text(part->text, &count)) {
        return error_set(e, ERROR_INVALID_SPEC, "%s: must be UTF-8 without control characters", part->what);
    }
    if (count == 0 || count > part->max) {
        return error_set(e, ERROR_INVALID_SPEC, "%s: has %zu characters, 1 to %zu are allowed (RFC 5280)",
                         part->what, count, part->max);
    }
    return true;
}

static size_t list_parts(const struct certificate_subject *subject, struct part parts[6]) {
    const struct part all[] = {
        {"country", NID_countryName, subject->country, 2},
        {"state", NID_stateOrProvinceName, subject->state, 128},
        {"locality", NID_localityName, subject->locality, 128},
        {"organization", NID_organizationName, subject->organization, 64},
        {"organizationalUnit", NID_organizationalUnitName, subject->organizational_unit, 64},
        {"commonName", NID_commonName, subject->common_name, 64},
    };
    size_t count = 0;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (all[i].text != nullptr) {
            parts[count++] = all[i];
        }
    }
    return count;
}

bool certificate_check_subject(const struct certificate_subject *subject, struct error *e) {
    struct part parts[6];
    size_t count = list_parts(subject, parts);
    for (size_t i = 0; i < count; i++) {
        if (!check_part(&parts[i], e)) {
            return false;
        }
    }
    return true;
}

// The name that the parts make, owned; NULL: it cannot be made.
static X509_NAME *make_name(const struct certificate_subject *subject) {
    struct part parts[6];
    size_t count = list_parts(subject, parts);
    X509_NAME *name = X509_NAME_new();
    bool done = name != nullptr;
    for (size_t i = 0; done && i < count; i++) {
        int type = parts[i].nid == NID_countryName ? V_ASN1_PRINTABLESTRING : V_ASN1_UTF8STRING;
        done = X509_NAME_add_entry_by_NID(name, parts[i].nid, type, (const unsigned char *)parts[i].text, -1,
                                          -1, 0) == 1;
    }
    if (!done) {
        X509_NAME_free(name);
        return nullptr;
    }
    return name;
}

bool certificate_has_subject(const struct certificate *certificate,
                             const struct certificate_subject *subject) {
    X509_NAME *name = make_name(subject);
    bool has = name != nullptr && certificate_same_name(X509_get_subject_name(certificate->x509), name);
    X509_NAME_free(name);
    ERR_clear_error();
    return has;
}

static bool set_subject(X509 *x509, const struct certificate_subject *subject, struct error *e) {
    X509_NAME *name = make_name(subject);
    bool done = name != nullptr && X509_set_subject_name(x509, name) == 1;
    X509_NAME_free(name);
    return done || crypto_error(e, ERROR_CRYPTO, "writing a certificate's subject");
}

// ---- serial number, names, dates, key

// 159 random bits below one bit that keeps the number positive and its length the same.
static bool set_serial(X509 *x509, struct error *e) {
    unsigned char bytes[CERTIFICATE_SERIAL_SIZE];
    if (RAND_bytes(bytes, sizeof(bytes)) != 1) {
        return crypto_error(e, ERROR_CRYPTO, "making a serial number");
    }
    bytes[0] = (unsigned char)((bytes[0] & 0x7f) | 0x40);
    BIGNUM *number = BN_bin2bn(bytes, sizeof(bytes), nullptr);
    bool done = number != nullptr && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x509)) != nullptr;
    BN_free(number);
    return done || crypto_error(e, ERROR_CRYPTO, "writing a serial number");
}

static bool set_time(ASN1_TIME *time, int64_t seconds, struct error *e) {
    return ASN1_TIME_set(time, seconds > last_second ? last_second : seconds) != nullptr ||
           crypto_error(e, ERROR_CRYPTO, "writing a certificate's dates");
}

static bool set_basics(X509 *x509, const struct certificate_template *template,
                       const struct pkey *subject_key, const struct certificate *issuer, struct error *e) {
    if (!set_serial(x509, e) || !set_subject(x509, &template->subject, e) ||
        !set_time(X509_getm_notBefore(x509), template->not_before, e) ||
        !set_time(X509_getm_notAfter(x509), template->not_after, e)) {
        return false;
    }
    const X509_NAME *issuer_name = X509_get_subject_name(issuer == nullptr ? x509 : issuer->x509);
    return (X509_set_version(x509, X509_VERSION_3) == 1 && X509_set_issuer_name(x509, issuer_name) == 1 &&
            X509_set_pubkey(x509, pkey_evp(subject_key)) == 1) ||
           crypto_error(e, ERROR_CRYPTO, "writing a certificate");
}

// ---- extensions

static bool add_extension(X509 *x509, int nid, void *value, bool critical) {
    return value != nullptr && X509_add1_ext_i2d(x509, nid, value, critical, X509V3_ADD_DEFAULT) == 1;
}

static bool add_basic_constraints(X509 *x509, const struct certificate_template *template) {
    BASIC_CONSTRAINTS *constraints = BASIC_CONSTRAINTS_new();
    bool done = constraints != nullptr;
    if (done) {
        constraints->ca = template->is_ca ? 0xff : 0;
    }
    if (done && template->is_ca && template->path_length != CERTIFICATE_PATH_LENGTH_NONE) {
        constraints->pathlen = ASN1_INTEGER_new();
        done = constraints->pathlen != nullptr &&
               ASN1_INTEGER_set(constraints->pathlen, template->path_length) == 1;
    }
    done = done && add_extension(x509, NID_basic_constraints, constraints, true);
    BASIC_CONSTRAINTS_free(constraints);
    return done;
}

// Bit numbers of RFC 5280 section 4.2.1.3.
static bool add_key_usage(X509 *x509, unsigned usage) {
    static const struct {
        unsigned own;
        int number;
    } bits[] = {{CERTIFICATE_DIGITAL_SIGNATURE, 0},
                {CERTIFICATE_CONTENT_COMMITMENT, 1},
                {CERTIFICATE_CERT_SIGN, 5},
                {CERTIFICATE_CRL_SIGN, 6}};
    ASN1_BIT_STRING *string = ASN1_BIT_STRING_new();
    bool done = string != nullptr;
    for (size_t i = 0; done && i < sizeof(bits) / sizeof(bits[0]); i++) {
        done = (usage & bits[i].own) == 0 || ASN1_BIT_STRING_set_bit(string, bits[i].number, 1) == 1;
    }
    done = done && add_extension(x509, NID_key_usage, string, true);
    ASN1_BIT_STRING_free(string);
    return done;
}

static bool add_purposes(X509 *x509, const struct certificate_template *template) {
    bool is_time_stamping = !template->is_ca && template->purposes == CERTIFICATE_TIME_STAMPING;
    if (template->purposes == 0) {
        return true;
    }
    STACK_OF(ASN1_OBJECT) *list = sk_ASN1_OBJECT_new_null();
    bool done = list != nullptr;
    for (size_t i = 0; done && i < CERTIFICATE_PURPOSE_COUNT; i++) { // objects of known NIDs are static
        const struct certificate_purpose_names *names = &certificate_purpose_names[i];
        done =
            (template->purposes & names->own) == 0 || sk_ASN1_OBJECT_push(list, OBJ_nid2obj(names->nid)) > 0;
    }
    done = done && add_extension(x509, NID_ext_key_usage, list, is_time_stamping);
    sk_ASN1_OBJECT_free(list);
    return done;
}

// RFC 7093 section 2, method 1.
static bool add_subject_key_identifier(X509 *x509) {
    const ASN1_BIT_STRING *key = X509_get0_pubkey_bitstr(x509);
    unsigned char digest[SHA256_DIGEST_LENGTH];
    ASN1_OCTET_STRING *identifier = ASN1_OCTET_STRING_new();
    bool done = identifier != nullptr && key != nullptr &&
                EVP_Q_digest(nullptr, "SHA2-256", nullptr, ASN1_STRING_get0_data(key),
                             (size_t)ASN1_STRING_length(key), digest, nullptr) == 1 &&
                ASN1_OCTET_STRING_set(identifier, digest, KEY_IDENTIFIER_SIZE) == 1 &&
                add_extension(x509, NID_subject_key_identifier, identifier, false);
    ASN1_OCTET_STRING_free(identifier);
    return done;
}

static bool add_authority_key_identifier(X509 *x509, X509 *issuer) {
    const ASN1_OCTET_STRING *identifier = X509_get0_subject_key_id(issuer);
    AUTHORITY_KEYID *authority = AUTHORITY_KEYID_new();
    bool done = identifier != nullptr && authority != nullptr &&
                (authority->keyid = ASN1_OCTET_STRING_dup(identifier)) != nullptr &&
                add_extension(x509, NID_authority_key_identifier, authority, false);
    AUTHORITY_KEYID_free(authority);
    return done;
}

static bool set_general_name(GENERAL_NAME *name, const struct san *san) {
    size_t length;
    const void *bytes = certificate_name_bytes(san, &length);
    ASN1_STRING *value = san->type == SAN_IP ? ASN1_OCTET_STRING_new() : ASN1_IA5STRING_new();
    if (value == nullptr || ASN1_STRING_set(value, bytes, (int)length) != 1) {
        ASN1_STRING_free(value);
        return false;
    }
    GENERAL_NAME_set0_value(name, certificate_name_type(san->type), value); // takes it
    return true;
}

static bool add_names(X509 *x509, const struct certificate_template *template) {
    bool critical = X509_NAME_entry_count(X509_get_subject_name(x509)) == 0;
    if (template->name_count == 0) {
        return true;
    }
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    bool done = names != nullptr;
    for (size_t i = 0; done && i < template->name_count; i++) {
        GENERAL_NAME *name = GENERAL_NAME_new();
        done = name != nullptr && set_general_name(name, &template->names[i]) &&
               sk_GENERAL_NAME_push(names, name) > 0;
        if (!done) {
            GENERAL_NAME_free(name);
        }
    }
    done = done && add_extension(x509, NID_subject_alt_name, names, critical);
    GENERAL_NAMES_free(names);
    return done;
}

static bool set_extensions(X509 *x509, const struct certificate_template *template,
                           const struct certificate *issuer, struct error *e) {
    bool done = add_basic_constraints(x509, template) && add_key_usage(x509, template->key_usage) &&
                add_purposes(x509, template) && add_subject_key_identifier(x509) &&
                add_authority_key_identifier(x509, issuer == nullptr ? x509 : issuer->x509) &&
                add_names(x509, template);
    return done || crypto_error(e, ERROR_CRYPTO, "writing a certificate's extensions");
}

// ---- the whole

static bool check_template(const struct certificate_template *template, const struct certificate *issuer,
                           struct error *e) {
    struct part parts[6];
    bool nameless = list_parts(&template->subject, parts) == 0;
    if (nameless && (template->is_ca || issuer == nullptr)) {
        return error_set(e, ERROR_INVALID_SPEC,
                         "a certificate that issues certificates, itself included, needs a subject");
    }
    if (nameless && template->name_count == 0) {
        return error_set(e, ERROR_INVALID_SPEC,
                         "a certificate needs a subject or a subject alternative name");
    }
    return certificate_check_subject(&template->subject, e);
}

// Gives out the certificate as others will read it. (What OpenSSL has noted of an unfinished one, such as
// whether it is signed by itself, is not true of the finished one.)
static bool reread(const X509 *x509, struct certificate **ret_certificate, struct error *e) {
    unsigned char *der = nullptr;
    int length = i2d_X509(x509, &der);
    const unsigned char *end = der;
    X509 *read = length < 0 ? nullptr : d2i_X509(nullptr, &end, length);
    OPENSSL_free(der);
    if (read == nullptr) {
        return crypto_error(e, ERROR_CRYPTO, "reading a certificate that was made");
    }
    return certificate_wrap(read, ret_certificate, e);
}

bool certificate_issue(const struct certificate_template *template, const struct pkey *subject_key,
                       const struct certificate *issuer, const struct pkey *issuer_key,
                       struct certificate **ret_certificate, struct error *e) {
    const struct pkey *signer = issuer == nullptr ? subject_key : issuer_key;
    if (!check_template(template, issuer, e)) {
        return false;
    }
    if (!pkey_has_private(signer)) {
        return error_set(e, ERROR_CRYPTO, "issuing a certificate needs a private key");
    }
    cleanup_x509 X509 *x509 = X509_new();
    if (x509 == nullptr) {
        return crypto_error(e, ERROR_CRYPTO, "making a certificate");
    }
    if (!set_basics(x509, template, subject_key, issuer, e) || !set_extensions(x509, template, issuer, e)) {
        return false;
    }
    // No digest but the algorithm's own: there is none in RFC 9881 and RFC 9909, and SHA-256 goes with P-256.
    if (X509_sign(x509, pkey_evp(signer), nullptr) <= 0) {
        return crypto_error(e, ERROR_CRYPTO, "signing a certificate with %s", pkey_algorithm(signer)->name);
    }
    return reread(x509, ret_certificate, e);
}

// ---- cross-certificates

static bool set_authority(X509 *x509, const struct certificate *issuer) {
    int index = X509_get_ext_by_NID(x509, NID_authority_key_identifier, -1);
    if (index >= 0) {
        X509_EXTENSION_free(X509_delete_ext(x509, index));
    }
    return X509_set_issuer_name(x509, X509_get_subject_name(issuer->x509)) == 1 &&
           add_authority_key_identifier(x509, issuer->x509);
}

static bool set_common_time(X509 *x509, const struct certificate *subject, const struct certificate *issuer,
                            struct error *e) {
    int64_t begin = certificate_not_before(subject);
    int64_t end = certificate_not_after(subject);
    int64_t issuer_begin = certificate_not_before(issuer);
    int64_t issuer_end = certificate_not_after(issuer);
    begin = issuer_begin > begin ? issuer_begin : begin;
    end = issuer_end < end ? issuer_end : end;
    if (begin >= end) {
        return error_set(e, ERROR_CRYPTO,
                         "two CAs of which one ends before the other begins cannot be "
                         "certified by each other");
    }
    return set_time(X509_getm_notBefore(x509), begin, e) && set_time(X509_getm_notAfter(x509), end, e);
}

bool certificate_issue_cross(const struct certificate *subject, const struct certificate *issuer,
                             const struct pkey *issuer_key, struct certificate **ret_certificate,
                             struct error *e) {
    cleanup_x509 X509 *x509 = X509_dup(subject->x509);
    if (x509 == nullptr) {
        return crypto_error(e, ERROR_CRYPTO, "making a certificate");
    }
    if (!set_serial(x509, e) || !set_common_time(x509, subject, issuer, e)) {
        return false;
    }
    if (!set_authority(x509, issuer) || X509_sign(x509, pkey_evp(issuer_key), nullptr) <= 0) {
        return crypto_error(e, ERROR_CRYPTO, "signing a certificate with %s",
                            pkey_algorithm(issuer_key)->name);
    }
    return reread(x509, ret_certificate, e);
}
