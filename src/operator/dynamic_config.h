// The settings that can change while the operator runs: the entries of a ConfigMap in its own namespace.
#pragma once

#include "operator/settings.h"
#include "runtime/event.h"

struct dynamic_config {
    enum log_level log_level;
    unsigned workers;
};

// Reads the ConfigMap under key ("namespace/name"); what it does not say, or all if there is none, is as in
// settings. Errors: INVALID_SPEC (names the entry, the value and what is allowed; an Event of the ConfigMap
// says the same), those of api_call.
[[nodiscard]] bool dynamic_config_read(struct api api, struct event_recorder *recorder, const char *key,
                                       const struct settings *settings, struct dynamic_config *ret_live,
                                       struct error *e);
