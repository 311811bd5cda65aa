// PEM texts as OpenSSL's objects, for the files of this folder only.
#pragma once

#include "base/error.h"

#include <openssl/x509.h>

// Reads the certificates of text, of which there must be one or more, all readable; *ret_certificates is
// owned (see pem_free_certificates). what names them in messages. Errors: INVALID_SPEC, NO_MEMORY.
[[nodiscard]] bool pem_read_certificates(const char *what, const char *text,
                                         STACK_OF(X509) * *ret_certificates, struct error *e);

// Takes certificates and all in it; NULL is allowed.
void pem_free_certificates(STACK_OF(X509) * certificates);

// Reads certificates and the private key of the first of them, which must be unencrypted; what they are
// called in messages is put before "certificate" and "key". Both results are owned. Errors: INVALID_SPEC (not
// PEM, or they do not belong together), NO_MEMORY.
[[nodiscard]] bool pem_read_identity(const char *what, const char *certificate_text, const char *key_text,
                                     STACK_OF(X509) * *ret_certificates, EVP_PKEY **ret_key, struct error *e);
