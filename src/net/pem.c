#include "net/pem.h"

#include "base/memory.h"
#include "base/pem_form.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>

// An encrypted key must fail to load: OpenSSL's own callback would ask for the password on the terminal.
static int refuse_password(char *buffer, int size, int writing, void *context) {
    (void)buffer;
    (void)size;
    (void)writing;
    (void)context;
    return -1;
}

static BIO *open_text(const struct buffer *text) {
    return text->length > INT_MAX ? nullptr : BIO_new_mem_buf(buffer_text(text), (int)text->length);
}

void pem_free_certificates(STACK_OF(X509) * certificates) {
    sk_X509_pop_free(certificates, X509_free);
}

// Reads up to the end, or up to what cannot be read.
static void read_all(BIO *bio, STACK_OF(X509) * certificates) {
    X509 *next;
    while ((next = PEM_read_bio_X509(bio, nullptr, refuse_password, nullptr)) != nullptr) {
        if (sk_X509_push(certificates, next) <= 0) {
            X509_free(next);
            return;
        }
    }
}

bool pem_read_certificates(const char *what, const char *text, STACK_OF(X509) * *ret_certificates,
                           struct error *e) {
    cleanup_buffer struct buffer normal = {0};
    if (!pem_form_normalize(text, strlen(text), &normal, e)) {
        return false;
    }
    (void)memory_take_failure();
    BIO *bio = open_text(&normal);
    STACK_OF(X509) *certificates = sk_X509_new_null();
    if (bio != nullptr && certificates != nullptr) {
        read_all(bio, certificates);
    }
    // Reading ends well where no further PEM header is found.
    bool whole = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    ERR_clear_error();
    BIO_free(bio);
    if (sk_X509_num(certificates) < 1 || !whole) {
        pem_free_certificates(certificates);
        return memory_take_failure()
                   ? error_no_memory(e, what)
                   : error_set(e, ERROR_INVALID_SPEC, "%s is not one or more PEM certificates", what);
    }
    *ret_certificates = certificates;
    return true;
}

static EVP_PKEY *read_key(const char *text) {
    cleanup_buffer struct buffer normal = {0};
    struct error ignored; // the caller sees that memory was out
    if (!pem_form_normalize(text, strlen(text), &normal, &ignored)) {
        return nullptr;
    }
    BIO *bio = open_text(&normal);
    EVP_PKEY *key =
        bio == nullptr ? nullptr : PEM_read_bio_PrivateKey(bio, nullptr, refuse_password, nullptr);
    BIO_free(bio);
    ERR_clear_error();
    return key;
}

bool pem_read_identity(const char *what, const char *certificate_text, const char *key_text,
                       STACK_OF(X509) * *ret_certificates, EVP_PKEY **ret_key, struct error *e) {
    STACK_OF(X509) * certificates;
    char name[64];
    snprintf(name, sizeof(name), "the %s certificate", what);
    if (!pem_read_certificates(name, certificate_text, &certificates, e)) {
        return false;
    }
    EVP_PKEY *key = read_key(key_text);
    bool matches = key != nullptr && X509_check_private_key(sk_X509_value(certificates, 0), key) == 1;
    ERR_clear_error();
    if (matches) {
        *ret_certificates = certificates;
        *ret_key = key;
        return true;
    }
    pem_free_certificates(certificates);
    EVP_PKEY_free(key);
    if (memory_take_failure()) {
        return error_no_memory(e, name);
    }
    return key == nullptr
               ? error_set(e, ERROR_INVALID_SPEC, "the %s key is not an unencrypted PEM private key", what)
               : error_set(e, ERROR_INVALID_SPEC, "the %s key does not belong to the %s certificate", what,
                           what);
}
