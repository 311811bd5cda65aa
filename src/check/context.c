#include "check/context.h"

#include "base/memory.h"

enum { PATH_MAX_BYTES = 4096 };

bool check_call(struct check_context *context, const struct api_request *request, yyjson_doc **ret_document,
                struct error *e) {
    struct api_request timed = *request;
    timed.timeout_ms = context->options->timeout_ms;
    return api_call(kube_client_api(context->client), &timed, ret_document, e);
}

bool check_get(struct check_context *context, const struct kube_resource *resource, const char *ns,
               const char *name, yyjson_doc **ret_document, struct error *e) {
    return api_get(kube_client_api(context->client), resource, ns, name, context->options->timeout_ms,
                   ret_document, e);
}

bool check_get_path(struct check_context *context, const char *path, yyjson_doc **ret_document,
                    struct error *e) {
    const struct kube_request request = {
        .method = "GET", .path = path, .timeout_ms = context->options->timeout_ms};
    return kube_client_call(context->client, &request, ret_document, e);
}

bool check_get_text(struct check_context *context, const char *path, struct buffer *text, struct error *e) {
    cleanup_buffer struct buffer url = buffer_create(PATH_MAX_BYTES);
    cleanup_text char *authorization = nullptr;
    struct http_tls *tls;
    if (!buffer_append_format(&url, e, "%s%s", kube_config_server(context->config), path) ||
        !kube_config_credentials(context->config, &tls, &authorization, e)) {
        return false;
    }
    cleanup_response struct http_response response = {0};
    struct http_request request = {
        .method = "GET",
        .url = buffer_text(&url),
        .headers = (const char *const[]){"Accept: text/plain", authorization, nullptr},
        .response_cap = CHECK_ANSWER_MAX,
        .timeout_ms = context->options->timeout_ms,
        .tls = tls,
        .proxy = kube_config_proxy(context->config),
    };
    bool answered = http_client_call(context->http, &request, &response, e);
    http_tls_release(tls);
    if (answered && response.status >= 300) {
        kube_status_error(response.status, response.retry_after_ms, buffer_text(&response.body),
                          response.body.length, e);
        answered = false;
    }
    return answered ? buffer_append(text, buffer_text(&response.body), response.body.length, e)
                    : error_wrap(e, "GET %s", path);
}
