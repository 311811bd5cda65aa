// Runs the credential plug-ins of a kubeconfig, for verbs that people call: the only place where this program
// starts another.
#pragma once

#include "kube/exec_plugin.h"

struct plugin_runner {
    struct exec_runner runner; // to be given to kube_config_load_with
    uint32_t timeout_ms;       // one that takes longer is ended
};

// Fills *ret_runner, which must stay where it is while it is used.
void plugin_runner_create(uint32_t timeout_ms, struct plugin_runner *ret_runner);
