#include "kinds/certificate_key.h"

#include "crypto/certificate.h"
#include "crypto/keyform.h"
#include "crypto/signature.h"
#include "kinds/metadata.h"
#include "kinds/salvage.h"

enum { DER_MAX = 64 * 1024 };

// Whether the status speaks of the first certificate in entry.
static bool is_recorded(const struct secret *entry, const struct record *record, struct error *e) {
    cleanup_certificate_chain struct certificate_chain chain = {0};
    cleanup_buffer struct buffer der = buffer_create(DER_MAX);
    char digest[DIGEST_TEXT_SIZE];
    return certificate_chain_read(entry, &chain, e) &&
           certificate_append_der(chain.certificates[0], &der, e) &&
           digest_format(der.data, der.length, digest, e) &&
           metadata_same_digest(record->digest[0] != '\0' ? record->digest : record->fingerprint, digest);
}

// Names the public key of the certificate that the status has recorded; "": that certificate is not there.
static void name_recorded(const struct certificate_spec *spec, const struct secret_data *previous,
                          const struct record *record, char ret_fingerprint[FINGERPRINT_SIZE]) {
    static const char *const names[] = {"tls.crt", "cert.pem"};
    ret_fingerprint[0] = '\0';
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && ret_fingerprint[0] == '\0'; i++) {
        const struct secret *entry = secret_data_get(previous, names[i]);
        cleanup_pkey struct pkey *pkey = nullptr;
        struct error ignored;
        (void)(entry != nullptr && is_recorded(entry, record, &ignored) &&
               keyform_read_public(spec->algorithm, secret_view(entry), secret_length(entry), &pkey,
                                   &ignored) &&
               salvage_name_key(pkey, ret_fingerprint, &ignored));
    }
}

bool certificate_key_find(const struct certificate_spec *spec, const struct secret_data *previous,
                          const struct record *record, struct pkey **ret_pkey, struct error *e) {
    static const char *const names[] = {"tls.key", "key.pem"};
    cleanup_pkey struct pkey *key = nullptr;
    cleanup_pkey struct pkey *copy = nullptr;
    const struct pkey *kept;
    char recorded[FINGERPRINT_SIZE] = "";
    if (record != nullptr) {
        name_recorded(spec, previous, record, recorded);
    }
    if (!salvage_private_key(previous, names[0], spec->algorithm, &key, e) ||
        !salvage_private_key(previous, names[1], spec->algorithm, &copy, e) ||
        !salvage_choose((struct pkey *[]){key, copy}, names, recorded, &kept, e)) {
        return false;
    }
    struct pkey **found = kept == key ? &key : &copy;
    *ret_pkey = *found;
    *found = nullptr;
    return true;
}

static bool generate(const struct certificate_spec *spec, struct pkey **ret_pkey, struct error *e) {
    cleanup_pkey struct pkey *pkey = nullptr;
    if (!algorithm_check_available(spec->algorithm, e)) {
        return error_wrap(e, "spec.algorithm");
    }
    if (!pkey_generate(spec->algorithm, &pkey, e) || !signature_check_pair(pkey, e)) {
        return false;
    }
    *ret_pkey = pkey;
    pkey = nullptr;
    return true;
}

bool certificate_key_choose(const struct certificate_spec *spec, const struct occasion *occasion,
                            struct pkey **ret_pkey, struct error *e) {
    if (occasion->previous == nullptr || spec->rotates_key) {
        return generate(spec, ret_pkey, e);
    }
    return certificate_key_find(spec, occasion->previous, &occasion->record, ret_pkey, e) ||
           (e->class == ERROR_KEY_LOST && occasion->may_lose_key && generate(spec, ret_pkey, e));
}
