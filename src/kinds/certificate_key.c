#include "kinds/certificate_key.h"

#include "crypto/certificate.h"
#include "crypto/signature.h"
#include "kinds/salvage.h"

static const char *const key_entries[] = {"tls.key", "key.pem"};

// Adds to the message about two keys which one the certificate is for.
static void name_owner(const struct secret_data *previous, struct pkey *const forms[2],
                       const char *const names[2], struct error *e) {
    static const char *const entries[] = {"cert.pem", "tls.crt"};
    for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
        const struct secret *entry = secret_data_get(previous, entries[i]);
        cleanup_certificate_chain struct certificate_chain chain = {0};
        struct error ignored;
        if (entry == nullptr || !certificate_chain_read(entry, &chain, &ignored)) {
            continue;
        }
        for (size_t j = 0; j < 2; j++) {
            if (certificate_check_key(chain.certificates[0], forms[j], &ignored)) {
                error_set(e, e->class, "%s. The certificate in %s is for the key in %s", e->message,
                          entries[i], names[j]);
                return;
            }
        }
    }
}

bool certificate_key_find(const struct certificate_spec *spec, const struct secret_data *previous,
                          struct pkey **ret_pkey, struct error *e) {
    cleanup_pkey struct pkey *key = nullptr;
    cleanup_pkey struct pkey *copy = nullptr;
    const struct pkey *kept;
    if (!salvage_private_key(previous, key_entries[0], spec->algorithm, &key, e) ||
        !salvage_private_key(previous, key_entries[1], spec->algorithm, &copy, e)) {
        return false;
    }
    if (!salvage_choose((struct pkey *[]){key, copy}, key_entries, signature_check_pair, "", &kept, e)) {
        if (e->class == ERROR_KEY_MISMATCH) {
            name_owner(previous, (struct pkey *[]){key, copy}, key_entries, e);
        }
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

// Whether a certificate that is stored with the key, and is of that key, is on the other side of the line
// between CAs and all others.
static bool was_on_other_side(const struct certificate_spec *spec, const struct secret_data *previous,
                              const struct pkey *pkey) {
    static const char *const entries[] = {"cert.pem", "tls.crt"};
    for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
        cleanup_certificate_chain struct certificate_chain chain = {0};
        const struct secret *entry = secret_data_get(previous, entries[i]);
        struct error ignored;
        if (entry != nullptr && certificate_chain_read(entry, &chain, &ignored) &&
            certificate_check_key(chain.certificates[0], pkey, &ignored) &&
            certificate_is_ca(chain.certificates[0]) != (spec->type == CERTIFICATE_CA)) {
            return true;
        }
    }
    return false;
}

// A key that signed for a server or client is none for a CA, nor the other way round: a signature made for
// one purpose must not be worth anything for the other. The API server refuses such an edit; this is for one
// that came past it. Nothing is replaced then, since a CA's key cannot be made again.
static bool check_side(const struct certificate_spec *spec, const struct secret_data *previous,
                       const struct pkey *pkey, struct error *e) {
    return !was_on_other_side(spec, previous, pkey) ||
           error_set(e, ERROR_INVALID_SPEC,
                     "spec.certType: is immutable across ca, and the Secret holds a key that was%s a CA's; "
                     "nothing was replaced. Create another resource under a new name",
                     spec->type == CERTIFICATE_CA ? " not" : "");
}

// Whether the metadata was written for an entry that holds pkey.
static bool is_named(const struct certificate_spec *spec, const struct produce_context *context,
                     const struct pkey *pkey, bool *ret_named, struct error *e) {
    bool named = false;
    for (size_t i = 0; context->previous_provenance != nullptr && !named && i < 2; i++) {
        const struct secret *entry = secret_data_get(context->previous, key_entries[i]);
        cleanup_pkey struct pkey *stored = nullptr;
        enum provenance_word word = PROVENANCE_SILENT;
        struct error different;
        if (entry != nullptr &&
            (!provenance_compare_entry(context->previous_provenance, key_entries[i], entry, &word, e) ||
             (word == PROVENANCE_SAYS_SAME &&
              !salvage_private_key(context->previous, key_entries[i], spec->algorithm, &stored, e)))) {
            return false;
        }
        named = stored != nullptr && pkey_check_same(stored, pkey, &different);
    }
    *ret_named = named;
    return true;
}

// What is sound decides, and not the status, which may be that of a key that had taken its place. Where the
// certificate was issued by another state of its CA nothing was verified, and the metadata vouches for the
// key.
static bool check_key(const struct certificate_spec *spec, const struct produce_context *context,
                      const struct pkey *pkey, struct error *e) {
    bool named = false;
    if (!context->previous_is_verified && !is_named(spec, context, pkey, &named, e)) {
        return false;
    }
    return context->previous_is_verified || named || salvage_check_recorded(pkey, &context->record, e);
}

bool certificate_key_read_certificate(const struct secret_data *data, struct certificate_chain *ret_chain) {
    static const char *const entries[] = {"cert.pem", "tls.crt"};
    for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
        const struct secret *entry = secret_data_get(data, entries[i]);
        struct error unreadable;
        if (entry != nullptr && certificate_chain_read(entry, ret_chain, &unreadable)) {
            return true;
        }
    }
    return false;
}

bool certificate_key_is_renamed(const struct certificate_spec *spec, const struct secret_data *previous) {
    cleanup_certificate_chain struct certificate_chain chain = {0};
    return certificate_key_read_certificate(previous, &chain) &&
           !certificate_has_subject(chain.certificates[0], &spec->subject);
}

bool certificate_key_choose(const struct certificate_spec *spec, const struct produce_context *context,
                            struct pkey **ret_pkey, struct error *e) {
    bool is_rotated = spec->rotates_key && !context->keeps_key;
    if (context->previous == nullptr || is_rotated ||
        (context->is_version &&
         (context->wants_other_key || !certificate_key_is_renamed(spec, context->previous)))) {
        return generate(spec, ret_pkey, e);
    }
    cleanup_pkey struct pkey *pkey = nullptr;
    if (!certificate_key_find(spec, context->previous, &pkey, e)) {
        return e->class == ERROR_KEY_LOST && context->may_lose_key && generate(spec, ret_pkey, e);
    }
    if (!check_key(spec, context, pkey, e) || !check_side(spec, context->previous, pkey, e)) {
        return false;
    }
    *ret_pkey = pkey;
    pkey = nullptr;
    return true;
}
