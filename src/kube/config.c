#include "kube/config.h"

#include "base/clock.h"
#include "base/memory.h"
#include "kube/config_time.h"
#include "kube/exec_credential.h"
#include "kube/kubeconfig.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    PEM_MAX = 1024 * 1024,
    TOKEN_MAX = 64 * 1024,
    PATH_TEXT_MAX = 8192,
};

static const char pod_directory[] = "/var/run/secrets/kubernetes.io/serviceaccount";

struct kube_config {
    pthread_mutex_t lock; // guards all below but server and namespace
    struct config_parts parts;
    struct http_tls *tls;
    int64_t tls_read_ms;
    int64_t token_read_ms;
    bool token_rejected;
    const struct exec_runner *runner; // borrowed; NULL: nothing may be run
    bool exec_expires;
    int64_t exec_expires_at; // seconds since 1970
};

// Reads one of the PEM files anew, or copies what is fixed; *ret_text is owned, and NULL when there is none.
static bool read_pem(const struct config_text *source, char **ret_text, struct error *e) {
    cleanup_buffer struct buffer text = buffer_create(PEM_MAX);
    if (source->path != nullptr && !kubeconfig_read_file(source->path, &text, e)) {
        return false;
    }
    const char *content = source->path != nullptr ? buffer_text(&text) : source->text;
    char *copy = content == nullptr ? nullptr : memory_copy_text(content);
    if (content != nullptr && copy == nullptr) {
        return error_no_memory(e, "reading credentials");
    }
    *ret_text = copy;
    return true;
}

static bool same_text(const char *a, const char *b) {
    return a == b || (a != nullptr && b != nullptr && strcmp(a, b) == 0);
}

static void replace(struct config_text *source, char **text) {
    memory_free(source->text);
    source->text = *text;
    *text = nullptr;
}

static bool create_tls(const struct config_parts *parts, const char *ca, const char *certificate,
                       const char *key, struct http_tls **ret_tls, struct error *e) {
    struct http_tls *tls;
    if (!http_tls_create(ca, certificate, key, &tls, e)) {
        return false;
    }
    if (parts->server_name != nullptr && !http_tls_set_server_name(tls, parts->server_name, e)) {
        http_tls_release(tls);
        return false;
    }
    *ret_tls = tls;
    return true;
}

// Takes the texts; a new http_tls is made only if one of them is new and all are good.
static bool use_texts(struct kube_config *config, char **ca, char **certificate, char **key,
                      struct error *e) {
    struct config_parts *parts = &config->parts;
    struct http_tls *tls;
    if (config->tls != nullptr && same_text(*ca, parts->ca.text) &&
        same_text(*certificate, parts->certificate.text) && same_text(*key, parts->key.text)) {
        return true;
    }
    if (!create_tls(parts, *ca, *certificate, *key, &tls, e)) {
        return false;
    }
    http_tls_release(config->tls);
    config->tls = tls;
    replace(&parts->ca, ca);
    replace(&parts->certificate, certificate);
    replace(&parts->key, key);
    return true;
}

// Reads CA, client certificate and key; a half-written rotation keeps the old ones.
static bool refresh_tls(struct kube_config *config, struct error *e) {
    const struct config_parts *parts = &config->parts;
    cleanup_text char *ca = nullptr;
    cleanup_text char *certificate = nullptr;
    cleanup_text char *key = nullptr;
    return read_pem(&parts->ca, &ca, e) && read_pem(&parts->certificate, &certificate, e) &&
           read_pem(&parts->key, &key, e) && use_texts(config, &ca, &certificate, &key, e);
}

// A token goes into a header line: visible ASCII only.
static bool is_token(const char *text, size_t length) {
    for (size_t i = 0; i < length; i++) {
        if (text[i] <= ' ' || text[i] > '~') {
            return false;
        }
    }
    return length > 0;
}

static bool trim_token(const char *text, const char *origin, char **ret_token, struct error *e) {
    static const char spaces[] = " \t\r\n";
    text += strspn(text, spaces);
    size_t length = strlen(text);
    while (length > 0 && strchr(spaces, text[length - 1]) != nullptr) {
        length--;
    }
    if (!is_token(text, length)) {
        return error_set(e, ERROR_INVALID_SPEC, "%s: %s", origin,
                         length == 0 ? "the token is empty"
                                     : "the token holds a character that no token has");
    }
    char *token = memory_copy_span(text, length);
    if (token == nullptr) {
        return error_no_memory(e, "reading a token");
    }
    *ret_token = token;
    return true;
}

static bool refresh_token(struct kube_config *config, struct error *e) {
    cleanup_buffer struct buffer text = buffer_create(TOKEN_MAX);
    cleanup_text char *token = nullptr;
    struct config_text *source = &config->parts.token;
    if (!kubeconfig_read_file(source->path, &text, e) ||
        !trim_token(buffer_text(&text), source->path, &token, e)) {
        return false;
    }
    replace(source, &token);
    config->token_rejected = false;
    return true;
}

// ---- a credential plug-in

// The certificate that a plug-in gave takes the place of one of a file.
static bool use_certificate(struct kube_config *config, struct exec_credential *credential, struct error *e) {
    struct config_text *const replaced[] = {&config->parts.certificate, &config->parts.key};
    cleanup_text char *ca = nullptr;
    const struct config_text present = {.text = config->parts.ca.text};
    if (!read_pem(&present, &ca, e) ||
        !use_texts(config, &ca, &credential->certificate, &credential->key, e)) {
        return false;
    }
    for (size_t i = 0; i < sizeof(replaced) / sizeof(replaced[0]); i++) {
        memory_free(replaced[i]->path);
        replaced[i]->path = nullptr;
    }
    return true;
}

static bool use_credential(struct kube_config *config, struct exec_credential *credential, struct error *e) {
    cleanup_text char *token = nullptr;
    if (credential->token != nullptr && !trim_token(credential->token, "its answer", &token, e)) {
        return false;
    }
    if (credential->certificate != nullptr && !use_certificate(config, credential, e)) {
        return false;
    }
    if (token != nullptr) {
        replace(&config->parts.token, &token);
    }
    config->exec_expires = credential->expires;
    config->exec_expires_at = credential->expires_at;
    config->token_rejected = false;
    config->token_read_ms = clock_monotonic_ms();
    return true;
}

static bool run_plugin(struct kube_config *config, struct error *e) {
    struct exec_plugin *plugin = config->parts.exec;
    cleanup_buffer struct buffer answer = buffer_create(EXEC_ANSWER_MAX);
    struct exec_credential credential = {0};
    if (config->runner == nullptr) {
        return error_set(e, ERROR_INVALID_SPEC,
                         "%s: credential plug-ins are not run here; use a token, a token file or a client "
                         "certificate",
                         plugin->origin);
    }
    if (!exec_plugin_run(plugin, config->runner, &answer, e)) {
        return false;
    }
    bool used =
        exec_credential_read(buffer_text(&answer), answer.length, plugin->api_version, &credential, e) &&
        use_credential(config, &credential, e);
    exec_credential_done(&credential);
    return used || error_wrap(e, "%s", plugin->origin);
}

// With the lock held.
static bool refresh_from_plugin(struct kube_config *config, struct error *e) {
    bool is_due =
        config->parts.exec != nullptr &&
        (config->token_rejected || (config->exec_expires && clock_wall_seconds() >= config->exec_expires_at));
    return !is_due || run_plugin(config, e);
}

// ---- loading

// Takes over what parts own, and reads all files for the first time.
static bool create(struct config_parts *parts, const char *origin, const struct exec_runner *runner,
                   struct kube_config **ret_config, struct error *e) {
    struct kube_config *config = memory_allocate_zeroed(1, sizeof(*config));
    if (config == nullptr) {
        config_parts_done(parts);
        return error_no_memory(e, "a configuration");
    }
    pthread_mutex_init(&config->lock, nullptr);
    config->parts = *parts;
    config->runner = runner;
    config->tls_read_ms = config->token_read_ms = clock_monotonic_ms();
    struct config_text *token = &config->parts.token;
    cleanup_text char *trimmed = nullptr;
    bool good = refresh_tls(config, e) && (token->path == nullptr || refresh_token(config, e)) &&
                (token->text == nullptr || trim_token(token->text, "token", &trimmed, e));
    if (!good) {
        kube_config_free(config);
        return error_wrap(e, "%s", origin);
    }
    if (trimmed != nullptr) {
        replace(token, &trimmed);
    }
    if (config->parts.exec != nullptr && !run_plugin(config, e)) {
        kube_config_free(config);
        return false;
    }
    *ret_config = config;
    return true;
}

static bool load_file(const char *path, const char *context, const struct exec_runner *runner,
                      struct kube_config **ret_config, struct error *e) {
    struct config_parts parts;
    return kubeconfig_read(path, context, &parts, e) && create(&parts, path, runner, ret_config, e);
}

static bool load_list(const char *list, const char *context, const struct exec_runner *runner,
                      struct kube_config **ret_config, struct error *e) {
    struct config_parts parts;
    return kubeconfig_read_list(list, context, &parts, e) && create(&parts, list, runner, ret_config, e);
}

bool kube_config_load_in_cluster(const char *directory, struct kube_config **ret_config, struct error *e) {
    struct config_parts parts;
    return kubeconfig_read_pod(directory, &parts, e) &&
           create(&parts, "service account", nullptr, ret_config, e);
}

static bool load_home(const char *context, const struct exec_runner *runner, struct kube_config **ret_config,
                      struct error *e) {
    const char *home = getenv("HOME");
    if (home == nullptr || home[0] == '\0') {
        return error_set(e, ERROR_INVALID_SPEC,
                         "no kubeconfig was named, and neither KUBECONFIG nor HOME is set");
    }
    cleanup_buffer struct buffer path = buffer_create(PATH_TEXT_MAX);
    return buffer_append_format(&path, e, "%s/.kube/config", home) &&
           load_file(buffer_text(&path), context, runner, ret_config, e);
}

bool kube_config_load_with(const char *path, const char *context, const struct exec_runner *runner,
                           struct kube_config **ret_config, struct error *e) {
    if (path != nullptr) {
        return load_file(path, context, runner, ret_config, e);
    }
    const char *list = getenv("KUBECONFIG");
    if (list != nullptr && list[strspn(list, ":")] != '\0') {
        return load_list(list, context, runner, ret_config, e);
    }
    if (getenv("KUBERNETES_SERVICE_HOST") != nullptr) {
        return kube_config_load_in_cluster(pod_directory, ret_config, e);
    }
    return load_home(context, runner, ret_config, e);
}

bool kube_config_load(const char *path, const char *context, struct kube_config **ret_config,
                      struct error *e) {
    return kube_config_load_with(path, context, nullptr, ret_config, e);
}

void kube_config_free(struct kube_config *config) {
    if (config != nullptr) {
        http_tls_release(config->tls);
        config_parts_done(&config->parts);
        pthread_mutex_destroy(&config->lock);
        memory_free(config);
    }
}

const char *kube_config_server(const struct kube_config *config) {
    return config->parts.server;
}

const char *kube_config_namespace(const struct kube_config *config) {
    return config->parts.namespace;
}

const char *kube_config_proxy(const struct kube_config *config) {
    return config->parts.proxy;
}

// With the lock held. What cannot be read now stays as it is; a rejected token is read at each call until it
// can be.
static void refresh(struct kube_config *config, int64_t now_ms) {
    const struct config_parts *parts = &config->parts;
    struct error ignored;
    bool has_files =
        parts->ca.path != nullptr || parts->certificate.path != nullptr || parts->key.path != nullptr;
    if (has_files && now_ms - config->tls_read_ms >= CONFIG_REFRESH_MS) {
        config->tls_read_ms = now_ms;
        (void)refresh_tls(config, &ignored);
    }
    if (parts->token.path != nullptr &&
        (config->token_rejected || now_ms - config->token_read_ms >= CONFIG_REFRESH_MS)) {
        config->token_read_ms = now_ms;
        (void)refresh_token(config, &ignored);
    }
}

static bool format_authorization(const char *token, char **ret_line, struct error *e) {
    static const char prefix[] = "Authorization: Bearer ";
    if (token == nullptr) {
        *ret_line = nullptr;
        return true;
    }
    size_t length = strlen(token);
    char *line = memory_allocate(sizeof(prefix) + length);
    if (line == nullptr) {
        return error_no_memory(e, "a header");
    }
    memcpy(line, prefix, sizeof(prefix) - 1);
    memcpy(line + sizeof(prefix) - 1, token, length + 1);
    *ret_line = line;
    return true;
}

bool kube_config_credentials_at(struct kube_config *config, int64_t now_ms, struct http_tls **ret_tls,
                                char **ret_authorization, struct error *e) {
    pthread_mutex_lock(&config->lock);
    refresh(config, now_ms);
    bool done = refresh_from_plugin(config, e) &&
                format_authorization(config->parts.token.text, ret_authorization, e);
    if (done) {
        *ret_tls = http_tls_retain(config->tls);
    }
    pthread_mutex_unlock(&config->lock);
    return done;
}

bool kube_config_credentials(struct kube_config *config, struct http_tls **ret_tls, char **ret_authorization,
                             struct error *e) {
    return kube_config_credentials_at(config, clock_monotonic_ms(), ret_tls, ret_authorization, e);
}

void kube_config_reject_token(struct kube_config *config, int64_t started_ms) {
    pthread_mutex_lock(&config->lock);
    if (config->token_read_ms <= started_ms) {
        config->token_rejected = true;
    }
    pthread_mutex_unlock(&config->lock);
}
