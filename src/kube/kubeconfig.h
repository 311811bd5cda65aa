// Where a connection to the API server is described: a kubeconfig file, or a pod's environment. For config.c
// only.
#pragma once

#include "kube/exec_plugin.h"

// A text that is fixed (path NULL), read from the file at path, or absent (both NULL). Owned.
struct config_text {
    char *path;
    char *text;
};

struct config_parts {
    char *server;      // no slash at the end
    char *server_name; // whose certificate the server has; NULL: that of its address
    char *proxy;       // NULL: as the environment says
    char *namespace;   // "default" if unset
    struct config_text ca;
    struct config_text certificate;
    struct config_text key;
    struct config_text token;
    struct exec_plugin *exec; // NULL: there is none
};

// Reads path; context NULL: its current-context. The files that it names are not read yet. *ret_parts is
// owned. Errors: as kube_config_load.
[[nodiscard]] bool kubeconfig_read(const char *path, const char *context, struct config_parts *ret_parts,
                                   struct error *e);

// The same of a list of paths with ":" between them, as $KUBECONFIG.
[[nodiscard]] bool kubeconfig_read_list(const char *list, const char *context, struct config_parts *ret_parts,
                                        struct error *e);

// As a pod; only the namespace's file is read. *ret_parts is owned. Errors: as kube_config_load_in_cluster.
[[nodiscard]] bool kubeconfig_read_pod(const char *directory, struct config_parts *ret_parts,
                                       struct error *e);

void config_parts_done(struct config_parts *parts);
