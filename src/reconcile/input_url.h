// An input that is fetched from a URL: somebody else's server.
#pragma once

#include "reconcile/reconcile.h"

// Whether the operator's settings allow the URL. Errors: INVALID_SPEC.
[[nodiscard]] bool input_url_resolve(const struct reconcile *r, struct source *source, struct error *e);

// Fetches it into source->bytes. Errors: NOT_FOUND with a time to wait (it gave nothing), NO_MEMORY.
[[nodiscard]] bool input_url_load(struct reconcile *r, struct source *source, struct error *e);
