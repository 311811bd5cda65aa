#include "json/write.h"

#include "base/memory.h"
#include "json/allocator.h"

bool json_create(yyjson_mut_doc **ret_document, struct error *e) {
    bool *failed = memory_allocate_zeroed(1, sizeof(*failed));
    if (failed == nullptr) {
        return error_no_memory(e, "a JSON document");
    }
    yyjson_alc allocator = json_watched_allocator(failed);
    yyjson_mut_doc *document = yyjson_mut_doc_new(&allocator);
    if (document == nullptr) {
        memory_free(failed);
        return error_no_memory(e, "a JSON document");
    }
    yyjson_mut_val *root = yyjson_mut_obj(document);
    if (root == nullptr) {
        json_mut_free(document);
        return error_no_memory(e, "a JSON document");
    }
    yyjson_mut_doc_set_root(document, root);
    *ret_document = document;
    return true;
}

void json_mut_free(yyjson_mut_doc *document) {
    if (document != nullptr) {
        bool *failed = document->alc.ctx;
        yyjson_mut_doc_free(document);
        memory_free(failed);
    }
}

void json_add_text(yyjson_mut_doc *document, yyjson_mut_val *object, const char *field, const char *text) {
    if (text != nullptr && text[0] != '\0') {
        (void)yyjson_mut_obj_add_strcpy(document, object, field, text);
    }
}

bool json_is_complete(const yyjson_mut_doc *document, struct error *e) {
    const bool *failed = document->alc.ctx;
    if (failed != nullptr && *failed) {
        return error_no_memory(e, "building JSON");
    }
    if (document->root == nullptr) {
        return error_set(e, ERROR_INTERNAL, "a JSON document has no root");
    }
    return true;
}

bool json_write(const yyjson_mut_doc *document, struct buffer *buffer, struct error *e) {
    if (!json_is_complete(document, e)) {
        return false;
    }
    size_t length;
    yyjson_write_err fault;
    cleanup_text char *text =
        yyjson_mut_write_opts(document, YYJSON_WRITE_NOFLAG, &json_allocator, &length, &fault);
    if (text == nullptr) {
        return fault.code == YYJSON_WRITE_ERROR_MEMORY_ALLOCATION
                   ? error_no_memory(e, "writing JSON")
                   : error_set(e, ERROR_INTERNAL, "JSON cannot be written: %s", fault.msg);
    }
    return buffer_append(buffer, text, length, e);
}

bool json_freeze(const yyjson_mut_doc *document, yyjson_doc **ret_document, struct error *e) {
    if (!json_is_complete(document, e)) {
        return false;
    }
    yyjson_doc *frozen = yyjson_mut_val_imut_copy(document->root, &json_allocator);
    if (frozen == nullptr) {
        return error_no_memory(e, "copying JSON");
    }
    *ret_document = frozen;
    return true;
}
