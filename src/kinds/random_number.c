// QuantumRandomNumber: random bytes, from the kernel, from OpenSSL's generator, or, for test vectors, from a
// seed.
#include "crypto/ctr_drbg.h"
#include "crypto/encoding.h"
#include "crypto/random.h"
#include "kinds/salvage.h"
#include "kinds/table.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

enum {
    BYTES_DEFAULT = 32,
    BYTES_MAX = 65536,
    URL_MAX = 2048,
};

struct spec {
    int64_t bytes;
    const char *provider;
    const char *seed; // hex
    struct reference seed_url;
};

static const char *const providers[] = {"system", "OpenSSL", nullptr};
static const char seeded_algorithm[] = "AES-256-CTR-DRBG";
static const struct input_source seed_sources[] = {{.kind = "URL", .by_default = true}, {.kind = nullptr}};

static bool is_seeded(const struct spec *spec) {
    return spec->seed != nullptr || spec->seed_url.name != nullptr;
}

static const char *algorithm_of(const struct spec *spec) {
    return is_seeded(spec) ? seeded_algorithm : spec->provider;
}

// Other ones cannot be allowed.
static bool is_web_address(const char *url) {
    return strncmp(url, "https://", 8) == 0 || strncmp(url, "http://", 7) == 0;
}

static const struct spec_field fields[] = {
    {.name = "numBytes",
     .alias = "bytes",
     .type = SPEC_INTEGER,
     .offset = offsetof(struct spec, bytes),
     .is_immutable = true,
     .min = 1,
     .max = BYTES_MAX,
     .fallback = BYTES_DEFAULT,
     .description = "How many bytes to make, 1 to 65536."},
    {.name = "provider",
     .type = SPEC_CHOICE,
     .offset = offsetof(struct spec, provider),
     .is_immutable = true,
     .choices = providers,
     .description =
         "Where the bytes come from. system: the kernel's generator. OpenSSL: OpenSSL's generator, "
         "which the kernel's seeds. Only system goes with seed or seedURI."},
    {.name = "seed",
     .type = SPEC_HEX,
     .offset = offsetof(struct spec, seed),
     .is_immutable = true,
     .min = CTR_DRBG_ENTROPY_SIZE,
     .max = 2 * CTR_DRBG_ENTROPY_SIZE,
     .description =
         "For test vectors only: 48 to 96 bytes in hexadecimal. The output is then that of NIST's "
         "known-answer generator (AES-256 CTR_DRBG of SP 800-90A without a derivation function): the "
         "first 48 bytes are its entropy input, the rest is its personalization string, padded with "
         "zeros. Whoever may read this resource knows the output."},
    {.name = "seedURI",
     .type = SPEC_TEXT,
     .offset = offsetof(struct spec, seed_url.name),
     .is_immutable = true,
     .min = 1,
     .max = URL_MAX,
     .description = "For test vectors only: a URL that answers with such a seed in hexadecimal. It begins "
                    "with https:// or http://, and excludes seed. Refused unless the operator was started "
                    "with an allow-list of URL prefixes."},
    {.name = nullptr},
};

static void check_rotation(struct spec_reader *reader, const struct spec *spec) {
    if (spec_value(reader, "rotation.publishAhead") != nullptr) {
        spec_field_error(reader, "rotation.publishAhead: a QuantumRandomNumber has nothing public to publish "
                                 "ahead; remove it");
    }
    if (is_seeded(spec) && spec_value(reader, "rotation") != nullptr) {
        spec_field_error(reader,
                         "rotation: does not go with spec.%s, from which the same bytes would come "
                         "again; remove one of them",
                         spec->seed != nullptr ? "seed" : "seedURI");
    }
}

static void check(struct spec_reader *reader, void *memory) {
    const struct spec *spec = memory;
    check_rotation(reader, spec);
    if (spec->seed_url.name != nullptr && !is_web_address(spec->seed_url.name)) {
        spec_field_error(reader, "seedURI: must begin with https:// or http://");
    }
    if (spec->seed != nullptr && spec->seed_url.name != nullptr) {
        spec_field_error(reader, "seedURI: does not go with spec.seed; give one of them");
    }
    if (is_seeded(spec) && spec->provider != providers[0]) {
        spec_field_error(reader,
                         "provider: %s does not go with spec.seed and spec.seedURI; remove one of them",
                         spec->provider);
    }
    if (is_seeded(spec)) {
        spec_warning(reader, "%s: whoever knows the seed knows these bytes; use it for test vectors only",
                     spec->seed != nullptr ? "seed" : "seedURI");
    }
    if (spec->bytes < FINGERPRINTED_BYTES_MIN) {
        spec_warning(reader, "numBytes: fewer than %d bytes can be guessed; make no key of them",
                     FINGERPRINTED_BYTES_MIN);
    }
}

static size_t version_bytes(const void *memory) {
    const struct spec *spec = memory;
    return (size_t)spec->bytes;
}

static size_t list_inputs(const void *memory, struct input_request requests[KIND_INPUTS_MAX]) {
    const struct spec *spec = memory;
    if (spec->seed_url.name == nullptr) {
        return 0;
    }
    requests[0] = (struct input_request){"seedURI", spec->seed_url, seed_sources};
    return 1;
}

static bool describe_parameters(const void *memory, struct buffer *parameters, struct error *e) {
    const struct spec *spec = memory;
    return buffer_append_format(parameters, e, "bytes=%" PRId64 " provider=%s seed=", spec->bytes,
                                spec->provider) &&
           spec_append_hex(spec->seed, parameters, e);
}

// hex: the seed's digits; what comes from a URL may have line ends among them.
static bool generate_from_seed(const char *hex, size_t digits, int64_t bytes, struct secret **ret_random,
                               struct error *e) {
    cleanup_secret struct secret *seed = nullptr;
    if (!hex_decode(hex, digits, ENCODING_SKIP_SPACES, &seed, e)) {
        return false;
    }
    size_t length = secret_length(seed);
    if (length < CTR_DRBG_ENTROPY_SIZE || length > 2 * CTR_DRBG_ENTROPY_SIZE) {
        return error_set(e, ERROR_INVALID_SPEC, "the seed has %zu bytes; %d to %d are allowed", length,
                         CTR_DRBG_ENTROPY_SIZE, 2 * CTR_DRBG_ENTROPY_SIZE);
    }
    cleanup_secret struct secret *personalization = nullptr;
    if (!secret_copy(secret_view(seed) + CTR_DRBG_ENTROPY_SIZE, length - CTR_DRBG_ENTROPY_SIZE,
                     &personalization, e)) {
        return false;
    }
    secret_shorten(seed, CTR_DRBG_ENTROPY_SIZE);
    return ctr_drbg_generate(seed, personalization, (size_t)bytes, ret_random, e);
}

static bool produce(const void *memory, const struct input *inputs, const struct produce_context *,
                    struct secret_data *data, const char **ret_algorithm, struct error *e) {
    const struct spec *spec = memory;
    struct secret *random = nullptr;
    bool made;
    if (spec->seed != nullptr) {
        made = generate_from_seed(spec->seed, strlen(spec->seed), spec->bytes, &random, e);
    } else if (spec->seed_url.name != nullptr) {
        made = generate_from_seed((const char *)secret_view(inputs[0].bytes), secret_length(inputs[0].bytes),
                                  spec->bytes, &random, e) ||
               error_wrap(e, "spec.seedURI: its content");
    } else if (spec->provider == providers[0]) {
        made = random_system((size_t)spec->bytes, &random, e);
    } else {
        made = random_openssl((size_t)spec->bytes, &random, e);
    }
    if (!made || !secret_data_add(data, "random", random, e)) {
        return false;
    }
    *ret_algorithm = algorithm_of(spec);
    return true;
}

// From a seed that the spec has the same bytes are made again.
static bool repair(const void *memory, const struct input *inputs, const struct produce_context *context,
                   struct secret_data *data, const char **ret_algorithm, struct error *e) {
    const struct spec *spec = memory;
    const struct secret *random;
    struct secret *copy;
    if (spec->seed != nullptr) {
        return produce(memory, inputs, context, data, ret_algorithm, e);
    }
    if (!salvage_entry(context, "random", (size_t)spec->bytes, context->record.fingerprint, &random, e)) {
        return false;
    }
    if (random == nullptr) {
        return error_set(e, ERROR_KEY_LOST, "random does not hold the bytes that were made any more");
    }
    if (!secret_copy(secret_view(random), secret_length(random), &copy, e) ||
        !secret_data_add(data, "random", copy, e)) {
        return false;
    }
    *ret_algorithm = algorithm_of(spec);
    return true;
}

static bool inspect(const void *memory, const struct secret_data *data, const struct provenance *provenance,
                    const struct produce_context *, struct report *report, struct error *e) {
    const struct spec *spec = memory;
    const struct secret *random;
    if (strcmp(provenance->algorithm, algorithm_of(spec)) != 0) {
        return error_set(e, ERROR_CRYPTO, "the Secret holds random bytes of %.64s, not of %s",
                         provenance->algorithm, algorithm_of(spec));
    }
    if (!secret_data_require_length(data, "random", (size_t)spec->bytes, &random, e) ||
        !report_fingerprint(report, random, e)) {
        return false;
    }
    if (is_seeded(spec)) {
        report->warning =
            "made from a seed: whoever knows the seed knows these bytes; use this for test vectors only";
    }
    report_integer(report, "size", spec->bytes);
    report_real(report, "entropy", random_entropy(secret_view(random), (size_t)spec->bytes));
    report_text(report, "lastGeneratedTime", provenance->created);
    return true;
}

// From a seed the same bytes would come again.
static bool can_rotate(const void *memory) {
    return !is_seeded(memory);
}

const struct kind kind_random_number = {
    .group = QUBESEC_GROUP,
    .version = QUBESEC_API_VERSION,
    .kind = "QuantumRandomNumber",
    .plural = "quantumrandomnumbers",
    .short_name = "qrn",
    .standard = "NIST SP 800-90A; for provider system: Linux getrandom(2)",
    .entries = (const char *const[]){"random", nullptr},
    .secret_suffix = "",
    .output = "random bytes",
    .precious = "random bytes",
    .is_made_once = true,
    .is_rotatable = true,
    .can_rotate = can_rotate,
    .spec_size = sizeof(struct spec),
    .fields = fields,
    .check = check,
    .list_inputs = list_inputs,
    .describe_parameters = describe_parameters,
    .version_bytes = version_bytes,
    .produce = produce,
    .repair = repair,
    .inspect = inspect,
};
