#include "reconcile/kept.h"

#include "engine/kind.h"

static const char own_domain[] = QUBESEC_GROUP "/";

const struct kube_kept kept_of_kinds = {.annotations = own_domain};
const struct kube_kept kept_of_secrets = {.annotations = own_domain, .metadata_only = true};
