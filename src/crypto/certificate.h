// X.509 certificates (RFC 5280) with ML-DSA (RFC 9881) and SLH-DSA (RFC 9909) keys, and those of
// serving_certificate.h: issued, read, verified.
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "crypto/pkey.h"
#include "crypto/san.h"

#include <stddef.h>
#include <stdint.h>

struct certificate; // never changes once it is made, so threads may share one

enum certificate_key_usage { // RFC 5280 section 4.2.1.3; RFC 9881 section 5 allows no others with a signature
                             // key
    CERTIFICATE_DIGITAL_SIGNATURE = 1 << 0,
    CERTIFICATE_CONTENT_COMMITMENT = 1 << 1, // formerly nonRepudiation
    CERTIFICATE_CERT_SIGN = 1 << 2,
    CERTIFICATE_CRL_SIGN = 1 << 3,
};

enum certificate_purpose { // extended key usage, RFC 5280 section 4.2.1.12
    CERTIFICATE_SERVER_AUTH = 1 << 0,
    CERTIFICATE_CLIENT_AUTH = 1 << 1,
    CERTIFICATE_CODE_SIGNING = 1 << 2,
    CERTIFICATE_EMAIL_PROTECTION = 1 << 3,
    CERTIFICATE_TIME_STAMPING = 1 << 4,
    CERTIFICATE_OCSP_SIGNING = 1 << 5,
};

// Parts of a distinguished name, UTF-8; NULL: absent. Upper bounds in characters, RFC 5280 appendix A.1:
// organization, organizational unit, common name 64; state, locality 128; country exactly two letters.
struct certificate_subject {
    const char *country;
    const char *state;
    const char *locality;
    const char *organization;
    const char *organizational_unit;
    const char *common_name;
};

enum {
    CERTIFICATE_PATH_LENGTH_NONE = -1,
    CERTIFICATE_SERIAL_SIZE = 20,           // bytes
    CERTIFICATE_CHAIN_MAX = 40,             // certificates that are read at once
    CERTIFICATE_TEXT_MAX = 4 * 1024 * 1024, // bytes of PEM that are looked at
};

struct certificate_template {
    struct certificate_subject subject; // country, state, locality, ... in this order make the name
    const struct san *names;            // borrowed
    size_t name_count;
    int64_t not_before; // seconds since 1970
    int64_t not_after;
    bool is_ca;
    int path_length; // of a CA: how many CAs may follow below it; CERTIFICATE_PATH_LENGTH_NONE: no limit
    unsigned key_usage;
    unsigned purposes; // 0: no extended key usage
};

// Whether the subject's parts can be issued. Errors: INVALID_SPEC (names the part, and says what is allowed).
[[nodiscard]] bool certificate_check_subject(const struct certificate_subject *subject, struct error *e);

// Issues a certificate for subject_key, signed by issuer's key; issuer NULL: by subject_key itself, which is
// private then. Version 3, a random serial number of 20 bytes, subject and authority key identifiers (RFC
// 7093 method 1: the leftmost 160 bits of SHA-256 of the public key), critical basicConstraints and keyUsage,
// an extended key usage that is critical where it is that of a time-stamping authority (RFC 3161
// section 2.3), subjectAltName critical exactly when the subject is empty, dates as RFC 5280 section 4.1.2.5
// has them (not_after past the year 9999 becomes its last second). The issuer's name is copied byte by byte.
// *ret_certificate is owned. Errors: INVALID_SPEC (a part of the subject that is too long or has characters
// that are not allowed; an empty subject without names, or for a CA or a self-signed certificate), CRYPTO,
// NO_MEMORY.
[[nodiscard]] bool certificate_issue(const struct certificate_template *template,
                                     const struct pkey *subject_key, const struct certificate *issuer,
                                     const struct pkey *issuer_key, struct certificate **ret_certificate,
                                     struct error *e);

// Issues a cross-certificate (RFC 5280 section 3.2): the CA subject, with its name, its key and all that it
// says of itself, signed by issuer's key, for the time in which both are valid. *ret_certificate is owned.
// Errors: CRYPTO (among others: there is no such time), NO_MEMORY.
[[nodiscard]] bool certificate_issue_cross(const struct certificate *subject,
                                           const struct certificate *issuer, const struct pkey *issuer_key,
                                           struct certificate **ret_certificate, struct error *e);

// Reads all CERTIFICATE blocks of a PEM text, in order, skipping text between them and other blocks (a
// private key, say); at least one. *ret_chain is an owned array of *ret_count owned certificates. Errors:
// INVALID_SPEC (none, one that cannot be read, or more than CERTIFICATE_CHAIN_MAX), NO_MEMORY.
[[nodiscard]] bool certificate_read_chain(const void *pem, size_t length, struct certificate ***ret_chain,
                                          size_t *ret_count, struct error *e);
void certificate_free_chain(struct certificate **chain, size_t count);

// The same as one thing.
struct certificate_chain {
    struct certificate **certificates; // owned
    size_t count;
};

// As certificate_read_chain; ret_chain is to be freed by the caller.
[[nodiscard]] bool certificate_chain_read(const struct secret *pem, struct certificate_chain *ret_chain,
                                          struct error *e);
void certificate_chain_done(struct certificate_chain *chain); // what is in it
#define cleanup_certificate_chain [[gnu::cleanup(certificate_chain_done)]]

// Another one of the same content; *ret_copy is owned. Errors: NO_MEMORY.
[[nodiscard]] bool certificate_copy(const struct certificate *certificate, struct certificate **ret_copy,
                                    struct error *e);

void certificate_free(struct certificate *certificate); // NULL is allowed

static inline void certificate_cleanup(struct certificate **certificate) {
    certificate_free(*certificate);
}
#define cleanup_certificate [[gnu::cleanup(certificate_cleanup)]]

// Verifies leaf at the time now: a path through the intermediates (in any order) to root, which is trusted:
// every signature, the root's own too, date, name constraint, path length, and key usage, as strictly as
// OpenSSL does (X509_V_FLAG_X509_STRICT), and that the leaf is fit for each of purposes, or, if it is a CA,
// may issue for them. root may be the leaf itself.
// Errors: CRYPTO (says which certificate fails and why), NO_MEMORY.
[[nodiscard]] bool certificate_verify(const struct certificate *leaf,
                                      struct certificate *const *intermediates, size_t count,
                                      const struct certificate *root, unsigned purposes, int64_t now,
                                      struct error *e);

// The same as TLS clients do it, Go's among them: without what RFC 5280 demands besides of certificates that
// are well made, and root may be any that is trusted, also one that another has issued. Errors: as
// certificate_verify.
[[nodiscard]] bool certificate_verify_leniently(const struct certificate *leaf,
                                                struct certificate *const *intermediates, size_t count,
                                                const struct certificate *root, unsigned purposes,
                                                int64_t now, struct error *e);

// Whether certificate's public key is pkey's. Errors: CRYPTO (it is another), NO_MEMORY.
[[nodiscard]] bool certificate_check_key(const struct certificate *certificate, const struct pkey *pkey,
                                         struct error *e);

// Whether both are of one public key.
bool certificate_same_key(const struct certificate *one, const struct certificate *other);

// Whether both are of one subject, byte by byte.
bool certificate_same_subject(const struct certificate *one, const struct certificate *other);

// Whether its issuer has its own subject's name, as a root's has.
bool certificate_is_self_issued(const struct certificate *certificate);

// Whether certificate's subject is the one that the parts make.
bool certificate_has_subject(const struct certificate *certificate,
                             const struct certificate_subject *subject);

// Whether both are the same, byte by byte.
bool certificate_equals(const struct certificate *one, const struct certificate *other);

// Whether certificate's subject alternative names are exactly these, which differ from each other, in any
// order.
bool certificate_has_names(const struct certificate *certificate, const struct san *names, size_t count);

bool certificate_is_ca(const struct certificate *certificate);
int certificate_path_length(const struct certificate *certificate); // CERTIFICATE_PATH_LENGTH_NONE: no limit
unsigned certificate_purposes(const struct certificate *certificate);  // 0: it is not limited to any
int64_t certificate_not_before(const struct certificate *certificate); // seconds since 1970
int64_t certificate_not_after(const struct certificate *certificate);

// Append text. Names as RFC 4514 writes them, in UTF-8 ("CN=example.com,O=Example"); the serial number as
// lower-case hex digits; the certificate as PEM or DER. Errors: CRYPTO, NO_MEMORY, INTERNAL (the buffer's
// cap).
[[nodiscard]] bool certificate_append_subject(const struct certificate *certificate, struct buffer *text,
                                              struct error *e);
[[nodiscard]] bool certificate_append_issuer(const struct certificate *certificate, struct buffer *text,
                                             struct error *e);
[[nodiscard]] bool certificate_append_serial(const struct certificate *certificate, struct buffer *text,
                                             struct error *e);
[[nodiscard]] bool certificate_append_pem(const struct certificate *certificate, struct buffer *pem,
                                          struct error *e);
[[nodiscard]] bool certificate_append_der(const struct certificate *certificate, struct buffer *der,
                                          struct error *e);
