// The answer to a list: the same bytes mean the same items however the network cuts them, and what is a list
// as a whole is the same list in parts.
#include "fuzz.h"

#include "runtime/list_items.h"
#include "json/read.h"

enum { CAP = 1024 * 1024 };

// What the answer means by the whole and by its parts.
struct answer {
    yyjson_val *next; // item that must come next; NULL: the answer is no list
    size_t left;      // items that must come
    bool is_list;
    struct buffer told; // the items, each with its length
};

static bool take_item(void *context, const char *text, size_t length, struct error *e) {
    struct answer *answer = context;
    cleanup_json yyjson_doc *item = nullptr;
    MUST(buffer_append_format(&answer->told, e, "%zu:", length), *e);
    MUST(buffer_append(&answer->told, text, length, e), *e);
    if (answer->is_list) {
        CHECK(answer->left > 0);
        MUST(json_parse(text, length, &item, e), *e);
        CHECK(json_equals(yyjson_doc_get_root(item), answer->next));
        answer->left--;
        answer->next = unsafe_yyjson_get_next(answer->next);
    }
    return true;
}

static void run(enum pieces pieces, const uint8_t *data, size_t size, yyjson_val *whole,
                struct buffer *told) {
    yyjson_val *array = yyjson_obj_get(whole, "items");
    struct answer answer = {.next = yyjson_arr_get_first(array),
                            .left = yyjson_arr_size(array),
                            .is_list = yyjson_is_arr(array),
                            .told = buffer_create(4 * CAP)};
    struct list_items items = list_items_create(CAP, CAP);
    struct cutter cutter = cutter_create(data, size);
    struct error e;
    while (size > 0) {
        size_t length;
        char *bytes = cutter_take(&cutter, pieces, &data, &size, &length);
        MUST(list_items_feed(&items, bytes, length, take_item, &answer, &e), e);
        memory_free(bytes);
    }
    cleanup_json yyjson_doc *envelope = nullptr;
    bool parsed = json_parse(buffer_text(&items.envelope), items.envelope.length, &envelope, &e);
    if (answer.is_list) {
        yyjson_val *root = yyjson_doc_get_root(envelope);
        CHECK(parsed && answer.left == 0 && yyjson_obj_size(root) == yyjson_obj_size(whole));
        CHECK(yyjson_is_arr(yyjson_obj_get(root, "items")) &&
              yyjson_arr_size(yyjson_obj_get(root, "items")) == 0);
    } else if (whole != nullptr) {
        CHECK(parsed && answer.told.length == 0 && json_equals(yyjson_doc_get_root(envelope), whole));
    }
    MUST(buffer_append(told, answer.told.data, answer.told.length, &e), e);
    MUST(buffer_append(told, items.envelope.data, items.envelope.length, &e), e);
    buffer_done(&answer.told);
    list_items_done(&items);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct error ignored;
    cleanup_json yyjson_doc *document = nullptr;
    if (size > CAP) {
        return 0;
    }
    (void)json_parse((const char *)data, size, &document, &ignored);
    yyjson_val *whole = yyjson_doc_get_root(document);
    if (yyjson_is_obj(whole) && memmem(data, size, "\\u", 2) != nullptr) {
        return 0; // a key may be "items" that is written otherwise: it is not looked for, and refused later
    }
    cleanup_buffer struct buffer expected = buffer_create(8 * CAP);
    run(IN_ONE_PIECE, data, size, whole, &expected);
    for (enum pieces pieces = IN_SOME_PIECES; pieces < PIECES_COUNT; pieces++) {
        cleanup_buffer struct buffer told = buffer_create(8 * CAP);
        run(pieces, data, size, whole, &told);
        CHECK(told.length == expected.length &&
              memcmp(buffer_text(&told), buffer_text(&expected), told.length) == 0);
    }
    return 0;
}
