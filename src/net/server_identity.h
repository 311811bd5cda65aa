// Who a TLS server is: its certificate chain and key, which can be replaced while it serves. Connections that
// are open go on under the one that they began with.
#pragma once

#include "base/error.h"

struct server_identity;

// One without a certificate, under which every handshake is refused; *ret_identity is owned. OpenSSL's
// allocator must be base/memory before, so that keys are cleansed. Errors: NO_MEMORY, INTERNAL.
[[nodiscard]] bool server_identity_create(struct server_identity **ret_identity, struct error *e);

// Has new connections use these: PEM, the leaf first, and the leaf's key, not encrypted; copied. Any thread.
// When it fails, what was there stays. Errors: INVALID_SPEC (not PEM, they do not belong together, or TLS
// cannot use them), NO_MEMORY, INTERNAL.
[[nodiscard]] bool server_identity_set(struct server_identity *identity, const char *chain, const char *key,
                                       struct error *e);

// Whether there is a certificate. Any thread.
bool server_identity_is_set(struct server_identity *identity);

// Takes identity; NULL is allowed. Open connections do not need it.
void server_identity_free(struct server_identity *identity);
