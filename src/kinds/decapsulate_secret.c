// QuantumDecapsulateSecret: the shared secret that a ciphertext carries, with the private key that it was
// made for.
#include "crypto/encoding.h"
#include "crypto/kem.h"
#include "crypto/keyform.h"
#include "engine/input_versions.h"
#include "kinds/input_key.h"
#include "kinds/kem_secret.h"
#include "kinds/table.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum {
    CIPHERTEXT_MAX = 1568,                    // bytes, of ML-KEM-1024
    PARAMETERS_MAX = 2 * CIPHERTEXT_MAX + 64, // of what describe_parameters writes
};

struct spec {
    const struct algorithm *algorithm; // NULL: the private key's own
    struct reference private_key;
    struct reference ciphertext_ref;
    const char *ciphertext; // hex; wins over the reference
};

static const struct input_source private_key_sources[] = {
    {.kind = "QuantumKEMKeyPair", .data_key = "private_key", .by_default = true, .has_versions = true},
    {.kind = nullptr},
};

static const struct input_source ciphertext_sources[] = {
    {.kind = "QuantumEncapsulateSecret",
     .data_key = "ciphertext",
     .by_default = true,
     .is_public = true,
     .has_versions = true},
    {.kind = "Secret"},
    {.kind = "ConfigMap"},
    {.kind = nullptr},
};

// Only a ciphertext of the algorithm's length can be opened.
static void check_ciphertext_length(struct spec_reader *reader, const struct spec *spec) {
    size_t length = spec->ciphertext == nullptr ? 0 : strlen(spec->ciphertext) / 2;
    const struct algorithm *algorithm;
    bool fits = false;
    for (size_t i = 0; (algorithm = algorithm_at(ALGORITHM_KEM, i)) != nullptr; i++) {
        bool is_meant = spec->algorithm == nullptr || spec->algorithm == algorithm;
        fits = fits || (is_meant && algorithm->ciphertext_size == length);
    }
    if (spec->ciphertext != nullptr && !fits) {
        spec_field_error(reader,
                         "ciphertext: has %zu bytes; it is 768 of ML-KEM-512, 1088 of ML-KEM-768, 1568 of "
                         "ML-KEM-1024",
                         length);
    }
}

static const struct spec_field fields[] = {
    {.name = "algorithm",
     .type = SPEC_ALGORITHM,
     .offset = offsetof(struct spec, algorithm),
     .is_immutable = true,
     .family = ALGORITHM_KEM,
     .description = "Default: that of the key. One that is not the key's makes the resource Failed."},
    {.name = "privateKeyRef",
     .type = SPEC_REFERENCE,
     .offset = offsetof(struct spec, private_key),
     .is_required = true,
     .sources = private_key_sources,
     .description = "The key pair whose private key decapsulates."},
    {.name = "ciphertext",
     .type = SPEC_HEX,
     .offset = offsetof(struct spec, ciphertext),
     .empty_is_absent = true,
     .max = CIPHERTEXT_MAX,
     .description =
         "The ciphertext itself, in hexadecimal: 1536 digits for ML-KEM-512, 2176 for ML-KEM-768, 3136 "
         "for ML-KEM-1024. It wins over ciphertextRef. Empty is the same as absent."},
    {.name = "ciphertextRef",
     .type = SPEC_REFERENCE,
     .offset = offsetof(struct spec, ciphertext_ref),
     .sources = ciphertext_sources,
     .entry = "the ciphertext (raw, base64 or hexadecimal)",
     .description = "Where the ciphertext is."},
    {.name = nullptr},
};

// A ciphertext that is at fault is not missing.
static bool has_no_ciphertext(struct spec_reader *reader) {
    yyjson_val *ciphertext = spec_value(reader, "ciphertext");
    return (ciphertext == nullptr || yyjson_equals_str(ciphertext, "")) &&
           spec_value(reader, "ciphertextRef") == nullptr;
}

static void check(struct spec_reader *reader, void *memory) {
    const struct spec *spec = memory;
    check_ciphertext_length(reader, spec);
    if (has_no_ciphertext(reader)) {
        spec_field_error(reader, "ciphertextRef: is required, unless spec.ciphertext is given");
    }
    if (spec->ciphertext != nullptr && spec->ciphertext_ref.name != nullptr) {
        spec_warning(reader, "ciphertextRef: is not read, since spec.ciphertext is given");
    }
}

static size_t list_inputs(const void *memory, struct input_request requests[KIND_INPUTS_MAX]) {
    const struct spec *spec = memory;
    requests[0] = (struct input_request){"privateKeyRef", spec->private_key, private_key_sources};
    requests[1] = (struct input_request){"ciphertextRef", spec->ciphertext_ref, ciphertext_sources};
    return spec->ciphertext == nullptr ? 2 : 1;
}

// A version of the key that is named decides too, when it is the present one, whose bytes are the same.
static bool describe_parameters(const void *memory, struct buffer *parameters, struct error *e) {
    const struct spec *spec = memory;
    int64_t version = spec->private_key.version;
    return buffer_append_text(parameters, "ciphertext=", e) &&
           spec_append_hex(spec->ciphertext, parameters, e) &&
           (version == 0 || buffer_append_format(parameters, e, " privateKeyRef.version=%" PRId64, version));
}

static bool read_ciphertext(const struct spec *spec, const struct algorithm *algorithm,
                            const struct input *input, struct secret **ret_ciphertext, struct error *e) {
    if (spec->ciphertext != nullptr) {
        return hex_decode(spec->ciphertext, strlen(spec->ciphertext), ENCODING_ONE_LINE, ret_ciphertext, e) ||
               error_wrap(e, "spec.ciphertext");
    }
    if (!input_key_check_algorithm(input, algorithm, "privateKeyRef", e)) {
        return false;
    }
    char what[64];
    snprintf(what, sizeof(what), "ciphertext of %s", algorithm->name);
    return keyform_read_bytes(what, algorithm->ciphertext_size, secret_view(input->bytes),
                              secret_length(input->bytes), ret_ciphertext, e) ||
           error_wrap(e, "spec.ciphertextRef");
}

// A ciphertext as bytes.
static bool normalize(const void *memory, const struct input *inputs, size_t index, struct secret **ret_bytes,
                      struct error *e) {
    const struct spec *spec = memory;
    const struct algorithm *algorithm = nullptr;
    bool is_private_key = index == 0;
    return is_private_key || (input_key_require_algorithm(spec->algorithm, &inputs[0], &algorithm, e) &&
                              read_ciphertext(spec, algorithm, &inputs[index], ret_bytes, e));
}

enum { PRIVATE_KEY, CIPHERTEXT }; // inputs

// The digest of the public key that a private key belongs to.
static bool describe_key(const struct pkey *pkey, char ret_digest[DIGEST_TEXT_SIZE], struct error *e) {
    cleanup_buffer struct buffer raw = buffer_create(pkey_algorithm(pkey)->public_key_size);
    return pkey_public(pkey, &raw, e) && digest_format(raw.data, raw.length, ret_digest, e);
}

// What the ciphertext says of the key that it was made for: the digest of a public key. NULL: nothing.
static const char *made_for(const struct spec *spec, const struct input *inputs) {
    return spec->ciphertext != nullptr ? nullptr : inputs[CIPHERTEXT].made_for;
}

// Opens the private key of that version.
static bool open_version(const struct algorithm *algorithm, const struct version *version,
                         struct pkey **ret_pkey, struct error *e) {
    const struct secret *bytes = input_version_bytes(version);
    return bytes != nullptr
               ? pkey_from_private(algorithm, secret_view(bytes), secret_length(bytes), ret_pkey, e)
               : error_set(e, ERROR_KEY_LOST, "version %" PRId64 " has no private key", version->number);
}

// The version of the private key with that index, besides the present one; NULL: there are no more.
static const struct version *other_version(const struct input *private_key, size_t index) {
    return private_key->versions == nullptr ? nullptr : versions_get(private_key->versions, index);
}

// The private key that belongs to the public key of that digest, found by the digests of all versions; where
// there is none, the present one.
static bool open_key(const struct algorithm *algorithm, const struct input *private_key, const char *digest,
                     struct pkey **ret_pkey, struct error *e) {
    const struct version *version;
    for (size_t i = 0; digest != nullptr && (version = other_version(private_key, i)) != nullptr; i++) {
        if (version->digest[0] != '\0' && strcmp(version->digest, digest) == 0) {
            return open_version(algorithm, version, ret_pkey, e);
        }
    }
    return input_key_open_private(algorithm, private_key, ret_pkey, e);
}

// Whether the spec has another ciphertext, or another reference to one, than what was made before.
static bool is_ciphertext_edited(const struct spec *spec, const struct input *inputs,
                                 const struct produce_context *context, bool *ret_edited, struct error *e) {
    const struct provenance *provenance = context->previous_provenance;
    cleanup_buffer struct buffer parameters = buffer_create(PARAMETERS_MAX);
    char digest[DIGEST_TEXT_SIZE];
    if (!describe_parameters(spec, &parameters, e) ||
        !digest_format(buffer_text(&parameters), parameters.length, digest, e)) {
        return false;
    }
    bool is_referred_to = spec->ciphertext == nullptr;
    *ret_edited = (provenance != nullptr && !provenance_same_digest(provenance->parameters, digest)) ||
                  (is_referred_to && !inputs[CIPHERTEXT].is_of_old_origin);
    return true;
}

// Whether the ciphertext is the one that the output in context was made from.
static bool is_same_ciphertext(const struct spec *spec, const struct input *inputs,
                               const struct produce_context *context, bool *ret_is, struct error *e) {
    const struct provenance *provenance = context->previous_provenance;
    char digest[DIGEST_TEXT_SIZE];
    *ret_is = provenance != nullptr || context->record.is_current; // by the status, where metadata is lost
    if (provenance == nullptr || spec->ciphertext != nullptr) {
        return true;
    }
    if (!input_digest(&inputs[CIPHERTEXT], digest, e)) {
        return false;
    }
    *ret_is = provenance_same_digest(provenance_find_input(provenance, inputs[CIPHERTEXT].field), digest);
    return true;
}

// The digest of the public key to decapsulate with: where the ciphertext does not name it, the one that was
// used for the same ciphertext before, which may be kept although another one is present. NULL: the present
// one's.
static bool choose_key(const struct spec *spec, const struct input *inputs,
                       const struct produce_context *context, const char **ret_digest, struct error *e) {
    const char *recorded = context->record.public_key_digest;
    bool is_same = false;
    *ret_digest = made_for(spec, inputs);
    if (*ret_digest != nullptr || recorded[0] == '\0') {
        return true;
    }
    if (!is_same_ciphertext(spec, inputs, context, &is_same, e)) {
        return false;
    }
    bool edited = false;
    if (is_same && !is_ciphertext_edited(spec, inputs, context, &edited, e)) {
        return false;
    }
    *ret_digest = is_same && !edited ? recorded : nullptr;
    return true;
}

// Whether what there is, or was, was made with another private key than this one.
static bool has_changed(const struct input *private_key, const struct produce_context *context,
                        const char *key_digest, bool *ret_changed, struct error *e) {
    const struct provenance *provenance = context->previous_provenance;
    const char *recorded = context->record.public_key_digest;
    const char *used = provenance == nullptr ? "" : provenance_find_input(provenance, private_key->field);
    char digest[DIGEST_TEXT_SIZE];
    if (recorded[0] != '\0') { // it names the very key that was used, of whatever version
        *ret_changed = strcmp(recorded, key_digest) != 0;
        return true;
    }
    if (!input_digest(private_key, digest, e)) {
        return false;
    }
    *ret_changed = used[0] != '\0' && !provenance_same_digest(used, digest);
    return true;
}

// FIPS 203 gives a secret for any ciphertext, the right one or not (implicit rejection): so a ciphertext for
// another key is refused where that is known, and a key that has changed by itself where it is not.
static bool check_key(const struct spec *spec, const struct input *inputs,
                      const struct produce_context *context, const struct pkey *pkey, struct error *e) {
    const struct input *private_key = &inputs[PRIVATE_KEY];
    const char *named = made_for(spec, inputs);
    const char *left = context->previous == nullptr ? "Nothing was made" : "What was made before stays";
    char digest[DIGEST_TEXT_SIZE];
    bool changed;
    if (!describe_key(pkey, digest, e) || !has_changed(private_key, context, digest, &changed, e)) {
        return false;
    }
    if (named != nullptr) {
        return strcmp(named, digest) == 0 ||
               error_set(e, ERROR_KEY_MISMATCH,
                         "spec.ciphertextRef: the ciphertext was made for the public key %s, and the private "
                         "key of spec.privateKeyRef belongs to %s; refer to a pair of both. %s",
                         named, digest, left);
    }
    bool edited = !private_key->is_of_old_origin || private_key->is_version_edited;
    if (changed && !edited && !is_ciphertext_edited(spec, inputs, context, &edited, e)) {
        return false;
    }
    return !changed || edited ||
           error_set(e, ERROR_KEY_MISMATCH,
                     "spec.privateKeyRef: the private key is another one than before, now that of the public "
                     "key %s, and nothing tells that the ciphertext was made for it. %s. Restore the private "
                     "key; or, to decapsulate with the new one, refer to a ciphertext that was made for it",
                     digest, left);
}

static bool produce(const void *memory, const struct input *inputs, const struct produce_context *context,
                    struct secret_data *data, const char **ret_algorithm, struct error *e) {
    const struct spec *spec = memory;
    const struct algorithm *algorithm = nullptr;
    cleanup_secret struct secret *ciphertext = nullptr;
    cleanup_pkey struct pkey *pkey = nullptr;
    struct secret *shared_secret;
    if (!input_key_require_algorithm(spec->algorithm, &inputs[0], &algorithm, e) ||
        !read_ciphertext(spec, algorithm, &inputs[1], &ciphertext, e)) {
        return false;
    }
    const char *key_digest;
    if (!choose_key(spec, inputs, context, &key_digest, e)) {
        return false;
    }
    if (!open_key(algorithm, &inputs[PRIVATE_KEY], key_digest, &pkey, e)) {
        return error_wrap(e, "spec.privateKeyRef");
    }
    if (!check_key(spec, inputs, context, pkey, e)) {
        return false;
    }
    if (!kem_decapsulate(pkey, secret_view(ciphertext), secret_length(ciphertext), &shared_secret, e)) {
        return error_wrap(e, spec->ciphertext != nullptr ? "spec.ciphertext" : "spec.ciphertextRef");
    }
    if (!secret_data_add(data, "shared_secret", shared_secret, e)) {
        return false;
    }
    *ret_algorithm = algorithm->name;
    return true;
}

// Whether the ciphertext gives the shared secret with that private key.
static bool gives(const struct spec *spec, const struct input *inputs, const struct pkey *pkey,
                  const struct secret *shared_secret, bool *ret_does, struct error *e) {
    cleanup_secret struct secret *ciphertext = nullptr;
    cleanup_secret struct secret *found = nullptr;
    if (!read_ciphertext(spec, pkey_algorithm(pkey), &inputs[CIPHERTEXT], &ciphertext, e) ||
        !kem_decapsulate(pkey, secret_view(ciphertext), secret_length(ciphertext), &found, e)) {
        return false;
    }
    *ret_does = secret_equals(found, secret_view(shared_secret), secret_length(shared_secret));
    return true;
}

// The private key that the shared secret was made with; NULL: none of those that there are. A ciphertext that
// names none is tried with all versions: the secret that is there already tells which it was.
static bool find_used_key(const struct spec *spec, const struct algorithm *algorithm,
                          const struct input *inputs, const struct secret *shared_secret,
                          struct pkey **ret_pkey, struct error *e) {
    const struct input *private_key = &inputs[PRIVATE_KEY];
    const struct version *version;
    cleanup_pkey struct pkey *present = nullptr;
    bool does;
    for (size_t i = 0; (version = other_version(private_key, i)) != nullptr; i++) {
        cleanup_pkey struct pkey *pkey = nullptr;
        if (!open_version(algorithm, version, &pkey, e) ||
            !gives(spec, inputs, pkey, shared_secret, &does, e)) {
            return false;
        }
        if (does) {
            *ret_pkey = pkey;
            pkey = nullptr;
            return true;
        }
    }
    if (!open_key(algorithm, private_key, nullptr, &present, e) ||
        !gives(spec, inputs, present, shared_secret, &does, e)) {
        return false;
    }
    *ret_pkey = does ? present : nullptr;
    present = does ? nullptr : present;
    return true;
}

static bool inspect(const void *memory, const struct secret_data *data, const struct provenance *provenance,
                    const struct produce_context *context, struct report *report, struct error *e) {
    const struct spec *spec = memory;
    const char *named = made_for(spec, context->inputs);
    const struct algorithm *algorithm;
    cleanup_pkey struct pkey *pkey = nullptr;
    char digest[DIGEST_TEXT_SIZE];
    if (!kem_secret_inspect(spec->algorithm, data, provenance, report, &algorithm, e)) {
        return false;
    }
    if (named != nullptr) { // it was found by that, and may have gone since
        report_text(report, "publicKeyDigest", named);
        return true;
    }
    if (!find_used_key(spec, algorithm, context->inputs, secret_data_get(data, "shared_secret"), &pkey, e)) {
        e->class = e->class == ERROR_INVALID_SPEC ? ERROR_CRYPTO : e->class; // the key was read for the spec
        return error_wrap(e, "the Secret holds a shared secret of %s", algorithm->name);
    }
    if (pkey != nullptr && !describe_key(pkey, digest, e)) {
        return false;
    }
    const char *used = pkey != nullptr ? digest : context->record.public_key_digest; // it has gone since
    if (used[0] != '\0') {
        report_text(report, "publicKeyDigest", used);
    }
    return true;
}

const struct kind kind_decapsulate_secret = {
    .group = QUBESEC_GROUP,
    .version = QUBESEC_API_VERSION,
    .kind = "QuantumDecapsulateSecret",
    .plural = "quantumdecapsulatesecrets",
    .short_name = "qds",
    .standard = "FIPS 203",
    .entries = (const char *const[]){"shared_secret", nullptr},
    .secret_suffix = "",
    .output = "shared secret",
    .follows = true,
    .leading_input = 1,
    .precious = "shared secret",
    .spec_size = sizeof(struct spec),
    .fields = fields,
    .check = check,
    .list_inputs = list_inputs,
    .normalize = normalize,
    .describe_parameters = describe_parameters,
    .produce = produce,
    .inspect = inspect,
};
