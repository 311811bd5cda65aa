// For the files of this folder only: the OpenSSL certificate inside a struct certificate.
#pragma once

#include "crypto/certificate.h"

#include <openssl/x509.h>

struct certificate {
    X509 *x509; // owned
};

// Decodes DER that is a certificate from its first to its last byte; *ret_x509 is owned. Errors:
// INVALID_SPEC, NO_MEMORY.
[[nodiscard]] bool certificate_decode(const void *der, size_t length, X509 **ret_x509, struct error *e);

// Wraps an OpenSSL certificate. Takes x509, also when it fails. Errors: NO_MEMORY.
[[nodiscard]] bool certificate_wrap(X509 *x509, struct certificate **ret_certificate, struct error *e);

// Whether both names are the same, byte by byte.
bool certificate_same_name(const X509_NAME *one, const X509_NAME *other);

// Of purposes: the flag of OpenSSL's X509_get_extended_key_usage, and the object's NID.
struct certificate_purpose_names {
    unsigned own;
    uint32_t flag;
    int nid;
};
enum { CERTIFICATE_PURPOSE_COUNT = 6 };
extern const struct certificate_purpose_names certificate_purpose_names[CERTIFICATE_PURPOSE_COUNT];

// What a name is in a certificate: OpenSSL's type of it (GEN_DNS and so on), and its bytes, borrowed from
// san.
int certificate_name_type(enum san_type type);
const void *certificate_name_bytes(const struct san *san, size_t *ret_length);
