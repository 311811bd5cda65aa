// yaml_parse: what it makes of a text is JSON that json_parse takes as the same.
#include "fuzz.h"

#include "kube/yaml.h"
#include "json/write.h"

enum { TEXT_MAX = 1024 * 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct error e = {0};
    yyjson_doc *untouched = (yyjson_doc *)&e;
    yyjson_doc *document = untouched;
    if (!yaml_parse((const char *)data, size, &document, &e)) {
        CHECK(document == untouched);
        check_refusal(&e, ERROR_INVALID_SPEC);
        return 0;
    }
    cleanup_json yyjson_doc *again = nullptr;
    cleanup_json_mut yyjson_mut_doc *copy = yyjson_doc_mut_copy(document, nullptr);
    cleanup_buffer struct buffer text = buffer_create(TEXT_MAX);
    MUST(json_write(copy, &text, &e), e);
    MUST(json_parse(buffer_text(&text), text.length, &again, &e), e);
    CHECK(json_equals(yyjson_doc_get_root(document), yyjson_doc_get_root(again)));
    json_free(document);
    return 0;
}
