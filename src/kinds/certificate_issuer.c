#include "kinds/certificate_issuer.h"

#include "base/clock.h"
#include "crypto/keyform.h"
#include "kinds/input_key.h"

enum {
    LOOK_AGAIN_MAX_SECONDS = 60 * 60, // since the clock may be set meanwhile
    DER_MAX = 4 * 1024 * 1024,
};

void issuer_done(struct issuer *issuer) {
    pkey_free(issuer->key);
    certificate_chain_done(&issuer->chain);
    certificate_chain_done(&issuer->roots);
}

const struct certificate *issuer_certificate(const struct issuer *issuer) {
    return issuer->chain.certificates[0];
}

const struct certificate *issuer_root(const struct issuer *issuer) {
    return issuer->chain.certificates[issuer->chain.count - 1];
}

const struct certificate_chain *issuer_roots(const struct issuer *issuer) {
    return &issuer->roots;
}

size_t issuer_intermediates(const struct issuer *issuer) {
    bool is_root = certificate_equals(issuer_certificate(issuer), issuer_root(issuer));
    return is_root ? 0 : issuer->chain.count - 1;
}

// Whether the issuer or a CA above it has a path length. *ret_length: how many CAs may then stand below the
// issuer, by all of them (RFC 5280 section 6.1.4); below zero, nothing that it issues verifies.
static bool issuer_limits_path(const struct issuer *issuer, int *ret_length) {
    size_t count = issuer_intermediates(issuer) + 1; // the root counts too
    bool limited = false;
    int least = 0;
    for (size_t i = 0; i < count; i++) {
        int length = certificate_path_length(issuer->chain.certificates[i]);
        if (length == CERTIFICATE_PATH_LENGTH_NONE) {
            continue;
        }
        length -= (int)i; // as many stand between it and what the issuer issues
        least = limited && least < length ? least : length;
        limited = true;
    }
    *ret_length = limited ? least : *ret_length;
    return limited;
}

// Whether the certificate is the one that the CA's own status has recorded, whatever else has befallen its
// Secret.
static bool issuer_check_verified(const struct input *parent, const struct certificate *certificate,
                                  struct error *e) {
    cleanup_buffer struct buffer der = buffer_create(DER_MAX);
    char digest[DIGEST_TEXT_SIZE];
    if (parent->verified == nullptr) {
        return true;
    }
    return certificate_append_der(certificate, &der, e) && digest_format(der.data, der.length, digest, e) &&
           (provenance_same_digest(parent->verified, digest) ||
            error_set(e, ERROR_NOT_FOUND,
                      "spec.parentCARef: the CA's Secret holds another certificate than the CA has verified; "
                      "waiting for it to do so"));
}

// The key is in PEM beside the certificates, where the CA has it there.
static bool issuer_open_key(const struct algorithm *algorithm, const struct input *parent,
                            struct pkey **ret_pkey, struct error *e) {
    return parent->key != nullptr ? input_key_open_private(algorithm, parent, ret_pkey, e)
                                  : keyform_read_private(algorithm, secret_view(parent->bytes),
                                                         secret_length(parent->bytes), ret_pkey, e);
}

bool issuer_read(const struct input *parent, struct issuer *issuer, struct error *e) {
    const struct algorithm *algorithm = input_key_algorithm(parent);
    if (algorithm == nullptr) {
        return error_set(
            e, ERROR_NOT_FOUND,
            "spec.parentCARef: the CA does not say of which algorithm its key is, as one whose Secret "
            "is another's does not; waiting for it to do so");
    }
    return ((issuer_open_key(algorithm, parent, &issuer->key, e) &&
             certificate_chain_read(parent->bytes, &issuer->chain, e) &&
             (parent->beside == nullptr || certificate_chain_read(parent->beside, &issuer->roots, e))) ||
            error_wrap(e, "spec.parentCARef")) &&
           issuer_check_verified(parent, issuer_certificate(issuer), e);
}

bool issuer_check_path(const struct certificate_spec *spec, const struct issuer *issuer, int *ret_length,
                       struct error *e) {
    int left = 0;
    bool limited = issuer_limits_path(issuer, &left);
    if (!certificate_is_ca(issuer_certificate(issuer))) {
        return error_set(e, ERROR_INVALID_SPEC, "spec.parentCARef: that certificate is not of certType ca");
    }
    if (limited && left < 0) {
        return error_set(e, ERROR_INVALID_SPEC,
                         "spec.parentCARef: the pathLen of a CA above that CA is used up, so that nothing it "
                         "issues would verify");
    }
    if (!limited || spec->type != CERTIFICATE_CA) {
        *ret_length = spec->path_length;
        return true;
    }
    if (left == 0) {
        return error_set(e, ERROR_INVALID_SPEC,
                         "spec.parentCARef: that CA has pathLen 0, its own or what those above it leave, so "
                         "it may issue no further CA");
    }
    bool is_own = spec->path_length != CERTIFICATE_PATH_LENGTH_NONE;
    if (is_own && spec->path_length >= left) {
        return error_set(e, ERROR_INVALID_SPEC,
                         "spec.pathLen: %d is not below the issuer's pathLen, which is %d", spec->path_length,
                         left);
    }
    *ret_length = is_own ? spec->path_length : left - 1;
    return true;
}

bool issuer_check_purposes(const struct certificate_spec *spec, const struct issuer *issuer,
                           struct error *e) {
    for (size_t i = 0; i <= issuer_intermediates(issuer); i++) {
        unsigned allowed = certificate_purposes(issuer->chain.certificates[i]);
        unsigned missing = allowed == 0 ? 0 : spec->purposes & ~allowed;
        if (missing != 0) {
            return error_set(e, ERROR_INVALID_SPEC,
                             "spec.usages: %s is not among the extended key usages that %s is limited to",
                             certificate_spec_name_purpose(missing),
                             i == 0 ? "the CA of spec.parentCARef" : "a CA above that of spec.parentCARef");
        }
    }
    return true;
}

bool issuer_check_times(const struct certificate *issuer, int64_t now, struct error *e) {
    char text[CLOCK_TEXT_SIZE];
    bool expired = now >= certificate_not_after(issuer);
    if (!expired && now >= certificate_not_before(issuer)) {
        return true;
    }
    int64_t from = certificate_not_before(issuer);
    clock_format(expired ? certificate_not_after(issuer) : from, text);
    error_set(e, ERROR_NOT_FOUND, "spec.parentCARef: the CA's certificate %s %s; waiting for %s",
              expired ? "expired at" : "is not valid before", text, expired ? "another one" : "that time");
    int64_t wait =
        expired ? LOOK_AGAIN_MAX_SECONDS : from - now; // a clock may be put right, and wakes nobody
    e->retry_after_ms = (uint32_t)(wait < LOOK_AGAIN_MAX_SECONDS ? wait : LOOK_AGAIN_MAX_SECONDS) * 1000;
    return false;
}
