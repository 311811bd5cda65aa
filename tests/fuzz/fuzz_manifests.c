// A file of manifests, as `qubesec render` reads it: each object has a name and is in a namespace, and what
// an API server would take of it is written as YAML that reads as the same.
#include "answers.h"
#include "memory_file.h"

#include "crypto/encoding.h"
#include "kinds/table.h"
#include "kube/yaml.h"
#include "render/manifests.h"
#include "render/world.h"

static void check_entries(yyjson_val *entries) {
    yyjson_obj_iter members = yyjson_obj_iter_with(entries);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&members)) != nullptr;) {
        struct error e;
        yyjson_val *value = yyjson_obj_iter_get_val(key);
        cleanup_secret struct secret *bytes = nullptr;
        CHECK(json_text(key) != nullptr);
        MUST(base64_decode(yyjson_get_str(value), yyjson_get_len(value), ENCODING_ONE_LINE, &bytes, &e), e);
    }
}

static void check_written(yyjson_val *object) {
    struct error e;
    cleanup_json yyjson_doc *again = nullptr;
    cleanup_buffer struct buffer text = buffer_create(64 * 1024 * 1024);
    MUST(yaml_write(object, &text, &e), e);
    MUST(yaml_parse_stream(buffer_text(&text), text.length, &again, &e), e);
    CHECK(yyjson_arr_size(yyjson_doc_get_root(again)) == 1);
    CHECK(json_equals(yyjson_arr_get_first(yyjson_doc_get_root(again)), object));
}

static bool visit(void *, const struct kube_resource *resource, yyjson_val *object, struct error *) {
    yyjson_val *metadata = yyjson_obj_get(object, "metadata");
    CHECK(json_member_text(object, "kind") != nullptr && json_member_text(object, "apiVersion") != nullptr);
    if (resource == nullptr) {
        return true;
    }
    const char *name = json_member_text(metadata, "name");
    const char *namespace = json_member_text(metadata, "namespace");
    CHECK(name != nullptr && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-.") == strlen(name));
    CHECK(name[0] != '\0' && strlen(name) <= 253 && manifests_is_namespace(namespace));
    CHECK(yyjson_obj_get(metadata, "finalizers") == nullptr &&
          yyjson_obj_get(metadata, "deletionTimestamp") == nullptr);
    if (resource == &kube_secrets) {
        CHECK(yyjson_obj_get(object, "stringData") == nullptr);
        check_entries(yyjson_obj_get(object, "data"));
    }
    check_written(object);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct memory_file file;
    static struct world *world;
    struct error e = {0};
    const struct world_options options = {.kinds = kind_table};
    if (world == nullptr) {
        MUST(world_create(&options, &world, &e), e);
    }
    const struct manifest_options manifests = {
        .resources = world_resources(world), .namespace = "default", .visit = visit};
    const char *path = memory_file_write(&file, data, size);
    if (!manifests_read(path, &manifests, &e)) {
        check_refusal(&e, ERROR_INVALID_SPEC);
        CHECK(strncmp(e.message, path, strlen(path)) == 0);
    }
    return 0;
}
