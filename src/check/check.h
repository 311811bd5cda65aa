// `qubesec check`: looks at an installation from outside, changes nothing in it, and tells what is missing.
#pragma once

#include "check/report.h"
#include "engine/kind.h"
#include "kube/exec_plugin.h"

struct check_options {                // all texts are borrowed
    const char *kubeconfig;           // NULL: as kube_config_load
    const char *context;              // NULL: as kube_config_load
    const struct exec_runner *runner; // of the kubeconfig's credential plug-ins; NULL: they are refused
    const char *namespace;            // the operator's own
    const char *lease;                // by which its replicas agree on a leader
    const char *webhook_configuration;
    const char *webhook_secret;    // with the webhook's certificate, in the operator's own namespace
    const char *probe_namespace;   // where objects are created, in dry runs only
    const char *const *namespaces; // those that the operator serves, NULL-terminated; none: all
    const struct kind *const *kinds;
    uint32_t timeout_ms;  // of one request
    bool skip_algorithms; // no key pairs are made, which takes seconds; the rest of OpenSSL is looked at
};

// Makes all checks and adds what they find to report; whatever is wrong with the installation is a finding,
// not an error. Not on a thread that runs a loop. Errors: NO_MEMORY, INTERNAL.
[[nodiscard]] bool check_run(const struct check_options *options, struct check_report *report,
                             struct error *e);
