// For the files of this folder only: the OpenSSL certificate inside a struct certificate.
#pragma once

#include "crypto/certificate.h"

#include <openssl/x509.h>

struct certificate {
    X509 *x509; // owned
};

// Wraps an OpenSSL certificate. Takes x509, also when it fails. Errors: NO_MEMORY.
[[nodiscard]] bool certificate_wrap(X509 *x509, struct certificate **ret_certificate, struct error *e);
