#include "crypto/serving_certificate.h"

#include "crypto/handles.h"
#include "crypto/openssl.h"
#include "crypto/pkey_internal.h"

#include <limits.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <string.h>

// Not in the table of algorithms: nobody can ask for it.
static const struct algorithm p256 = {
    .family = ALGORITHM_SIGNATURE,
    .name = "ECDSA P-256",
    .openssl_name = "EC",
    .standard = "FIPS 186-5",
    .public_key_size = 65,
    .private_key_size = 32,
    .signature_size = 72,
    .signature_varies = true,
};
static const char curve[] = "prime256v1"; // OpenSSL's name for P-256

// ---- keys

bool serving_key_generate(struct pkey **ret_key, struct error *e) {
    EVP_PKEY *evp = EVP_EC_gen(curve);
    return evp == nullptr ? crypto_error(e, ERROR_CRYPTO, "making an %s key pair", p256.name)
                          : pkey_wrap(&p256, evp, true, ret_key, e);
}

// An encrypted key must fail to load: OpenSSL's own callback would ask for the password on the terminal.
static int refuse_password(char *, int, int, void *) {
    return -1;
}

static bool is_p256(const EVP_PKEY *key) {
    char group[32] = "";
    return EVP_PKEY_is_a(key, p256.openssl_name) == 1 &&
           EVP_PKEY_get_group_name(key, group, sizeof(group), nullptr) == 1 && strcmp(group, curve) == 0;
}

bool serving_key_read(const void *pem, size_t length, struct pkey **ret_key, struct error *e) {
    cleanup_bio BIO *bio = length > INT_MAX ? nullptr : BIO_new_mem_buf(pem, (int)length);
    EVP_PKEY *evp =
        bio == nullptr ? nullptr : PEM_read_bio_PrivateKey(bio, nullptr, refuse_password, nullptr);
    if (evp == nullptr) {
        return crypto_error(e, ERROR_INVALID_SPEC, "not an unencrypted PEM private key");
    }
    if (!is_p256(evp)) {
        EVP_PKEY_free(evp);
        return crypto_error(e, ERROR_INVALID_SPEC, "not a private key of %s", p256.name);
    }
    return pkey_wrap(&p256, evp, true, ret_key, e);
}

// ---- certificates

bool serving_certificate_issue_ca(const struct certificate_subject *subject, const struct pkey *key,
                                  int64_t now, struct certificate **ret_ca, struct error *e) {
    const struct certificate_template template = {
        .subject = *subject,
        .not_before = now - SERVING_BACKDATED_SECONDS,
        .not_after = now + SERVING_CA_SECONDS,
        .is_ca = true,
        .path_length = 0,
        .key_usage = CERTIFICATE_CERT_SIGN | CERTIFICATE_CRL_SIGN,
    };
    return certificate_issue(&template, key, nullptr, nullptr, ret_ca, e);
}

bool serving_certificate_issue(const struct certificate_subject *subject, const struct san *names,
                               size_t name_count, const struct pkey *key, const struct certificate *ca,
                               const struct pkey *ca_key, int64_t now, struct certificate **ret_leaf,
                               struct error *e) {
    int64_t from = certificate_not_before(ca);
    int64_t until = certificate_not_after(ca);
    struct certificate_template template = {
        .subject = *subject,
        .names = names,
        .name_count = name_count,
        .not_before = now - SERVING_BACKDATED_SECONDS,
        .not_after = now + SERVING_LEAF_SECONDS,
        .path_length = CERTIFICATE_PATH_LENGTH_NONE,
        .key_usage = CERTIFICATE_DIGITAL_SIGNATURE,
        .purposes = CERTIFICATE_SERVER_AUTH,
    };
    template.not_before = template.not_before < from ? from : template.not_before;
    template.not_after = template.not_after > until ? until : template.not_after;
    return certificate_issue(&template, key, ca, ca_key, ret_leaf, e);
}

int64_t serving_certificate_renewal(const struct certificate *leaf) {
    int64_t until = certificate_not_after(leaf);
    return until - (until - certificate_not_before(leaf)) / 3;
}
