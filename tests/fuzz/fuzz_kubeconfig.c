// A kubeconfig file: what is read of it can be used as it is.
#include "memory_file.h"

#include "kube/kubeconfig.h"

// Either fixed, or in a file, or absent; a file's path is absolute, since the kubeconfig's own is.
static void check_text(const struct config_text *text) {
    CHECK(text->path == nullptr || text->text == nullptr);
    CHECK(text->path == nullptr || text->path[0] == '/');
}

// What can be called: a program with its arguments, and variables with names.
static void check_plugin(const struct exec_plugin *plugin) {
    CHECK(plugin->arguments[0] != nullptr && plugin->arguments[0][0] != '\0');
    CHECK(strchr(plugin->arguments[0], '/') == nullptr || plugin->arguments[0][0] == '/');
    for (size_t i = 0; i < plugin->variable_count; i++) {
        CHECK(strchr(plugin->variables[i], '=') > plugin->variables[i]);
    }
    CHECK(plugin->variables[plugin->variable_count] == nullptr);
    CHECK(plugin->mode <= EXEC_ALWAYS_INTERACTIVE);
}

static void check_parts(const struct config_parts *parts) {
    CHECK(strncmp(parts->server, "https://", 8) == 0 && strcspn(parts->server + 8, "/") > 0);
    CHECK(parts->server[strlen(parts->server) - 1] != '/');
    for (const char *c = parts->server; *c != '\0'; c++) {
        CHECK((unsigned char)*c > ' ' && *c != 0x7f && strchr("?#@\"\\", *c) == nullptr);
    }
    CHECK(parts->namespace[0] != '\0');
    CHECK(parts->token.text == nullptr || parts->token.text[0] != '\0');
    check_text(&parts->ca);
    check_text(&parts->certificate);
    check_text(&parts->key);
    check_text(&parts->token);
    CHECK(parts->proxy == nullptr || strstr(parts->proxy, "://") != nullptr);
    CHECK(parts->server_name == nullptr || parts->server_name[0] != '\0');
    if (parts->exec != nullptr) {
        CHECK(parts->token.text == nullptr && parts->token.path == nullptr);
        check_plugin(parts->exec);
    }
}

static void check_context(const char *path, const char *context) {
    struct error e = {0};
    struct config_parts parts = {.server = e.message};
    if (kubeconfig_read(path, context, &parts, &e)) {
        check_parts(&parts);
        config_parts_done(&parts);
    } else {
        CHECK(parts.server == e.message);
        check_refusal(&e, ERROR_INVALID_SPEC);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct memory_file file;
    const char *path = memory_file_write(&file, data, size);
    check_context(path, nullptr);
    check_context(path, "other");
    return 0;
}
