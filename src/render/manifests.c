#include "render/manifests.h"

#include "base/file.h"
#include "crypto/encoding.h"
#include "engine/spec.h"
#include "kube/yaml.h"
#include "render/object_check.h"
#include "json/write.h"

#include <string.h>

enum { FILE_MAX_BYTES = 16 * 1024 * 1024, NAME_MAX_BYTES = 253, NAMESPACE_MAX_BYTES = 63 };

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

bool manifests_is_namespace(const char *text) {
    return is_name(text) && strchr(text, '.') == nullptr && strlen(text) <= NAMESPACE_MAX_BYTES;
}

// Of an object of texts a null is an empty one, as it is for the API server.
static void fill_nulls(yyjson_mut_val *texts) {
    yyjson_mut_obj_iter members = yyjson_mut_obj_iter_with(texts);
    for (yyjson_mut_val *key; (key = yyjson_mut_obj_iter_next(&members)) != nullptr;) {
        yyjson_mut_val *value = yyjson_mut_obj_iter_get_val(key);
        if (yyjson_mut_is_null(value)) {
            (void)yyjson_mut_set_str(value, "");
        }
    }
}

// Takes the line ends out of an entry's base64, as the API server does, and looks whether it is any.
static bool unwrap_entry(yyjson_mut_doc *document, yyjson_mut_val *value, struct error *e) {
    const char *text = yyjson_mut_get_str(value);
    const char *end = text + yyjson_mut_get_len(value);
    cleanup_buffer struct buffer plain = buffer_create(FILE_MAX_BYTES);
    cleanup_secret struct secret *bytes = nullptr;
    while (text < end) {
        const char *line = text;
        while (text < end && *text != '\r' && *text != '\n') {
            text++;
        }
        if (!buffer_append(&plain, line, (size_t)(text - line), e)) {
            return false;
        }
        text += text < end ? 1 : 0;
    }
    const char *copy = yyjson_mut_get_str(yyjson_mut_strncpy(document, buffer_text(&plain), plain.length));
    (void)yyjson_mut_set_strn(value, copy == nullptr ? "" : copy, copy == nullptr ? 0 : plain.length);
    return base64_decode(buffer_text(&plain), plain.length, ENCODING_ONE_LINE, &bytes, e);
}

// The same of all entries of an object's member.
static bool unwrap(yyjson_mut_doc *document, const char *field, struct error *e) {
    yyjson_mut_val *data = yyjson_mut_obj_get(yyjson_mut_doc_get_root(document), field);
    yyjson_mut_obj_iter entries = yyjson_mut_obj_iter_with(data);
    for (yyjson_mut_val *key; (key = yyjson_mut_obj_iter_next(&entries)) != nullptr;) {
        if (!unwrap_entry(document, yyjson_mut_obj_iter_get_val(key), e)) {
            return error_wrap(e, "%s.%.64s", field, yyjson_mut_get_str(key));
        }
    }
    return true;
}

// Moves stringData into data, as the API server does.
static bool encode_string_data(yyjson_mut_doc *document, struct error *e) {
    yyjson_mut_val *root = yyjson_mut_doc_get_root(document);
    yyjson_mut_val *texts = yyjson_mut_obj_remove_key(root, "stringData");
    if (!yyjson_mut_is_obj(texts)) {
        return true;
    }
    yyjson_mut_val *data = yyjson_mut_obj_get(root, "data");
    if (!yyjson_mut_is_obj(data)) {
        (void)yyjson_mut_obj_remove_key(root, "data");
        data = yyjson_mut_obj_add_obj(document, root, "data");
    }
    yyjson_mut_obj_iter entries = yyjson_mut_obj_iter_with(texts);
    for (yyjson_mut_val *key; (key = yyjson_mut_obj_iter_next(&entries)) != nullptr;) {
        yyjson_mut_val *value = yyjson_mut_obj_iter_get_val(key);
        cleanup_buffer struct buffer text = buffer_create(FILE_MAX_BYTES);
        if (!base64_encode(yyjson_mut_get_str(value), yyjson_mut_get_len(value), &text, e)) {
            return false;
        }
        (void)yyjson_mut_obj_put(
            data, yyjson_mut_strncpy(document, yyjson_mut_get_str(key), yyjson_mut_get_len(key)),
            yyjson_mut_strncpy(document, buffer_text(&text), text.length));
    }
    return true;
}

// The object as the API server would have it: in a namespace, without stringData and nulls, and without what
// only an API server says of an object.
static bool complete(yyjson_val *object, const char *namespace, yyjson_doc **ret_document, struct error *e) {
    static const char *const of_servers[] = {"deletionTimestamp", "deletionGracePeriodSeconds", "finalizers",
                                             "managedFields", "selfLink"};
    static const char *const texts[] = {"data", "stringData", "binaryData"};
    cleanup_json_mut yyjson_mut_doc *document = nullptr;
    if (!json_create(&document, e)) {
        return false;
    }
    yyjson_mut_val *root = yyjson_val_mut_copy(document, object);
    yyjson_mut_doc_set_root(document, root);
    yyjson_mut_val *metadata = yyjson_mut_obj_get(root, "metadata");
    for (size_t i = 0; i < sizeof(of_servers) / sizeof(of_servers[0]); i++) {
        (void)yyjson_mut_obj_remove_key(metadata, of_servers[i]);
    }
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        fill_nulls(yyjson_mut_obj_get(root, texts[i]));
    }
    fill_nulls(yyjson_mut_obj_get(metadata, "labels"));
    fill_nulls(yyjson_mut_obj_get(metadata, "annotations"));
    if (yyjson_mut_get_len(yyjson_mut_obj_get(metadata, "uid")) == 0) {
        (void)yyjson_mut_obj_remove_key(metadata, "uid");
    }
    (void)yyjson_mut_obj_remove_key(metadata, "namespace");
    (void)yyjson_mut_obj_add_str(document, metadata, "namespace", namespace);
    bool is_secret = json_member_is(object, "kind", kube_secrets.kind);
    return (!is_secret || (unwrap(document, "data", e) && encode_string_data(document, e))) &&
           unwrap(document, "binaryData", e) && json_freeze(document, ret_document, e);
}

// Whether it claims to be of a group of which something is served, in whatever version or in none, or has the
// name of a kind of such a group.
static bool is_meant(const struct kube_resource *const *resources, const char *api_version,
                     const char *kind) {
    for (; *resources != nullptr; resources++) {
        const char *group = (*resources)->group;
        size_t length = strlen(group);
        bool is_of_group = strncmp(api_version, group, length) == 0 &&
                           (api_version[length] == '/' || api_version[length] == '\0');
        if (length > 0 && (is_of_group || strcmp((*resources)->kind, kind) == 0)) {
            return true;
        }
    }
    return false;
}

static bool check_names(const char *kind, const char *name, const char *namespace, struct error *e) {
    if (name == nullptr) {
        return error_set(e, ERROR_INVALID_SPEC, "metadata.name of a %.64s is missing, or is no text", kind);
    }
    if (!is_name(name)) {
        return error_set(
            e, ERROR_INVALID_SPEC,
            "metadata.name of a %.64s: \"%.64s\" is not a DNS name: lower-case letters, digits, '-' "
            "and '.', and a letter or digit at both ends",
            kind, name);
    }
    return (namespace != nullptr && manifests_is_namespace(namespace)) ||
           error_set(e, ERROR_INVALID_SPEC,
                     "metadata.namespace of %.64s %.64s: \"%.64s\" is not the name of a namespace", kind,
                     name, namespace == nullptr ? "" : namespace);
}

// What names no namespace, or an empty one, is in that of the options.
static const char *namespace_of(yyjson_val *object, const char *fallback) {
    yyjson_val *given = json_find(object, "metadata", "namespace", nullptr);
    bool is_given = given != nullptr && !yyjson_is_null(given) && !yyjson_equals_str(given, "");
    return is_given ? json_text(given) : fallback;
}

static bool take_object(const struct manifest_options *options, yyjson_val *object, struct error *e) {
    const char *api_version = json_member_text(object, "apiVersion");
    const char *kind = json_member_text(object, "kind");
    const char *name = json_text(json_find(object, "metadata", "name", nullptr));
    const char *namespace = namespace_of(object, options->namespace);
    cleanup_json yyjson_doc *document = nullptr;
    if (api_version == nullptr || kind == nullptr) {
        return error_set(e, ERROR_INVALID_SPEC, "it has no apiVersion and kind, so it is no manifest");
    }
    const struct kube_resource *resource = find_resource(options->resources, api_version, kind);
    if (resource == nullptr && is_meant(options->resources, api_version, kind)) {
        return error_set(e, ERROR_INVALID_SPEC, "there is no kind %.64s in %.64s", kind, api_version);
    }
    if (resource == nullptr) {
        return options->visit(options->context, nullptr, object, e);
    }
    if (!check_names(kind, name, namespace, e)) {
        return false;
    }
    if (!object_check(resource, object, e) || !complete(object, namespace, &document, e)) {
        return error_wrap(e, "%s %s/%s", kind, namespace, name);
    }
    return options->visit(options->context, resource, yyjson_doc_get_root(document), e);
}

// A List of any kind: what kubectl prints of several objects. One of none may have null in their place; what
// has a name is an object, whatever its kind is called.
static bool is_list(yyjson_val *object) {
    const char *kind = json_member_text(object, "kind");
    size_t length = kind == nullptr ? 0 : strlen(kind);
    yyjson_val *items = yyjson_obj_get(object, "items");
    if (length < 4 || strcmp(kind + length - 4, "List") != 0) {
        return false;
    }
    return length == 4 || yyjson_is_arr(items) ||
           (yyjson_is_null(items) && json_find(object, "metadata", "name", nullptr) == nullptr);
}

// Lists may be in lists, as deep as a text is read.
static bool take_value(const struct manifest_options *options, yyjson_val *value, struct error *e) {
    if (!is_list(value)) {
        return take_object(options, value, e);
    }
    yyjson_val *items = yyjson_obj_get(value, "items");
    if (items != nullptr && !yyjson_is_null(items) && !yyjson_is_arr(items)) {
        char found[SPEC_DESCRIPTION_SIZE];
        spec_describe_value(items, found);
        return error_set(e, ERROR_INVALID_SPEC, "items must be an array, not %s", found);
    }
    size_t index;
    size_t count;
    yyjson_val *item;
    yyjson_arr_foreach(items, index, count, item) {
        if (!take_value(options, item, e)) {
            return error_wrap(e, "items[%zu]", index);
        }
    }
    return true;
}

// Moves over white space, and over what divides documents; whether there was any of that.
static bool skip_spaces(const char **at) {
    static const char spaces[] = " \t\r\n";
    static const char divider[] = "---";
    const size_t length = sizeof(divider) - 1;
    bool is_divided = false;
    *at += strspn(*at, spaces);
    while (strncmp(*at, divider, length) == 0 && strspn(*at + length, spaces) > 0) {
        *at += length;
        *at += strspn(*at, spaces);
        is_divided = true;
    }
    return is_divided;
}

// JSON as itself, since libyaml does not read all of it ("\ud83d\ude00"). *ret_document is left alone where
// text is no JSON, else it is an array of the objects in it. They may follow each other without a divider, as
// jq prints them and kubectl takes them; that is no YAML, so that what is wrong is told.
static bool take_json(const struct buffer *text, yyjson_doc **ret_document, struct error *e) {
    const char *at = buffer_text(text);
    const char *end = at + text->length;
    cleanup_json_mut yyjson_mut_doc *document = nullptr;
    if (!json_create(&document, e)) {
        return false;
    }
    yyjson_mut_val *array = yyjson_mut_arr(document);
    yyjson_mut_doc_set_root(document, array);
    bool is_yaml = true;
    for (bool is_divided = skip_spaces(&at); at < end; is_divided = skip_spaces(&at)) {
        cleanup_json yyjson_doc *one = nullptr;
        size_t count = yyjson_mut_arr_size(array);
        is_yaml = is_yaml && (count == 0 || is_divided || *at != '{');
        if (is_yaml && *at != '{') {
            return true;
        }
        size_t length = json_measure(at, (size_t)(end - at));
        if (!json_parse(at, length, &one, e)) {
            return (is_yaml && e->class == ERROR_INVALID_SPEC) || error_wrap(e, "document %zu", count + 1);
        }
        (void)yyjson_mut_arr_append(array, yyjson_val_mut_copy(document, yyjson_doc_get_root(one)));
        at += length;
    }
    return json_freeze(document, ret_document, e);
}

static bool parse(const struct buffer *text, yyjson_doc **ret_stream, struct error *e) {
    yyjson_doc *stream = nullptr;
    if (!take_json(text, &stream, e)) {
        return false;
    }
    if (stream == nullptr) {
        return yaml_parse_stream(buffer_text(text), text->length, ret_stream, e);
    }
    *ret_stream = stream;
    return true;
}

bool manifests_read(const char *path, const struct manifest_options *options, struct error *e) {
    bool is_stdin = strcmp(path, "-") == 0;
    cleanup_buffer struct buffer text = buffer_create(FILE_MAX_BYTES);
    cleanup_json yyjson_doc *stream = nullptr;
    if (!file_read(is_stdin ? standard_input : path, &text, e)) {
        e->class = e->class == ERROR_IO ? ERROR_INVALID_SPEC : e->class;
        return false;
    }
    if (!parse(&text, &stream, e)) {
        return error_wrap(e, "%s", path);
    }
    size_t index;
    size_t count;
    yyjson_val *value;
    yyjson_arr_foreach(yyjson_doc_get_root(stream), index, count, value) {
        if (!yyjson_is_null(value) && !take_value(options, value, e)) {
            return error_wrap(e, "%s, document %zu", path, index + 1);
        }
    }
    return true;
}
