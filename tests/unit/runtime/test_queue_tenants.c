// Namespaces take turns, in each lane.
#include "queue_fixture.h"

#include <string.h>

static void add_many(struct queue *queue, const char *place, int count) {
    for (int i = 0; i < count; i++) {
        char key[64];
        (void)snprintf(key, sizeof(key), "%s/%d", place, i);
        add(queue, key);
    }
}

static void one_of_many_does_not_wait_for_the_many(void **) {
    struct queue *queue = make();
    add_many(queue, "things/big", 1000);
    process(queue, "things/big/0");
    add(queue, "things/small/a");
    add(queue, "others/small/b"); // of another resource, in the same namespace
    process(queue, "things/big/1");
    process(queue, "things/small/a");
    process(queue, "things/big/2");
    process(queue, "others/small/b");
    process(queue, "things/big/3");
    process(queue, "things/big/4");
    assert_int_equal(queue_depth(queue), 995);
    queue_free(queue);
}

static void a_namespace_that_comes_again_waits_for_its_turn(void **) {
    struct queue *queue = make();
    add_many(queue, "things/a", 2);
    add_many(queue, "things/b", 2);
    process(queue, "things/a/0");
    add(queue, "things/a/0");
    process(queue, "things/b/0");
    process(queue, "things/a/1");
    process(queue, "things/b/1");
    process(queue, "things/a/0");
    assert_true(is_empty(queue));
    assert_true(is_forgotten(queue, "things/a/0"));
    assert_true(is_forgotten(queue, "things/b/1"));
    queue_free(queue);
}

static void they_take_turns_in_the_slow_lane_too(void **) {
    struct queue *queue = make();
    struct error e;
    static const char *const keys[] = {"t/a/0", "t/a/1", "t/b/0"};
    char *taken[3];
    for (int i = 0; i < 3; i++) {
        add(queue, keys[i]);
        taken[i] = take(queue, keys[i]);
    }
    for (int i = 0; i < 3; i++) {
        must(queue_add_slow(queue, taken[i], &e), e);
        queue_done(queue, taken[i]);
    }
    char *first = take(queue, "t/a/0");
    add(queue, "t/a/9"); // the fast lane has turns of its own
    process(queue, "t/a/9");
    queue_done(queue, first);
    process(queue, "t/b/0");
    process(queue, "t/a/1");
    assert_true(is_empty(queue));
    queue_free(queue);
}

// Those without a namespace, and keys of another form, share one that has no name.
static void every_key_has_a_namespace(void **) {
    struct queue *queue = make();
    static const char *const keys[] = {"a", "things/a", "things//a", "/", ""};
    add_many(queue, "things/ns", 2);
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        add(queue, keys[i]);
    }
    process(queue, "things/ns/0");
    process(queue, keys[0]);
    process(queue, "things/ns/1");
    for (size_t i = 1; i < sizeof(keys) / sizeof(keys[0]); i++) {
        process(queue, keys[i]);
    }
    assert_true(is_empty(queue));
    queue_free(queue);
}

struct seen {
    char text[256];
};

static bool note(void *context, const struct queue_key *key) {
    struct seen *seen = context;
    size_t length = strlen(seen->text);
    (void)snprintf(seen->text + length, sizeof(seen->text) - length, "%s ", key->key);
    return strcmp(key->key, "t/b/1") != 0;
}

static void they_are_described_one_after_the_other(void **) {
    struct queue *queue = make();
    struct seen seen = {""};
    add(queue, "t/a/0");
    add(queue, "t/b/0");
    add(queue, "t/a/1");
    add(queue, "t/c/0");
    queue_describe(queue, note, &seen);
    assert_string_equal(seen.text, "t/a/0 t/a/1 t/b/0 t/c/0 ");
    add(queue, "t/b/1"); // after which no more is wanted
    seen.text[0] = '\0';
    queue_describe(queue, note, &seen);
    assert_string_equal(seen.text, "t/a/0 t/a/1 t/b/0 t/b/1 ");
    queue_free(queue);
}

static void memory_may_be_out(void **) {
    struct queue *queue = make();
    struct error e;
    add(queue, "t/known/0");
    for (long allocations = 0;; allocations++) {
        memory_left = allocations;
        bool done = queue_add(queue, "t/new/0", &e);
        memory_left = -1;
        if (done) {
            assert_true(allocations > 3);
            break;
        }
        assert_int_equal(e.class, ERROR_NO_MEMORY);
        assert_int_equal(queue_depth(queue), 1);
    }
    process(queue, "t/known/0");
    process(queue, "t/new/0");
    assert_true(is_empty(queue));
    queue_free(queue);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_of_many_does_not_wait_for_the_many),
        cmocka_unit_test(a_namespace_that_comes_again_waits_for_its_turn),
        cmocka_unit_test(they_take_turns_in_the_slow_lane_too),
        cmocka_unit_test(every_key_has_a_namespace),
        cmocka_unit_test(they_are_described_one_after_the_other),
        cmocka_unit_test(memory_may_be_out),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
