#include "truth.h"

#include "judge.h"
#include "json/read.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BYTES_MAX = 32 * 1024 };

struct bytes {
    unsigned char data[BYTES_MAX];
    size_t length;
};

static bool decode(const char *text, struct bytes *ret_bytes) {
    size_t length = text == nullptr ? 0 : strlen(text);
    if (length == 0 || length % 4 != 0 || length / 4 * 3 > BYTES_MAX) {
        return false;
    }
    int decoded = EVP_DecodeBlock(ret_bytes->data, (const unsigned char *)text, (int)length);
    ret_bytes->length =
        decoded < 0 ? 0
                    : (size_t)decoded - (text[length - 1] == '=' ? 1 : 0) - (text[length - 2] == '=' ? 1 : 0);
    return decoded >= 0;
}

static const char *text_of(yyjson_val *secret, const char *entry) {
    return json_text(json_find(secret, "data", entry, nullptr));
}

static bool read_entry(const struct cluster *cluster, const char *namespace, const char *name,
                       const char *entry, struct bytes *ret_bytes) {
    return decode(text_of(cluster_find(cluster, "Secret", namespace, name), entry), ret_bytes);
}

static bool equals(const struct bytes *a, const struct bytes *b) {
    return a->length == b->length && memcmp(a->data, b->data, a->length) == 0;
}

bool truth_is_text_of(const char *text, const char *encoded) {
    static struct bytes bytes;
    return text != nullptr && decode(encoded, &bytes) && strlen(text) == bytes.length &&
           memcmp(text, bytes.data, bytes.length) == 0;
}

// ---- statuses

void truth_compare_status(const struct thing *thing, const char *namespace, yyjson_val *secret,
                          yyjson_val *status) {
    static struct bytes bytes;
    const char *pem = json_member_text(status, "publicKeyPEM");
    const char *entry = strcmp(thing->kind, "QuantumCertificate") == 0 ? "pub.pem" : "public_key.pem";
    if (pem != nullptr && (!decode(text_of(secret, entry), &bytes) || strlen(pem) != bytes.length ||
                           memcmp(pem, bytes.data, bytes.length) != 0)) {
        judge_fault("%s %s/%s: the status shows another public key than its Secret", thing->kind, namespace,
                    thing->name);
    }
    const char *signature = json_member_text(status, "signature");
    if (signature != nullptr &&
        (text_of(secret, "signature") == nullptr || strcmp(signature, text_of(secret, "signature")) != 0)) {
        judge_fault("%s %s/%s: the status shows another signature than its Secret", thing->kind, namespace,
                    thing->name);
    }
    const char *hex = json_member_text(status, "ciphertext");
    if (hex != nullptr && decode(text_of(secret, "ciphertext"), &bytes)) {
        for (size_t i = 0; i < bytes.length; i++) {
            char two[3];
            snprintf(two, sizeof(two), "%02x", bytes.data[i]);
            if (strncmp(hex + 2 * i, two, 2) != 0) {
                judge_fault("%s %s/%s: the status shows another ciphertext than its Secret", thing->kind,
                            namespace, thing->name);
                break;
            }
        }
    }
}

// ---- outputs

static bool is_finished(const struct cluster *cluster, const char *namespace, const char *kind,
                        const char *name) {
    const char *phase =
        json_text(json_find(cluster_find(cluster, kind, namespace, name), "status", "status", nullptr));
    return phase != nullptr && (strcmp(phase, "Success") == 0 || strcmp(phase, "Valid") == 0);
}

static EVP_PKEY *read_key(const struct bytes *pem, bool is_private) {
    BIO *bio = BIO_new_mem_buf(pem->data, (int)pem->length);
    EVP_PKEY *key = is_private ? PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr)
                               : PEM_read_bio_PUBKEY(bio, nullptr, nullptr, nullptr);
    BIO_free(bio);
    return key;
}

bool truth_is_same_key(const char *one, const char *other) {
    static struct bytes pem;
    EVP_PKEY *first = decode(one, &pem) ? read_key(&pem, true) : nullptr;
    EVP_PKEY *second = decode(other, &pem) ? read_key(&pem, true) : nullptr;
    bool is_same = first != nullptr && second != nullptr && EVP_PKEY_eq(first, second) == 1;
    EVP_PKEY_free(first);
    EVP_PKEY_free(second);
    return is_same;
}

bool truth_is_for(yyjson_val *key_pair, const char *ciphertext, const char *shared_secret) {
    static struct bytes pem;
    static struct bytes sent;
    static struct bytes shared;
    unsigned char found[64];
    size_t length = sizeof(found);
    EVP_PKEY *key = decode(text_of(key_pair, "private_key.pem"), &pem) ? read_key(&pem, true) : nullptr;
    EVP_PKEY_CTX *context = key == nullptr ? nullptr : EVP_PKEY_CTX_new(key, nullptr);
    bool is_for = context != nullptr && decode(ciphertext, &sent) && decode(shared_secret, &shared) &&
                  EVP_PKEY_decapsulate_init(context, nullptr) == 1 &&
                  EVP_PKEY_decapsulate(context, found, &length, sent.data, sent.length) == 1 &&
                  length == shared.length && memcmp(found, shared.data, length) == 0;
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(key);
    return is_for;
}

static void judge_pair(const struct cluster *cluster, const char *namespace, const char *kind,
                       const char *name) {
    static struct bytes pem;
    static struct bytes public_bytes;
    static struct bytes derived;
    if (!is_finished(cluster, namespace, kind, name)) {
        return;
    }
    EVP_PKEY *key = nullptr;
    if (read_entry(cluster, namespace, name, "private_key.pem", &pem)) {
        key = read_key(&pem, true);
    }
    bool good = key != nullptr && read_entry(cluster, namespace, name, "public_key", &public_bytes) &&
                EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, derived.data, BYTES_MAX,
                                                &derived.length) == 1 &&
                equals(&derived, &public_bytes);
    EVP_PKEY_free(key);
    if (!good) {
        judge_fault("%s %s/%s: is finished, and its private and public key do not belong together", kind,
                    namespace, name);
    }
}

// Each former version that entry of a Secret has, by its suffix in the entries' names.
static void
visit_kept(const struct cluster *cluster, const char *namespace, const char *name, const char *entry,
           void (*visit)(const struct cluster *cluster, const char *namespace, const char *suffix)) {
    size_t length = strlen(entry);
    yyjson_val *secret = cluster_find(cluster, "Secret", namespace, name);
    yyjson_obj_iter entries = yyjson_obj_iter_with(yyjson_obj_get(secret, "data"));
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&entries)) != nullptr;) {
        const char *suffix = yyjson_get_str(key) + length;
        if (strncmp(yyjson_get_str(key), entry, length) == 0 && suffix[0] == '.' &&
            strspn(suffix + 1, "0123456789") == strlen(suffix + 1)) {
            visit(cluster, namespace, suffix);
        }
    }
}

static bool read_version(const struct cluster *cluster, const char *namespace, const char *name,
                         const char *entry, const char *suffix, struct bytes *ret_bytes) {
    char full[64];
    snprintf(full, sizeof(full), "%s%s", entry, suffix);
    return read_entry(cluster, namespace, name, full, ret_bytes);
}

static void compare_shared(const struct cluster *cluster, const char *namespace, const char *suffix) {
    static struct bytes one;
    static struct bytes other;
    if (!read_version(cluster, namespace, "enc", "shared_secret", suffix, &one) ||
        !read_version(cluster, namespace, "dec", "shared_secret", suffix, &other) || !equals(&one, &other)) {
        judge_fault("namespace %s: both sides are finished, and do not share a secret%s%s", namespace,
                    suffix[0] == '\0' ? "" : " of version ", suffix);
    }
}

static void judge_exchange(const struct cluster *cluster, const char *namespace) {
    if (is_finished(cluster, namespace, "QuantumKEMKeyPair", "kem") &&
        is_finished(cluster, namespace, "QuantumEncapsulateSecret", "enc") &&
        is_finished(cluster, namespace, "QuantumDecapsulateSecret", "dec")) {
        compare_shared(cluster, namespace, "");
        visit_kept(cluster, namespace, "dec", "shared_secret", compare_shared);
    }
}

static void compare_derived(const struct cluster *cluster, const char *namespace, const char *suffix) {
    static struct bytes shared;
    static struct bytes key;
    unsigned char expected[32];
    char digest[] = "SHA256";
    char info[] = "simulation";
    bool read = read_version(cluster, namespace, "dec", "shared_secret", suffix, &shared) &&
                read_version(cluster, namespace, "key", "key", suffix, &key);
    EVP_KDF *kdf = EVP_KDF_fetch(nullptr, "HKDF", nullptr);
    EVP_KDF_CTX *context = EVP_KDF_CTX_new(kdf);
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, shared.data, shared.length),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, strlen(info)),
        OSSL_PARAM_construct_end(),
    };
    bool good = read && EVP_KDF_derive(context, expected, sizeof(expected), parameters) == 1 &&
                key.length == sizeof(expected) && memcmp(key.data, expected, sizeof(expected)) == 0;
    EVP_KDF_CTX_free(context);
    EVP_KDF_free(kdf);
    if (!good) {
        judge_fault("namespace %s: the derived key%s%s is finished, and not derived from the shared secret",
                    namespace, suffix[0] == '\0' ? "" : " of version ", suffix);
    }
}

static void judge_derived(const struct cluster *cluster, const char *namespace) {
    if (is_finished(cluster, namespace, "QuantumDecapsulateSecret", "dec") &&
        is_finished(cluster, namespace, "QuantumDerivedKey", "key")) {
        compare_derived(cluster, namespace, "");
        visit_kept(cluster, namespace, "key", "key", compare_derived);
    }
}

static bool is_signed(const struct cluster *cluster, const char *namespace) {
    static struct bytes pem;
    static struct bytes message;
    static struct bytes signature;
    if (!read_entry(cluster, namespace, "signer", "public_key.pem", &pem) ||
        !read_entry(cluster, namespace, "message", "m", &message) ||
        !read_entry(cluster, namespace, "signed-signature", "signature", &signature)) {
        return false;
    }
    EVP_PKEY *key = read_key(&pem, false);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good =
        key != nullptr && EVP_DigestVerifyInit(context, nullptr, nullptr, nullptr, key) == 1 &&
        EVP_DigestVerify(context, signature.data, signature.length, message.data, message.length) == 1;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    return good;
}

static void judge_signature(const struct cluster *cluster, const char *namespace) {
    bool has_signer = is_finished(cluster, namespace, "QuantumSignatureKeyPair", "signer");
    if (has_signer && is_finished(cluster, namespace, "QuantumSignMessage", "signed") &&
        cluster_find(cluster, "Secret", namespace, "message") != nullptr && !is_signed(cluster, namespace)) {
        judge_fault("namespace %s: the signature is finished, and does not verify", namespace);
    }
    if (has_signer && is_finished(cluster, namespace, "QuantumVerifySignature", "verified") &&
        !is_signed(cluster, namespace)) {
        judge_fault("namespace %s: the signature is said to be valid, and is not", namespace);
    }
}

// ---- certificates

// All that the text has. Owned; NULL: it cannot be decoded.
static STACK_OF(X509) * read_chain(const char *encoded) {
    static struct bytes pem;
    if (!decode(encoded, &pem)) {
        return nullptr;
    }
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.length);
    STACK_OF(X509) *chain = sk_X509_new_null();
    for (X509 *one; (one = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr)) != nullptr;) {
        sk_X509_push(chain, one);
    }
    ERR_clear_error();
    BIO_free(bio);
    return chain;
}

static void free_chain(STACK_OF(X509) * chain) {
    sk_X509_pop_free(chain, X509_free);
}

bool truth_is_trusted(const char *chain, const char *roots, int64_t at_s) {
    STACK_OF(X509) *certificates = read_chain(chain);
    STACK_OF(X509) *trusted = read_chain(roots);
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    for (int i = 0; i < sk_X509_num(trusted); i++) {
        X509_STORE_add_cert(store, sk_X509_value(trusted, i));
    }
    bool is_trusted = sk_X509_num(certificates) > 0 &&
                      X509_STORE_CTX_init(context, store, sk_X509_value(certificates, 0), certificates) == 1;
    if (is_trusted) {
        X509_STORE_CTX_set_time(context, 0, (time_t)at_s);
        is_trusted = X509_verify_cert(context) == 1;
    }
    ERR_clear_error();
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    free_chain(certificates);
    free_chain(trusted);
    return is_trusted;
}

int truth_find_root(const char *entry, const char *roots) {
    STACK_OF(X509) *one = read_chain(entry);
    STACK_OF(X509) *all = read_chain(roots);
    int found = -1;
    for (int i = 0; sk_X509_num(one) > 0 && found < 0 && i < sk_X509_num(all); i++) {
        found = X509_cmp(sk_X509_value(one, 0), sk_X509_value(all, i)) == 0 ? i : -1;
    }
    free_chain(one);
    free_chain(all);
    return found;
}

bool truth_is_same_root(const char *one, const char *other) {
    STACK_OF(X509) *first = read_chain(one);
    STACK_OF(X509) *second = read_chain(other);
    X509 *a = sk_X509_num(first) > 0 ? sk_X509_value(first, 0) : nullptr;
    X509 *b = sk_X509_num(second) > 0 ? sk_X509_value(second, 0) : nullptr;
    bool is_same = a != nullptr && b != nullptr &&
                   X509_NAME_cmp(X509_get_subject_name(a), X509_get_subject_name(b)) == 0 &&
                   EVP_PKEY_eq(X509_get0_pubkey(a), X509_get0_pubkey(b)) == 1;
    free_chain(first);
    free_chain(second);
    return is_same;
}

int truth_count_certificates(const char *entry) {
    STACK_OF(X509) *chain = read_chain(entry);
    int count = chain == nullptr ? 0 : sk_X509_num(chain);
    free_chain(chain);
    return count;
}

static X509 *read_certificate(const struct cluster *cluster, const char *namespace, const char *name) {
    static struct bytes pem;
    if (!read_entry(cluster, namespace, name, "tls.crt", &pem)) {
        return nullptr;
    }
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.length);
    X509 *certificate = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
    BIO_free(bio);
    return certificate;
}

static void judge_certificate(const struct cluster *cluster, const char *namespace, const char *name,
                              const char *issuer_name) {
    static struct bytes pem;
    char secret[64];
    char issuer_secret[64];
    snprintf(secret, sizeof(secret), "%s-secret", name);
    snprintf(issuer_secret, sizeof(issuer_secret), "%s-secret", issuer_name);
    if (!is_finished(cluster, namespace, "QuantumCertificate", name) ||
        !is_finished(cluster, namespace, "QuantumCertificate", issuer_name)) {
        return;
    }
    X509 *certificate = read_certificate(cluster, namespace, secret);
    X509 *issuer = read_certificate(cluster, namespace, issuer_secret);
    EVP_PKEY *key = read_entry(cluster, namespace, secret, "tls.key", &pem) ? read_key(&pem, true) : nullptr;
    if (certificate == nullptr || issuer == nullptr || key == nullptr ||
        X509_check_private_key(certificate, key) != 1 ||
        X509_verify(certificate, X509_get0_pubkey(issuer)) != 1) {
        judge_fault("namespace %s: certificate %s is finished, and is not of its key or its issuer",
                    namespace, name);
    }
    EVP_PKEY_free(key);
    X509_free(certificate);
    X509_free(issuer);
}

// A CA's life is what its spec says now.
static void judge_life(const struct cluster *cluster, const char *namespace) {
    yyjson_val *object = cluster_find(cluster, "QuantumCertificate", namespace, "ca");
    int64_t wanted = json_integer(json_find(object, "spec", "durationDays", nullptr), 0);
    int days = 0;
    int seconds = 0;
    if (wanted == 0 || !is_finished(cluster, namespace, "QuantumCertificate", "ca")) {
        return;
    }
    X509 *certificate = read_certificate(cluster, namespace, "ca-secret");
    bool good = certificate != nullptr &&
                ASN1_TIME_diff(&days, &seconds, X509_get0_notBefore(certificate),
                               X509_get0_notAfter(certificate)) == 1 &&
                (days == wanted || days + 1 == wanted);
    X509_free(certificate);
    if (!good) {
        judge_fault("namespace %s: the CA is finished, and lives for %d days in place of %d", namespace, days,
                    (int)wanted);
    }
}

void truth_judge(const struct cluster *cluster, const char *namespace) {
    judge_life(cluster, namespace);
    judge_pair(cluster, namespace, "QuantumKEMKeyPair", "kem");
    judge_pair(cluster, namespace, "QuantumSignatureKeyPair", "signer");
    judge_exchange(cluster, namespace);
    judge_derived(cluster, namespace);
    judge_signature(cluster, namespace);
    judge_certificate(cluster, namespace, "ca", "ca");
    judge_certificate(cluster, namespace, "leaf", "ca");
    judge_certificate(cluster, namespace, "below", "ca");
    judge_certificate(cluster, namespace, "deep", "below");
}
