// QuantumSignatureKeyPair: an ML-DSA (FIPS 204) or SLH-DSA (FIPS 205) key pair, raw and as PEM (RFC 9881,
// RFC 9909).
#include "crypto/signature.h"
#include "kinds/key_pair.h"
#include "kinds/table.h"

static const struct spec_field fields[] = {
    KEY_PAIR_ALGORITHM(ALGORITHM_SIGNATURE, "ML-DSA-65"),
    {.name = nullptr},
};

static bool is_slow(const void *memory, const struct input *) {
    const struct key_pair_spec *spec = memory;
    return spec->algorithm->is_slow;
}

static bool produce(const void *spec, const struct input *, const struct produce_context *,
                    struct secret_data *data, const char **ret_algorithm, struct error *e) {
    return key_pair_produce(spec, data, ret_algorithm, e);
}

static bool repair(const void *spec, const struct input *, const struct produce_context *context,
                   struct secret_data *data, const char **ret_algorithm, struct error *e) {
    return key_pair_repair(spec, signature_check_pair, context, data, ret_algorithm, e);
}

static bool inspect(const void *spec, const struct secret_data *data, const struct provenance *provenance,
                    const struct produce_context *, struct report *report, struct error *e) {
    return key_pair_inspect(spec, signature_check_pair, data, provenance, report, e);
}

const struct kind kind_signature_key_pair = {
    .group = QUBESEC_GROUP,
    .version = QUBESEC_API_VERSION,
    .kind = "QuantumSignatureKeyPair",
    .plural = "quantumsignaturekeypairs",
    .short_name = "qskp",
    .standard = nullptr, // its algorithm's,
    .entries = key_pair_entries,
    .secret_suffix = "",
    .output = "key pair",
    .precious = "private key",
    .is_made_once = true,
    .is_public = true,
    .is_rotatable = true,
    .public_entries = key_pair_public_entries,
    .lists = key_pair_lists,
    .spec_size = sizeof(struct key_pair_spec),
    .fields = fields,
    .is_slow = is_slow,
    .version_bytes = key_pair_version_bytes,
    .produce = produce,
    .repair = repair,
    .inspect = inspect,
};
