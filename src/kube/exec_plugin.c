#include "kube/exec_plugin.h"

#include "base/memory.h"
#include "kube/exec_credential.h"
#include "json/write.h"

#include <string.h>

enum { ITEMS_MAX = 1024, TEXT_MAX = 2 * 1024 * 1024 };

static const char extension_name[] = "client.authentication.k8s.io/exec";

void exec_plugin_free(struct exec_plugin *plugin) {
    if (plugin == nullptr) {
        return;
    }
    char **const lists[] = {plugin->arguments, plugin->variables};
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        for (char **item = lists[i]; item != nullptr && *item != nullptr; item++) {
            memory_free(*item);
        }
        memory_free(lists[i]);
    }
    memory_free(plugin->origin);
    memory_free(plugin->api_version);
    memory_free(plugin->install_hint);
    memory_free(plugin->cluster);
    memory_free(plugin);
}

static bool no_memory(struct error *e) {
    return error_no_memory(e, "a credential plug-in");
}

// text NULL: nothing to copy.
static bool copy(const char *text, char **ret_copy, struct error *e) {
    *ret_copy = text == nullptr ? nullptr : memory_copy_text(text);
    return text == nullptr || *ret_copy != nullptr || no_memory(e);
}

// ---- what the kubeconfig says

static bool read_version(const struct kubeconfig_entry *exec, struct exec_plugin *plugin, struct error *e) {
    const char *version;
    if (!kubeconfig_text(exec, "apiVersion", &version, e)) {
        return false;
    }
    if (version == nullptr || !exec_version_is_known(version)) {
        return kubeconfig_entry_error(exec, "apiVersion",
                                      "it must be client.authentication.k8s.io/v1 or .../v1beta1", e);
    }
    return copy(version, &plugin->api_version, e);
}

// As kubectl has it, only the older version may leave it out.
static bool read_mode(const struct kubeconfig_entry *exec, struct exec_plugin *plugin, struct error *e) {
    static const char *const modes[] = {
        [EXEC_NEVER_INTERACTIVE] = "Never",
        [EXEC_INTERACTIVE_IF_AVAILABLE] = "IfAvailable",
        [EXEC_ALWAYS_INTERACTIVE] = "Always",
    };
    const char *mode;
    if (!kubeconfig_text(exec, "interactiveMode", &mode, e)) {
        return false;
    }
    if (mode == nullptr && strcmp(plugin->api_version, EXEC_VERSION_BETA) == 0) {
        mode = modes[EXEC_INTERACTIVE_IF_AVAILABLE];
    }
    for (size_t i = 0; mode != nullptr && i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (strcmp(mode, modes[i]) == 0) {
            plugin->mode = (enum exec_mode)i;
            return true;
        }
    }
    return kubeconfig_entry_error(exec, "interactiveMode", "it must be Never, IfAvailable or Always", e);
}

// A list of exec, which may be absent; *ret_count: of its items.
static bool read_list(const struct kubeconfig_entry *exec, const char *field, yyjson_val **ret_list,
                      size_t *ret_count, struct error *e) {
    yyjson_val *list = yyjson_obj_get(exec->object, field);
    bool is_absent = list == nullptr || yyjson_is_null(list);
    if (!is_absent && (!yyjson_is_arr(list) || yyjson_arr_size(list) > ITEMS_MAX)) {
        return kubeconfig_entry_error(exec, field, "it must be a list, of 1024 items at most", e);
    }
    *ret_list = is_absent ? nullptr : list;
    *ret_count = is_absent ? 0 : yyjson_arr_size(list);
    return true;
}

// A program without "/" is looked for in PATH; any other path is as those of other files.
static bool read_program(const struct kubeconfig_entry *exec, char **ret_program, struct error *e) {
    const char *command;
    if (!kubeconfig_text(exec, "command", &command, e)) {
        return false;
    }
    if (command == nullptr) {
        return kubeconfig_entry_error(exec, "command", "it is missing", e);
    }
    return strchr(command, '/') == nullptr ? copy(command, ret_program, e)
                                           : kubeconfig_resolve_path(exec->file, command, ret_program, e);
}

static bool read_arguments(const struct kubeconfig_entry *exec, struct exec_plugin *plugin, struct error *e) {
    yyjson_val *list;
    size_t count;
    if (!read_list(exec, "args", &list, &count, e)) {
        return false;
    }
    plugin->arguments = memory_allocate_zeroed(count + 2, sizeof(*plugin->arguments));
    if (plugin->arguments == nullptr) {
        return no_memory(e);
    }
    if (!read_program(exec, &plugin->arguments[0], e)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        const char *argument = json_text(yyjson_arr_get(list, i));
        if (argument == nullptr) {
            return kubeconfig_entry_error(exec, "args", "each must be a text", e);
        }
        if (!copy(argument, &plugin->arguments[i + 1], e)) {
            return false;
        }
    }
    return true;
}

static bool add_variable(struct exec_plugin *plugin, const char *name, const char *value, struct error *e) {
    cleanup_buffer struct buffer text = buffer_create(TEXT_MAX);
    if (!buffer_append_format(&text, e, "%s=%s", name, value) ||
        !copy(buffer_text(&text), &plugin->variables[plugin->variable_count], e)) {
        return false;
    }
    plugin->variable_count++;
    return true;
}

static bool read_variables(const struct kubeconfig_entry *exec, struct exec_plugin *plugin, struct error *e) {
    yyjson_val *list;
    size_t count;
    if (!read_list(exec, "env", &list, &count, e)) {
        return false;
    }
    plugin->variables = memory_allocate_zeroed(count + 2, sizeof(*plugin->variables));
    if (plugin->variables == nullptr) {
        return no_memory(e);
    }
    for (size_t i = 0; i < count; i++) {
        yyjson_val *item = yyjson_arr_get(list, i);
        const char *name = json_member_text(item, "name");
        const char *value = json_member_text(item, "value");
        if (name == nullptr || name[0] == '\0' || strchr(name, '=') != nullptr || value == nullptr) {
            return kubeconfig_entry_error(exec, "env", "each must have a name, without =, and a value", e);
        }
        if (!add_variable(plugin, name, value, e)) {
            return false;
        }
    }
    return true;
}

static bool read_origin(const struct kubeconfig_entry *user, struct exec_plugin *plugin, struct error *e) {
    cleanup_buffer struct buffer text = buffer_create(TEXT_MAX);
    return buffer_append_format(&text, e, "%s: user \"%s\": exec", user->file, user->name) &&
           copy(buffer_text(&text), &plugin->origin, e);
}

// ---- what it wants to know of the cluster

// The plug-in's own settings among the extensions of the cluster; NULL: it has none.
static yyjson_val *find_settings(const struct kubeconfig_entry *cluster) {
    yyjson_val *item;
    size_t i;
    size_t count;
    yyjson_arr_foreach(yyjson_obj_get(cluster->object, "extensions"), i, count, item) {
        if (json_member_is(item, "name", extension_name)) {
            return yyjson_obj_get(item, "extension");
        }
    }
    return nullptr;
}

static bool write_cluster(const struct kubeconfig_entry *cluster, struct buffer *text, struct error *e) {
    static const char *const fields[] = {"server", "tls-server-name", "certificate-authority-data",
                                         "proxy-url"};
    cleanup_json_mut yyjson_mut_doc *document = nullptr;
    if (!json_create(&document, e)) {
        return false;
    }
    yyjson_mut_val *root = yyjson_mut_doc_get_root(document);
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        yyjson_val *value = yyjson_obj_get(cluster->object, fields[i]);
        if (kubeconfig_is_set(value)) {
            (void)yyjson_mut_obj_add_val(document, root, fields[i], yyjson_val_mut_copy(document, value));
        }
    }
    yyjson_val *settings = find_settings(cluster);
    if (settings != nullptr) {
        (void)yyjson_mut_obj_add_val(document, root, "config", yyjson_val_mut_copy(document, settings));
    }
    return json_write(document, text, e);
}

static bool read_cluster(const struct kubeconfig_entry *exec, const struct kubeconfig_entry *cluster,
                         struct exec_plugin *plugin, struct error *e) {
    yyjson_val *wanted = yyjson_obj_get(exec->object, "provideClusterInfo");
    if (kubeconfig_is_set(wanted) && !yyjson_is_true(wanted)) {
        return kubeconfig_entry_error(exec, "provideClusterInfo", "it must be true or false", e);
    }
    cleanup_buffer struct buffer text = buffer_create(TEXT_MAX);
    return !yyjson_is_true(wanted) ||
           (write_cluster(cluster, &text, e) && copy(buffer_text(&text), &plugin->cluster, e));
}

static bool read_all(const struct kubeconfig_entry *user, const struct kubeconfig_entry *cluster,
                     struct exec_plugin *plugin, struct error *e) {
    struct kubeconfig_entry exec = *user;
    const char *hint;
    exec.within = "exec.";
    exec.object = yyjson_obj_get(user->object, "exec");
    return read_origin(user, plugin, e) && read_version(&exec, plugin, e) && read_mode(&exec, plugin, e) &&
           read_arguments(&exec, plugin, e) && read_variables(&exec, plugin, e) &&
           read_cluster(&exec, cluster, plugin, e) && kubeconfig_text(&exec, "installHint", &hint, e) &&
           copy(hint, &plugin->install_hint, e);
}

bool exec_plugin_read(const struct kubeconfig_entry *user, const struct kubeconfig_entry *cluster,
                      struct exec_plugin **ret_plugin, struct error *e) {
    struct exec_plugin *plugin = memory_allocate_zeroed(1, sizeof(*plugin));
    if (plugin == nullptr) {
        return no_memory(e);
    }
    if (!read_all(user, cluster, plugin, e)) {
        exec_plugin_free(plugin);
        return false;
    }
    *ret_plugin = plugin;
    return true;
}

// ---- running

static bool add_question(struct exec_plugin *plugin, bool is_interactive, struct error *e) {
    cleanup_buffer struct buffer text = buffer_create(TEXT_MAX);
    bool has_cluster = plugin->cluster != nullptr;
    memory_free(plugin->variables[plugin->variable_count]); // of the run before
    plugin->variables[plugin->variable_count] = nullptr;
    if (!buffer_append_format(&text, e,
                              "KUBERNETES_EXEC_INFO={\"kind\":\"ExecCredential\",\"apiVersion\":\"%s\","
                              "\"spec\":{%s%s%s\"interactive\":%s}}",
                              plugin->api_version, has_cluster ? "\"cluster\":" : "",
                              has_cluster ? plugin->cluster : "", has_cluster ? "," : "",
                              is_interactive ? "true" : "false")) {
        return false;
    }
    return copy(buffer_text(&text), &plugin->variables[plugin->variable_count], e);
}

bool exec_plugin_run(struct exec_plugin *plugin, const struct exec_runner *runner, struct buffer *answer,
                     struct error *e) {
    bool is_interactive = plugin->mode != EXEC_NEVER_INTERACTIVE && runner->has_terminal;
    if (plugin->mode == EXEC_ALWAYS_INTERACTIVE && !is_interactive) {
        return error_set(e, ERROR_INVALID_SPEC,
                         "%s.interactiveMode: it is Always, and standard input is no terminal",
                         plugin->origin);
    }
    if (!add_question(plugin, is_interactive, e)) {
        return false;
    }
    const struct exec_command command = {
        .arguments = (const char *const *)plugin->arguments,
        .variables = (const char *const *)plugin->variables,
        .is_interactive = is_interactive,
    };
    if (runner->run(runner->context, &command, answer, e)) {
        return true;
    }
    return plugin->install_hint == nullptr
               ? error_wrap(e, "%s", plugin->origin)
               : error_wrap(e, "%s (its installHint: %.300s)", plugin->origin, plugin->install_hint);
}
