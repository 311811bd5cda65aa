// Namespaces take turns, in each lane.
#include "queue_fixture.h"

static void add_many(struct queue *queue, const char *place, int count) {
    for (int i = 0; i < count; i++) {
        char key[64];
        (void)snprintf(key, sizeof(key), "%s/%d", place, i);
        add(queue, key);
    }
}

static void one_of_many_does_not_wait_for_the_many(void **) {
    struct queue *queue = make();
    add_many(queue, "big", 1000);
    process(queue, "big/0");
    add(queue, "small/a");
    struct error e;
    static const struct kube_resource others = {"example.com", "v1", "Other", "others"};
    const struct object_key other = {&others, "small", "a"}; // of another resource, in the same namespace
    must(queue_add(queue, &other, &e), e);
    process(queue, "big/1");
    process(queue, "small/a");
    process(queue, "big/2");
    struct object_key taken;
    struct queue_attempt attempt;
    assert_true(queue_take(queue, &taken, &attempt));
    assert_ptr_equal(taken.resource, &others);
    assert_string_equal(taken.name, "a");
    queue_done(queue, &taken);
    process(queue, "big/3");
    process(queue, "big/4");
    assert_int_equal(queue_depth(queue), 995);
    queue_free(queue);
}

static void a_namespace_that_comes_again_waits_for_its_turn(void **) {
    struct queue *queue = make();
    add_many(queue, "a", 2);
    add_many(queue, "b", 2);
    process(queue, "a/0");
    add(queue, "a/0");
    process(queue, "b/0");
    process(queue, "a/1");
    process(queue, "b/1");
    process(queue, "a/0");
    assert_true(is_empty(queue));
    assert_true(is_forgotten(queue, "a/0"));
    assert_true(is_forgotten(queue, "b/1"));
    queue_free(queue);
}

static void they_take_turns_in_the_slow_lane_too(void **) {
    struct queue *queue = make();
    struct error e;
    static const char *const keys[] = {"a/0", "a/1", "b/0"};
    struct object_key taken[3];
    for (int i = 0; i < 3; i++) {
        add(queue, keys[i]);
        taken[i] = take(queue, keys[i]);
    }
    for (int i = 0; i < 3; i++) {
        must(queue_add_to_lane(queue, &taken[i], QUEUE_SLOW, &e), e);
        queue_done(queue, &taken[i]);
    }
    struct object_key first = take(queue, "a/0");
    add(queue, "a/9"); // the fast lane has turns of its own
    process(queue, "a/9");
    queue_done(queue, &first);
    process(queue, "b/0");
    process(queue, "a/1");
    assert_true(is_empty(queue));
    queue_free(queue);
}

// What is cluster-scoped shares one that has no name.
static void what_has_no_namespace_shares_one(void **) {
    struct queue *queue = make();
    add_many(queue, "ns", 2);
    add(queue, "a");
    add(queue, "b");
    add(queue, "");
    process(queue, "ns/0");
    process(queue, "a");
    process(queue, "ns/1");
    process(queue, "b");
    process(queue, "");
    assert_true(is_empty(queue));
    queue_free(queue);
}

struct seen {
    char text[256];
};

static bool note(void *context, const struct queue_key *key) {
    struct seen *seen = context;
    size_t length = strlen(seen->text);
    (void)snprintf(seen->text + length, sizeof(seen->text) - length, "%s/%s ", key->key->namespace,
                   key->key->name);
    return !key_is(key->key, "b/1");
}

static void they_are_described_one_after_the_other(void **) {
    struct queue *queue = make();
    struct seen seen = {""};
    add(queue, "a/0");
    add(queue, "b/0");
    add(queue, "a/1");
    add(queue, "c/0");
    queue_describe(queue, note, &seen);
    assert_string_equal(seen.text, "a/0 a/1 b/0 c/0 ");
    add(queue, "b/1"); // after which no more is wanted
    seen.text[0] = '\0';
    queue_describe(queue, note, &seen);
    assert_string_equal(seen.text, "a/0 a/1 b/0 b/1 ");
    queue_free(queue);
}

static void memory_may_be_out(void **) {
    struct queue *queue = make();
    struct error e;
    add(queue, "known/0");
    for (long allocations = 0;; allocations++) {
        memory_left = allocations;
        bool done = queue_add(queue, KEY("new/0"), &e);
        memory_left = -1;
        if (done) {
            assert_true(allocations > 2);
            break;
        }
        assert_int_equal(e.class, ERROR_NO_MEMORY);
        assert_int_equal(queue_depth(queue), 1);
    }
    process(queue, "known/0");
    process(queue, "new/0");
    assert_true(is_empty(queue));
    queue_free(queue);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_of_many_does_not_wait_for_the_many),
        cmocka_unit_test(a_namespace_that_comes_again_waits_for_its_turn),
        cmocka_unit_test(they_take_turns_in_the_slow_lane_too),
        cmocka_unit_test(what_has_no_namespace_shares_one),
        cmocka_unit_test(they_are_described_one_after_the_other),
        cmocka_unit_test(memory_may_be_out),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
