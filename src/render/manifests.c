#include "render/manifests.h"

#include "base/file.h"
#include "crypto/encoding.h"
#include "kube/yaml.h"
#include "json/write.h"

#include <string.h>

enum { FILE_MAX_BYTES = 64 * 1024 * 1024, NAME_MAX_BYTES = 253 };

static const char standard_input[] = "/dev/stdin";

static const struct kube_resource *find_resource(const struct kube_resource *const *resources,
                                                 const char *api_version, const char *kind) {
    for (; *resources != nullptr; resources++) {
        const struct kube_resource *resource = *resources;
        size_t length = strlen(resource->group);
        const char *version = length == 0                                          ? api_version
                              : strncmp(api_version, resource->group, length) != 0 ? ""
                              : api_version[length] == '/'                         ? api_version + length + 1
                                                                                   : "";
        if (strcmp(resource->kind, kind) == 0 && strcmp(resource->version, version) == 0) {
            return resource;
        }
    }
    return nullptr;
}

// What a name is made of: RFC 1123, with dots.
static bool is_name(const char *text) {
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-.";
    size_t length = strlen(text);
    return length > 0 && length <= NAME_MAX_BYTES && strspn(text, allowed) == length && text[0] != '-' &&
           text[0] != '.' && text[length - 1] != '-' && text[length - 1] != '.' &&
           strstr(text, "..") == nullptr;
}

// Moves stringData into data, as the API server does.
static bool encode_string_data(yyjson_mut_doc *document, yyjson_mut_val *root, struct error *e) {
    yyjson_mut_val *texts = yyjson_mut_obj_get(root, "stringData");
    yyjson_mut_val *data = yyjson_mut_obj_get(root, "data");
    if (!yyjson_mut_is_obj(texts)) {
        return true;
    }
    if (!yyjson_mut_is_obj(data)) {
        (void)yyjson_mut_obj_remove_key(root, "data");
        data = yyjson_mut_obj_add_obj(document, root, "data");
    }
    yyjson_mut_obj_iter entries = yyjson_mut_obj_iter_with(texts);
    for (yyjson_mut_val *key; (key = yyjson_mut_obj_iter_next(&entries)) != nullptr;) {
        yyjson_mut_val *value = yyjson_mut_obj_iter_get_val(key);
        cleanup_buffer struct buffer text = buffer_create(FILE_MAX_BYTES);
        if (!yyjson_mut_is_str(value)) {
            return error_set(e, ERROR_INVALID_SPEC, "stringData.%.64s must be a text",
                             yyjson_mut_get_str(key));
        }
        if (!base64_encode(yyjson_mut_get_str(value), yyjson_mut_get_len(value), &text, e)) {
            return false;
        }
        (void)yyjson_mut_obj_remove_key(data, yyjson_mut_get_str(key));
        (void)yyjson_mut_obj_add(data, yyjson_mut_strcpy(document, yyjson_mut_get_str(key)),
                                 yyjson_mut_strncpy(document, buffer_text(&text), text.length));
    }
    (void)yyjson_mut_obj_remove_key(root, "stringData");
    return true;
}

// The object as the API server would have it: in a namespace, and without stringData.
static bool complete(yyjson_val *object, const char *namespace, yyjson_doc **ret_document, struct error *e) {
    cleanup_json_mut yyjson_mut_doc *document = nullptr;
    if (!json_create(&document, e)) {
        return false;
    }
    yyjson_mut_val *root = yyjson_val_mut_copy(document, object);
    yyjson_mut_doc_set_root(document, root);
    yyjson_mut_val *metadata = yyjson_mut_obj_get(root, "metadata");
    if (json_text(json_find(object, "metadata", "namespace", nullptr)) == nullptr) {
        (void)yyjson_mut_obj_remove_key(metadata, "namespace");
        (void)yyjson_mut_obj_add_str(document, metadata, "namespace", namespace);
    }
    return encode_string_data(document, root, e) && json_freeze(document, ret_document, e);
}

static bool take_object(const struct manifest_options *options, yyjson_val *object, struct error *e) {
    const char *api_version = json_member_text(object, "apiVersion");
    const char *kind = json_member_text(object, "kind");
    const char *name = json_text(json_find(object, "metadata", "name", nullptr));
    yyjson_val *given = json_find(object, "metadata", "namespace", nullptr);
    const char *namespace = given == nullptr ? options->namespace : json_text(given);
    cleanup_json yyjson_doc *document = nullptr;
    if (api_version == nullptr || kind == nullptr) {
        return error_set(e, ERROR_INVALID_SPEC, "it has no apiVersion and kind, so it is no manifest");
    }
    const struct kube_resource *resource = find_resource(options->resources, api_version, kind);
    if (resource == nullptr) {
        return options->visit(options->context, nullptr, object, e);
    }
    if (name == nullptr || !is_name(name)) {
        return error_set(
            e, ERROR_INVALID_SPEC,
            "metadata.name of a %s: \"%.64s\" is not a DNS name: lower-case letters, digits, '-' "
            "and '.', and a letter or digit at both ends",
            kind, name == nullptr ? "" : name);
    }
    if (namespace == nullptr || !is_name(namespace) || strchr(namespace, '.') != nullptr) {
        return error_set(e, ERROR_INVALID_SPEC,
                         "metadata.namespace of %s %.64s: \"%.64s\" is not the name of a namespace", kind,
                         name, namespace == nullptr ? "" : namespace);
    }
    return complete(object, options->namespace, &document, e) &&
           options->visit(options->context, resource, yyjson_doc_get_root(document), e);
}

static bool is_list(yyjson_val *object) {
    return json_member_is(object, "apiVersion", "v1") && json_member_is(object, "kind", "List");
}

static bool take_document(const struct manifest_options *options, yyjson_val *value, struct error *e) {
    if (yyjson_is_null(value)) {
        return true;
    }
    if (!is_list(value)) {
        return take_object(options, value, e);
    }
    size_t index;
    size_t count;
    yyjson_val *item;
    yyjson_arr_foreach(yyjson_obj_get(value, "items"), index, count, item) {
        if (!take_object(options, item, e)) {
            return error_wrap(e, "items[%zu]", index);
        }
    }
    return true;
}

bool manifests_read(const char *path, const struct manifest_options *options, struct error *e) {
    bool is_stdin = strcmp(path, "-") == 0;
    cleanup_buffer struct buffer text = buffer_create(FILE_MAX_BYTES);
    cleanup_json yyjson_doc *stream = nullptr;
    if (!file_read(is_stdin ? standard_input : path, &text, e)) {
        return false;
    }
    if (!yaml_parse_stream(buffer_text(&text), text.length, &stream, e)) {
        return error_wrap(e, "%s", path);
    }
    size_t index;
    size_t count;
    yyjson_val *value;
    yyjson_arr_foreach(yyjson_doc_get_root(stream), index, count, value) {
        if (!take_document(options, value, e)) {
            return error_wrap(e, "%s, document %zu", path, index + 1);
        }
    }
    return true;
}
