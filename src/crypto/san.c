#include "crypto/san.h"

#include "base/memory.h"
#include "crypto/hostname.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { LOCAL_PART_MAX = 64 }; // RFC 5321 section 4.5.3.1.1

static bool set_text(struct san *san, enum san_type type, const char *text, struct error *e) {
    san->type = type;
    san->text = memory_copy_text(text);
    return san->text != nullptr || error_no_memory(e, "a name");
}

// ---- addresses

static bool parse_address(const char *text, struct san *san) {
    if (inet_pton(AF_INET, text, san->bytes) == 1) {
        san->bytes_length = 4;
    } else if (inet_pton(AF_INET6, text, san->bytes) == 1) {
        san->bytes_length = 16;
    }
    return san->bytes_length > 0;
}

// RFC 4291 section 2.5.5.2: Go refuses a whole certificate with such an address.
static bool is_mapped(const struct san *san) {
    struct in6_addr address = {0};
    memcpy(&address, san->bytes, sizeof(address));
    return san->bytes_length == sizeof(address) && IN6_IS_ADDR_V4MAPPED(&address);
}

// Whether text, which has no prefix, is rather a mistaken IPv6 address, perhaps with a zone or a prefix
// length, than a scheme and more: hexadecimal digits and two colons at least.
static bool resembles_address(const char *text) {
    size_t length = strspn(text, "0123456789abcdefABCDEF:.");
    size_t colon = strcspn(text, ":.");
    return colon < length && text[colon] == ':' &&
           memchr(text + colon + 1, ':', length - colon - 1) != nullptr &&
           strchr("%/", text[length]) != nullptr;
}

static bool read_address(const char *text, struct san *ret_san, struct error *e) {
    struct san san = {.type = SAN_IP};
    char canonical[INET6_ADDRSTRLEN];
    if (!parse_address(text, &san)) {
        return error_set(e, ERROR_INVALID_SPEC,
                         "not an IP address; one such as 192.0.2.1 or 2001:db8::1 is allowed, without a "
                         "prefix length, port or zone");
    }
    if (is_mapped(&san)) {
        return error_set(e, ERROR_INVALID_SPEC,
                         "an IPv4 address in an IPv6 address, which clients refuse; write %u.%u.%u.%u",
                         san.bytes[12], san.bytes[13], san.bytes[14], san.bytes[15]);
    }
    if (inet_ntop(san.bytes_length == 4 ? AF_INET : AF_INET6, san.bytes, canonical, sizeof(canonical)) ==
            nullptr ||
        !set_text(&san, SAN_IP, canonical, e)) {
        return error_no_memory(e, "an address");
    }
    *ret_san = san;
    return true;
}

// ---- host names

static bool read_dns(const char *text, struct san *ret_san, struct error *e) {
    struct san san = {0};
    char name[HOSTNAME_SIZE];
    if (!hostname_canonicalize(text, strlen(text), HOSTNAME_WILDCARD, name, e) ||
        !set_text(&san, SAN_DNS, name, e)) {
        return false;
    }
    *ret_san = san;
    return true;
}

// ---- e-mail addresses

// RFC 5321 section 4.1.2, Dot-string.
static bool is_dot_atom(const char *text, size_t length) {
    static const char specials[] = "!#$%&'*+-/=?^_`{|}~";
    bool after_dot = true;
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        bool is_dot = c == '.';
        bool is_atom = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       (c != '\0' && strchr(specials, c) != nullptr);
        if ((is_dot && after_dot) || (!is_dot && !is_atom)) {
            return false;
        }
        after_dot = is_dot;
    }
    return !after_dot && length <= LOCAL_PART_MAX;
}

static bool read_email(const char *text, struct san *ret_san, struct error *e) {
    struct san san = {0};
    const char *at = strrchr(text, '@');
    char domain[HOSTNAME_SIZE];
    char address[LOCAL_PART_MAX + HOSTNAME_SIZE + 2];
    if (at == nullptr || !is_dot_atom(text, (size_t)(at - text))) {
        return error_set(
            e, ERROR_INVALID_SPEC,
            "not an e-mail address with up to %d ASCII letters, digits and signs such as . + - _ before "
            "its only @",
            LOCAL_PART_MAX);
    }
    if (!hostname_canonicalize(at + 1, strlen(at + 1), HOSTNAME_PLAIN, domain, e)) {
        return error_wrap(e, "the part after the @");
    }
    snprintf(address, sizeof(address), "%.*s@%s", (int)(at - text), text, domain);
    if (!set_text(&san, SAN_EMAIL, address, e)) {
        return false;
    }
    *ret_san = san;
    return true;
}

// ---- URIs

// RFC 3986 section 3.1; 0: text does not begin with a scheme and its colon. Without "//" a scheme has no dot,
// so that "example.com:443" is none.
static size_t scheme_length(const char *text) {
    size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.");
    bool starts_well = (text[0] >= 'a' && text[0] <= 'z') || (text[0] >= 'A' && text[0] <= 'Z');
    if (!starts_well || length == 0 || text[length] != ':') {
        return 0;
    }
    bool has_host = strncmp(text + length, "://", 3) == 0;
    return has_host || memchr(text, '.', length) == nullptr ? length : 0;
}

// What may stand outside an address in brackets.
static bool is_uri_text(const char *text, size_t length) {
    static const char signs[] = "-._~:/?#@!$&'()*+,;=";
    for (const char *end = text + length; text < end; text++) {
        bool plain = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') ||
                     (*text >= '0' && *text <= '9') || strchr(signs, *text) != nullptr;
        bool escaped = *text == '%' && text[1] != '\0' && strspn(text + 1, "0123456789abcdefABCDEF") >= 2;
        if (!plain && !escaped) {
            return false;
        }
    }
    return true;
}

// The host within "scheme://user@host:port/path": where it begins and how long it is. Whatever is no port is
// left to the host, which is then refused.
static const char *find_host(const char *after_slashes, size_t *ret_length) {
    size_t authority = strcspn(after_slashes, "/?#");
    const char *at = memchr(after_slashes, '@', authority);
    const char *host = at == nullptr ? after_slashes : at + 1;
    size_t length = authority - (size_t)(host - after_slashes);
    size_t digits = 0;
    while (digits < length && strchr("0123456789", host[length - digits - 1]) != nullptr) {
        digits++;
    }
    bool has_port = digits < length && host[length - digits - 1] == ':';
    *ret_length = has_port ? length - digits - 1 : length;
    return host;
}

// Whether it is an address as a URI has it: 192.0.2.1, or [2001:db8::1].
static bool is_uri_address(const char *host, size_t length) {
    char text[INET6_ADDRSTRLEN] = "";
    uint8_t bytes[SAN_BYTES_MAX];
    bool bracketed = length >= 2 && host[0] == '[' && host[length - 1] == ']';
    size_t inner = bracketed ? length - 2 : length;
    if (inner >= sizeof(text)) {
        return false;
    }
    memcpy(text, host + (bracketed ? 1 : 0), inner);
    return inet_pton(bracketed ? AF_INET6 : AF_INET, text, bytes) == 1;
}

// Writes host in its canonical form. An address stays as it is.
static bool convert_host(const char *host, size_t length, char ret_host[HOSTNAME_SIZE], struct error *e) {
    if (is_uri_address(host, length)) {
        memcpy(ret_host, host, length);
        ret_host[length] = '\0';
        return true;
    }
    return hostname_canonicalize(host, length, HOSTNAME_PLAIN, ret_host, e) ||
           error_wrap(e, "the URI's host");
}

static bool refuse_uri(struct error *e) {
    return error_set(e, ERROR_INVALID_SPEC,
                     "has characters that a URI cannot have there; write them as %%XX (RFC 3986)");
}

static bool read_uri(const char *text, struct san *ret_san, struct error *e) {
    struct san san = {0};
    size_t scheme = scheme_length(text);
    char host[HOSTNAME_SIZE] = "";
    char uri[SAN_TEXT_MAX + HOSTNAME_SIZE];
    if (scheme == 0 || text[scheme + 1] == '\0') {
        return error_set(e, ERROR_INVALID_SPEC,
                         "not an absolute URI such as spiffe://example.com/workload or urn:uuid:...");
    }
    const char *found = text + scheme + 1;
    size_t length = 0;
    if (strncmp(found, "//", 2) == 0) {
        found = find_host(found + 2, &length);
        if (!convert_host(found, length, host, e)) {
            return false;
        }
    }
    const char *rest = found + length;
    const char *fragment = strchr(rest, '#');
    if (!is_uri_text(text, (size_t)(found - text)) || !is_uri_text(rest, strlen(rest)) ||
        (fragment != nullptr && strchr(fragment + 1, '#') != nullptr)) {
        return refuse_uri(e);
    }
    snprintf(uri, sizeof(uri), "%.*s%s%s", (int)(found - text), text, host, rest);
    if (!set_text(&san, SAN_URI, uri, e)) {
        return false;
    }
    *ret_san = san;
    return true;
}

// Whether text is a host and a port, perhaps with a path behind them, rather than a scheme and more.
static bool is_host_and_port(const char *text, size_t host) {
    size_t digits = strspn(text + host + 1, "0123456789");
    return digits > 0 && strchr("/?#", text[host + 1 + digits]) != nullptr;
}

static bool refuse_port(const char *text, struct san *, struct error *e) {
    return error_set(e, ERROR_INVALID_SPEC,
                     "not a host name: a host name has no port; if it is meant as a URI, write URI:%.64s",
                     text);
}

// ---- which of them it is

typedef bool reader(const char *text, struct san *ret_san, struct error *e);

// A prefix as OpenSSL writes it says which type it is; *text is moved behind it.
static reader *find_prefix(const char **text) {
    static const struct {
        const char *prefix;
        reader *read;
    } prefixes[] = {{"DNS:", read_dns},
                    {"IP:", read_address},
                    {"IP Address:", read_address},
                    {"email:", read_email},
                    {"URI:", read_uri}};
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        size_t length = strlen(prefixes[i].prefix);
        if (strncasecmp(*text, prefixes[i].prefix, length) == 0) {
            *text += length;
            return prefixes[i].read;
        }
    }
    return nullptr;
}

static reader *choose(const char *text) {
    struct san ignored = {0};
    size_t scheme = scheme_length(text);
    if (scheme > 0 && is_host_and_port(text, scheme)) {
        return refuse_port;
    }
    if (parse_address(text, &ignored) || resembles_address(text)) {
        return read_address;
    }
    if (scheme > 0) {
        return read_uri;
    }
    return strchr(text, '@') != nullptr ? read_email : read_dns;
}

bool san_parse(const char *text, struct san *ret_san, struct error *e) {
    if (strlen(text) > SAN_TEXT_MAX) {
        return error_set(e, ERROR_INVALID_SPEC, "has %zu bytes, at most %d are allowed", strlen(text),
                         SAN_TEXT_MAX);
    }
    reader *read = find_prefix(&text);
    return read != nullptr ? read(text, ret_san, e) : choose(text)(text, ret_san, e);
}

bool san_equals(const struct san *one, const struct san *other) {
    return one->type == other->type && strcmp(one->text, other->text) == 0;
}

void san_done(struct san *san) {
    memory_free(san->text);
    *san = (struct san){0};
}
