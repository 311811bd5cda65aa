// san_parse: names come out in one canonical form, of which each part is what its standard allows.
#include "fuzz.h"

#include "crypto/san.h"

#include <arpa/inet.h>

static const char *const prefixes[] = {
    [SAN_DNS] = "DNS:", [SAN_IP] = "IP:", [SAN_EMAIL] = "email:", [SAN_URI] = "URI:"};

static void check_host(const char *host) {
    size_t label = 0;
    CHECK(strlen(host) <= 253);
    host += strncmp(host, "*.", 2) == 0 ? 2 : 0;
    for (const char *c = host; *c != '\0'; c++) {
        CHECK(strchr("abcdefghijklmnopqrstuvwxyz0123456789-.", *c) != nullptr);
        CHECK(*c != '.' || (label > 0 && c[-1] != '-' && c[1] != '-'));
        label = *c == '.' ? 0 : label + 1;
        CHECK(label <= 63);
    }
    CHECK(label > 0 && host[0] != '-');
}

static void check_address(const struct san *san) {
    char text[INET6_ADDRSTRLEN];
    CHECK(san->bytes_length == 4 || san->bytes_length == 16);
    CHECK(inet_ntop(san->bytes_length == 4 ? AF_INET : AF_INET6, san->bytes, text, sizeof(text)) != nullptr);
    CHECK(strcmp(text, san->text) == 0);
}

// RFC 3986 sections 2 and 3.2: what other implementations refuse must not get into a certificate.
static void check_uri(const char *uri) {
    const char *colon = strchr(uri, ':');
    CHECK(colon != nullptr && colon > uri && colon[1] != '\0');
    for (const char *c = uri; *c != '\0'; c++) {
        CHECK(*c > ' ' && *c < 0x7f && strchr("\"<>\\^`{|}", *c) == nullptr);
        CHECK(*c != '%' || strspn(c + 1, "0123456789abcdefABCDEF") >= 2);
    }
    if (strncmp(colon, "://", 3) == 0) {
        const char *authority = colon + 3;
        size_t length = strcspn(authority, "/?#");
        const char *bracket = memchr(authority, '[', length);
        const char *end = bracket == nullptr ? authority : memchr(authority, ']', length);
        CHECK(end != nullptr);
        const char *port = memrchr(end, ':', length - (size_t)(end - authority));
        const char *at = memrchr(authority, '@', length);
        if (port != nullptr && (at == nullptr || port > at)) {
            CHECK(strspn(port + 1, "0123456789") == length - (size_t)(port + 1 - authority));
        }
    }
}

static void check_form(const struct san *san) {
    switch (san->type) {
    case SAN_DNS:
        check_host(san->text);
        break;
    case SAN_IP:
        check_address(san);
        break;
    case SAN_EMAIL:
        CHECK(strchr(san->text, '@') != nullptr);
        check_host(strrchr(san->text, '@') + 1);
        break;
    case SAN_URI:
        check_uri(san->text);
        break;
    }
    CHECK(san->type == SAN_IP || san->bytes_length == 0);
}

// With the type's prefix it is read as the same. (Without, a URI such as dns:x is another name.)
static void check_canonical(const struct san *san) {
    struct error e = {0};
    struct san again;
    cleanup_buffer struct buffer text = buffer_create(2 * SAN_TEXT_MAX);
    MUST(buffer_append_format(&text, &e, "%s%s", prefixes[san->type], san->text), e);
    if (text.length > SAN_TEXT_MAX) {
        return;
    }
    MUST(san_parse(buffer_text(&text), &again, &e), e);
    CHECK(san_equals(san, &again) && again.bytes_length == san->bytes_length &&
          memcmp(again.bytes, san->bytes, sizeof(san->bytes)) == 0);
    san_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    cleanup_text char *text = text_of(data, size);
    struct error e = {0};
    const struct san untouched = {.text = (char *)&e, .bytes_length = 99};
    struct san san = untouched;
    if (san_parse(text, &san, &e)) {
        check_form(&san);
        check_canonical(&san);
        san_done(&san);
    } else {
        CHECK(san.text == untouched.text && san.bytes_length == untouched.bytes_length);
        check_refusal(&e, ERROR_INVALID_SPEC);
    }
    return 0;
}
