// Certificates of others: what is read as a chain can be looked at, judged and written again.
#include "fuzz.h"

#include "base/clock.h"
#include "crypto/certificate.h"

#include <openssl/pem.h>

enum { TEXT_MAX = 1024 * 1024, DER_BEGIN = 0x30 };

// Written and read again it is the same.
static void check_round_trip(const struct certificate *certificate) {
    struct error e;
    cleanup_buffer struct buffer pem = buffer_create(TEXT_MAX);
    cleanup_buffer struct buffer der = buffer_create(TEXT_MAX);
    struct certificate **chain;
    size_t count;
    MUST(certificate_append_der(certificate, &der, &e), e);
    MUST(certificate_append_pem(certificate, &pem, &e), e);
    MUST(certificate_read_chain(buffer_text(&pem), pem.length, &chain, &count, &e), e);
    CHECK(count == 1 && certificate_equals(chain[0], certificate));
    certificate_free_chain(chain, count);
}

// A name may be one that OpenSSL cannot write.
static void check_texts(const struct certificate *certificate) {
    struct error e = {0};
    cleanup_buffer struct buffer text = buffer_create(TEXT_MAX);
    if (!certificate_append_subject(certificate, &text, &e) ||
        !certificate_append_issuer(certificate, &text, &e)) {
        check_refusal(&e, ERROR_CRYPTO);
    }
    MUST(certificate_append_serial(certificate, &text, &e), e);
    (void)certificate_not_before(certificate);
    (void)certificate_not_after(certificate);
    (void)certificate_is_ca(certificate);
    CHECK(certificate_path_length(certificate) >= CERTIFICATE_PATH_LENGTH_NONE);
    CHECK(certificate_equals(certificate, certificate));
}

// The first is the leaf and the last the root. What passes the strict judgement passes the lenient one.
static void check_judgement(struct certificate *const *chain, size_t count) {
    struct error e = {0};
    int64_t now = certificate_not_before(chain[0]);
    const struct certificate *root = chain[count - 1];
    bool lenient = certificate_verify_leniently(chain[0], chain + 1, count - 1, root, 0, now, &e);
    if (!lenient) {
        check_refusal(&e, ERROR_CRYPTO);
    }
    e = (struct error){0};
    if (certificate_verify(chain[0], chain + 1, count - 1, root, 0, now, &e)) {
        CHECK(lenient);
    } else {
        check_refusal(&e, ERROR_CRYPTO);
    }
}

static void check_chain(const void *pem, size_t size) {
    struct error e = {0};
    struct certificate **untouched = (struct certificate **)&e;
    struct certificate **chain = untouched;
    size_t count = SIZE_MAX;
    if (!certificate_read_chain(pem, size, &chain, &count, &e)) {
        CHECK(chain == untouched && count == SIZE_MAX);
        check_refusal(&e, ERROR_INVALID_SPEC);
        return;
    }
    CHECK(count > 0 && count <= CERTIFICATE_CHAIN_MAX);
    for (size_t i = 0; i < count; i++) {
        check_round_trip(chain[i]);
        check_texts(chain[i]);
    }
    check_judgement(chain, count);
    certificate_free_chain(chain, count);
}

// What looks like DER is put into PEM, so that what is changed in it stays base64.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    start_crypto();
    check_chain(data, size);
    if (size > 0 && data[0] == DER_BEGIN) {
        BIO *bio = BIO_new(BIO_s_mem());
        const char *pem = nullptr;
        CHECK(bio != nullptr && PEM_write_bio(bio, PEM_STRING_X509, "", data, (long)size) > 0);
        long length = BIO_get_mem_data(bio, &pem);
        check_chain(pem, (size_t)length);
        BIO_free(bio);
    }
    return 0;
}
