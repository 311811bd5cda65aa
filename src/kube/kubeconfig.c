#include "kube/kubeconfig.h"

#include "base/file.h"
#include "base/memory.h"
#include "crypto/encoding.h"
#include "kube/yaml.h"

#include <stdlib.h>
#include <string.h>

enum { FILE_MAX = 1024 * 1024, PATH_TEXT_MAX = 8192 };

// One named entry of a kubeconfig, and how errors call it.
struct entry {
    const char *file;
    const char *kind; // "cluster", "user", "context"
    const char *name;
    yyjson_val *object;
};

// A field that would change what is asked, of whom or by whom, and that is not served.
struct refusal {
    const char *field;
    const char *why;
};

static const struct refusal cluster_refusals[] = {
    {"insecure-skip-tls-verify", "the API server must be verified; give its certificate-authority instead"},
    {"tls-server-name", "a server name other than the server's own is not served"},
    {"proxy-url", "a proxy is taken from the environment (HTTPS_PROXY) only"},
    {nullptr, nullptr},
};

static const struct refusal user_refusals[] = {
    {"exec", "credential plug-ins are not served; use a token, a token file or a client certificate"},
    {"auth-provider", "auth providers are not served; use a token, a token file or a client certificate"},
    {"username", "basic authentication is not served; use a token or a client certificate"},
    {"password", "basic authentication is not served; use a token or a client certificate"},
    {"as", "impersonation is not served"},
    {"as-uid", "impersonation is not served"},
    {"as-groups", "impersonation is not served"},
    {"as-user-extra", "impersonation is not served"},
    {nullptr, nullptr},
};

static bool entry_error(const struct entry *entry, const char *field, const char *why, struct error *e) {
    return error_set(e, ERROR_INVALID_SPEC, "%s: %s \"%s\": %s: %s", entry->file, entry->kind, entry->name,
                     field, why);
}

void config_parts_done(struct config_parts *parts) {
    struct config_text *const texts[] = {&parts->ca, &parts->certificate, &parts->key, &parts->token};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        memory_free(texts[i]->path);
        memory_free(texts[i]->text);
    }
    memory_free(parts->server);
    memory_free(parts->namespace);
    *parts = (struct config_parts){0};
}

bool kubeconfig_read_file(const char *path, struct buffer *text, struct error *e) {
    if (!file_read(path, text, e)) {
        return false;
    }
    if (strlen(buffer_text(text)) != text->length) {
        return error_set(e, ERROR_INVALID_SPEC, "%s: it is no text", path);
    }
    return true;
}

static bool is_set(yyjson_val *value) {
    bool empty = value == nullptr || yyjson_is_null(value) || yyjson_is_false(value) ||
                 yyjson_equals_str(value, "") || (yyjson_is_ctn(value) && unsafe_yyjson_get_len(value) == 0);
    return !empty;
}

static bool refuse_fields(const struct entry *entry, const struct refusal *refusals, struct error *e) {
    for (; refusals->field != nullptr; refusals++) {
        if (is_set(yyjson_obj_get(entry->object, refusals->field))) {
            return entry_error(entry, refusals->field, refusals->why, e);
        }
    }
    return true;
}

// The field's text; NULL: absent or empty. Borrowed from the document.
static bool get_text(const struct entry *entry, const char *field, const char **ret_text, struct error *e) {
    yyjson_val *value = yyjson_obj_get(entry->object, field);
    if (!is_set(value)) {
        *ret_text = nullptr;
        return true;
    }
    if (!yyjson_is_str(value)) {
        return entry_error(entry, field, "it must be a text", e);
    }
    if (strlen(yyjson_get_str(value)) != yyjson_get_len(value)) {
        return entry_error(entry, field, "it holds a NUL", e);
    }
    *ret_text = yyjson_get_str(value);
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

// A relative path starts in the kubeconfig's folder, as kubectl has it.
static bool resolve_path(const char *file, const char *path, char **ret_path, struct error *e) {
    const char *slash = strrchr(file, '/');
    if (path[0] == '/' || slash == nullptr) {
        return copy_text(path, ret_path, e);
    }
    cleanup_buffer struct buffer whole = buffer_create(PATH_TEXT_MAX);
    return buffer_append(&whole, file, (size_t)(slash - file) + 1, e) &&
           buffer_append_text(&whole, path, e) && copy_text(buffer_text(&whole), ret_path, e);
}

static bool decode(const struct entry *entry, const char *field, const char *data, char **ret_text,
                   struct error *e) {
    cleanup_secret struct secret *bytes = nullptr;
    if (!base64_decode(data, strlen(data), ENCODING_SKIP_SPACES, &bytes, e)) {
        return error_wrap(e, "%s: %s \"%s\": %s", entry->file, entry->kind, entry->name, field);
    }
    const char *text = (const char *)secret_view(bytes);
    if (memchr(text, '\0', secret_length(bytes)) != nullptr) {
        return entry_error(entry, field, "it is no text", e);
    }
    char *copy = memory_copy_span(text, secret_length(bytes));
    if (copy == nullptr) {
        return error_no_memory(e, "reading a kubeconfig");
    }
    *ret_text = copy;
    return true;
}

// field names a file; data_field has the content itself and wins.
static bool get_pem(const struct entry *entry, const char *field, const char *data_field,
                    struct config_text *text, struct error *e) {
    const char *data;
    const char *path;
    if (!get_text(entry, data_field, &data, e) || !get_text(entry, field, &path, e)) {
        return false;
    }
    if (data != nullptr) {
        return decode(entry, data_field, data, &text->text, e);
    }
    return path == nullptr || resolve_path(entry->file, path, &text->path, e);
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

static bool get_server(const struct entry *entry, struct config_parts *parts, struct error *e) {
    static const char scheme[] = "https://";
    const char *server;
    if (!get_text(entry, "server", &server, e)) {
        return false;
    }
    if (server == nullptr || strncmp(server, scheme, sizeof(scheme) - 1) != 0) {
        return entry_error(entry, "server", "it must start with https://", e);
    }
    if (!is_address(server) || strcspn(server + sizeof(scheme) - 1, "/") == 0) {
        return entry_error(entry, "server",
                           "it must be https://host, https://host:port or one of these with a path", e);
    }
    size_t length = strlen(server);
    while (server[length - 1] == '/') {
        length--;
    }
    parts->server = memory_copy_span(server, length);
    return parts->server != nullptr || error_no_memory(e, "reading a kubeconfig");
}

static bool get_cluster(const struct entry *entry, struct config_parts *parts, struct error *e) {
    return refuse_fields(entry, cluster_refusals, e) && get_server(entry, parts, e) &&
           get_pem(entry, "certificate-authority", "certificate-authority-data", &parts->ca, e);
}

// As client-go has it, a token file wins over a token.
static bool get_token(const struct entry *entry, struct config_parts *parts, struct error *e) {
    const char *token;
    const char *path;
    if (!get_text(entry, "token", &token, e) || !get_text(entry, "tokenFile", &path, e)) {
        return false;
    }
    if (path != nullptr) {
        return resolve_path(entry->file, path, &parts->token.path, e);
    }
    return token == nullptr || copy_text(token, &parts->token.text, e);
}

static bool get_user(const struct entry *entry, struct config_parts *parts, struct error *e) {
    return refuse_fields(entry, user_refusals, e) && get_token(entry, parts, e) &&
           get_pem(entry, "client-certificate", "client-certificate-data", &parts->certificate, e) &&
           get_pem(entry, "client-key", "client-key-data", &parts->key, e);
}

// The first entry of that name in one of the three lists, as kubectl takes it.
static bool find_entry(const char *file, yyjson_val *root, const char *list, const char *kind,
                       const char *name, struct entry *ret_entry, struct error *e) {
    yyjson_val *item;
    size_t i;
    size_t count;
    yyjson_arr_foreach(yyjson_obj_get(root, list), i, count, item) {
        const char *item_name = json_member_text(item, "name");
        if (item_name != nullptr && strcmp(item_name, name) == 0) {
            *ret_entry = (struct entry){file, kind, name, yyjson_obj_get(item, kind)};
            return true;
        }
    }
    return error_set(e, ERROR_INVALID_SPEC, "%s: %s: there is none of the name \"%s\"", file, list, name);
}

static bool read_context(const char *file, yyjson_val *root, const char *name, struct config_parts *parts,
                         struct error *e) {
    struct entry context;
    struct entry cluster;
    struct entry user;
    const char *cluster_name;
    const char *user_name;
    const char *namespace;
    if (!find_entry(file, root, "contexts", "context", name, &context, e) ||
        !get_text(&context, "cluster", &cluster_name, e) || !get_text(&context, "user", &user_name, e) ||
        !get_text(&context, "namespace", &namespace, e)) {
        return false;
    }
    if (cluster_name == nullptr) {
        return entry_error(&context, "cluster", "it is missing", e);
    }
    return find_entry(file, root, "clusters", "cluster", cluster_name, &cluster, e) &&
           get_cluster(&cluster, parts, e) &&
           (user_name == nullptr ||
            (find_entry(file, root, "users", "user", user_name, &user, e) && get_user(&user, parts, e))) &&
           copy_text(namespace == nullptr ? "default" : namespace, &parts->namespace, e);
}

bool kubeconfig_read(const char *path, const char *context, struct config_parts *ret_parts, struct error *e) {
    cleanup_buffer struct buffer text = buffer_create(FILE_MAX);
    cleanup_json yyjson_doc *document = nullptr;
    if (!kubeconfig_read_file(path, &text, e)) {
        return false;
    }
    if (!yaml_parse(buffer_text(&text), text.length, &document, e)) {
        return error_wrap(e, "%s", path);
    }
    yyjson_val *root = yyjson_doc_get_root(document);
    const char *name = context != nullptr ? context : json_member_text(root, "current-context");
    if (name == nullptr || name[0] == '\0') {
        return error_set(e, ERROR_INVALID_SPEC,
                         "%s: current-context: it is missing, and no context was chosen", path);
    }
    struct config_parts parts = {0};
    if (!read_context(path, root, name, &parts, e)) {
        config_parts_done(&parts);
        return false;
    }
    *ret_parts = parts;
    return true;
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
