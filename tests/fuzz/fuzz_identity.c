// The PEM of TLS: one text as the CA, the certificate and the key of a client and of a server.
#include "fuzz.h"

#include "net/http_client.h"
#include "net/server_identity.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    cleanup_text char *text = text_of(data, size);
    struct error e = {0};
    struct http_tls *untouched = (struct http_tls *)&e;
    struct http_tls *tls = untouched;
    struct server_identity *identity;
    start_crypto();
    bool is_client = http_tls_create(text, text, text, &tls, &e);
    if (is_client) {
        http_tls_release(tls);
    } else {
        CHECK(tls == untouched);
        check_refusal(&e, ERROR_INVALID_SPEC);
    }
    MUST(server_identity_create(&identity, &e), e);
    e = (struct error){0};
    bool is_server = server_identity_set(identity, text, text, &e);
    CHECK(server_identity_is_set(identity) == is_server);
    CHECK(is_client || !is_server); // a server's must be fit for TLS besides
    if (!is_server) {
        check_refusal(&e, ERROR_INVALID_SPEC);
    }
    server_identity_free(identity);
    return 0;
}
