// QuantumSignMessage: a signature over a message, with the private key of a QuantumSignatureKeyPair.
#include "crypto/encoding.h"
#include "kinds/input_key.h"
#include "kinds/signed_message.h"
#include "kinds/table.h"

#include <stddef.h>
#include <string.h>

enum { SIGNATURE_TEXT_MAX = (SIGNATURE_MAX + 2) / 3 * 4 };

struct spec {
    const struct algorithm *algorithm; // NULL: the private key's own
    struct reference private_key;
    struct signed_message_spec message;
    const char *signature_key; // the entry of the output Secret
};

enum { PRIVATE_KEY, MESSAGE }; // inputs

static const struct input_source private_key_sources[] = {
    {.kind = "QuantumSignatureKeyPair", .data_key = "private_key", .by_default = true, .has_versions = true},
    {.kind = nullptr},
};

static bool is_signature_key(const char *text) {
    return spec_is_data_key(text) && strcmp(text, "metadata") != 0;
}

static const struct text_form form_signature_key = {
    .fits = is_signature_key,
    .refusal =
        "is not allowed: letters, digits, '-', '_' and '.', and not metadata, which the Secret has besides",
    .name = "an entry's name, up to 253 characters",
    .pattern = "^[-._a-zA-Z0-9]+$",
};

static const struct spec_field fields[] = {
    {.name = "algorithm",
     .type = SPEC_ALGORITHM,
     .offset = offsetof(struct spec, algorithm),
     .family = ALGORITHM_SIGNATURE,
     .description = "Default: that of the key. One that is not the key's makes the resource Failed."},
    {.name = "privateKeyRef",
     .type = SPEC_REFERENCE,
     .offset = offsetof(struct spec, private_key),
     .is_required = true,
     .sources = private_key_sources,
     .description = "The key that signs."},
    SIGNED_MESSAGE_FIELDS(message, "What is signed."),
    {.name = "signatureKey",
     .type = SPEC_TEXT,
     .offset = offsetof(struct spec, signature_key),
     .min = 1,
     .max = SPEC_DATA_KEY_MAX,
     .text_fallback = "signature",
     .form = &form_signature_key,
     .description =
         "The entry of the Secret that holds the signature. Not metadata, which the Secret has besides."},
    {.name = nullptr},
};

static size_t list_inputs(const void *memory, struct input_request requests[KIND_INPUTS_MAX]) {
    const struct spec *spec = memory;
    requests[PRIVATE_KEY] = (struct input_request){"privateKeyRef", spec->private_key, private_key_sources};
    requests[MESSAGE] = (struct input_request){"messageRef", spec->message.message, signed_message_sources};
    return 2;
}

static const char *name_entry(const void *memory) {
    return ((const struct spec *)memory)->signature_key;
}

// Whoever wants the signature elsewhere, or over another context, wants another signature.
static bool describe_parameters(const void *memory, struct buffer *parameters, struct error *e) {
    const struct spec *spec = memory;
    const char *context = spec->message.context == nullptr ? "" : spec->message.context;
    return buffer_append_format(parameters, e, "signatureKey=%s context=", spec->signature_key) &&
           hex_encode(context, strlen(context), parameters, e);
}

static bool is_slow(const void *memory, const struct input *inputs) {
    const struct spec *spec = memory;
    const struct algorithm *algorithm;
    struct error ignored;
    return input_key_require_algorithm(spec->algorithm, &inputs[PRIVATE_KEY], &algorithm, &ignored) &&
           algorithm->is_slow;
}

static bool produce(const void *memory, const struct input *inputs, const struct produce_context *,
                    struct secret_data *data, const char **ret_algorithm, struct error *e) {
    const struct spec *spec = memory;
    const struct algorithm *algorithm;
    cleanup_pkey struct pkey *pkey = nullptr;
    cleanup_buffer struct buffer signature = buffer_create(SIGNATURE_MAX);
    struct secret *value;
    if (!input_key_require_algorithm(spec->algorithm, &inputs[PRIVATE_KEY], &algorithm, e)) {
        return false;
    }
    if (!input_key_open_private(algorithm, &inputs[PRIVATE_KEY], &pkey, e)) {
        return error_wrap(e, "spec.privateKeyRef");
    }
    struct signature_input input = signed_message_input(&spec->message, &inputs[MESSAGE]);
    if (!signature_sign(pkey, &input, &signature, e) ||
        !secret_copy(signature.data, signature.length, &value, e) ||
        !secret_data_add(data, spec->signature_key, value, e)) {
        return false;
    }
    *ret_algorithm = algorithm->name;
    return true;
}

static bool check_length(const struct algorithm *algorithm, const struct secret_data *data, const char *key,
                         const struct secret **ret_signature, struct error *e) {
    if (!algorithm->signature_varies) {
        return secret_data_require_length(data, key, algorithm->signature_size, ret_signature, e);
    }
    return secret_data_require(data, key, ret_signature, e);
}

static bool inspect(const void *memory, const struct secret_data *data, const struct provenance *provenance,
                    const struct produce_context *context, struct report *report, struct error *e) {
    const struct spec *spec = memory;
    const struct algorithm *algorithm = algorithm_find(ALGORITHM_SIGNATURE, provenance->algorithm);
    const struct secret *signature;
    cleanup_buffer struct buffer text = buffer_create(SIGNATURE_TEXT_MAX);
    if (algorithm == nullptr || (spec->algorithm != nullptr && spec->algorithm != algorithm)) {
        return error_set(e, ERROR_CRYPTO, "the Secret holds a signature of %s, not of %s",
                         provenance->algorithm,
                         spec->algorithm == nullptr ? "an algorithm that is served" : spec->algorithm->name);
    }
    if (!check_length(algorithm, data, spec->signature_key, &signature, e) ||
        !base64_encode(secret_view(signature), secret_length(signature), &text, e)) {
        return false;
    }
    report_text(report, "signature", buffer_text(&text));
    report_version(report, "keyVersion", context->inputs[PRIVATE_KEY].version);
    if (!report_input(report, "messageFingerprint", &context->inputs[MESSAGE], e)) {
        return false;
    }
    yyjson_mut_val *root = yyjson_mut_doc_get_root(report->status);
    yyjson_mut_val *reference = yyjson_mut_obj_add_obj(report->status, root, "signatureReference");
    (void)yyjson_mut_obj_add_strcpy(report->status, reference, "name", context->secret_name);
    (void)yyjson_mut_obj_add_strcpy(report->status, reference, "key", spec->signature_key);
    return report_public(report, secret_view(signature), secret_length(signature), e);
}

const struct kind kind_sign_message = {
    .group = QUBESEC_GROUP,
    .version = QUBESEC_API_VERSION,
    .kind = "QuantumSignMessage",
    .plural = "quantumsignmessages",
    .short_name = "qsm",
    .standard = nullptr, // its algorithm's
    .entries = (const char *const[]){"signature", nullptr},
    .name_entry = name_entry,
    .secret_suffix = "-signature",
    .output = "signature",
    .is_public = true,
    .spec_size = sizeof(struct spec),
    .fields = fields,
    .list_inputs = list_inputs,
    .is_slow = is_slow,
    .describe_parameters = describe_parameters,
    .produce = produce,
    .inspect = inspect,
};
