// The OpenSSL of this program, which is the operator's where the check runs in the operator's image.
#include "check/context.h"
#include "check/parts.h"

#include "crypto/kem.h"
#include "crypto/openssl.h"
#include "crypto/signature.h"

#include <openssl/crypto.h>

enum { LIST_MAX = 4096 };

// Makes a key pair and uses both halves. Signing with the slow sets of SLH-DSA takes too long to wait for:
// their public key is computed again from the private one instead.
static bool try_algorithm(const struct algorithm *algorithm, struct error *e) {
    cleanup_pkey struct pkey *pkey = nullptr;
    if (!pkey_generate(algorithm, &pkey, e)) {
        return false;
    }
    if (algorithm->family == ALGORITHM_KEM) {
        return kem_check_pair(pkey, e);
    }
    if (algorithm->is_slow) {
        return signature_check_pair(pkey, e);
    }
    static const struct signature_input input = {.message = "qubesec check", .message_length = 13};
    cleanup_buffer struct buffer signature = buffer_create(SIGNATURE_MAX);
    return signature_sign(pkey, &input, &signature, e); // which sees that it verifies
}

static void check_version(struct check_report *report) {
    cleanup_buffer struct buffer providers = buffer_create(LIST_MAX);
    struct error e;
    if (!crypto_describe_providers(&providers, &e)) {
        check_note(report, CHECK_FAIL, "version", "%s: %s", crypto_version(), e.message);
        check_advise(report, "Repair the installation of OpenSSL.");
    } else if (!check_openssl_is_fixed(OPENSSL_version_major(), OPENSSL_version_minor(),
                                       OPENSSL_version_patch())) {
        check_note(report, CHECK_WARN, "version", "%s is without the fix of CVE-2026-31789",
                   crypto_version());
        check_advise(report, "Upgrade OpenSSL to 3.5.6, 3.6.2 or later; build the image anew.");
    } else {
        check_note(report, CHECK_OK, "version", "%s, providers: %s", crypto_version(),
                   buffer_text(&providers));
    }
}

// The algorithms of a family by how they fared.
struct trial {
    size_t count;
    struct buffer works;  // a line each
    struct buffer broken; // each with its error
    struct buffer absent; // optional ones that no loaded provider has
};

// A list that is full shows the first ones.
static void add_to(struct buffer *list, const char *separator, const char *name, const char *why) {
    struct error ignored;
    (void)buffer_append_format(list, &ignored, "%s%s%s%s", list->length > 0 ? separator : "", name,
                               why[0] == '\0' ? "" : ": ", why);
}

static void try_family(enum algorithm_family family, struct trial *trial) {
    const struct algorithm *algorithm;
    for (size_t i = 0; (algorithm = algorithm_at(family, i)) != nullptr; i++) {
        struct error e;
        if (!algorithm_check_available(algorithm, &e)) {
            add_to(&trial->absent, ", ", algorithm->name, "");
        } else if (try_algorithm(algorithm, &e)) {
            add_to(&trial->works, "\n", algorithm->name, "");
            trial->count++;
        } else {
            add_to(&trial->broken, ", ", algorithm->name, e.message);
        }
    }
}

static void check_family(struct check_report *report, const char *subject, enum algorithm_family family) {
    struct trial trial = {.works = buffer_create(LIST_MAX),
                          .broken = buffer_create(LIST_MAX),
                          .absent = buffer_create(LIST_MAX)};
    try_family(family, &trial);
    if (trial.broken.length > 0) {
        check_note(report, CHECK_FAIL, subject, "do not work: %s", buffer_text(&trial.broken));
        check_advise(report, "Repair the installation of OpenSSL: objects with these algorithms fail.");
    } else {
        check_note(report, CHECK_OK, subject, "%zu algorithms, each made a key pair that works", trial.count);
    }
    if (trial.works.length > 0) {
        check_details(report, buffer_text(&trial.works));
    }
    if (trial.absent.length > 0) {
        check_note(report, CHECK_OK, "optional", "not served, since no provider that is loaded has them: %s",
                   buffer_text(&trial.absent));
    }
    buffer_done(&trial.works);
    buffer_done(&trial.broken);
    buffer_done(&trial.absent);
}

void check_openssl(struct check_context *context, struct check_report *report) {
    check_version(report);
    if (!context->options->skip_algorithms) {
        check_family(report, "key encapsulation", ALGORITHM_KEM);
        check_family(report, "signatures", ALGORITHM_SIGNATURE);
    }
}
