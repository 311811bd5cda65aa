// QuantumKEMKeyPair: an ML-KEM key pair (FIPS 203), raw and as PEM (RFC 9935).
#include "crypto/kem.h"
#include "kinds/key_pair.h"
#include "kinds/table.h"

static const struct spec_field fields[] = {
    KEY_PAIR_ALGORITHM(ALGORITHM_KEM, "ML-KEM-768"),
    {.name = nullptr},
};

static bool produce(const void *spec, const struct input *, const struct produce_context *,
                    struct secret_data *data, const char **ret_algorithm, struct error *e) {
    return key_pair_produce(spec, data, ret_algorithm, e);
}

static bool repair(const void *spec, const struct input *, const struct produce_context *context,
                   struct secret_data *data, const char **ret_algorithm, struct error *e) {
    return key_pair_repair(spec, kem_check_pair, context, data, ret_algorithm, e);
}

static bool inspect(const void *spec, const struct secret_data *data, const struct provenance *provenance,
                    const struct produce_context *, struct report *report, struct error *e) {
    return key_pair_inspect(spec, kem_check_pair, data, provenance, report, e);
}

const struct kind kind_kem_key_pair = {
    .group = QUBESEC_GROUP,
    .version = QUBESEC_API_VERSION,
    .kind = "QuantumKEMKeyPair",
    .plural = "quantumkemkeypairs",
    .short_name = "qkkp",
    .standard = "FIPS 203",
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
    .version_bytes = key_pair_version_bytes,
    .produce = produce,
    .repair = repair,
    .inspect = inspect,
};
