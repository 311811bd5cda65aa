// kube_config_credentials at a time of the caller's choosing, for tests: files are read again as it passes.
#pragma once

#include "kube/config.h"

enum { CONFIG_REFRESH_MS = 50000 };

[[nodiscard]] bool kube_config_credentials_at(struct kube_config *config, int64_t now_ms,
                                              struct http_tls **ret_tls, char **ret_authorization,
                                              struct error *e);
