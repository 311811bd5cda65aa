#include "kube/exec_credential.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/span.h"
#include "json/read.h"

#include <stdio.h>
#include <string.h>

enum { OFFSET_LENGTH = sizeof("+00:00") - 1, TIME_MAX = 64 };

bool exec_version_is_known(const char *api_version) {
    return strcmp(api_version, "client.authentication.k8s.io/v1") == 0 ||
           strcmp(api_version, EXEC_VERSION_BETA) == 0;
}

void exec_credential_done(struct exec_credential *credential) {
    memory_free(credential->token);
    memory_free(credential->certificate);
    memory_free(credential->key);
    *credential = (struct exec_credential){0};
}

static bool invalid(const char *field, const char *why, struct error *e) {
    return error_set(e, ERROR_INVALID_SPEC, "its answer: %s: %s", field, why);
}

// "+02:00" as seconds. False: text is no such thing.
static bool parse_offset(const char *text, int64_t *ret_seconds) {
    bool is_offset = (text[0] == '+' || text[0] == '-') && is_digit(text[1]) && is_digit(text[2]) &&
                     text[3] == ':' && is_digit(text[4]) && is_digit(text[5]);
    if (is_offset) {
        int minutes = ((text[1] - '0') * 10 + text[2] - '0') * 60 + (text[4] - '0') * 10 + text[5] - '0';
        *ret_seconds = (text[0] == '-' ? -60 : 60) * (int64_t)minutes;
    }
    return is_offset;
}

// RFC 3339 in any zone, which plug-ins write; others of our times are in UTC.
static bool parse_time(const char *text, int64_t *ret_seconds) {
    char in_utc[TIME_MAX];
    int64_t offset = 0;
    size_t length = strlen(text);
    if (length < OFFSET_LENGTH || length >= TIME_MAX) {
        return false;
    }
    if (!parse_offset(text + length - OFFSET_LENGTH, &offset)) {
        return clock_parse(text, ret_seconds);
    }
    snprintf(in_utc, sizeof(in_utc), "%.*sZ", (int)(length - OFFSET_LENGTH), text);
    if (!clock_parse(in_utc, ret_seconds)) {
        return false;
    }
    *ret_seconds -= offset;
    return true;
}

static bool read_expiry(yyjson_val *status, struct exec_credential *credential, struct error *e) {
    static const char field[] = "status.expirationTimestamp";
    yyjson_val *value = yyjson_obj_get(status, "expirationTimestamp");
    if (value == nullptr || yyjson_is_null(value)) {
        return true;
    }
    const char *text = json_text(value);
    credential->expires = true;
    return (text != nullptr && parse_time(text, &credential->expires_at)) ||
           invalid(field, "it is no time as of RFC 3339", e);
}

static bool read_text(yyjson_val *status, const char *name, char **ret_text, struct error *e) {
    yyjson_val *value = yyjson_obj_get(status, name);
    if (value == nullptr || yyjson_is_null(value) || yyjson_equals_str(value, "")) {
        return true;
    }
    const char *text = json_text(value);
    if (text == nullptr) {
        return error_set(e, ERROR_INVALID_SPEC, "its answer: status.%s: it must be a text", name);
    }
    *ret_text = memory_copy_text(text);
    return *ret_text != nullptr || error_no_memory(e, "credentials");
}

static bool check_header(yyjson_val *root, const char *api_version, struct error *e) {
    if (!json_member_is(root, "kind", "ExecCredential")) {
        return invalid("kind", "it must be ExecCredential", e);
    }
    return json_member_is(root, "apiVersion", api_version) ||
           invalid("apiVersion", "it must be the one that the kubeconfig says", e);
}

static bool read_status(yyjson_val *status, struct exec_credential *credential, struct error *e) {
    if (!yyjson_is_obj(status)) {
        return invalid("status", "it is missing", e);
    }
    if (!read_text(status, "token", &credential->token, e) ||
        !read_text(status, "clientCertificateData", &credential->certificate, e) ||
        !read_text(status, "clientKeyData", &credential->key, e) || !read_expiry(status, credential, e)) {
        return false;
    }
    if ((credential->certificate == nullptr) != (credential->key == nullptr)) {
        return invalid("status", "clientCertificateData and clientKeyData are needed together", e);
    }
    return credential->token != nullptr || credential->certificate != nullptr ||
           invalid("status", "it has neither a token nor a client certificate", e);
}

bool exec_credential_read(const char *answer, size_t length, const char *api_version,
                          struct exec_credential *ret_credential, struct error *e) {
    cleanup_json yyjson_doc *document = nullptr;
    struct exec_credential credential = {0};
    if (!json_parse(answer, length, &document, e)) {
        return e->class == ERROR_NO_MEMORY ? false
                                           : error_set(e, ERROR_INVALID_SPEC, "its answer is no JSON");
    }
    yyjson_val *root = yyjson_doc_get_root(document);
    if (!check_header(root, api_version, e) || !read_status(yyjson_obj_get(root, "status"), &credential, e)) {
        exec_credential_done(&credential);
        return false;
    }
    *ret_credential = credential;
    return true;
}
