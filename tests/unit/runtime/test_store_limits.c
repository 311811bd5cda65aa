// The store when memory is out, and under many threads.
#include "store_fixture.h"

#include <pthread.h>

// ---- out of memory

static void a_failed_apply_leaves_the_store_as_it_was(void **state) {
    struct fixture *fixture = *state;
    struct error e;
    apply(fixture, make_as("a", "u", "1", ",\"refs\":[\"x\",\"y\"]"));
    expect_log(fixture, "+a@1 ");
    bool done = false;
    long failures = 0;
    for (; !done; failures++) {
        struct kube_object *object = make_as("a", "u", "2", ",\"refs\":[\"y\",\"z\",\"zz\"]");
        memory_left = failures;
        done = store_apply(fixture->store, object, &e);
        memory_left = -1;
        if (!done) {
            assert_int_equal(e.class, ERROR_NO_MEMORY);
            expect_log(fixture, "");
            expect_version(fixture, "a", "1");
            expect_found(fixture, "x", "d/a ");
            expect_found(fixture, "y", "d/a ");
            expect_found(fixture, "z", "");
        }
    }
    assert_in_range(failures, 5, 40);
    expect_log(fixture, "~a@1>2 ");
    expect_found(fixture, "x", "");
    expect_found(fixture, "zz", "d/a ");
    for (done = false, failures = 0; !done; failures++) { // a new key
        struct kube_object *object = make_as("b", "u", "3", ",\"refs\":[\"z\"]");
        memory_left = failures;
        done = store_apply_own(fixture->store, object, &e);
        memory_left = -1;
        expect_found(fixture, "z", done ? "d/a d/b " : "d/a ");
    }
}

static void a_failed_list_leaves_the_store_as_it_was(void **state) {
    struct fixture *fixture = *state;
    struct error e;
    replace(fixture, "10", 2, make_as("a", "u", "1", ",\"refs\":[\"x\"]"),
            make_as("b", "u", "2", ",\"refs\":[\"x\"]"));
    apply_own(fixture, make_as("own", "u", "30", ",\"refs\":[\"x\"]"));
    expect_log_sorted(fixture, "+a@1 +b@2 +own@30 ");
    bool done = false;
    long failures = 0;
    for (; !done; failures++) {
        struct kube_object *objects[] = {make_as("a", "u", "1", ",\"refs\":[\"x\"]"),
                                         make_as("c", "u", "15", ",\"refs\":[\"y\"]")};
        memory_left = failures;
        done = store_replace(fixture->store, objects, 2, "20", &e);
        memory_left = -1;
        if (!done) {
            assert_int_equal(e.class, ERROR_NO_MEMORY);
            expect_log(fixture, "");
            expect_found(fixture, "x", "d/a d/b d/own ");
            expect_found(fixture, "y", "");
        }
    }
    assert_in_range(failures, 10, 60);
    expect_log_sorted(fixture, "+c@15 -b@2 ");
    expect_found(fixture, "x", "d/a d/own ");
}

static void a_store_needs_memory(void **) {
    struct error e;
    const struct store_hooks hooks = {0};
    struct store *store = nullptr;
    long failures = 0;
    for (memory_left = 0; !store_create(&hooks, &store, &e); memory_left = ++failures) {
        assert_int_equal(e.class, ERROR_NO_MEMORY);
        assert_null(store);
    }
    memory_left = -1;
    assert_in_range(failures, 2, 10);
    apply(&(struct fixture){.store = store}, make("a", "1")); // without any hook
    replace(&(struct fixture){.store = store}, "2", 0);
    assert_int_equal(store_count(store), 0);
    store_free(store);
    store_free(nullptr);
}

// ---- threads

enum { WRITERS = 3, KEYS = 7, WRITES = 600 };

struct writer {
    struct store *store;
    int number;
};

static void touch(void *context, const struct kube_object *object) {
    kube_object_release(store_get(context, object->key));
}

static void *write_often(void *context) {
    const struct writer *writer = context;
    struct error e;
    for (int i = 1; i <= WRITES; i++) {
        char name[16];
        char version[16];
        snprintf(name, sizeof(name), "k%d", i % KEYS);
        snprintf(version, sizeof(version), "%d", i * WRITERS + writer->number);
        struct kube_object *object = make_as(name, "u", version, i % 2 == 0 ? ",\"refs\":[\"x\"]" : "");
        if (writer->number == 0 && i % 50 == 0) {
            must(store_replace(writer->store, &object, 1, version, &e), e);
        } else if (writer->number == 0 && i % 11 == 0) {
            store_remove(writer->store, object);
        } else if (writer->number == 0) {
            must(store_apply(writer->store, object, &e), e);
        } else {
            must(store_apply_own(writer->store, object, &e), e);
        }
        store_index_visit(writer->store, "x", touch, writer->store);
        (void)store_index_contains(writer->store, "x");
    }
    return nullptr;
}

static void many_threads_may_use_it(void **) {
    struct error e;
    struct store *store = nullptr;
    const struct store_hooks hooks = {.index = index_refs};
    must(store_create(&hooks, &store, &e), e);
    pthread_t threads[WRITERS];
    struct writer writers[WRITERS];
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){.store = store, .number = i};
        pthread_create(&threads[i], nullptr, write_often, &writers[i]);
    }
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(threads[i], nullptr);
    }
    // The last word is a list that is newer than all.
    struct kube_object *last = make_as("k0", "u", "1000000", ",\"refs\":[\"y\"]");
    must(store_replace(store, &last, 1, "1000000", &e), e);
    struct fixture fixture = {.store = store};
    assert_int_equal(store_count(store), 1);
    expect_found(&fixture, "x", "");
    expect_found(&fixture, "y", "d/k0 ");
    store_free(store);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        with_store(a_failed_apply_leaves_the_store_as_it_was),
        with_store(a_failed_list_leaves_the_store_as_it_was),
        cmocka_unit_test(a_store_needs_memory),
        cmocka_unit_test(many_threads_may_use_it),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
