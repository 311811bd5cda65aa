#include "kinds/certificate_key.h"

#include "crypto/signature.h"
#include "kinds/salvage.h"

bool certificate_key_find(const struct certificate_spec *spec, const struct secret_data *previous,
                          const struct record *record, struct pkey **ret_pkey, struct error *e) {
    static const char *const names[] = {"tls.key", "key.pem"};
    cleanup_pkey struct pkey *key = nullptr;
    cleanup_pkey struct pkey *copy = nullptr;
    const struct pkey *kept;
    if (!salvage_private_key(previous, names[0], spec->algorithm, &key, e) ||
        !salvage_private_key(previous, names[1], spec->algorithm, &copy, e) ||
        !salvage_choose((struct pkey *[]){key, copy}, names, signature_check_pair, record, &kept, e)) {
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
