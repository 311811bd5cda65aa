// QuantumVerifySignature: whether a signature is that of a public key over a message. Makes no Secret.
#include "crypto/keyform.h"
#include "engine/input_versions.h"
#include "kinds/input_key.h"
#include "kinds/reasons.h"
#include "kinds/signed_message.h"
#include "kinds/table.h"

#include <stddef.h>
#include <stdio.h>

enum { PUBLIC_KEY_MAX = 16 * 1024 }; // bytes

struct spec {
    const struct algorithm *algorithm; // NULL: the public key's own
    struct reference public_key;
    struct signed_message_spec message;
    struct reference signature;
};

enum { PUBLIC_KEY, MESSAGE, SIGNATURE }; // inputs

static const char *const signature_keys[] = {"signature", nullptr};

static const struct input_source public_key_sources[] = {
    {.kind = "QuantumSignatureKeyPair",
     .data_key = "public_key.pem",
     .by_default = true,
     .is_public = true,
     .has_versions = true},
    {.kind = "QuantumCertificate", .data_key = "cert.pem", .is_public = true},
    {.kind = "Secret"},
    {.kind = "ConfigMap"},
    {.kind = nullptr},
};

static const struct input_source signature_sources[] = {
    {.kind = "QuantumSignMessage", .data_key = "signature", .by_default = true, .is_public = true},
    {.kind = "Secret", .by_default = true, .usual_keys = signature_keys},
    {.kind = "ConfigMap", .usual_keys = signature_keys},
    {.kind = nullptr},
};

static const struct spec_field fields[] = {
    {.name = "algorithm",
     .type = SPEC_ALGORITHM,
     .offset = offsetof(struct spec, algorithm),
     .family = ALGORITHM_SIGNATURE,
     .description = "Default: that of the key. A raw SLH-DSA key, whose bytes do not say it, needs it. One "
                    "that is not the key's makes the resource Failed."},
    {.name = "publicKeyRef",
     .type = SPEC_REFERENCE,
     .offset = offsetof(struct spec, public_key),
     .is_required = true,
     .sources = public_key_sources,
     .description =
         "The key that verifies. From a Secret or ConfigMap: a public key, raw, PEM, DER or base64 of "
         "these, or a certificate."},
    SIGNED_MESSAGE_FIELDS(message, "What the signature is over."),
    {.name = "signatureRef",
     .type = SPEC_REFERENCE,
     .offset = offsetof(struct spec, signature),
     .is_required = true,
     .sources = signature_sources,
     .description = "The signature. From a Secret or ConfigMap: raw, or in base64 or hexadecimal."},
    {.name = "signatureKey",
     .type = SPEC_REFERENCE_KEY,
     .offset = offsetof(struct spec, signature),
     .key_of = "signatureRef",
     .description = ""},
    {.name = nullptr},
};

static size_t list_inputs(const void *memory, struct input_request requests[KIND_INPUTS_MAX]) {
    const struct spec *spec = memory;
    requests[PUBLIC_KEY] = (struct input_request){"publicKeyRef", spec->public_key, public_key_sources};
    requests[MESSAGE] = (struct input_request){"messageRef", spec->message.message, signed_message_sources};
    requests[SIGNATURE] = (struct input_request){"signatureRef", spec->signature, signature_sources};
    return 3;
}

static bool read_public_key(const struct spec *spec, const struct input *input, struct pkey **ret_pkey,
                            struct error *e) {
    return input_key_read_public(ALGORITHM_SIGNATURE, spec->algorithm, input, ret_pkey, e);
}

static bool read_signature(const struct algorithm *algorithm, const struct input *input,
                           struct secret **ret_signature, struct error *e) {
    if (!input_key_check_algorithm(input, algorithm, "publicKeyRef", e)) {
        return false;
    }
    if (algorithm->signature_varies) {
        return secret_copy(secret_view(input->bytes), secret_length(input->bytes), ret_signature, e);
    }
    char what[64];
    snprintf(what, sizeof(what), "signature of %s", algorithm->name);
    return keyform_read_bytes(what, algorithm->signature_size, secret_view(input->bytes),
                              secret_length(input->bytes), ret_signature, e) ||
           error_wrap(e, "spec.signatureRef");
}

// The public key as PEM, which says its algorithm; the signature as bytes.
static bool normalize(const void *memory, const struct input *inputs, size_t index, struct secret **ret_bytes,
                      struct error *e) {
    cleanup_pkey struct pkey *pkey = nullptr;
    cleanup_buffer struct buffer pem = buffer_create(PUBLIC_KEY_MAX);
    if (index == MESSAGE) {
        return true;
    }
    if (!read_public_key(memory, &inputs[PUBLIC_KEY], &pkey, e)) {
        return false;
    }
    if (index == SIGNATURE) {
        return read_signature(pkey_algorithm(pkey), &inputs[SIGNATURE], ret_bytes, e);
    }
    return pkey_public_pem(pkey, &pem, e) && secret_copy(pem.data, pem.length, ret_bytes, e);
}

// The public key of one version besides the present one, or of those that are kept; NULL: there is no such
// one.
static const struct version *kept_version(const struct input *public_key, size_t index) {
    const struct versions *versions = public_key->versions;
    return versions != nullptr && index < versions->kept_count ? &versions->kept[index] : nullptr;
}

// A public key that verifies, and its version.
struct verifier {
    struct pkey *pkey; // owned
    int64_t version;   // 0: it has none
};

// Whether the signature is that of a key that was retired and is kept still: that one is the verifier then.
static bool try_kept(const struct spec *spec, const struct input *inputs, const struct signature_input *input,
                     struct verifier *verifier, bool *valid, struct error *e) {
    const struct secret *signature = inputs[SIGNATURE].bytes;
    const struct version *version;
    for (size_t i = 0; !*valid && (version = kept_version(&inputs[PUBLIC_KEY], i)) != nullptr; i++) {
        cleanup_pkey struct pkey *pkey = nullptr;
        struct input kept = inputs[PUBLIC_KEY];
        kept.bytes = input_version_bytes(version);
        kept.key = nullptr;
        if (kept.bytes == nullptr) {
            continue;
        }
        if (!read_public_key(spec, &kept, &pkey, e) ||
            !signature_verify(pkey, input, secret_view(signature), secret_length(signature), valid, e)) {
            return false;
        }
        if (*valid) {
            pkey_free(verifier->pkey);
            *verifier = (struct verifier){pkey, version->number};
            pkey = nullptr;
        }
    }
    return true;
}

static bool report_inputs(const struct pkey *pkey, const struct input *inputs, struct report *report,
                          struct error *e) {
    cleanup_buffer struct buffer raw = buffer_create(PUBLIC_KEY_MAX);
    if (!report_input(report, "messageFingerprint", &inputs[MESSAGE], e) ||
        !report_input(report, "signatureFingerprint", &inputs[SIGNATURE], e) || !pkey_public(pkey, &raw, e) ||
        !report_public(report, raw.data, raw.length, e)) {
        return false;
    }
    report_text(report, "publicKeyFingerprint", report->fingerprint);
    return true;
}

static const char *describe_outcome(bool valid, bool has_context) {
    if (valid) {
        return "the signature is the public key's over the message";
    }
    return has_context
               ? "the signature is not the public key's over this message and context"
               : "the signature is not the public key's over this message without a context; where the "
                 "signer has used one, spec.context must be the same";
}

static void report_outcome(bool valid, bool has_context, int64_t now, struct report *report) {
    report->outcome = valid ? "Valid" : "Invalid";
    report->reason = valid ? REASON_SIGNATURE_VALID : REASON_SIGNATURE_INVALID;
    report->message = describe_outcome(valid, has_context);
    report->is_alarming = !valid;
    report_bool(report, "verified", valid);
    report_time(report, "lastCheckedTime", now);
}

static bool evaluate(const void *memory, const struct input *inputs, const struct produce_context *context,
                     struct report *report, const char **ret_algorithm, struct error *e) {
    const struct spec *spec = memory;
    const struct secret *signature = inputs[SIGNATURE].bytes;
    struct signature_input input = signed_message_input(&spec->message, &inputs[MESSAGE]);
    struct verifier verifier = {.version = inputs[PUBLIC_KEY].version};
    bool valid;
    if (!read_public_key(spec, &inputs[PUBLIC_KEY], &verifier.pkey, e)) {
        return false;
    }
    bool done = (signature_verify(verifier.pkey, &input, secret_view(signature), secret_length(signature),
                                  &valid, e) &&
                 try_kept(spec, inputs, &input, &verifier, &valid, e)) ||
                error_wrap(e, "spec.signatureRef");
    if (done && report_inputs(verifier.pkey, inputs, report, e)) {
        report_version(report, "keyVersion", verifier.version);
        report_outcome(valid, input.context_length > 0, context->now, report);
        *ret_algorithm = pkey_algorithm(verifier.pkey)->name;
    } else {
        done = false;
    }
    pkey_free(verifier.pkey);
    return done;
}

const struct kind kind_verify_signature = {
    .group = QUBESEC_GROUP,
    .version = QUBESEC_API_VERSION,
    .kind = "QuantumVerifySignature",
    .plural = "quantumverifysignatures",
    .short_name = "qvs",
    .is_public = true,
    .spec_size = sizeof(struct spec),
    .fields = fields,
    .list_inputs = list_inputs,
    .normalize = normalize,
    .evaluate = evaluate,
};
