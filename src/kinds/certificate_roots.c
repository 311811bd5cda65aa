#include "kinds/certificate_roots.h"

#include "crypto/keyform.h"
#include "kinds/certificate_spec.h"

enum { PEM_MAX = 4 * 1024 * 1024 };

// ---- which root it is

// A time at which all of the chain and root are valid, as near to now as can be: a certificate that has
// expired is due for renewal, not damaged.
static int64_t choose_time(const struct certificate_chain *chain, const struct certificate *root,
                           int64_t now) {
    int64_t from = certificate_not_before(root);
    int64_t until = certificate_not_after(root);
    for (size_t i = 0; i < chain->count; i++) {
        int64_t begin = certificate_not_before(chain->certificates[i]);
        int64_t end = certificate_not_after(chain->certificates[i]);
        from = begin > from ? begin : from;
        until = end < until ? end : until;
    }
    int64_t at = now < from ? from : now;
    return at >= until ? until - 1 : at; // OpenSSL counts the last second as past
}

bool certificate_roots_find(const struct certificate_chain *chain, const struct certificate_chain *roots,
                            certificate_verifier *verify, unsigned purposes, int64_t now,
                            const struct certificate **ret_root, struct error *e) {
    for (size_t i = 0; i < roots->count; i++) {
        const struct certificate *root = roots->certificates[i];
        int64_t at = choose_time(chain, root, now);
        if (verify(chain->certificates[0], chain->certificates + 1, chain->count - 1, root, purposes, at,
                   e)) {
            *ret_root = root;
            return true;
        }
        if (e->class == ERROR_NO_MEMORY) {
            return false;
        }
    }
    return false;
}

// ---- what the CA gives

// The text without the certificates in its end, which are those of roots.
static bool append_without(const struct input *parent, struct buffer *text, struct error *e) {
    size_t length = secret_length(parent->bytes) - secret_length(parent->beside);
    return buffer_append(text, secret_view(parent->bytes), length, e);
}

bool certificate_roots_normalize(const void *spec, const struct input *inputs, size_t index,
                                 struct secret **ret_bytes, struct error *e) {
    const struct input *parent = &inputs[index];
    cleanup_buffer struct buffer text = buffer_create(PEM_MAX);
    cleanup_certificate_chain struct certificate_chain roots = {0};
    cleanup_certificate_chain struct certificate_chain chain = {0};
    cleanup_secret struct secret *rest = nullptr;
    struct error unfit;
    const struct certificate *root;
    (void)spec;
    if (parent->beside == nullptr || parent->bytes == nullptr ||
        secret_length(parent->beside) > secret_length(parent->bytes) ||
        !certificate_chain_read(parent->beside, &roots, &unfit) || roots.count == 1) {
        return true; // what cannot be read is told when it is used
    }
    if (!append_without(parent, &text, e) || !secret_copy(text.data, text.length, &rest, e)) {
        return false;
    }
    if (!certificate_chain_read(rest, &chain, &unfit) ||
        !certificate_roots_find(&chain, &roots, certificate_verify_leniently, 0,
                                certificate_not_before(chain.certificates[0]), &root, &unfit)) {
        *e = unfit;
        return unfit.class != ERROR_NO_MEMORY;
    }
    return certificate_append_pem(root, &text, e) && secret_copy(text.data, text.length, ret_bytes, e);
}

// ---- ca.crt

static bool append_one(const struct listed_version *version, struct buffer *text, struct error *e) {
    const struct secret *own;
    return secret_data_require(version->data, "cert.pem", &own, e) &&
           buffer_append(text, secret_view(own), secret_length(own), e);
}

// The oldest first, so that nothing changes when the next one comes into use.
static bool append_own(const struct list_question *question, struct buffer *text, struct error *e) {
    size_t first_kept = question->has_next ? 2 : 1;
    for (size_t i = question->count; i > first_kept; i--) {
        if (!append_one(&question->versions[i - 1], text, e)) {
            return false;
        }
    }
    return append_one(&question->versions[0], text, e) &&
           (!question->has_next || append_one(&question->versions[1], text, e));
}

static bool append_entry(const struct secret *entry, struct buffer *text, struct error *e) {
    return entry == nullptr || buffer_append(text, secret_view(entry), secret_length(entry), e);
}

// The roots of a CA are its own; of all below it they are those of the CA that has issued it.
static bool write_roots(const void *memory, const struct list_question *question, struct buffer *text,
                        struct error *e) {
    const struct certificate_spec *spec = memory;
    if (spec->parent.name == nullptr) {
        return append_own(question, text, e);
    }
    const struct secret *given = question->inputs[0].beside;
    return append_entry(given != nullptr ? given : question->previous, text, e);
}

// ---- cross.crt

// One of a CA's certificates, with its key.
struct own_root {
    struct certificate_chain certificate; // of one
    struct pkey *key;                     // owned
};

static void own_root_done(struct own_root *root) {
    certificate_chain_done(&root->certificate);
    pkey_free(root->key);
}
#define cleanup_own_root [[gnu::cleanup(own_root_done)]]

static const struct certificate *certificate_of(const struct own_root *root) {
    return root->certificate.certificates[0];
}

static bool read_own(const struct certificate_spec *spec, const struct listed_version *version,
                     struct own_root *root, struct error *e) {
    const struct secret *pem;
    const struct secret *key;
    return secret_data_require(version->data, "cert.pem", &pem, e) &&
           secret_data_require(version->data, "tls.key", &key, e) &&
           (certificate_chain_read(pem, &root->certificate, e) || secret_data_damaged("cert.pem", e)) &&
           (keyform_read_private(spec->algorithm, secret_view(key), secret_length(key), &root->key, e) ||
            secret_data_damaged("tls.key", e));
}

// Whether that certificate says of subject that issuer vouches for it.
static bool is_cross(struct certificate *certificate, const struct own_root *subject,
                     const struct own_root *issuer) {
    const struct certificate_chain alone = {.certificates = (struct certificate *[]){certificate},
                                            .count = 1};
    const struct certificate *ignored;
    struct error unfit;
    return certificate_same_key(certificate, certificate_of(subject)) &&
           certificate_same_subject(certificate, certificate_of(subject)) &&
           certificate_roots_find(&alone, &issuer->certificate, certificate_verify_leniently, 0,
                                  certificate_not_before(certificate), &ignored, &unfit);
}

// One that has been made before stays.
static bool append_cross(const struct certificate_chain *former, const struct own_root *subject,
                         const struct own_root *issuer, struct buffer *text, struct error *e) {
    cleanup_certificate struct certificate *made = nullptr;
    for (size_t i = 0; i < former->count; i++) {
        if (is_cross(former->certificates[i], subject, issuer)) {
            return certificate_append_pem(former->certificates[i], text, e);
        }
    }
    return certificate_issue_cross(certificate_of(subject), certificate_of(issuer), issuer->key, &made, e) &&
           certificate_append_pem(made, text, e);
}

// Whether both are to vouch for each other: they are of two keys, there is a time for it, and a CA may stand
// below them.
static bool are_crossed(const struct own_root *one, const struct own_root *other) {
    const struct certificate *a = certificate_of(one);
    const struct certificate *b = certificate_of(other);
    return !certificate_same_key(a, b) && certificate_not_before(a) < certificate_not_after(b) &&
           certificate_not_before(b) < certificate_not_after(a) && certificate_path_length(a) != 0 &&
           certificate_path_length(b) != 0;
}

static bool append_pair(const struct certificate_spec *spec, const struct certificate_chain *former,
                        const struct listed_version *older, const struct listed_version *newer,
                        struct buffer *text, struct error *e) {
    cleanup_own_root struct own_root old = {0};
    cleanup_own_root struct own_root new = {0};
    if (!read_own(spec, older, &old, e) || !read_own(spec, newer, &new, e)) {
        return false;
    }
    return !are_crossed(&old, &new) ||
           (append_cross(former, &new, &old, text, e) && append_cross(former, &old, &new, text, e));
}

static bool write_crosses(const void *memory, const struct list_question *question, struct buffer *text,
                          struct error *e) {
    const struct certificate_spec *spec = memory;
    const struct listed_version *versions = question->versions;
    cleanup_certificate_chain struct certificate_chain former = {0};
    struct error unfit = {0};
    if (spec->parent.name != nullptr || question->count == 1) {
        return true;
    }
    if (question->previous != nullptr && !certificate_chain_read(question->previous, &former, &unfit) &&
        unfit.class == ERROR_NO_MEMORY) {
        *e = unfit;
        return false;
    }
    size_t first_kept = question->has_next ? 2 : 1;
    if (question->has_next && !append_pair(spec, &former, &versions[0], &versions[1], text, e)) {
        return false;
    }
    for (size_t i = first_kept; i < question->count; i++) {
        const struct listed_version *newer = i == first_kept ? &versions[0] : &versions[i - 1];
        if (!append_pair(spec, &former, &versions[i], newer, text, e)) {
            return false;
        }
    }
    return true;
}

const struct list_entry certificate_lists[] = {
    {"ca.crt", write_roots}, {"cross.crt", write_crosses}, {nullptr, nullptr}};
