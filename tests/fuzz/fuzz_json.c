// json_parse: refuses what is too deep, has a key twice or is no JSON, and nothing else.
#include "fuzz.h"

#include "json/read.h"
#include "json/write.h"

enum { TEXT_MAX = 1024 * 1024, DEPTH_MAX = 64 };

static bool has_twice(yyjson_val *object) {
    yyjson_obj_iter members = yyjson_obj_iter_with(object);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&members)) != nullptr;) {
        // yyjson finds the first of a name.
        if (yyjson_obj_getn(object, yyjson_get_str(key), yyjson_get_len(key)) !=
            yyjson_obj_iter_get_val(key)) {
            return true;
        }
    }
    return false;
}

// How deep value is nested; *twice: whether one of its objects has a key twice.
static size_t depth_of(yyjson_val *value, bool *twice) {
    size_t deepest = 0;
    yyjson_val *child;
    size_t index;
    size_t count;
    *twice = *twice || has_twice(value);
    yyjson_arr_foreach(value, index, count, child) {
        size_t depth = depth_of(child, twice);
        deepest = depth > deepest ? depth : deepest;
    }
    yyjson_obj_iter members = yyjson_obj_iter_with(value);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&members)) != nullptr;) {
        size_t depth = depth_of(yyjson_obj_iter_get_val(key), twice);
        deepest = depth > deepest ? depth : deepest;
    }
    return deepest + (yyjson_is_ctn(value) ? 1 : 0);
}

static bool is_servable(const char *text, size_t size) {
    yyjson_doc *document = yyjson_read(text, size, YYJSON_READ_NOFLAG);
    bool twice = false;
    bool good = document != nullptr && depth_of(yyjson_doc_get_root(document), &twice) <= DEPTH_MAX;
    yyjson_doc_free(document);
    return good && !twice;
}

// Written and read again it is the same, by either way of writing.
static void check_round_trip(yyjson_doc *document) {
    struct error e;
    cleanup_buffer struct buffer text = buffer_create(TEXT_MAX);
    cleanup_json yyjson_doc *again = nullptr;
    yyjson_mut_doc *copy = yyjson_doc_mut_copy(document, nullptr);
    MUST(json_write(copy, &text, &e), e);
    yyjson_mut_doc_free(copy);
    MUST(json_parse(buffer_text(&text), text.length, &again, &e), e);
    CHECK(json_equals(yyjson_doc_get_root(document), yyjson_doc_get_root(again)));
    CHECK(json_equals(yyjson_doc_get_root(again), yyjson_doc_get_root(document)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *text = (const char *)data;
    struct error e = {0};
    yyjson_doc *untouched = (yyjson_doc *)&e;
    yyjson_doc *document = untouched;
    bool parsed = json_parse(text, size, &document, &e);
    CHECK(parsed == is_servable(text, size));
    if (parsed) {
        check_round_trip(document);
        json_free(document);
    } else {
        CHECK(document == untouched);
        check_refusal(&e, ERROR_INVALID_SPEC);
    }
    return 0;
}
