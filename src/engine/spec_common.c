// What all kinds' specs have: the output Secret's name, what is copied onto it, and whether it stays.
#include "engine/spec_field.h"
#include "engine/spec_internal.h"

#include <stddef.h>
#include <string.h>

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

bool spec_is_label_text(const char *text) {
    size_t length = strlen(text);
    if (length == 0 || length > SPEC_LABEL_MAX || !is_plain(text[0]) || !is_plain(text[length - 1])) {
        return false;
    }
    while (is_plain(*text) || *text == '-' || *text == '_' || *text == '.') {
        text++;
    }
    return *text == '\0';
}

bool spec_is_label_key(const char *key, bool is_annotation) {
    const char *slash = strchr(key, '/');
    char prefix[SPEC_NAME_MAX + 1];
    if (slash == nullptr) {
        return spec_is_label_text(key);
    }
    size_t length = (size_t)(slash - key);
    if (length >= sizeof(prefix)) {
        return false;
    }
    memcpy(prefix, key, length);
    prefix[length] = '\0';
    for (size_t i = 0; is_annotation && i < length; i++) {
        if (prefix[i] >= 'A' && prefix[i] <= 'Z') {
            prefix[i] = (char)(prefix[i] - 'A' + 'a');
        }
    }
    return spec_is_dns_name(prefix) && spec_is_label_text(slash + 1);
}

static void check_entry(struct spec_reader *reader, const char *field, bool is_label, yyjson_val *key_value,
                        yyjson_val *value) {
    const char *key = json_text(key_value);
    const char *text = yyjson_get_str(value);
    char shown[JSON_SHOWN_SIZE];
    json_show(key_value, shown);
    if (key != nullptr && is_reserved(key)) {
        spec_field_error(reader, "%s: %s is set by the operator itself", field, shown);
    } else if (key == nullptr || !spec_is_label_key(key, false)) {
        spec_field_error(reader,
                         "%s: \"%s\" is not a key: NAME or PREFIX/NAME, where NAME has at most %d "
                         "letters, digits, '-', '_' and '.', and PREFIX is a DNS name",
                         field, shown, SPEC_LABEL_MAX);
    }
    if (text == nullptr) {
        char found[SPEC_DESCRIPTION_SIZE];
        spec_describe_value(value, found);
        spec_field_error(reader, "%s: the value of %s must be a text, not %s", field, shown, found);
    } else if (is_label && yyjson_get_len(value) > 0 &&
               (strlen(text) != yyjson_get_len(value) || !spec_is_label_text(text))) {
        spec_field_error(reader,
                         "%s: the value of %s has at most %d letters, digits, '-', '_' and '.', and "
                         "a letter or digit at both ends",
                         field, shown, SPEC_LABEL_MAX);
    } else if (yyjson_get_len(value) > SPEC_ANNOTATION_MAX) {
        spec_field_error(reader, "%s: the value of %s has %zu bytes; at most %d are allowed", field, shown,
                         yyjson_get_len(value), SPEC_ANNOTATION_MAX);
    }
}

yyjson_val *spec_template_part(struct spec_reader *reader, const char *field, bool is_labels) {
    yyjson_val *part = spec_value(reader, field);
    if (part == nullptr) {
        return nullptr;
    }
    if (!yyjson_is_obj(part) || yyjson_obj_size(part) > SPEC_TEMPLATE_ENTRIES_MAX) {
        spec_field_error(reader, "%s: must be an object of at most %d texts", field,
                         SPEC_TEMPLATE_ENTRIES_MAX);
        return nullptr;
    }
    size_t before = reader->fault_count;
    yyjson_obj_iter members = yyjson_obj_iter_with(part);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&members)) != nullptr;) {
        check_entry(reader, field, is_labels, key, yyjson_obj_iter_get_val(key));
    }
    return reader->fault_count == before ? part : nullptr;
}

// ---- the tables

const struct text_form spec_form_dns_name = {
    .fits = spec_is_dns_name,
    .refusal =
        "is not a DNS name: lower-case letters, digits, '-' and '.', and a letter or digit at both ends",
    .name = "a DNS name, up to 253 characters",
    .pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
};

static const struct text_form form_service_account = {
    .fits = spec_is_dns_name,
    .refusal = "is not the name of a ServiceAccount",
    .name = "a DNS name, up to 253 characters",
    .pattern = "^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*)?$",
};

static const struct spec_object secret_template = {
    .contents = " with labels and annotations",
    .description = "What is copied onto the Secret's metadata and kept as it is here.",
};

static const char *const deletion_policies[] = {"Delete", "Retain", nullptr};
static const char *const key_loss_reactions[] = {"Recreate", "Fail", nullptr};

const struct spec_field spec_common_fields[] = {
    {.name = "outputSecretName",
     .alias = "secretName",
     .type = SPEC_TEXT,
     .offset = offsetof(struct common_spec, output_secret_name),
     .is_immutable = true,
     .min = 1,
     .max = SPEC_NAME_MAX,
     .form = &spec_form_dns_name,
     .description = "Name of the Secret that holds the output, in the resource's own namespace. Default: the "
                    "resource's name{suffix}, which may also be written out."},
    {.name = "secretTemplate.labels",
     .type = SPEC_LABELS,
     .offset = offsetof(struct common_spec, labels),
     .object = &secret_template,
     .max = SPEC_LABEL_MAX,
     .max_count = SPEC_TEMPLATE_ENTRIES_MAX,
     .description = "Labels that the Secret gets besides the operator's own. They are added, changed and "
                    "removed as they are here."},
    {.name = "secretTemplate.annotations",
     .type = SPEC_ANNOTATIONS,
     .offset = offsetof(struct common_spec, annotations),
     .object = &secret_template,
     .max = SPEC_ANNOTATION_MAX,
     .max_count = SPEC_TEMPLATE_ENTRIES_MAX,
     .description = "Annotations that the Secret gets besides the operator's own. They are added, changed "
                    "and removed as they are here."},
    {.name = "deletionPolicy",
     .type = SPEC_EITHER,
     .offset = offsetof(struct common_spec, retain),
     .choices = deletion_policies,
     .description = "What becomes of the Secret when the resource is deleted. Delete: Kubernetes deletes it "
                    "too. Retain: it stays, and a resource of the same kind and name that is created later "
                    "takes it over with its key."},
    {.name = nullptr},
};

const struct spec_field spec_key_loss_fields[] = {
    {.name = "onKeyLoss",
     .type = SPEC_EITHER,
     .offset = offsetof(struct common_spec, fails_on_key_loss),
     .choices = key_loss_reactions,
     .description = "What becomes of the {precious} when the Secret is gone, or so damaged that it cannot be "
                    "put right. Recreate: {another} made, with a Warning Event. Fail: nothing is made until "
                    "the Secret is restored or this field is changed; the reason is KeyLost."},
    {.name = nullptr},
};

const struct spec_field spec_service_account_fields[] = {
    {.name = "serviceAccountName",
     .type = SPEC_TEXT,
     .empty_is_absent = true,
     .max = SPEC_NAME_MAX,
     .text_fallback = "default",
     .form = &form_service_account,
     .description = "A ServiceAccount of the resource's own namespace. A reference into another namespace is "
                    "followed only where it may use or get what is referred to."},
    {.name = nullptr},
};
