// QuantumCertificate: an X.509 certificate (RFC 5280) with an ML-DSA (RFC 9881) or SLH-DSA (RFC 9909) key,
// signed by itself or by another QuantumCertificate.
#include "base/clock.h"
#include "crypto/keyform.h"
#include "kinds/certificate_issuer.h"
#include "kinds/certificate_key.h"
#include "kinds/certificate_roots.h"
#include "kinds/input_key.h"
#include "kinds/reasons.h"
#include "kinds/salvage.h"
#include "kinds/table.h"

#include <stdio.h>
#include <string.h>

enum {
    BACKDATED_SECONDS = 60, // for clients whose clocks are a little behind
    BACKDATED_PART = 10,    // but no more than this part of the life
    PEM_MAX = 4 * 1024 * 1024,
};

// ---- making

// By how much a certificate of that life begins in the past.
static int64_t backdating(int64_t life) {
    return life / BACKDATED_PART < BACKDATED_SECONDS ? life / BACKDATED_PART : BACKDATED_SECONDS;
}

static struct certificate_template make_template(const struct certificate_spec *spec, int path_length,
                                                 const struct certificate *issuer, int64_t now) {
    int64_t begin = now - backdating(spec->duration);
    if (issuer != nullptr && begin < certificate_not_before(issuer)) {
        begin = certificate_not_before(issuer);
    }
    struct certificate_template template = {
        .subject = spec->subject,
        .names = spec->names,
        .name_count = spec->name_count,
        .not_before = begin,
        .not_after = begin + spec->duration,
        .is_ca = spec->type == CERTIFICATE_CA,
        .path_length = path_length,
        .key_usage = spec->key_usage,
        .purposes = spec->purposes,
    };
    if (issuer != nullptr && template.not_after > certificate_not_after(issuer)) {
        template.not_after = certificate_not_after(issuer);
    }
    return template;
}

static bool add_pem(const char *key, const struct certificate *first, struct certificate *const *others,
                    size_t count, struct secret_data *data, struct error *e) {
    cleanup_buffer struct buffer pem = buffer_create(PEM_MAX);
    if (!certificate_append_pem(first, &pem, e)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!certificate_append_pem(others[i], &pem, e)) {
            return false;
        }
    }
    return secret_data_add_text(data, key, buffer_text(&pem), e);
}

static bool add_key(const struct pkey *pkey, struct secret_data *data, struct error *e) {
    cleanup_buffer struct buffer pem = buffer_create(PEM_MAX);
    struct secret *private_pem;
    struct secret *copy;
    return pkey_best_pem(pkey, &private_pem, e) && secret_data_add(data, "tls.key", private_pem, e) &&
           secret_copy(secret_view(private_pem), secret_length(private_pem), &copy, e) &&
           secret_data_add(data, "key.pem", copy, e) && pkey_public_pem(pkey, &pem, e) &&
           secret_data_add_text(data, "pub.pem", buffer_text(&pem), e);
}

static bool add_output(const struct certificate *leaf, const struct issuer *issuer, const struct pkey *pkey,
                       struct secret_data *data, struct error *e) {
    bool own = issuer == nullptr;
    const struct certificate_chain *roots = own ? nullptr : issuer_roots(issuer);
    bool has_roots = roots != nullptr && roots->count > 0;
    return add_pem("tls.crt", leaf, own ? nullptr : issuer->chain.certificates,
                   own ? 0 : issuer_intermediates(issuer), data, e) &&
           (has_roots ? add_pem("ca.crt", roots->certificates[0], roots->certificates + 1, roots->count - 1,
                                data, e)
                      : add_pem("ca.crt", own ? leaf : issuer_root(issuer), nullptr, 0, data, e)) &&
           add_pem("cert.pem", leaf, nullptr, 0, data, e) && add_key(pkey, data, e);
}

static bool issue(const struct certificate_spec *spec, const struct issuer *issuer,
                  const struct produce_context *context, struct secret_data *data, struct error *e) {
    const struct certificate *parent = issuer == nullptr ? nullptr : issuer_certificate(issuer);
    int path_length = spec->path_length;
    cleanup_pkey struct pkey *pkey = nullptr;
    cleanup_certificate struct certificate *leaf = nullptr;
    if (parent != nullptr &&
        (!issuer_check_path(spec, issuer, &path_length, e) || !issuer_check_purposes(spec, issuer, e) ||
         !issuer_check_times(parent, context->now, e))) {
        return false;
    }
    struct certificate_template template = make_template(spec, path_length, parent, context->now);
    return certificate_key_choose(spec, context, &pkey, e) &&
           certificate_issue(&template, pkey, parent, parent == nullptr ? nullptr : issuer->key, &leaf, e) &&
           add_output(leaf, issuer, pkey, data, e);
}

static bool produce(const void *memory, const struct input *inputs, const struct produce_context *context,
                    struct secret_data *data, const char **ret_algorithm, struct error *e) {
    const struct certificate_spec *spec = memory;
    cleanup_issuer struct issuer issuer = {0};
    bool has_parent = spec->parent.name != nullptr;
    if ((has_parent && !issuer_read(&inputs[0], &issuer, e)) ||
        !issue(spec, has_parent ? &issuer : nullptr, context, data, e)) {
        return false;
    }
    *ret_algorithm = spec->algorithm->name;
    return true;
}

// ---- looking at what was made

// What the output's entries hold.
struct stored {
    struct pkey *pkey;              // owned
    struct certificate_chain chain; // tls.crt
    struct certificate_chain leaf;  // cert.pem
    struct certificate_chain roots; // ca.crt
    const struct certificate *root; // the one that it is verified by, of these or itself
};

static void stored_free(struct stored *stored) {
    pkey_free(stored->pkey);
    certificate_chain_done(&stored->chain);
    certificate_chain_done(&stored->leaf);
    certificate_chain_done(&stored->roots);
}
#define cleanup_stored [[gnu::cleanup(stored_free)]]

static bool read_certificates(const struct secret_data *data, const char *key,
                              struct certificate_chain *chain, struct error *e) {
    const struct secret *entry;
    return secret_data_require(data, key, &entry, e) &&
           (certificate_chain_read(entry, chain, e) || secret_data_damaged(key, e));
}

static bool read_keys(const struct certificate_spec *spec, const struct secret_data *data,
                      struct stored *stored, struct error *e) {
    const struct secret *key;
    const struct secret *copy;
    const struct secret *public_pem;
    cleanup_pkey struct pkey *public_key = nullptr;
    if (!secret_data_require(data, "tls.key", &key, e) || !secret_data_require(data, "key.pem", &copy, e) ||
        !secret_data_require(data, "pub.pem", &public_pem, e)) {
        return false;
    }
    if (!secret_equals(key, secret_view(copy), secret_length(copy))) {
        return error_set(e, ERROR_CRYPTO, "the Secret's entries tls.key and key.pem differ");
    }
    if (!keyform_read_private(spec->algorithm, secret_view(key), secret_length(key), &stored->pkey, e)) {
        return secret_data_damaged("tls.key", e);
    }
    return (keyform_read_public(spec->algorithm, secret_view(public_pem), secret_length(public_pem),
                                &public_key, e) &&
            pkey_check_same(stored->pkey, public_key, e)) ||
           secret_data_damaged("pub.pem", e);
}

// A version that is not the present one has no ca.crt: it is a root itself.
static bool read_stored(const struct certificate_spec *spec, const struct secret_data *data,
                        const struct produce_context *context, struct stored *stored, struct error *e) {
    if (!read_keys(spec, data, stored, e) || !read_certificates(data, "tls.crt", &stored->chain, e) ||
        !read_certificates(data, "cert.pem", &stored->leaf, e) ||
        (!context->is_version && !read_certificates(data, "ca.crt", &stored->roots, e))) {
        return false;
    }
    if (stored->leaf.count != 1 ||
        !certificate_equals(stored->chain.certificates[0], stored->leaf.certificates[0])) {
        return error_set(
            e, ERROR_CRYPTO,
            "the Secret's entries tls.crt, cert.pem and ca.crt do not hold one certificate and its chain");
    }
    return true;
}

// What is not of this spec is held to what it says of itself.
static bool verify(const struct certificate_spec *spec, const struct produce_context *context,
                   struct stored *stored, struct error *e) {
    const struct certificate *leaf = stored->chain.certificates[0];
    const struct certificate_chain itself = {stored->chain.certificates, 1};
    if (certificate_is_ca(leaf) != (spec->type == CERTIFICATE_CA)) {
        return error_set(e, ERROR_CRYPTO, "the certificate is%s one of a CA",
                         certificate_is_ca(leaf) ? "" : " not");
    }
    bool is_of_spec = !context->is_version && !context->is_of_other_spec;
    return certificate_check_key(leaf, stored->pkey, e) &&
           certificate_roots_find(
               &stored->chain, context->is_version ? &itself : &stored->roots, certificate_verify,
               is_of_spec ? spec->purposes : certificate_purposes(leaf), context->now, &stored->root, e);
}

typedef bool text_writer(const struct certificate *certificate, struct buffer *text, struct error *e);

static bool report_written(struct report *report, const char *field, text_writer *write,
                           const struct certificate *certificate, struct error *e) {
    cleanup_buffer struct buffer text = buffer_create(PEM_MAX);
    if (!write(certificate, &text, e)) {
        return false;
    }
    report_text(report, field, buffer_text(&text));
    return true;
}

// By whom, and until when.
static void report_about_leaf(struct report *report) {
    yyjson_mut_val *status = yyjson_mut_doc_get_root(report->status);
    const char *issuer = yyjson_mut_get_str(yyjson_mut_obj_get(status, "issuer"));
    const char *end = yyjson_mut_get_str(yyjson_mut_obj_get(status, "notAfter"));
    snprintf(report->about, sizeof(report->about), "by %.300s until %s", issuer, end);
}

static bool report_leaf(const struct certificate *leaf, const struct secret *public_pem,
                        struct report *report, struct error *e) {
    cleanup_buffer struct buffer der = buffer_create(PEM_MAX);
    if (!report_written(report, "subject", certificate_append_subject, leaf, e) ||
        !report_written(report, "issuer", certificate_append_issuer, leaf, e) ||
        !report_written(report, "serialNumber", certificate_append_serial, leaf, e) ||
        !report_written(report, "certPEM", certificate_append_pem, leaf, e) ||
        !certificate_append_der(leaf, &der, e) || !report_public(report, der.data, der.length, e)) {
        return false;
    }
    report_span(report, "publicKeyPEM", public_pem);
    report_time(report, "notBefore", certificate_not_before(leaf));
    report_time(report, "notAfter", certificate_not_after(leaf));
    report_about_leaf(report);
    return true;
}

// Which root it is verified by, and what others are verified by with it.
static bool report_roots(const struct certificate *root, const struct secret *roots, struct report *report,
                         struct error *e) {
    cleanup_buffer struct buffer der = buffer_create(PEM_MAX);
    char digest[DIGEST_TEXT_SIZE];
    if (!certificate_append_der(root, &der, e) || !digest_format(der.data, der.length, digest, e)) {
        return false;
    }
    report_text(report, TRUST_ROOT_FIELD, digest);
    if (roots != nullptr) {
        if (!digest_format(secret_view(roots), secret_length(roots), digest, e)) {
            return false;
        }
        report_text(report, TRUST_BUNDLE_FIELD, digest);
    }
    return true;
}

// Seconds before its end at which the certificate is renewed: as spec says, but within what is left of its
// life when it is issued, and not at once; else a third of that.
static int64_t renew_before(const struct certificate_spec *spec, int64_t left) {
    int64_t before = spec->renew_percent != 0  ? left * spec->renew_percent / 100
                     : spec->renew_before != 0 ? spec->renew_before
                                               : left / 3;
    int64_t most = left * 99 / 100;
    return before < most ? before : most;
}

// One that ends together with its issuer's is not renewed by itself, which would gain nothing.
static void report_times(const struct certificate_spec *spec, const struct stored *stored,
                         struct report *report) {
    const struct certificate *leaf = stored->chain.certificates[0];
    const struct certificate *above = stored->chain.count > 1 ? stored->chain.certificates[1] : stored->root;
    int64_t begin = certificate_not_before(leaf);
    int64_t end = certificate_not_after(leaf);
    bool ends_with_issuer = spec->parent.name != nullptr && end >= certificate_not_after(above);
    report->valid_from = begin;
    report->expires_at = end;
    if (!ends_with_issuer) {
        report->renew_at = end - renew_before(spec, end - begin - backdating(spec->duration));
    }
    if (ends_with_issuer && end < begin + spec->duration) {
        report->warning =
            "the certificate ends together with its issuer's, which is earlier than its spec asks for";
        report->warning_reason = REASON_NOT_AFTER_CLAMPED;
    }
}

static bool inspect(const void *memory, const struct secret_data *data, const struct provenance *provenance,
                    const struct produce_context *context, struct report *report, struct error *e) {
    const struct certificate_spec *spec = memory;
    const struct secret *public_pem;
    cleanup_stored struct stored stored = {0};
    if (strcmp(provenance->algorithm, spec->algorithm->name) != 0) {
        return error_set(e, ERROR_CRYPTO, "the Secret holds a key of %s, not of %s", provenance->algorithm,
                         spec->algorithm->name);
    }
    if (!read_stored(spec, data, context, &stored, e) || !verify(spec, context, &stored, e) ||
        !secret_data_require(data, "pub.pem", &public_pem, e) ||
        !report_leaf(stored.chain.certificates[0], public_pem, report, e) ||
        !report_roots(stored.root, secret_data_get(data, "ca.crt"), report, e)) {
        return false;
    }
    report_times(spec, &stored, report);
    return true;
}

// ---- putting right

// Whether the metadata was written for that certificate; PROVENANCE_SILENT: it cannot be read.
static bool ask_metadata(const struct certificate *leaf, const struct provenance *provenance,
                         enum provenance_word *ret_word, struct error *e) {
    cleanup_buffer struct buffer pem = buffer_create(PEM_MAX);
    cleanup_secret struct secret *entry = nullptr;
    if (provenance == nullptr) {
        *ret_word = PROVENANCE_SILENT;
        return true;
    }
    return certificate_append_pem(leaf, &pem, e) && secret_copy(pem.data, pem.length, &entry, e) &&
           provenance_compare_entry(provenance, "cert.pem", entry, ret_word, e);
}

// Whether a certificate is known to be the one that was made: by its metadata, or else by the status. An
// older one of the same key would be sound too.
static bool is_known(const struct certificate *leaf, const struct produce_context *context, bool *ret_known,
                     struct error *e) {
    const struct record *record = &context->record;
    const char *recorded = record->digest[0] != '\0' ? record->digest : record->fingerprint;
    cleanup_buffer struct buffer der = buffer_create(PEM_MAX);
    char digest[DIGEST_TEXT_SIZE];
    enum provenance_word word;
    if (!ask_metadata(leaf, context->previous_provenance, &word, e) ||
        !certificate_append_der(leaf, &der, e) || !digest_format(der.data, der.length, digest, e)) {
        return false;
    }
    *ret_known = word == PROVENANCE_SAYS_SAME || provenance_same_digest(recorded, digest);
    return true;
}

// The certificate in the entry, if it is for pkey and known; *ret_leaf is owned, NULL: it is none.
static bool find_in_entry(const struct produce_context *context, const char *key, const struct pkey *pkey,
                          struct certificate **ret_leaf, struct error *e) {
    const struct secret *entry = secret_data_get(context->previous, key);
    cleanup_certificate_chain struct certificate_chain chain = {0};
    struct error unfit = {0};
    bool known = false;
    *ret_leaf = nullptr;
    bool fits = entry != nullptr && certificate_chain_read(entry, &chain, &unfit) &&
                certificate_check_key(chain.certificates[0], pkey, &unfit);
    if (unfit.class == ERROR_NO_MEMORY) {
        *e = unfit;
        return false;
    }
    return !fits || (is_known(chain.certificates[0], context, &known, e) &&
                     (!known || certificate_copy(chain.certificates[0], ret_leaf, e)));
}

// Whether all of the output verifies, as inspect sees it.
static bool is_whole(const struct certificate_spec *spec, const struct secret_data *data,
                     const struct produce_context *context, struct error *unfit) {
    cleanup_stored struct stored stored = {0};
    return read_stored(spec, data, context, &stored, unfit) && verify(spec, context, &stored, unfit);
}

// Makes the output around the previous certificate, if that is the one which is wanted. *ret_done: it was.
static bool keep_certificate(const struct certificate_spec *spec, const struct issuer *issuer,
                             const struct pkey *pkey, const struct produce_context *context,
                             struct secret_data *data, bool *ret_done, struct error *e) {
    cleanup_certificate struct certificate *leaf = nullptr;
    struct error unfit = {0};
    *ret_done = false;
    if (!find_in_entry(context, "tls.crt", pkey, &leaf, e) ||
        (leaf == nullptr && !find_in_entry(context, "cert.pem", pkey, &leaf, e))) {
        return false;
    }
    if (leaf == nullptr || !context->previous_is_current) {
        return true;
    }
    if (!add_output(leaf, issuer, pkey, data, e)) {
        return false;
    }
    *ret_done = is_whole(spec, data, context, &unfit);
    if (!*ret_done) {
        secret_data_done(data);
    }
    return unfit.class != ERROR_NO_MEMORY || error_no_memory(e, "a certificate");
}

// An earlier or coming version is trusted as it was, and another certificate of its key is none.
static bool reissue(const struct certificate_spec *spec, const struct issuer *issuer,
                    const struct produce_context *context, struct secret_data *data, struct error *e) {
    if (context->is_version) {
        return error_set(e, ERROR_KEY_LOST, "the Secret holds nothing of its certificate that is sound");
    }
    return issue(spec, issuer, context, data, e);
}

// The key stays in any case, and the certificate too where it is sound and the one that is wanted.
static bool repair(const void *memory, const struct input *inputs, const struct produce_context *context,
                   struct secret_data *data, const char **ret_algorithm, struct error *e) {
    struct certificate_spec spec = *(const struct certificate_spec *)memory;
    cleanup_issuer struct issuer issuer = {0};
    cleanup_pkey struct pkey *pkey = nullptr;
    const struct issuer *above = spec.parent.name != nullptr ? &issuer : nullptr;
    bool kept;
    spec.rotates_key = false;
    if (!certificate_key_find(&spec, context->previous, &pkey, e) ||
        !salvage_check_recorded(pkey, &context->record, e) ||
        (above != nullptr && !issuer_read(&inputs[0], &issuer, e)) ||
        !keep_certificate(&spec, above, pkey, context, data, &kept, e) ||
        (!kept && !reissue(&spec, above, context, data, e))) {
        return false;
    }
    *ret_algorithm = spec.algorithm->name;
    return true;
}

// Whether a root of before is still trusted, or one of its key; where one cannot be read nothing is known to
// be gone.
static bool has_same_root(const struct secret_data *before, const struct secret_data *after) {
    const struct secret *one = secret_data_get(before, "ca.crt");
    const struct secret *other = secret_data_get(after, "ca.crt");
    cleanup_certificate_chain struct certificate_chain old = {0};
    cleanup_certificate_chain struct certificate_chain new = {0};
    struct error unreadable;
    if (one == nullptr || other == nullptr || !certificate_chain_read(one, &old, &unreadable) ||
        !certificate_chain_read(other, &new, &unreadable)) {
        return true;
    }
    for (size_t i = 0; i < old.count * new.count; i++) {
        if (certificate_same_key(old.certificates[i / new.count], new.certificates[i % new.count])) {
            return true;
        }
    }
    return false;
}

static const char *find_gone(const void *memory, const struct secret_data *before,
                             const struct secret_data *after) {
    const struct certificate_spec *spec = memory;
    cleanup_pkey struct pkey *first = nullptr;
    cleanup_pkey struct pkey *second = nullptr;
    struct error different;
    if (!certificate_key_find(spec, before, &first, &different) ||
        !certificate_key_find(spec, after, &second, &different) ||
        !pkey_check_same(first, second, &different)) {
        return kind_certificate.precious;
    }
    return has_same_root(before, after) ? nullptr : "issued under another root certificate";
}

// A root is trusted by its name and its key.
static bool is_other_version(const void *memory, const struct secret_data *data) {
    const struct certificate_spec *spec = memory;
    cleanup_certificate_chain struct certificate_chain chain = {0};
    return certificate_key_read_certificate(data, &chain) &&
           certificate_is_self_issued(chain.certificates[0]) &&
           (spec->rotates_key || certificate_key_is_renamed(spec, data));
}

// Only a root CA is: whatever else there is, is trusted by the root above it.
static bool can_rotate(const void *memory) {
    const struct certificate_spec *spec = memory;
    return spec->type == CERTIFICATE_CA && spec->parent.name == nullptr;
}

// By the roots that the CA gives now.
static bool check_serves(const void *memory, const struct secret_data *data, const struct input *inputs,
                         int64_t now, struct error *e) {
    const struct certificate_spec *spec = memory;
    const struct secret *given = spec->parent.name == nullptr ? nullptr : inputs[0].beside;
    const struct secret *entry = secret_data_get(data, "tls.crt");
    cleanup_certificate_chain struct certificate_chain chain = {0};
    cleanup_certificate_chain struct certificate_chain roots = {0};
    const struct certificate *root;
    if (given == nullptr || entry == nullptr) {
        return error_set(e, ERROR_CRYPTO, "nothing tells by which roots it is trusted");
    }
    return certificate_chain_read(entry, &chain, e) && certificate_chain_read(given, &roots, e) &&
           (now < certificate_not_after(chain.certificates[0]) ||
            error_set(e, ERROR_CRYPTO, "it has expired")) &&
           certificate_roots_find(&chain, &roots, certificate_verify, spec->purposes, now, &root, e);
}

static bool retains(const void *memory) {
    const struct certificate_spec *spec = memory;
    return spec->type == CERTIFICATE_CA;
}

static const struct bundle_spec *find_bundle(const void *memory) {
    const struct certificate_spec *spec = memory;
    return &spec->trust_bundle;
}

// ---- the rest

static size_t list_inputs(const void *memory, struct input_request requests[KIND_INPUTS_MAX]) {
    const struct certificate_spec *spec = memory;
    requests[0] = (struct input_request){"parentCARef", spec->parent, certificate_parent_sources};
    return spec->parent.name != nullptr ? 1 : 0;
}

// A certificate has a public key and a signature, and some names; with three versions beside each other there
// are six, three more in ca.crt, and four in cross.crt.
static size_t version_bytes(const void *memory) {
    const struct certificate_spec *spec = memory;
    const struct algorithm *algorithm = spec->algorithm;
    enum { SUBJECT_BYTES = 1024, NAME_BYTES = 16, KEYS_BYTES = 4 * 256 };
    size_t der = algorithm->public_key_size + algorithm->signature_size + SUBJECT_BYTES;
    for (size_t i = 0; i < spec->name_count; i++) {
        der += strlen(spec->names[i].text) + NAME_BYTES;
    }
    size_t pem = der / 48 * 65 + 128;
    return pem * 13 / 3 + algorithm->public_key_size * 2 + KEYS_BYTES;
}

// Whose key signs: the parent's, or its own.
static bool is_slow(const void *memory, const struct input *inputs) {
    const struct certificate_spec *spec = memory;
    const struct algorithm *parent = spec->parent.name == nullptr ? nullptr : input_key_algorithm(&inputs[0]);
    return parent != nullptr ? parent->is_slow : spec->algorithm->is_slow;
}

const struct kind kind_certificate = {
    .group = QUBESEC_GROUP,
    .version = QUBESEC_API_VERSION,
    .kind = "QuantumCertificate",
    .plural = "quantumcertificates",
    .short_name = "qc",
    .standard = "RFC 5280",
    .entries =
        (const char *const[]){"tls.crt", "tls.key", "ca.crt", "cert.pem", "key.pem", "pub.pem", nullptr},
    .public_entries = (const char *const[]){"tls.crt", "cert.pem", "pub.pem", nullptr},
    .lists = certificate_lists,
    .provenance_entry = "metadata.json",
    .secret_type = "kubernetes.io/tls",
    .secret_suffix = "-secret",
    .output = "certificate",
    .precious = "private key",
    .is_renewable = true,
    .is_rotatable = true,
    .can_rotate = can_rotate,
    .is_other_version = is_other_version,
    .serves_dependents = true,
    .check_serves = check_serves,
    .version_bytes = version_bytes,
    .is_public = true,
    .spec_size = sizeof(struct certificate_spec),
    .fields = certificate_spec_fields,
    .foreign_fields = certificate_foreign_fields,
    .check = certificate_spec_check,
    .free_spec = certificate_spec_free,
    .list_inputs = list_inputs,
    .normalize = certificate_roots_normalize,
    .is_slow = is_slow,
    .describe_parameters = certificate_spec_describe,
    .produce = produce,
    .repair = repair,
    .find_gone = find_gone,
    .bundle_entry = "ca.crt",
    .find_bundle = find_bundle,
    .retains = retains,
    .inspect = inspect,
};
