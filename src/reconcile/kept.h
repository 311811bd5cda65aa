// What the stores keep of an object, the same whoever has brought it: a watch, a read or an own write. Of its
// annotations it is those of our own domain only.
#pragma once

#include "kube/object.h"

extern const struct kube_kept kept_of_kinds;   // of objects of our kinds
extern const struct kube_kept kept_of_secrets; // of Secrets and ConfigMaps: their metadata
