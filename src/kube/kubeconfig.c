#include "kube/kubeconfig.h"

#include "base/memory.h"
#include "crypto/encoding.h"
#include "kube/kubeconfig_files.h"

#include <stdlib.h>
#include <string.h>

enum { PATH_TEXT_MAX = 8192, HOST_NAME_SIZE = 256 };

// A field that would change what is asked, of whom or by whom, and that is not served.
struct refusal {
    const char *field;
    const char *why;
};

static const struct refusal cluster_refusals[] = {
    {"insecure-skip-tls-verify", "the API server must be verified; give its certificate-authority instead"},
    {nullptr, nullptr},
};

static const struct refusal user_refusals[] = {
    {"auth-provider", "auth providers are not served; use a token, a token file or a client certificate"},
    {"username", "basic authentication is not served; use a token or a client certificate"},
    {"password", "basic authentication is not served; use a token or a client certificate"},
    {"as", "impersonation is not served"},
    {"as-uid", "impersonation is not served"},
    {"as-groups", "impersonation is not served"},
    {"as-user-extra", "impersonation is not served"},
    {nullptr, nullptr},
};

void config_parts_done(struct config_parts *parts) {
    struct config_text *const texts[] = {&parts->ca, &parts->certificate, &parts->key, &parts->token};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        memory_free(texts[i]->path);
        memory_free(texts[i]->text);
    }
    memory_free(parts->server);
    memory_free(parts->server_name);
    memory_free(parts->proxy);
    memory_free(parts->namespace);
    exec_plugin_free(parts->exec);
    *parts = (struct config_parts){0};
}

static bool refuse_fields(const struct kubeconfig_entry *entry, const struct refusal *refusals,
                          struct error *e) {
    for (; refusals->field != nullptr; refusals++) {
        if (kubeconfig_is_set(yyjson_obj_get(entry->object, refusals->field))) {
            return kubeconfig_entry_error(entry, refusals->field, refusals->why, e);
        }
    }
    return true;
}

static bool copy_text(const char *text, char **ret_copy, struct error *e) {
    char *copy = memory_copy_text(text);
    if (copy == nullptr) {
        return error_no_memory(e, "reading a kubeconfig");
    }
    *ret_copy = copy;
    return true;
}

static bool decode(const struct kubeconfig_entry *entry, const char *field, const char *data, char **ret_text,
                   struct error *e) {
    cleanup_secret struct secret *bytes = nullptr;
    if (!base64_decode(data, strlen(data), ENCODING_SKIP_SPACES, &bytes, e)) {
        return error_wrap(e, "%s: %s \"%s\": %s", entry->file, entry->kind, entry->name, field);
    }
    const char *text = (const char *)secret_view(bytes);
    if (memchr(text, '\0', secret_length(bytes)) != nullptr) {
        return kubeconfig_entry_error(entry, field, "it is no text", e);
    }
    char *copy = memory_copy_span(text, secret_length(bytes));
    if (copy == nullptr) {
        return error_no_memory(e, "reading a kubeconfig");
    }
    *ret_text = copy;
    return true;
}

// field names a file; data_field has the content itself and wins.
static bool get_pem(const struct kubeconfig_entry *entry, const char *field, const char *data_field,
                    struct config_text *text, struct error *e) {
    const char *data;
    const char *path;
    if (!kubeconfig_text(entry, data_field, &data, e) || !kubeconfig_text(entry, field, &path, e)) {
        return false;
    }
    if (data != nullptr) {
        return decode(entry, data_field, data, &text->text, e);
    }
    return path == nullptr || kubeconfig_resolve_path(entry->file, path, &text->path, e);
}

// Without what has no place in an address of a server, or would end the line that it is written into.
static bool is_address(const char *text) {
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text <= ' ' || *text == 0x7f || strchr("?#@\"\\", *text) != nullptr) {
            return false;
        }
    }
    return true;
}

static bool get_server(const struct kubeconfig_entry *entry, struct config_parts *parts, struct error *e) {
    static const char scheme[] = "https://";
    const char *server;
    if (!kubeconfig_text(entry, "server", &server, e)) {
        return false;
    }
    if (server == nullptr || strncmp(server, scheme, sizeof(scheme) - 1) != 0) {
        return kubeconfig_entry_error(entry, "server", "it must start with https://", e);
    }
    if (!is_address(server) || strcspn(server + sizeof(scheme) - 1, "/") == 0) {
        return kubeconfig_entry_error(
            entry, "server", "it must be https://host, https://host:port or one of these with a path", e);
    }
    size_t length = strlen(server);
    while (server[length - 1] == '/') {
        length--;
    }
    parts->server = memory_copy_span(server, length);
    return parts->server != nullptr || error_no_memory(e, "reading a kubeconfig");
}

static bool is_host_name(const char *text) {
    return strlen(text) < HOST_NAME_SIZE && is_address(text) && strpbrk(text, "/,%") == nullptr;
}

static bool get_server_name(const struct kubeconfig_entry *entry, struct config_parts *parts,
                            struct error *e) {
    const char *name;
    if (!kubeconfig_text(entry, "tls-server-name", &name, e)) {
        return false;
    }
    if (name == nullptr) {
        return true;
    }
    return is_host_name(name) ? copy_text(name, &parts->server_name, e)
                              : kubeconfig_entry_error(entry, "tls-server-name",
                                                       "it must be the name or address of a host", e);
}

// With a user and password before the host, or not.
static bool is_proxy(const char *text) {
    static const char *const schemes[] = {"http://", "https://", "socks5://"};
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        size_t length = strlen(schemes[i]);
        if (strncmp(text, schemes[i], length) == 0) {
            const char *at = strchr(text + length, '@');
            const char *host = at == nullptr ? text + length : at + 1;
            return host[0] != '\0' && is_address(host);
        }
    }
    return false;
}

static bool get_proxy(const struct kubeconfig_entry *entry, struct config_parts *parts, struct error *e) {
    const char *proxy;
    if (!kubeconfig_text(entry, "proxy-url", &proxy, e)) {
        return false;
    }
    if (proxy == nullptr) {
        return true;
    }
    if (!is_proxy(proxy)) {
        return kubeconfig_entry_error(
            entry, "proxy-url", "it must be http://host:port, https://host:port or socks5://host:port", e);
    }
    if (parts->server_name != nullptr &&
        strncmp(proxy, "https:", 6) == 0) { // which would be asked for it, too
        return kubeconfig_entry_error(
            entry, "proxy-url", "with tls-server-name it must be http://host:port or socks5://host:port", e);
    }
    return copy_text(proxy, &parts->proxy, e);
}

static bool get_cluster(const struct kubeconfig_entry *entry, struct config_parts *parts, struct error *e) {
    return refuse_fields(entry, cluster_refusals, e) && get_server(entry, parts, e) &&
           get_server_name(entry, parts, e) && get_proxy(entry, parts, e) &&
           get_pem(entry, "certificate-authority", "certificate-authority-data", &parts->ca, e);
}

// As client-go has it, a token file wins over a token.
static bool get_token(const struct kubeconfig_entry *entry, struct config_parts *parts, struct error *e) {
    const char *token;
    const char *path;
    if (!kubeconfig_text(entry, "token", &token, e) || !kubeconfig_text(entry, "tokenFile", &path, e)) {
        return false;
    }
    if (path != nullptr) {
        return kubeconfig_resolve_path(entry->file, path, &parts->token.path, e);
    }
    return token == nullptr || copy_text(token, &parts->token.text, e);
}

// As client-go has it, a token that is there wins over a plug-in.
static bool get_exec(const struct kubeconfig_entry *entry, const struct kubeconfig_entry *cluster,
                     struct config_parts *parts, struct error *e) {
    bool has_token = parts->token.text != nullptr || parts->token.path != nullptr;
    return has_token || !kubeconfig_is_set(yyjson_obj_get(entry->object, "exec")) ||
           exec_plugin_read(entry, cluster, &parts->exec, e);
}

static bool get_user(const struct kubeconfig_entry *entry, const struct kubeconfig_entry *cluster,
                     struct config_parts *parts, struct error *e) {
    return refuse_fields(entry, user_refusals, e) && get_token(entry, parts, e) &&
           get_pem(entry, "client-certificate", "client-certificate-data", &parts->certificate, e) &&
           get_pem(entry, "client-key", "client-key-data", &parts->key, e) &&
           get_exec(entry, cluster, parts, e);
}

static bool read_context(const struct kubeconfig_files *files, const char *name, struct config_parts *parts,
                         struct error *e) {
    struct kubeconfig_entry context;
    struct kubeconfig_entry cluster;
    struct kubeconfig_entry user;
    const char *cluster_name;
    const char *user_name;
    const char *namespace;
    if (!kubeconfig_find(files, "contexts", "context", name, &context, e) ||
        !kubeconfig_text(&context, "cluster", &cluster_name, e) ||
        !kubeconfig_text(&context, "user", &user_name, e) ||
        !kubeconfig_text(&context, "namespace", &namespace, e)) {
        return false;
    }
    if (cluster_name == nullptr) {
        return kubeconfig_entry_error(&context, "cluster", "it is missing", e);
    }
    return kubeconfig_find(files, "clusters", "cluster", cluster_name, &cluster, e) &&
           get_cluster(&cluster, parts, e) &&
           (user_name == nullptr || (kubeconfig_find(files, "users", "user", user_name, &user, e) &&
                                     get_user(&user, &cluster, parts, e))) &&
           copy_text(namespace == nullptr ? "default" : namespace, &parts->namespace, e);
}

// Takes files.
static bool read_files(struct kubeconfig_files *files, const char *context, struct config_parts *ret_parts,
                       struct error *e) {
    struct config_parts parts = {0};
    const char *name = context != nullptr ? context : kubeconfig_current_context(files);
    bool read = name != nullptr && name[0] != '\0'
                    ? read_context(files, name, &parts, e)
                    : error_set(e, ERROR_INVALID_SPEC,
                                "%s: current-context: it is missing, and no context was chosen", files->name);
    kubeconfig_files_done(files);
    if (!read) {
        config_parts_done(&parts);
        return false;
    }
    *ret_parts = parts;
    return true;
}

bool kubeconfig_read(const char *path, const char *context, struct config_parts *ret_parts, struct error *e) {
    struct kubeconfig_files files;
    return kubeconfig_files_read(path, &files, e) && read_files(&files, context, ret_parts, e);
}

bool kubeconfig_read_list(const char *list, const char *context, struct config_parts *ret_parts,
                          struct error *e) {
    struct kubeconfig_files files;
    return kubeconfig_files_read_list(list, &files, e) && read_files(&files, context, ret_parts, e);
}

static bool join(const char *directory, const char *name, char **ret_path, struct error *e) {
    cleanup_buffer struct buffer path = buffer_create(PATH_TEXT_MAX);
    return buffer_append_format(&path, e, "%s/%s", directory, name) &&
           copy_text(buffer_text(&path), ret_path, e);
}

static bool get_pod_server(struct config_parts *parts, struct error *e) {
    const char *host = getenv("KUBERNETES_SERVICE_HOST");
    const char *port = getenv("KUBERNETES_SERVICE_PORT");
    if (host == nullptr || host[0] == '\0' || port == nullptr || port[0] == '\0' ||
        port[strspn(port, "0123456789")] != '\0') {
        return error_set(
            e, ERROR_INVALID_SPEC,
            "not in a pod: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT must name the API server");
    }
    bool v6 = strchr(host, ':') != nullptr && host[0] != '[';
    cleanup_buffer struct buffer server = buffer_create(PATH_TEXT_MAX);
    return buffer_append_format(&server, e, v6 ? "https://[%s]:%s" : "https://%s:%s", host, port) &&
           copy_text(buffer_text(&server), &parts->server, e);
}

// A pod that does not know its namespace is in "default".
static bool get_pod_namespace(const char *directory, struct config_parts *parts, struct error *e) {
    cleanup_text char *path = nullptr;
    cleanup_buffer struct buffer text = buffer_create(PATH_TEXT_MAX);
    struct error ignored;
    if (!join(directory, "namespace", &path, e)) {
        return false;
    }
    bool known = kubeconfig_read_file(path, &text, &ignored);
    size_t length = strcspn(buffer_text(&text), " \t\r\n");
    parts->namespace =
        known && length > 0 ? memory_copy_span(text.data, length) : memory_copy_text("default");
    return parts->namespace != nullptr || error_no_memory(e, "reading a pod's namespace");
}

bool kubeconfig_read_pod(const char *directory, struct config_parts *ret_parts, struct error *e) {
    struct config_parts parts = {0};
    if (!get_pod_server(&parts, e) || !get_pod_namespace(directory, &parts, e) ||
        !join(directory, "token", &parts.token.path, e) || !join(directory, "ca.crt", &parts.ca.path, e)) {
        config_parts_done(&parts);
        return false;
    }
    *ret_parts = parts;
    return true;
}
