#include "reconcile/input_url.h"

#include "reconcile/input_wait.h"

#include <stdio.h>
#include <string.h>

enum { URL_BYTES_MAX = 64 * 1024, URL_TIMEOUT_MS = 10000, URL_AGAIN_MS = 10000 };

// Whether the server could take the URL for one with another path than it shows.
static bool has_hidden_path(const char *url) {
    return strstr(url, "..") != nullptr || strcasestr(url, "%2e") != nullptr || strchr(url, '\\') != nullptr;
}

bool input_url_resolve(const struct reconcile *r, struct source *source, struct error *e) {
    char shown[SOURCE_SHOWN_SIZE];
    source->name = source->request->reference.name;
    bool is_hidden = has_hidden_path(source->name);
    for (const char *const *prefix = r->parts->seed_url_prefixes; *prefix != nullptr; prefix++) {
        if (strncmp(source->name, *prefix, strlen(*prefix)) == 0 && !is_hidden) {
            return true;
        }
    }
    source_show(source->name, shown);
    if (is_hidden) {
        return error_set(
            e, ERROR_INVALID_SPEC,
            "spec.%s: %.200s is refused; its path must not go upwards, have an encoded dot or a backslash",
            source->request->field, shown);
    }
    return error_set(e, ERROR_INVALID_SPEC,
                     "spec.%s: %.200s is refused; the operator fetches only from URLs that start with one of "
                     "its --seed-url-prefix settings",
                     source->request->field, shown);
}

// A URL that gives nothing now is waited for.
bool input_url_load(struct reconcile *r, struct source *source, struct error *e) {
    struct http_request request = {
        .method = "GET",
        .url = source->name,
        .response_cap = URL_BYTES_MAX,
        .timeout_ms = URL_TIMEOUT_MS,
    };
    cleanup_response struct http_response response = {0};
    struct error failure = {0};
    bool answered = http_client_call(r->parts->http, &request, &response, &failure);
    if (answered && response.status == 200) {
        return secret_copy(buffer_text(&response.body), response.body.length, &source->bytes, e);
    }
    char why[80]; // libcurl's own words quote what the server has sent
    if (answered) {
        snprintf(why, sizeof(why), "answered with HTTP status %d", response.status);
    } else {
        snprintf(why, sizeof(why), "%s",
                 failure.class == ERROR_IO ? "gave no answer that can be used: TLS, HTTP, or more than 64 KiB"
                                           : "could not be reached, or did not answer in time");
    }
    (void)input_wait_for(r, source, source->name, why, e);
    e->retry_after_ms = URL_AGAIN_MS;
    return false;
}
