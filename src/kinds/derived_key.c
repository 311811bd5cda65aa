// QuantumDerivedKey: a symmetric key from a shared secret, by HKDF (RFC 5869).
#include "crypto/encoding.h"
#include "crypto/kdf.h"
#include "kinds/table.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

enum {
    KEY_MAX = 32, // bytes
    SALT_MAX = 1024,
    INFO_MAX = 1024,
};

struct spec {
    struct reference shared_secret;
    int64_t length;       // bytes
    const char *salt;     // hex, or NULL
    const char *info;     // text, or NULL
    const char *info_hex; // hex, or NULL
    const char *type;
    const char *algorithm;
};

static const char hkdf[] = "HKDF-SHA256";

static const struct input_source shared_secret_sources[] = {
    {.kind = "QuantumEncapsulateSecret",
     .data_key = "shared_secret",
     .by_default = true,
     .has_versions = true},
    {.kind = "QuantumDecapsulateSecret",
     .data_key = "shared_secret",
     .by_default = true,
     .has_versions = true},
    {.kind = "QuantumRandomNumber", .data_key = "random", .by_default = true, .has_versions = true},
    {.kind = "Secret"},
    {.kind = nullptr},
};

static const char *const algorithms[] = {hkdf, nullptr};
static const char *const types[] = {"", "AES-256", "ChaCha20", "HMAC-SHA256", nullptr};

static const struct spec_field fields[] = {
    {.name = "sharedSecretRef",
     .type = SPEC_REFERENCE,
     .offset = offsetof(struct spec, shared_secret),
     .is_required = true,
     .sources = shared_secret_sources,
     .entry = "the shared secret",
     .description = "What the key is derived from."},
    {.name = "keyLength",
     .type = SPEC_INTEGER,
     .offset = offsetof(struct spec, length),
     .is_immutable = true,
     .min = 1,
     .max = KEY_MAX,
     .fallback = KEY_MAX,
     .description = "How many bytes the key has, 1 to 32."},
    {.name = "algorithm",
     .type = SPEC_CHOICE,
     .offset = offsetof(struct spec, algorithm),
     .is_immutable = true,
     .choices = algorithms,
     .description = "The key derivation function."},
    {.name = "salt",
     .type = SPEC_HEX,
     .offset = offsetof(struct spec, salt),
     .is_immutable = true,
     .max = SALT_MAX,
     .description =
         "HKDF's salt, in hexadecimal, at most 1024 bytes. Not secret; both sides need the same. Absent "
         "or empty: no salt."},
    {.name = "info",
     .type = SPEC_TEXT,
     .offset = offsetof(struct spec, info),
     .is_immutable = true,
     .max = INFO_MAX,
     .counts_bytes = true,
     .description =
         "HKDF's info, as text, at most 1024 bytes in UTF-8: what the key is for, so that one shared "
         "secret gives many independent keys. Both sides need the same."},
    {.name = "infoHex",
     .type = SPEC_HEX,
     .offset = offsetof(struct spec, info_hex),
     .is_immutable = true,
     .max = INFO_MAX,
     .description = "HKDF's info, in hexadecimal, at most 1024 bytes, for an info that is not text. Excludes "
                    "info."},
    {.name = "keyType",
     .type = SPEC_CHOICE,
     .offset = offsetof(struct spec, type),
     .is_immutable = true,
     .choices = types,
     .description =
         "What the key is for; AES-256 and ChaCha20 require keyLength 32. It does not change the key's "
         "bytes."},
    {.name = nullptr},
};

static void check(struct spec_reader *reader, void *memory) {
    const struct spec *spec = memory;
    if (spec->info != nullptr && spec->info_hex != nullptr) {
        spec_field_error(reader, "infoHex: does not go with spec.info; give one of them");
    }
    if ((spec->type == types[1] || spec->type == types[2]) && spec->length != KEY_MAX) {
        spec_field_error(reader, "keyLength: %" PRId64 " does not fit keyType %s, which takes %d bytes",
                         spec->length, spec->type, KEY_MAX);
    }
    if (spec->length < FINGERPRINTED_BYTES_MIN) {
        spec_warning(reader, "keyLength: a key of fewer than %d bytes can be guessed",
                     FINGERPRINTED_BYTES_MIN);
    }
}

static size_t list_inputs(const void *memory, struct input_request requests[KIND_INPUTS_MAX]) {
    const struct spec *spec = memory;
    requests[0] = (struct input_request){"sharedSecretRef", spec->shared_secret, shared_secret_sources};
    return 1;
}

// Salt and info as bytes; an absent one is empty.
static bool decode_parameters(const struct spec *spec, struct secret **ret_salt, struct secret **ret_info,
                              struct error *e) {
    const char *salt = spec->salt == nullptr ? "" : spec->salt;
    const char *info = spec->info == nullptr ? "" : spec->info;
    cleanup_secret struct secret *salt_bytes = nullptr;
    if (!hex_decode(salt, strlen(salt), ENCODING_ONE_LINE, &salt_bytes, e)) {
        return false;
    }
    bool decoded = spec->info_hex != nullptr
                       ? hex_decode(spec->info_hex, strlen(spec->info_hex), ENCODING_ONE_LINE, ret_info, e)
                       : secret_copy(info, strlen(info), ret_info, e);
    if (decoded) {
        *ret_salt = salt_bytes;
        salt_bytes = nullptr;
    }
    return decoded;
}

static bool describe_parameters(const void *memory, struct buffer *parameters, struct error *e) {
    const struct spec *spec = memory;
    cleanup_secret struct secret *salt = nullptr;
    cleanup_secret struct secret *info = nullptr;
    return decode_parameters(spec, &salt, &info, e) &&
           buffer_append_format(parameters, e, "length=%" PRId64 " type=%s salt=", spec->length,
                                spec->type) &&
           hex_encode(secret_view(salt), secret_length(salt), parameters, e) &&
           buffer_append_text(parameters, " info=", e) &&
           hex_encode(secret_view(info), secret_length(info), parameters, e);
}

static bool produce(const void *memory, const struct input *inputs, const struct produce_context *,
                    struct secret_data *data, const char **ret_algorithm, struct error *e) {
    const struct spec *spec = memory;
    size_t length = secret_length(inputs[0].bytes);
    if (length < FINGERPRINTED_BYTES_MIN) {
        return error_set(e, ERROR_INVALID_SPEC,
                         "spec.sharedSecretRef: the secret has %zu bytes; at least %d are needed", length,
                         FINGERPRINTED_BYTES_MIN);
    }
    cleanup_secret struct secret *salt = nullptr;
    cleanup_secret struct secret *info = nullptr;
    struct secret *key;
    if (!decode_parameters(spec, &salt, &info, e) ||
        !kdf_hkdf_sha256(inputs[0].bytes, secret_view(salt), secret_length(salt), secret_view(info),
                         secret_length(info), (size_t)spec->length, &key, e)) {
        return false;
    }
    if (!secret_data_add(data, "key", key, e)) {
        return false;
    }
    *ret_algorithm = hkdf;
    return true;
}

static bool inspect(const void *memory, const struct secret_data *data, const struct provenance *provenance,
                    const struct produce_context *context, struct report *report, struct error *e) {
    const struct spec *spec = memory;
    const struct secret *key;
    if (strcmp(provenance->algorithm, hkdf) != 0) {
        return error_set(e, ERROR_CRYPTO, "the Secret holds a key of %.64s, not of %s", provenance->algorithm,
                         hkdf);
    }
    // A short secret of others may be a password: whoever sees a name of the key could search for it.
    const struct input *secret = &context->inputs[0];
    bool is_searchable = secret->algorithm == nullptr && secret_length(secret->bytes) < REPORTED_SECRET_MIN;
    if (!secret_data_require_length(data, "key", (size_t)spec->length, &key, e) ||
        (!is_searchable && !report_fingerprint(report, key, e))) {
        return false;
    }
    report_integer(report, "keyLength", spec->length);
    const char *info = spec->info != nullptr ? spec->info : spec->info_hex;
    if (spec->salt != nullptr) {
        report_text(report, "usedSalt", spec->salt);
    }
    if (info != nullptr) {
        report_text(report, "usedInfo", info);
    }
    return true;
}

const struct kind kind_derived_key = {
    .group = QUBESEC_GROUP,
    .version = QUBESEC_API_VERSION,
    .kind = "QuantumDerivedKey",
    .plural = "quantumderivedkeys",
    .short_name = "qdk",
    .standard = "RFC 5869",
    .entries = (const char *const[]){"key", nullptr},
    .secret_suffix = "",
    .output = "key",
    .follows = true,
    .leading_input = 0,
    .precious = "key",
    .spec_size = sizeof(struct spec),
    .fields = fields,
    .check = check,
    .list_inputs = list_inputs,
    .describe_parameters = describe_parameters,
    .produce = produce,
    .inspect = inspect,
};
