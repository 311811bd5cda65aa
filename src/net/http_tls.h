// What the HTTP client's own files know of struct http_tls.
#pragma once

#include "net/http_client.h"

#include <curl/curl.h>

// Has a transfer on easy use tls (NULL: the system's trust store and no certificate) by the rules of the
// house: TLS 1.2 or later, post-quantum groups first, peer and host verified, no session resumed, plaintext
// cleansed. own_connection: no other transfer will use the connection. The caller keeps a count of tls as
// long as easy lives. Errors: NO_MEMORY.
[[nodiscard]] bool http_tls_apply(const struct http_tls *tls, CURL *easy, bool own_connection,
                                  struct error *e);

// Whether all that a transfer with tls (NULL is allowed) does TLS with is known by one name that was given:
// an https proxy on the way, too.
bool http_tls_has_server_name(const struct http_tls *tls);
