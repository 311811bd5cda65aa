#include "kinds/salvage.h"

#include "crypto/keyform.h"

#include <string.h>

enum { PUBLIC_KEY_MAX = 16 * 1024 }; // bytes

bool salvage_is_recorded(const char *recorded, const struct secret *bytes, bool *ret_is, struct error *e) {
    char digest[DIGEST_TEXT_SIZE];
    if (!digest_format(secret_view(bytes), secret_length(bytes), digest, e)) {
        return false;
    }
    *ret_is = provenance_same_digest(recorded, digest);
    return true;
}

bool salvage_entry(const struct produce_context *context, const char *key, size_t length,
                   const char *recorded, const struct secret **ret_entry, struct error *e) {
    const struct secret *entry = secret_data_get(context->previous, key);
    enum provenance_word word = PROVENANCE_SILENT;
    *ret_entry = nullptr;
    if (entry == nullptr || secret_length(entry) != length) {
        return true;
    }
    if (context->previous_provenance != nullptr &&
        !provenance_compare_entry(context->previous_provenance, key, entry, &word, e)) {
        return false;
    }
    bool sound = word != PROVENANCE_SAYS_OTHER;
    if (word != PROVENANCE_SAYS_SAME && recorded[0] != '\0' &&
        !salvage_is_recorded(recorded, entry, &sound, e)) {
        return false;
    }
    *ret_entry = sound ? entry : nullptr;
    return true;
}

bool salvage_private_key(const struct secret_data *data, const char *key, const struct algorithm *algorithm,
                         struct pkey **ret_pkey, struct error *e) {
    const struct secret *entry = secret_data_get(data, key);
    struct pkey *pkey = nullptr;
    struct error unreadable = {0};
    if (entry != nullptr &&
        !keyform_read_private(algorithm, secret_view(entry), secret_length(entry), &pkey, &unreadable) &&
        unreadable.class == ERROR_NO_MEMORY) {
        *e = unreadable;
        return false;
    }
    *ret_pkey = pkey;
    return true;
}

static bool name_key(const struct pkey *pkey, char ret_fingerprint[FINGERPRINT_SIZE], struct error *e) {
    cleanup_buffer struct buffer raw = buffer_create(PUBLIC_KEY_MAX);
    return pkey_public(pkey, &raw, e) && fingerprint_compute(raw.data, raw.length, ret_fingerprint, e);
}

static bool refuse_two(struct pkey *const forms[2], const char *const names[2], const char *recorded,
                       struct error *e) {
    char one[FINGERPRINT_SIZE];
    char other[FINGERPRINT_SIZE];
    if (!name_key(forms[0], one, e) || !name_key(forms[1], other, e)) {
        return false;
    }
    bool is_known = recorded[0] != '\0';
    return error_set(e, ERROR_KEY_MISMATCH,
                     "the Secret's entries %s and %s hold two different private keys, of the public keys %s "
                     "and %s%s%s; nothing was written. Decide which of them is right, and remove or empty "
                     "the other entry: the operator then rebuilds it",
                     names[0], names[1], one, other, is_known ? "; the status has recorded " : "", recorded);
}

// Whether the form passes check.
static bool is_pair(const struct pkey *form, key_pair_checker *check, bool *ret_is, struct error *e) {
    struct error found;
    bool is = check(form, &found);
    if (!is && found.class != ERROR_CRYPTO) {
        *e = found;
        return false;
    }
    *ret_is = is;
    return true;
}

// Of two forms that differ: one that can be read need not be a key.
static bool choose_pair(struct pkey *const forms[2], const char *const names[2], key_pair_checker *check,
                        const char *recorded, const struct pkey **ret_pkey, struct error *e) {
    bool first;
    bool second;
    if (!is_pair(forms[0], check, &first, e) || !is_pair(forms[1], check, &second, e)) {
        return false;
    }
    if (first == second) {
        return refuse_two(forms, names, recorded, e);
    }
    *ret_pkey = first ? forms[0] : forms[1];
    return true;
}

bool salvage_check_recorded(const struct pkey *pkey, const struct record *record, struct error *e) {
    cleanup_pkey struct pkey *recorded = nullptr;
    const char *pem = record->public_key_pem;
    struct error found = {0};
    char present[FINGERPRINT_SIZE];
    char before[FINGERPRINT_SIZE];
    if (pem[0] == '\0') {
        return true;
    }
    if (keyform_read_public(pkey_algorithm(pkey), pem, strlen(pem), &recorded, &found) &&
        pkey_check_same(pkey, recorded, &found)) {
        return true;
    }
    if (found.class == ERROR_NO_MEMORY) {
        *e = found;
        return false;
    }
    if (recorded == nullptr) { // the status says nothing that could be compared
        return true;
    }
    return name_key(pkey, present, e) && name_key(recorded, before, e) &&
           error_set(e, ERROR_KEY_MISMATCH,
                     "the Secret is damaged, and the private key that it still holds is not the one that the "
                     "status has recorded: it is that of the public key %s, not of %s; nothing was written. "
                     "Restore the whole Secret; or, to have another key made, delete the Secret",
                     present, before);
}

bool salvage_choose(struct pkey *const forms[2], const char *const names[2], key_pair_checker *check,
                    const char *recorded, const struct pkey **ret_pkey, struct error *e) {
    struct error difference;
    if (forms[0] == nullptr && forms[1] == nullptr) {
        return error_set(e, ERROR_KEY_LOST, "neither %s nor %s holds the private key any more", names[0],
                         names[1]);
    }
    if (forms[0] == nullptr || forms[1] == nullptr) {
        *ret_pkey = forms[0] != nullptr ? forms[0] : forms[1];
        return true;
    }
    if (!pkey_check_same(forms[0], forms[1], &difference)) {
        if (difference.class != ERROR_CRYPTO) {
            *e = difference;
            return false;
        }
        return choose_pair(forms, names, check, recorded, ret_pkey, e);
    }
    *ret_pkey = pkey_has_seed(forms[0]) || !pkey_has_seed(forms[1]) ? forms[0] : forms[1];
    return true;
}
