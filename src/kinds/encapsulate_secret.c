// QuantumEncapsulateSecret: a shared secret, and the ciphertext that carries it to the holder of a private
// key.
#include "crypto/encoding.h"
#include "crypto/kem.h"
#include "kinds/input_key.h"
#include "kinds/kem_secret.h"
#include "kinds/salvage.h"
#include "kinds/table.h"

#include <stddef.h>
#include <string.h>

enum { CIPHERTEXT_MAX = 4096, PUBLIC_KEY_MAX = 4096 }; // bytes

struct spec {
    const struct algorithm *algorithm; // NULL: the public key's own
    struct reference public_key;
};

static const struct input_source public_key_sources[] = {
    {.kind = "QuantumKEMKeyPair",
     .data_key = "public_key",
     .by_default = true,
     .is_public = true,
     .has_versions = true},
    {.kind = "Secret"},
    {.kind = "ConfigMap"},
    {.kind = nullptr},
};

static const struct spec_field fields[] = {
    {.name = "algorithm",
     .type = SPEC_ALGORITHM,
     .offset = offsetof(struct spec, algorithm),
     .is_immutable = true,
     .family = ALGORITHM_KEM,
     .description = "Default: that of the key. One that is not the key's makes the resource Failed."},
    {.name = "publicKeyRef",
     .type = SPEC_REFERENCE,
     .offset = offsetof(struct spec, public_key),
     .is_required = true,
     .sources = public_key_sources,
     .entry = "the public key (raw, PEM or base64)",
     .description = "The public key of the other side."},
    {.name = nullptr},
};

// Of the longest algorithm: which one the key is of is not known here, and matters little.
static size_t version_bytes(const void *) {
    const struct algorithm *algorithm;
    size_t most = 0;
    for (size_t i = 0; (algorithm = algorithm_at(ALGORITHM_KEM, i)) != nullptr; i++) {
        size_t bytes = algorithm->ciphertext_size + algorithm->shared_secret_size;
        most = bytes > most ? bytes : most;
    }
    return most;
}

static size_t list_inputs(const void *memory, struct input_request requests[KIND_INPUTS_MAX]) {
    const struct spec *spec = memory;
    requests[0] = (struct input_request){"publicKeyRef", spec->public_key, public_key_sources};
    return 1;
}

static bool read_input(const struct spec *spec, const struct input *input, struct pkey **ret_pkey,
                       struct error *e) {
    return input_key_read_public(ALGORITHM_KEM, spec->algorithm, input, ret_pkey, e);
}

// A public key in its raw form.
static bool normalize(const void *memory, const struct input *inputs, size_t index, struct secret **ret_bytes,
                      struct error *e) {
    cleanup_pkey struct pkey *pkey = nullptr;
    cleanup_buffer struct buffer raw = buffer_create(PUBLIC_KEY_MAX);
    return read_input(memory, &inputs[index], &pkey, e) && pkey_public(pkey, &raw, e) &&
           secret_copy(raw.data, raw.length, ret_bytes, e);
}

static bool produce(const void *memory, const struct input *inputs, const struct produce_context *,
                    struct secret_data *data, const char **ret_algorithm, struct error *e) {
    cleanup_pkey struct pkey *pkey = nullptr;
    cleanup_buffer struct buffer ciphertext = buffer_create(CIPHERTEXT_MAX);
    struct secret *shared_secret;
    struct secret *value;
    if (!read_input(memory, &inputs[0], &pkey, e) || !kem_encapsulate(pkey, &ciphertext, &shared_secret, e) ||
        !secret_data_add(data, "shared_secret", shared_secret, e) ||
        !secret_copy(ciphertext.data, ciphertext.length, &value, e) ||
        !secret_data_add(data, "ciphertext", value, e)) {
        return false;
    }
    *ret_algorithm = pkey_algorithm(pkey)->name;
    return true;
}

// Whether one witness speaks for both: the metadata, or the status. A status that has not told yet of an
// output that was made anew has the ciphertext of the one before. Where neither can, they do if the metadata
// does not contradict itself.
static bool belong_together(const struct produce_context *context, const struct secret *shared_secret,
                            const struct secret *ciphertext, bool *ret_do, struct error *e) {
    enum provenance_word one = PROVENANCE_SILENT;
    enum provenance_word other = PROVENANCE_SILENT;
    const struct provenance *provenance = context->previous_provenance;
    const struct record *record = &context->record;
    bool recorded[2] = {false, false};
    if (provenance != nullptr &&
        (!provenance_compare_entry(provenance, "shared_secret", shared_secret, &one, e) ||
         !provenance_compare_entry(provenance, "ciphertext", ciphertext, &other, e))) {
        return false;
    }
    bool is_told = record->fingerprint[0] != '\0' && record->digest[0] != '\0';
    if (is_told && (!salvage_is_recorded(record->fingerprint, shared_secret, &recorded[0], e) ||
                    !salvage_is_recorded(record->digest, ciphertext, &recorded[1], e))) {
        return false;
    }
    bool is_stated = one == PROVENANCE_SAYS_SAME && other == PROVENANCE_SAYS_SAME;
    bool is_mixed = one != other && one != PROVENANCE_SILENT && other != PROVENANCE_SILENT;
    *ret_do = is_stated || (is_told ? recorded[0] && recorded[1] : !is_mixed);
    return true;
}

// The ciphertext is public: where the Secret has lost it, the status has it still. Both are checked, by the
// metadata or by what the status has recorded.
static bool find_ciphertext(const struct produce_context *context, const struct secret *shared_secret,
                            size_t length, struct secret **ret_ciphertext, struct error *e) {
    bool fits = false;
    const struct record *record = &context->record;
    cleanup_secret_data struct secret_data shown = {0};
    const struct secret *found;
    struct secret *decoded;
    struct error unreadable = {0};
    if (!salvage_entry(context, "ciphertext", length, record->digest, &found, e)) {
        return false;
    }
    bool is_shown =
        found == nullptr && record->ciphertext[0] != '\0' &&
        hex_decode(record->ciphertext, strlen(record->ciphertext), ENCODING_ONE_LINE, &decoded, &unreadable);
    if (unreadable.class == ERROR_NO_MEMORY) {
        *e = unreadable;
        return false;
    }
    if (is_shown) {
        struct produce_context by_status = *context;
        by_status.previous = &shown;
        if (!secret_data_add(&shown, "ciphertext", decoded, e) ||
            !salvage_entry(&by_status, "ciphertext", length, record->digest, &found, e)) {
            return false;
        }
    }
    if (found != nullptr && !belong_together(context, shared_secret, found, &fits, e)) {
        return false;
    }
    if (!fits) {
        return error_set(e, ERROR_KEY_LOST, "ciphertext does not hold what was made any more");
    }
    return secret_copy(secret_view(found), secret_length(found), ret_ciphertext, e);
}

// Whether the key pair keeps a version of that digest.
static bool is_kept(const struct input *public_key, const char *digest) {
    const struct versions *versions = public_key->versions;
    for (size_t i = 0; versions != nullptr && i < versions->kept_count; i++) {
        if (strcmp(versions->kept[i].digest, digest) == 0) {
            return true;
        }
    }
    return false;
}

// Whether the previous output was made for pkey: what is rebuilt says so of itself.
static bool check_public_key(const struct produce_context *context, const struct pkey *pkey,
                             struct error *e) {
    const char *recorded = context->record.public_key_digest;
    cleanup_buffer struct buffer raw = buffer_create(PUBLIC_KEY_MAX);
    char digest[DIGEST_TEXT_SIZE];
    bool is_told =
        recorded[0] != '\0' && context->previous_provenance == nullptr; // by nothing but the status
    if (context->previous_is_current && !is_told) {
        return true;
    }
    if (!pkey_public(pkey, &raw, e) || !digest_format(raw.data, raw.length, digest, e)) {
        return false;
    }
    if (recorded[0] == '\0') {
        return error_set(e, ERROR_KEY_MISMATCH,
                         "neither the Secret's metadata nor the status tells that it was made for the public "
                         "key %s; nothing was written. Restore the metadata, or remove the Secret to have "
                         "another one made",
                         digest);
    }
    // One that is made for an earlier version of the key, or stays as one of its own, is rotated next.
    return strcmp(recorded, digest) == 0 || is_kept(&context->inputs[0], recorded) ||
           context->previous_stays ||
           error_set(e, ERROR_KEY_LOST, "it was made for the public key %s, and spec.publicKeyRef is now %s",
                     recorded, digest);
}

static bool repair(const void *memory, const struct input *inputs, const struct produce_context *context,
                   struct secret_data *data, const char **ret_algorithm, struct error *e) {
    cleanup_pkey struct pkey *pkey = nullptr;
    const struct secret *shared_secret;
    struct secret *copy;
    struct secret *ciphertext;
    if (!read_input(memory, &inputs[0], &pkey, e)) {
        return false;
    }
    const struct algorithm *algorithm = pkey_algorithm(pkey);
    if (!salvage_entry(context, "shared_secret", algorithm->shared_secret_size, context->record.fingerprint,
                       &shared_secret, e)) {
        return false;
    }
    if (shared_secret == nullptr) {
        return error_set(e, ERROR_KEY_LOST, "shared_secret does not hold what was made any more");
    }
    if (!check_public_key(context, pkey, e) ||
        !find_ciphertext(context, shared_secret, algorithm->ciphertext_size, &ciphertext, e) ||
        !secret_data_add(data, "ciphertext", ciphertext, e) ||
        !secret_copy(secret_view(shared_secret), secret_length(shared_secret), &copy, e) ||
        !secret_data_add(data, "shared_secret", copy, e)) {
        return false;
    }
    *ret_algorithm = algorithm->name;
    return true;
}

static bool inspect(const void *memory, const struct secret_data *data, const struct provenance *provenance,
                    const struct produce_context *, struct report *report, struct error *e) {
    const struct spec *spec = memory;
    const struct algorithm *algorithm;
    const struct secret *ciphertext;
    cleanup_buffer struct buffer hex = buffer_create(2 * CIPHERTEXT_MAX);
    char fingerprint[FINGERPRINT_SIZE];
    if (!kem_secret_inspect(spec->algorithm, data, provenance, report, &algorithm, e) ||
        !secret_data_require_length(data, "ciphertext", algorithm->ciphertext_size, &ciphertext, e) ||
        !hex_encode(secret_view(ciphertext), secret_length(ciphertext), &hex, e) ||
        !digest_format(secret_view(ciphertext), secret_length(ciphertext), report->digest, e)) {
        return false;
    }
    fingerprint_of_digest(report->digest, fingerprint);
    report_text(report, "ciphertext", buffer_text(&hex));
    report_text(report, "ciphertextFingerprint", fingerprint);
    report_text(report, "publicKeyDigest", provenance_find_input(provenance, "publicKeyRef"));
    return true;
}

const struct kind kind_encapsulate_secret = {
    .group = QUBESEC_GROUP,
    .version = QUBESEC_API_VERSION,
    .kind = "QuantumEncapsulateSecret",
    .plural = "quantumencapsulatesecrets",
    .short_name = "qes",
    .standard = "FIPS 203",
    .entries = (const char *const[]){"shared_secret", "ciphertext", nullptr},
    .secret_suffix = "",
    .output = "shared secret",
    .precious = "shared secret",
    .is_public = true,
    .is_rotatable = true,
    .is_made_for_key = true,
    .public_entries = (const char *const[]){"ciphertext", nullptr},
    .spec_size = sizeof(struct spec),
    .fields = fields,
    .list_inputs = list_inputs,
    .normalize = normalize,
    .version_bytes = version_bytes,
    .produce = produce,
    .repair = repair,
    .inspect = inspect,
};
