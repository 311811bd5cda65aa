// QuantumEncapsulateSecret: a shared secret, and the ciphertext that carries it to the holder of a private
// key.
#include "crypto/encoding.h"
#include "crypto/kem.h"
#include "kinds/exchange.h"
#include "kinds/input_key.h"
#include "kinds/table.h"

enum { CIPHERTEXT_MAX = 4096, PUBLIC_KEY_MAX = 4096 }; // bytes

struct spec {
    const struct algorithm *algorithm; // NULL: the public key's own
    struct reference public_key;
};

static const struct input_source public_key_sources[] = {
    {.kind = "QuantumKEMKeyPair", .data_key = "public_key", .by_default = true, .is_public = true},
    {.kind = "Secret"},
    {.kind = "ConfigMap"},
    {.kind = nullptr},
};

static void decode(struct spec_reader *reader, void *memory) {
    struct spec *spec = memory;
    spec->algorithm = spec_algorithm(reader, ALGORITHM_KEM);
    spec->public_key = spec_reference(reader, "publicKeyRef", public_key_sources, true);
}

static size_t list_fixed(const void *memory, struct fixed_field fields[KIND_FIXED_MAX]) {
    const struct spec *spec = memory;
    fields[0] = fixed_algorithm(spec->algorithm);
    return 1;
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

static bool produce(const void *memory, const struct input *inputs, const struct occasion *,
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

static bool inspect(const void *memory, const struct secret_data *data, const struct metadata *metadata,
                    const struct occasion *, struct report *report, struct error *e) {
    const struct spec *spec = memory;
    const struct algorithm *algorithm;
    const struct secret *ciphertext;
    cleanup_buffer struct buffer hex = buffer_create(2 * CIPHERTEXT_MAX);
    char fingerprint[FINGERPRINT_SIZE];
    if (!exchange_inspect(spec->algorithm, data, metadata, report, &algorithm, e) ||
        !secret_data_require_length(data, "ciphertext", algorithm->ciphertext_size, &ciphertext, e) ||
        !hex_encode(secret_view(ciphertext), secret_length(ciphertext), &hex, e) ||
        !fingerprint_compute(secret_view(ciphertext), secret_length(ciphertext), fingerprint, e)) {
        return false;
    }
    report_text(report, "ciphertext", buffer_text(&hex));
    report_text(report, "ciphertextFingerprint", fingerprint);
    return true;
}

const struct kind kind_encapsulate_secret = {
    .kind = "QuantumEncapsulateSecret",
    .plural = "quantumencapsulatesecrets",
    .short_name = "qes",
    .standard = "FIPS 203",
    .entries = (const char *const[]){"shared_secret", "ciphertext", nullptr},
    .secret_suffix = "",
    .spec_size = sizeof(struct spec),
    .decode = decode,
    .list_fixed = list_fixed,
    .list_inputs = list_inputs,
    .normalize = normalize,
    .produce = produce,
    .inspect = inspect,
};
