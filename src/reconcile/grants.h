// References into other namespaces: followed only where the rights of a ServiceAccount in the object's own
// namespace reach. The operator's own rights reach everywhere and must not be lent to whoever writes a spec.
// There are two ways for secret bytes of our resources: to be allowed to read them, or to be allowed to have
// them used, which shows the bytes to nobody.

#pragma once

#include "reconcile/reconcile.h"

// Whether the source is in r's own namespace.
bool source_is_own(const struct reconcile *r, const struct source *source);

// Whether r's ServiceAccount may refer to the object that source's reference means by from: it may get it,
// or, if it is one of ours, use it. Always in r's own namespace. Errors: FORBIDDEN (says which grants would
// do), those of access_review.
[[nodiscard]] bool grants_check(struct reconcile *r, const struct source *source,
                                const struct input_source *from, struct error *e);

// Whether r's ServiceAccount may have the secret bytes used that source's upstream keeps in the Secret
// source->name: it may get both, or use the upstream. Else as grants_check, which has said yes before.
[[nodiscard]] bool grants_check_secret(struct reconcile *r, const struct source *source, struct error *e);
