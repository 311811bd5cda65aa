#include "kube/config.h"

#include "base/clock.h"
#include "base/memory.h"
#include "kube/config_time.h"
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

// Reads CA, client certificate and key; a new http_tls is made only if one of them is new and all are good,
// so that a half-written rotation keeps the old one.
static bool refresh_tls(struct kube_config *config, struct error *e) {
    struct config_parts *parts = &config->parts;
    cleanup_text char *ca = nullptr;
    cleanup_text char *certificate = nullptr;
    cleanup_text char *key = nullptr;
    if (!read_pem(&parts->ca, &ca, e) || !read_pem(&parts->certificate, &certificate, e) ||
        !read_pem(&parts->key, &key, e)) {
        return false;
    }
    if (config->tls != nullptr && same_text(ca, parts->ca.text) &&
        same_text(certificate, parts->certificate.text) && same_text(key, parts->key.text)) {
        return true;
    }
    struct http_tls *tls;
    if (!http_tls_create(ca, certificate, key, &tls, e)) {
        return false;
    }
    http_tls_release(config->tls);
    config->tls = tls;
    replace(&parts->ca, &ca);
    replace(&parts->certificate, &certificate);
    replace(&parts->key, &key);
    return true;
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

// Takes over what parts own, and reads all files for the first time.
static bool create(struct config_parts *parts, const char *origin, struct kube_config **ret_config,
                   struct error *e) {
    struct kube_config *config = memory_allocate_zeroed(1, sizeof(*config));
    if (config == nullptr) {
        config_parts_done(parts);
        return error_no_memory(e, "a configuration");
    }
    pthread_mutex_init(&config->lock, nullptr);
    config->parts = *parts;
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
    *ret_config = config;
    return true;
}

static bool load_file(const char *path, const char *context, struct kube_config **ret_config,
                      struct error *e) {
    struct config_parts parts;
    return kubeconfig_read(path, context, &parts, e) && create(&parts, path, ret_config, e);
}

bool kube_config_load_in_cluster(const char *directory, struct kube_config **ret_config, struct error *e) {
    struct config_parts parts;
    return kubeconfig_read_pod(directory, &parts, e) && create(&parts, "service account", ret_config, e);
}

static bool load_home(const char *context, struct kube_config **ret_config, struct error *e) {
    const char *home = getenv("HOME");
    if (home == nullptr || home[0] == '\0') {
        return error_set(e, ERROR_INVALID_SPEC,
                         "no kubeconfig was named, and neither KUBECONFIG nor HOME is set");
    }
    cleanup_buffer struct buffer path = buffer_create(PATH_TEXT_MAX);
    return buffer_append_format(&path, e, "%s/.kube/config", home) &&
           load_file(buffer_text(&path), context, ret_config, e);
}

bool kube_config_load(const char *path, const char *context, struct kube_config **ret_config,
                      struct error *e) {
    if (path != nullptr) {
        return load_file(path, context, ret_config, e);
    }
    const char *named = getenv("KUBECONFIG");
    named = named == nullptr ? "" : named + strspn(named, ":");
    if (named[0] != '\0') {
        cleanup_text char *first = memory_copy_span(named, strcspn(named, ":"));
        return first == nullptr ? error_no_memory(e, "a path") : load_file(first, context, ret_config, e);
    }
    if (getenv("KUBERNETES_SERVICE_HOST") != nullptr) {
        return kube_config_load_in_cluster(pod_directory, ret_config, e);
    }
    return load_home(context, ret_config, e);
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
    bool done = format_authorization(config->parts.token.text, ret_authorization, e);
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
