// What all kinds' specs have: the output Secret's name, what is copied onto it, and whether it stays.
#include "engine/spec_internal.h"

#include <string.h>

enum { TEMPLATE_ENTRIES_MAX = 64, ANNOTATION_VALUE_MAX = 2048 };

static bool is_reserved(const char *key) {
    const char *slash = strchr(key, '/');
    static const char domain[] = "qubesec.io";
    size_t prefix = slash == nullptr ? 0 : (size_t)(slash - key);
    size_t length = sizeof(domain) - 1;
    return strcmp(key, "app.kubernetes.io/managed-by") == 0 ||
           (prefix >= length && strncmp(slash - length, domain, length) == 0 &&
            (prefix == length || slash[-(ptrdiff_t)length - 1] == '.'));
}

static bool is_plain(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// What Kubernetes takes for the name in a label's key, and for a label's value that is not empty.
static bool is_label_text(const char *text) {
    size_t length = strlen(text);
    if (length == 0 || length > SPEC_LABEL_MAX || !is_plain(text[0]) || !is_plain(text[length - 1])) {
        return false;
    }
    while (is_plain(*text) || *text == '-' || *text == '_' || *text == '.') {
        text++;
    }
    return *text == '\0';
}

// NAME or PREFIX/NAME.
static bool is_label_key(const char *key) {
    const char *slash = strchr(key, '/');
    char prefix[SPEC_NAME_MAX + 1];
    if (slash == nullptr) {
        return is_label_text(key);
    }
    size_t length = (size_t)(slash - key);
    if (length >= sizeof(prefix)) {
        return false;
    }
    memcpy(prefix, key, length);
    prefix[length] = '\0';
    return spec_is_dns_name(prefix) && is_label_text(slash + 1);
}

static void check_entry(struct spec_reader *reader, const char *name, bool is_label, const char *key,
                        yyjson_val *value) {
    const char *text = yyjson_get_str(value);
    int shown = spec_shown_length(key);
    if (is_reserved(key)) {
        spec_field_error(reader, "secretTemplate.%s: %.*s is set by the operator itself", name, shown, key);
    } else if (!is_label_key(key)) {
        spec_field_error(
            reader,
            "secretTemplate.%s: \"%.*s\" is not a key: NAME or PREFIX/NAME, where NAME has at most %d "
            "letters, digits, '-', '_' and '.', and PREFIX is a DNS name",
            name, shown, key, SPEC_LABEL_MAX);
    }
    if (text == nullptr) {
        char found[SPEC_DESCRIPTION_SIZE];
        spec_describe_value(value, found);
        spec_field_error(reader, "secretTemplate.%s: the value of %.*s must be a text, not %s", name, shown,
                         key, found);
    } else if (is_label && yyjson_get_len(value) > 0 &&
               (strlen(text) != yyjson_get_len(value) || !is_label_text(text))) {
        spec_field_error(
            reader,
            "secretTemplate.%s: the value of %.*s has at most %d letters, digits, '-', '_' and '.', and "
            "a letter or digit at both ends",
            name, shown, key, SPEC_LABEL_MAX);
    } else if (yyjson_get_len(value) > ANNOTATION_VALUE_MAX) {
        spec_field_error(reader, "secretTemplate.%s: the value of %.*s has %zu bytes; at most %d are allowed",
                         name, shown, key, yyjson_get_len(value), ANNOTATION_VALUE_MAX);
    }
}

// secretTemplate's labels or annotations; NULL when absent or at fault.
static yyjson_val *template_part(struct spec_reader *reader, yyjson_val *template, const char *name) {
    yyjson_val *part = yyjson_obj_get(template, name);
    if (part == nullptr || yyjson_is_null(part)) {
        return nullptr;
    }
    if (!yyjson_is_obj(part) || yyjson_obj_size(part) > TEMPLATE_ENTRIES_MAX) {
        spec_field_error(reader, "secretTemplate.%s: must be an object of at most %d texts", name,
                         TEMPLATE_ENTRIES_MAX);
        return nullptr;
    }
    size_t before = reader->fault_count;
    size_t index;
    size_t count;
    yyjson_val *key;
    yyjson_val *value;
    yyjson_obj_foreach(part, index, count, key, value) {
        check_entry(reader, name, strcmp(name, "labels") == 0, yyjson_get_str(key), value);
    }
    return reader->fault_count == before ? part : nullptr;
}

static const char *output_secret_name(struct spec_reader *reader) {
    const char *name = spec_text_alias(reader, "outputSecretName", "secretName", SPEC_NAME_MAX);
    if (name != nullptr && !spec_is_dns_name(name)) {
        spec_field_error(
            reader,
            "%s: \"%.*s\" is not a DNS name: lower-case letters, digits, '-' and '.', and a letter or "
            "digit at both ends",
            spec_value(reader, "outputSecretName") != nullptr ? "outputSecretName" : "secretName",
            spec_shown_length(name), name);
        return nullptr;
    }
    return name;
}

const char *spec_service_account(struct spec_reader *reader) {
    const char *name = spec_text(reader, "serviceAccountName", SPEC_NAME_MAX);
    if (name == nullptr || name[0] == '\0') {
        return "default";
    }
    if (!spec_is_dns_name(name)) {
        spec_field_error(reader, "serviceAccountName: \"%.*s\" is not the name of a ServiceAccount",
                         spec_shown_length(name), name);
    }
    return name;
}

struct common_spec spec_common(struct spec_reader *reader) {
    static const char *const policies[] = {"Delete", "Retain", nullptr};
    yyjson_val *template = spec_value(reader, "secretTemplate");
    if (template != nullptr && !yyjson_is_obj(template)) {
        char found[SPEC_DESCRIPTION_SIZE];
        spec_describe_value(template, found);
        spec_field_error(reader, "secretTemplate: must be an object with labels and annotations, not %s",
                         found);
    }
    return (struct common_spec){
        .output_secret_name = output_secret_name(reader),
        .retain = spec_choice(reader, "deletionPolicy", policies) == policies[1],
        .policy_is_given = spec_value(reader, "deletionPolicy") != nullptr,
        .labels = template_part(reader, template, "labels"),
        .annotations = template_part(reader, template, "annotations"),
    };
}

bool spec_fails_on_key_loss(struct spec_reader *reader) {
    static const char *const reactions[] = {"Recreate", "Fail", nullptr};
    return spec_choice(reader, "onKeyLoss", reactions) == reactions[1];
}
