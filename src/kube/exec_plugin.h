// `exec` of a kubeconfig's user: a program that is asked for credentials (client.authentication.k8s.io/v1 and
// v1beta1). What it is called with is here; it is run by whoever is allowed to, and never by the operator.
#pragma once

#include "kube/kubeconfig_files.h"

enum { EXEC_ANSWER_MAX = 1024 * 1024 }; // bytes of its output that are read

// What is to be run; all borrowed.
struct exec_command {
    const char *const *arguments; // the program first, NULL-terminated; without "/" it is looked for in PATH
    const char *const *variables; // "NAME=value", in the place of those of the environment, NULL-terminated
    bool is_interactive;          // standard input is its own; else it has none
};

// Who runs it: appends what the program prints to answer, whose cap bounds it, when it has ended well.
// has_terminal: people can be asked on standard input. Errors of run: IO (says what became of it), NO_MEMORY.
struct exec_runner {
    bool (*run)(void *context, const struct exec_command *command, struct buffer *answer, struct error *e);
    void *context;
    bool has_terminal;
};

enum exec_mode { EXEC_NEVER_INTERACTIVE, EXEC_INTERACTIVE_IF_AVAILABLE, EXEC_ALWAYS_INTERACTIVE };

struct exec_plugin {
    char *origin;       // how errors call it; owned, like all below
    char *api_version;  // "client.authentication.k8s.io/v1"
    char *install_hint; // what to do where it is not there; NULL: the file does not say
    char *cluster;      // JSON about the cluster, that it wants to know; NULL: it does not
    char **arguments;   // as of struct exec_command
    char **variables;   // the same, without what is asked (KUBERNETES_EXEC_INFO), for which there is room
    size_t variable_count;
    enum exec_mode mode;
};

// Reads exec of user, of which it is told whose cluster it is for. *ret_plugin is owned. Errors: INVALID_SPEC
// (names file and field), NO_MEMORY.
[[nodiscard]] bool exec_plugin_read(const struct kubeconfig_entry *user,
                                    const struct kubeconfig_entry *cluster, struct exec_plugin **ret_plugin,
                                    struct error *e);

// Takes plugin; NULL is allowed.
void exec_plugin_free(struct exec_plugin *plugin);

// Runs it once; what it prints is appended to answer. Errors: IO, INVALID_SPEC (it wants a terminal, and
// there is none), NO_MEMORY.
[[nodiscard]] bool exec_plugin_run(struct exec_plugin *plugin, const struct exec_runner *runner,
                                   struct buffer *answer, struct error *e);
