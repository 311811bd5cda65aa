// The Secret (kubernetes.io/tls) that holds the webhook's authority, read and written. Pure: no I/O.
#pragma once

#include "webhook/authority.h"

#include <yyjson.h>

// The Secret's entries besides tls.crt (leaf and its CA), tls.key and ca.crt (all CAs that are trusted).
#define WEBHOOK_CA_KEY_ENTRY "ca.key"           // of the CA that issues the leaf
#define WEBHOOK_NEXT_CA_KEY_ENTRY "ca-next.key" // of the CA that is being introduced

#define WEBHOOK_OVERLAP_ANNOTATION "qubesec.io/ca-overlap-since"
#define WEBHOOK_ROTATE_ANNOTATION "qubesec.io/rotate" // leaf or ca: asks for a new one

// Whether the Secret may be written: it is the operator's by its label, or holds nothing.
bool webhook_secret_is_ours(yyjson_val *secret);

// Reads what is sound. ret_authority is to be freed by the caller. Errors: NO_MEMORY; damage is none.
[[nodiscard]] bool webhook_secret_read(yyjson_val *secret, struct webhook_authority *ret_authority,
                                       struct error *e);

// Adds to root, the root of document, what makes authority a Secret of that name; with present, the Secret as
// it was read, a merge patch of it that fails if it was changed since. Errors: as buffer_append, CRYPTO.
[[nodiscard]] bool webhook_secret_write(const struct webhook_authority *authority, const char *name,
                                        yyjson_val *present, yyjson_mut_doc *document, struct error *e);
