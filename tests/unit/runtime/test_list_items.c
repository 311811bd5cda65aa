#include "../base/check.h"
#include "../base/short_memory.h"

#include "runtime/list_items.h"
#include "json/read.h"

enum { ENVELOPE_CAP = 200, ITEM_CAP = 50 };

struct fixture {
    struct list_items items;
    struct buffer log; // each item that came, in angle brackets
    int refuse_at;     // the item, from 1, that is refused; 0: none
    int count;
    bool is_json; // each item so far
};

static bool note(void *context, const char *text, size_t length, struct error *e) {
    struct fixture *fixture = context;
    struct error log_error;
    long left = memory_left;
    memory_left = -1;
    must(buffer_append_format(&fixture->log, &log_error, "<%.*s>", (int)length, text), log_error);
    cleanup_json yyjson_doc *document = nullptr;
    fixture->is_json = fixture->is_json && json_parse(text, length, &document, &log_error);
    memory_left = left;
    return ++fixture->count != fixture->refuse_at || error_set(e, ERROR_GONE, "refused");
}

static int set_up(void **state) {
    static struct fixture fixture;
    memory_left = -1;
    fixture = (struct fixture){
        .items = list_items_create(ENVELOPE_CAP, ITEM_CAP), .log = buffer_create(1 << 20), .is_json = true};
    *state = &fixture;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *fixture = *state;
    list_items_done(&fixture->items);
    buffer_done(&fixture->log);
    return 0;
}

static bool feed(struct fixture *fixture, const char *text, struct error *e) {
    return list_items_feed(&fixture->items, text, strlen(text), note, fixture, e);
}

// Feeds text in pieces of each length; what comes out is the same.
static void expect(struct fixture *fixture, const char *text, const char *log, const char *envelope) {
    struct error e;
    for (size_t piece = 1; piece <= strlen(text); piece++) {
        for (size_t at = 0; at < strlen(text); at += piece) {
            size_t length = strnlen(text + at, piece);
            must(list_items_feed(&fixture->items, text + at, length, note, fixture, &e), e);
        }
        assert_string_equal(buffer_text(&fixture->log), log);
        assert_string_equal(buffer_text(&fixture->items.envelope), envelope);
        assert_int_equal(fixture->items.item.length, 0);
        buffer_consume(&fixture->log, fixture->log.length);
        list_items_done(&fixture->items);
    }
}

static void items_and_envelope_are_told_apart(void **state) {
    expect(*state,
           "{\"kind\":\"L\",\"metadata\":{\"resourceVersion\":\"7\"},\"items\":[{\"a\":1},{\"b\":[2,{}]}]}",
           "<{\"a\":1}><{\"b\":[2,{}]}>",
           "{\"kind\":\"L\",\"metadata\":{\"resourceVersion\":\"7\"},\"items\":[]}");
    // In any order, with any space.
    expect(*state, "{ \"items\" : [ {\"a\" : 1} ,\n{\"b\":2}\n] , \"metadata\" : {} }\n",
           "<{\"a\" : 1} ><{\"b\":2}\n>", "{ \"items\" : [] , \"metadata\" : {} }\n");
    expect(*state, "{\"items\":[],\"metadata\":{}}", "", "{\"items\":[],\"metadata\":{}}");
    expect(*state, "{\"items\":[ \n ]}", "", "{\"items\":[]}");
    expect(*state, "{\"items\":null}", "", "{\"items\":null}");
    expect(*state, "{\"items\":[1,\"x\",null,[3]]}", "<1><\"x\"><null><[3]>", "{\"items\":[]}");
}

static void what_is_in_a_text_divides_nothing(void **state) {
    expect(*state, "{\"items\":[{\"a\":\"},]\\\"[{\"},{\"\\\\\":\"\\\\\"}],\"b\":\"[\\\"{\"}",
           "<{\"a\":\"},]\\\"[{\"}><{\"\\\\\":\"\\\\\"}>", "{\"items\":[],\"b\":\"[\\\"{\"}");
}

static void only_items_of_the_root_are_the_items(void **state) {
    static const char *const others[] = {
        "{\"metadata\":{\"items\":[1,2]}}",
        "[\"items\",[1,2]]",
        "{\"x\":\"items\",\"y\":[1,2]}",
        "{\"xitems\":[1,2]}",
        "{\"items\":{\"a\":[1,2]}}",
        "{\"\\u0069tems\":[1,2]}",
        "[[1,2]]",
        "{\"a\":[\"items\",[1]]}",
        "\"items\"",
    };
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        expect(*state, others[i], "", others[i]);
    }
    expect(*state, "{\"a\":{\"items\":[1]},\"items\":[2]}", "<2>", "{\"a\":{\"items\":[1]},\"items\":[]}");
}

// Whatever is no JSON leaves an item or an envelope that is none either.
static void what_is_malformed_stays_so(void **state) {
    struct fixture *fixture = *state;
    static const char *const broken[] = {
        "{\"items\":[,]}",
        "{\"items\":[{},]}",
        "{\"items\":[{},,{}]}",
        "{\"items\":[{}]]}",
        "{\"items\":[{}}}",
        "{\"items\":[{]}]}",
        "{\"items\":[1 2]}",
        "{\"items\":[{}{}]}",
        "{\"items\"[{}]}",
        "{\"items\"::[{}]}",
        "{\"items\":[\"a]}",
        "{\"items\":[{}]",
        "{\"items\":[{}],}",
        "]}{\"items\":[{}]",
        "",
        "{\"items\":[{}]}{\"items\":[{}]}",
        "{\"items\":[],\"items\":[]}",
    };
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        struct error e;
        cleanup_json yyjson_doc *document = nullptr;
        must(feed(fixture, broken[i], &e), e);
        const struct buffer *envelope = &fixture->items.envelope;
        if (fixture->is_json && json_parse(buffer_text(envelope), envelope->length, &document, &e)) {
            fail_msg("%s was taken for JSON", broken[i]);
        }
        fixture->is_json = true;
        buffer_consume(&fixture->log, fixture->log.length);
        list_items_done(&fixture->items);
    }
}

static void too_much_is_an_error(void **state) {
    struct fixture *fixture = *state;
    struct error e;
    char text[ENVELOPE_CAP + 2] = "";
    memset(text, '1', ITEM_CAP);
    must(feed(fixture, "{\"items\":[", &e), e);
    must(feed(fixture, text, &e), e);
    must_fail(feed(fixture, "1", &e), e, ERROR_IO, "an item of a list is longer than 50 bytes");
    list_items_done(&fixture->items);
    memset(text, '"', 1);
    memset(text + 1, '1', ENVELOPE_CAP);
    must_fail(feed(fixture, text, &e), e, ERROR_IO,
              "what is beside the items of a list is longer than 200 bytes");
}

static void a_refused_item_ends_it(void **state) {
    struct fixture *fixture = *state;
    struct error e;
    fixture->refuse_at = 2;
    must_fail(feed(fixture, "{\"items\":[1,2,3]}", &e), e, ERROR_GONE, "refused");
    assert_string_equal(buffer_text(&fixture->log), "<1><2>");
}

static void out_of_memory_is_an_error(void **state) {
    struct fixture *fixture = *state;
    struct error e;
    for (long allocations = 0;; allocations++) {
        memory_left = allocations;
        bool done = feed(fixture, "{\"items\":[{\"a\":1},2]}", &e);
        memory_left = -1;
        list_items_done(&fixture->items);
        if (done) {
            assert_true(allocations > 0);
            return;
        }
        assert_int_equal(e.class, ERROR_NO_MEMORY);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(items_and_envelope_are_told_apart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_in_a_text_divides_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_items_of_the_root_are_the_items, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_malformed_stays_so, set_up, tear_down),
        cmocka_unit_test_setup_teardown(too_much_is_an_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_refused_item_ends_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(out_of_memory_is_an_error, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
