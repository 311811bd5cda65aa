#include "crypto/hostname.h"

#include "base/memory.h"

#include <idn2.h>
#include <string.h>

enum { LABEL_MAX = 63, INPUT_MAX = 1024 };

// What people write instead of a host name, and get a hint for.
static const struct {
    const char *sign;
    const char *hint;
} hints[] = {
    {":", "a host name has no port"},
    {"/", "a host name has no path or prefix length"},
    {"_", "a host name has no underscore"},
    {"*", "a wildcard may only be the whole leftmost label, before at least two more, as in *.example.com"},
    {" ", "a host name has no space"},
};

static bool refuse(struct error *e, const char *why) {
    (void)error_set(e, ERROR_INVALID_SPEC, "not a host name: %s", why);
    return false;
}

static bool check_signs(const char *name, struct error *e) {
    for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++) {
        if (strstr(name, hints[i].sign) != nullptr) {
            return refuse(e, hints[i].hint);
        }
    }
    return true;
}

static bool check_label(const char *label, size_t length, struct error *e) {
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
    if (length == 0) {
        return refuse(e, "it has an empty label; a dot stands between two labels only");
    }
    if (length > LABEL_MAX) {
        return refuse(e, "a label is longer than 63 characters");
    }
    if (strspn(label, allowed) < length) {
        return refuse(e, "labels are of letters, digits and '-'");
    }
    return true;
}

// As clients take a name for an IPv4 address: by a last label that is a number, decimal or hexadecimal.
static bool is_number(const char *label, size_t length) {
    bool is_hex = strncmp(label, "0x", 2) == 0;
    return is_hex ? 2 + strspn(label + 2, "0123456789abcdef") >= length
                  : strspn(label, "0123456789") >= length;
}

static bool check_labels(const char *name, struct error *e) {
    const char *label = name;
    for (;;) {
        size_t length = strcspn(label, ".");
        if (!check_label(label, length, e)) {
            return false;
        }
        if (label[length] == '\0') {
            return !is_number(label, length) ||
                   refuse(e, "its last label is a number, as if it were an address");
        }
        label += length + 1;
    }
}

// Lower case, and A-labels for what is not ASCII; what is an A-label already must be a valid one.
static bool convert(const char *name, char ret_name[HOSTNAME_SIZE], struct error *e) {
    char *converted = nullptr;
    int result =
        idn2_to_ascii_8z(name, &converted, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL | IDN2_ALABEL_ROUNDTRIP);
    if (result == IDN2_MALLOC) {
        (void)error_no_memory(e, "a host name");
        return false;
    }
    if (result != IDN2_OK) {
        return refuse(e, idn2_strerror(result));
    }
    bool fits = strlen(converted) < HOSTNAME_SIZE;
    if (fits) {
        memcpy(ret_name, converted, strlen(converted) + 1);
    }
    idn2_free(converted);
    return fits || refuse(e, "it is longer than 253 characters");
}

static bool take_wildcard(const char **name, enum hostname_form form) {
    bool found =
        form == HOSTNAME_WILDCARD && strncmp(*name, "*.", 2) == 0 && strchr(*name + 2, '.') != nullptr;
    *name += found ? 2 : 0;
    return found;
}

bool hostname_canonicalize(const char *text, size_t length, enum hostname_form form,
                           char ret_name[HOSTNAME_SIZE], struct error *e) {
    char input[INPUT_MAX + 1];
    char name[HOSTNAME_SIZE];
    if (length > INPUT_MAX) {
        return refuse(e, "it is longer than 253 characters");
    }
    memcpy(input, text, length);
    input[length] = '\0';
    const char *rest = input;
    bool wildcard = take_wildcard(&rest, form);
    if (rest[0] == '\0') {
        return refuse(e, "it is empty");
    }
    if (!check_signs(rest, e) || !convert(rest, name, e) || !check_labels(name, e)) {
        return false;
    }
    size_t prefix = wildcard ? 2 : 0;
    if (prefix + strlen(name) >= HOSTNAME_SIZE) {
        return refuse(e, "it is longer than 253 characters");
    }
    memcpy(ret_name, "*.", prefix);
    memcpy(ret_name + prefix, name, strlen(name) + 1);
    return true;
}
