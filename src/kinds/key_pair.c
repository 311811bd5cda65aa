#include "kinds/key_pair.h"

#include "crypto/keyform.h"

#include <string.h>

enum { PEM_MAX = 64 * 1024 };

const char *const key_pair_entries[] = {"public_key", "public_key.pem", "private_key", "private_key.pem",
                                        nullptr};

// At most so many bytes has the PEM of a key of that length, with what stands around it in DER.
static size_t pem_bytes(size_t key) {
    enum { AROUND_KEY = 64, BOUNDARIES = 64, LINE = 64 };
    size_t base64 = (key + AROUND_KEY + 2) / 3 * 4;
    return base64 + base64 / LINE + 1 + BOUNDARIES;
}

// The public key goes into the list of public keys too, in base64 with some members beside it.
size_t key_pair_version_bytes(const void *memory) {
    enum { JWK_MEMBERS = 512 };
    const struct key_pair_spec *spec = memory;
    size_t public_key = spec->algorithm->public_key_size;
    size_t private_key = spec->algorithm->private_key_size;
    return public_key + pem_bytes(public_key) + private_key +
           pem_bytes(private_key + spec->algorithm->seed_size) + (public_key + 2) / 3 * 4 + JWK_MEMBERS;
}

const char *const key_pair_public_entries[] = {"public_key", "public_key.pem", nullptr};

static bool add_public(const struct pkey *pkey, struct secret_data *data, struct error *e) {
    cleanup_buffer struct buffer raw = buffer_create(PEM_MAX);
    cleanup_buffer struct buffer pem = buffer_create(PEM_MAX);
    struct secret *value;
    return pkey_public(pkey, &raw, e) && secret_copy(raw.data, raw.length, &value, e) &&
           secret_data_add(data, "public_key", value, e) && pkey_public_pem(pkey, &pem, e) &&
           secret_data_add_text(data, "public_key.pem", buffer_text(&pem), e);
}

static bool add_private(const struct pkey *pkey, struct secret_data *data, struct error *e) {
    struct secret *raw;
    struct secret *pem;
    return pkey_private(pkey, &raw, e) && secret_data_add(data, "private_key", raw, e) &&
           pkey_best_pem(pkey, &pem, e) && secret_data_add(data, "private_key.pem", pem, e);
}

bool key_pair_produce(const struct key_pair_spec *spec, struct secret_data *data, const char **ret_algorithm,
                      struct error *e) {
    cleanup_pkey struct pkey *pkey = nullptr;
    if (!algorithm_check_available(spec->algorithm, e)) {
        return error_wrap(e, "spec.algorithm");
    }
    if (!pkey_generate(spec->algorithm, &pkey, e) || !add_public(pkey, data, e) ||
        !add_private(pkey, data, e)) {
        return false;
    }
    *ret_algorithm = spec->algorithm->name;
    return true;
}

// The PEM comes first: it has the seed. What is left must pass its check, as it does when it is made; a key
// that does not is left to people, since a check may fail for reasons that are none of the key's.
bool key_pair_repair(const struct key_pair_spec *spec, key_pair_checker *check,
                     const struct produce_context *context, struct secret_data *data,
                     const char **ret_algorithm, struct error *e) {
    static const char *const names[] = {"private_key.pem", "private_key"};
    cleanup_pkey struct pkey *pem = nullptr;
    cleanup_pkey struct pkey *raw = nullptr;
    const struct pkey *kept = nullptr;
    if (!salvage_private_key(context->previous, names[0], spec->algorithm, &pem, e) ||
        !salvage_private_key(context->previous, names[1], spec->algorithm, &raw, e) ||
        !salvage_choose((struct pkey *[]){pem, raw}, names, check, context->record.fingerprint, &kept, e)) {
        return false;
    }
    if (!check(kept, e)) {
        return error_wrap(e, "what is left of the private key; remove %s and %s to have a new one made",
                          names[0], names[1]);
    }
    if (!salvage_check_recorded(kept, &context->record, e) || !add_public(kept, data, e) ||
        !add_private(kept, data, e)) {
        return false;
    }
    *ret_algorithm = spec->algorithm->name;
    return true;
}

// Reads an entry as a key and checks that it is the same one as reference.
static bool check_key(const struct secret_data *data, const char *key, bool is_private,
                      const struct pkey *reference, struct error *e) {
    const struct secret *entry;
    cleanup_pkey struct pkey *pkey = nullptr;
    const struct algorithm *algorithm = pkey_algorithm(reference);
    if (!secret_data_require(data, key, &entry, e)) {
        return false;
    }
    bool read = is_private
                    ? keyform_read_private(algorithm, secret_view(entry), secret_length(entry), &pkey, e)
                    : keyform_read_public(algorithm, secret_view(entry), secret_length(entry), &pkey, e);
    return (read && pkey_check_same(pkey, reference, e)) || secret_data_damaged(key, e);
}

// A public entry that is as we write it need not be read, which takes longer.
static bool check_public(const struct secret_data *data, const struct secret_data *written, const char *key,
                         const struct pkey *reference, struct error *e) {
    const struct secret *entry = secret_data_get(data, key);
    const struct secret *wanted = secret_data_get(written, key);
    return (entry != nullptr && secret_equals(entry, secret_view(wanted), secret_length(wanted))) ||
           check_key(data, key, false, reference, e);
}

// The pair that both private entries hold, from private_key.pem: from the seed in it OpenSSL makes the key
// again and compares the whole of it, which is faster than to take private_key.
static bool read_pem_of(const struct key_pair_spec *spec, const struct secret_data *data,
                        const struct secret *raw, struct pkey **ret_pkey) {
    struct error ignored;
    const struct secret *pem;
    cleanup_pkey struct pkey *pkey = nullptr;
    cleanup_secret struct secret *found = nullptr;
    if (!secret_data_require(data, "private_key.pem", &pem, &ignored) ||
        !keyform_read_private(spec->algorithm, secret_view(pem), secret_length(pem), &pkey, &ignored) ||
        !pkey_private(pkey, &found, &ignored) ||
        !secret_equals(found, secret_view(raw), secret_length(raw))) {
        return false;
    }
    *ret_pkey = pkey;
    pkey = nullptr;
    return true;
}

// Where the private entries do not agree, private_key is the rule.
static bool read_pair(const struct key_pair_spec *spec, const struct secret_data *data,
                      const struct secret *raw, struct pkey **ret_pkey, struct error *e) {
    if (read_pem_of(spec, data, raw, ret_pkey)) {
        return true;
    }
    if (!pkey_from_private(spec->algorithm, secret_view(raw), secret_length(raw), ret_pkey, e)) {
        return secret_data_damaged("private_key", e);
    }
    return check_key(data, "private_key.pem", true, *ret_pkey, e);
}

bool key_pair_inspect(const struct key_pair_spec *spec, key_pair_checker *check,
                      const struct secret_data *data, const struct provenance *provenance,
                      struct report *report, struct error *e) {
    const struct secret *raw;
    const struct secret *public_key;
    const struct secret *pem;
    cleanup_pkey struct pkey *pkey = nullptr;
    cleanup_secret_data struct secret_data written = {0};
    if (strcmp(provenance->algorithm, spec->algorithm->name) != 0) {
        return error_set(e, ERROR_CRYPTO, "the Secret holds a key pair of %s, not of %s",
                         provenance->algorithm, spec->algorithm->name);
    }
    if (!secret_data_require_length(data, "private_key", spec->algorithm->private_key_size, &raw, e) ||
        !secret_data_require_length(data, "public_key", spec->algorithm->public_key_size, &public_key, e) ||
        !secret_data_require(data, "public_key.pem", &pem, e) || !read_pair(spec, data, raw, &pkey, e) ||
        !check(pkey, e) || !add_public(pkey, &written, e) ||
        !check_public(data, &written, "public_key", pkey, e) ||
        !check_public(data, &written, "public_key.pem", pkey, e)) {
        return false;
    }
    if (!pkey_has_seed(pkey)) {
        report->warning =
            "the seed of the private key is lost: private_key.pem has the expanded key, which not "
            "every program reads";
    }
    report_span(report, "publicKeyPEM", pem);
    return report_public(report, secret_view(public_key), secret_length(public_key), e);
}
