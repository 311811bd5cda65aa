// The body of an answer that says what went wrong, after its HTTP status as three digits: its class follows
// from the status, but for what the body may say, and of its words only those that can be shown are.
#include "answers.h"

#include "kube/client.h"

// A private key's digits, wherever they stand in the message.
static const char key[] = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

static enum error_class class_of(int status) {
    switch (status) {
    case 400:
    case 413:
    case 422:
        return ERROR_REFUSED;
    case 401:
    case 408:
    case 429:
        return ERROR_RETRYABLE;
    case 403:
        return ERROR_FORBIDDEN;
    case 404:
        return ERROR_NOT_FOUND;
    case 409:
        return ERROR_CONFLICT;
    case 410:
        return ERROR_GONE;
    default:
        return status < 500 ? ERROR_IO : ERROR_RETRYABLE;
    }
}

static void check_error(const struct error *e, int status) {
    char end[64];
    size_t length = strlen(e->message);
    enum error_class expected = class_of(status);
    bool may_be_gone = (status == 500 || status == 504) && e->class == ERROR_GONE;
    bool may_be_absent = status == 403 && e->class == ERROR_NOT_FOUND; // a namespace that ends
    check_refusal(e, may_be_gone || may_be_absent ? e->class : expected);
    (void)snprintf(end, sizeof(end), "(HTTP status %d)", status);
    CHECK(length > strlen(end) && strcmp(e->message + length - strlen(end), end) == 0);
    for (size_t i = 0; i < length; i++) {
        CHECK((unsigned char)e->message[i] >= ' ' && e->message[i] != 0x7f);
    }
    CHECK(strstr(e->message, "-----BEGIN") == nullptr);
}

static void read_error(int status, uint32_t retry_after_ms, const char *body, size_t length) {
    struct error e = {0};
    char reason[KUBE_REASON_SIZE];
    kube_status_error(status, retry_after_ms, body, length, &e);
    check_error(&e, status);
    kube_status_reason(body, length, reason);
    CHECK(strlen(reason) < sizeof(reason));
    CHECK(retry_after_ms == 0 || e.retry_after_ms == retry_after_ms); // the header is believed first
}

// The same Status with a key's digits at the end of its message.
static void read_with_key(int status, yyjson_val *root) {
    struct error e = {0};
    const char *message = json_member_text(root, "message");
    cleanup_json_mut yyjson_mut_doc *document = nullptr;
    cleanup_buffer struct buffer words = buffer_create(DOCUMENT_TEXT_MAX);
    cleanup_buffer struct buffer body = buffer_create(DOCUMENT_TEXT_MAX);
    if (!json_member_is(root, "kind", "Status") || message == nullptr) {
        return;
    }
    MUST(json_create(&document, &e), e);
    MUST(buffer_append_format(&words, &e, "%s %s %s", key, message, key), e);
    (void)yyjson_mut_obj_add_str(document, yyjson_mut_doc_get_root(document), "kind", "Status");
    (void)yyjson_mut_obj_add_str(document, yyjson_mut_doc_get_root(document), "message", buffer_text(&words));
    MUST(json_write(document, &body, &e), e);
    kube_status_error(status, 0, buffer_text(&body), body.length, &e);
    check_error(&e, status);
    for (size_t at = 0; at + 16 < sizeof(key); at++) {
        char piece[17];
        (void)snprintf(piece, sizeof(piece), "%.16s", key + at);
        CHECK(strstr(e.message, piece) == nullptr);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    int status = 0;
    for (size_t i = 0; i < 3; i++) {
        status = status * 10 + (size > i && data[i] >= '0' && data[i] <= '9' ? data[i] - '0' : 0);
    }
    if (size < 3 || status < 400) {
        return 0;
    }
    const char *body = (const char *)data + 3;
    cleanup_json yyjson_doc *document = json_of(body, size - 3);
    read_error(status, 0, body, size - 3);
    read_error(status, 7000, body, size - 3);
    read_with_key(status, yyjson_doc_get_root(document));
    return 0;
}
