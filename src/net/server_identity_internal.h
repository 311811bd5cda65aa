// What the HTTP server's own files know of struct server_identity.
#pragma once

#include "net/server_identity.h"

#include <openssl/ssl.h>

// The server's side of a new connection, owned, under the newest certificate; NULL: memory is out. The
// server's thread calls it, and no other.
SSL *server_identity_begin(struct server_identity *identity);
