#include "kube/memory_show.h"

#include "json/write.h"

#include <string.h>

// What yyjson's adding functions return is ignored: a document remembers that memory was out.
yyjson_mut_val *memory_show_copy(yyjson_mut_doc *document, yyjson_val *object, bool metadata_only) {
    if (!metadata_only) {
        return yyjson_val_mut_copy(document, object);
    }
    yyjson_mut_val *partial = yyjson_mut_obj(document);
    (void)yyjson_mut_obj_add_str(document, partial, "apiVersion", "meta.k8s.io/v1");
    (void)yyjson_mut_obj_add_str(document, partial, "kind", "PartialObjectMetadata");
    (void)yyjson_mut_obj_add_val(document, partial, "metadata",
                                 yyjson_val_mut_copy(document, yyjson_obj_get(object, "metadata")));
    return partial;
}

bool memory_show(const struct api_request *request, yyjson_val *object, yyjson_doc **ret_document,
                 struct error *e) {
    cleanup_json_mut yyjson_mut_doc *document = nullptr;
    if (!json_create(&document, e)) {
        return false;
    }
    yyjson_mut_doc_set_root(document, memory_show_copy(document, object, request->metadata_only));
    return json_freeze(document, ret_document, e);
}

bool memory_show_selects(const char *selector, yyjson_val *object) {
    if (selector == nullptr) {
        return true;
    }
    size_t path_length = strcspn(selector, "=");
    const char *end = selector + path_length;
    yyjson_val *value = object;
    for (const char *part = selector; part < end;) {
        size_t length = strcspn(part, ".=");
        value = yyjson_obj_getn(value, part, length);
        part += length + 1;
    }
    return end[0] == '=' && yyjson_equals_str(value, end + 1);
}
