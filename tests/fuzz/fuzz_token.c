// A token's file, when it is read first and when it is read again: what goes into a header line is one word
// of visible ASCII, and what cannot be one leaves the token that there was.
#include "memory_file.h"

#include "kube/config_time.h"

static const char first_token[] = "the-first-token";
static const char prefix[] = "Authorization: Bearer ";

// The token in the file, owned; NULL: it holds none.
static char *token_of(const uint8_t *data, size_t size) {
    static const char spaces[] = " \t\r\n";
    while (size > 0 && memchr(spaces, data[0], sizeof(spaces) - 1) != nullptr) {
        data++;
        size--;
    }
    while (size > 0 && memchr(spaces, data[size - 1], sizeof(spaces) - 1) != nullptr) {
        size--;
    }
    for (size_t i = 0; i < size; i++) {
        if (data[i] <= ' ' || data[i] > '~') {
            return nullptr;
        }
    }
    return size == 0 ? nullptr : memory_copy_span((const char *)data, size);
}

static bool load(const char *path, struct kube_config **ret_config, struct error *e) {
    static struct memory_file kubeconfig;
    char text[1024];
    int length = snprintf(text, sizeof(text),
                          "{\"clusters\":[{\"name\":\"c\",\"cluster\":{\"server\":\"https://host:1\"}}],"
                          "\"users\":[{\"name\":\"u\",\"user\":{\"tokenFile\":\"%s\"}}],"
                          "\"contexts\":[{\"name\":\"x\",\"context\":{\"cluster\":\"c\",\"user\":\"u\"}}],"
                          "\"current-context\":\"x\"}",
                          path);
    return kube_config_load(memory_file_write(&kubeconfig, text, (size_t)length), nullptr, ret_config, e);
}

static void check_line(struct kube_config *config, int64_t now_ms, const char *token) {
    struct error e;
    struct http_tls *tls;
    char *line;
    MUST(kube_config_credentials_at(config, now_ms, &tls, &line, &e), e);
    CHECK(line != nullptr && strncmp(line, prefix, sizeof(prefix) - 1) == 0);
    CHECK(strcmp(line + sizeof(prefix) - 1, token) == 0);
    http_tls_release(tls);
    memory_free(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct memory_file file;
    struct error e = {0};
    struct kube_config *untouched = (struct kube_config *)&e;
    struct kube_config *config = untouched;
    cleanup_text char *token = token_of(data, size);
    const int64_t later_ms = INT64_MAX / 2; // long after it was read first
    start_crypto();
    const char *path = memory_file_write(&file, data, size);
    if (load(path, &config, &e)) {
        CHECK(token != nullptr);
        check_line(config, 0, token);
        kube_config_free(config);
    } else {
        CHECK(token == nullptr && config == untouched);
        check_refusal(&e, ERROR_INVALID_SPEC);
    }
    (void)memory_file_write(&file, first_token, sizeof(first_token) - 1);
    MUST(load(path, &config, &e), e);
    (void)memory_file_write(&file, data, size);
    check_line(config, later_ms, token == nullptr ? first_token : token);
    kube_config_free(config);
    return 0;
}
