#include "../base/check.h"
#include "../base/short_memory.h"

#include "base/buffer.h"
#include "kube/store.h"

#include <pthread.h>
#include <stdio.h>

// What the store reports, as "+key@version " (added), "~key@old>new " (changed) and "-key@version " (gone), each with
// "/uid" after the version when the uid is not "u".
struct fixture {
    struct store *store;
    struct buffer log;
};

static void note_version(struct buffer *log, const struct kube_object *object) {
    struct error e;
    must(buffer_append_text(log, object->resource_version, &e), e);
    if (strcmp(object->uid, "u") != 0) {
        must(buffer_append_format(log, &e, "/%s", object->uid), e);
    }
}

static void note_change(void *context, const struct kube_object *old, const struct kube_object *object) {
    struct fixture *fixture = context;
    struct error e;
    long left = memory_left;
    memory_left = -1; // what tests write down is not what they test
    assert_true(old != nullptr || object != nullptr);
    const char *sign = old == nullptr ? "+" : object == nullptr ? "-" : "~";
    must(buffer_append_format(&fixture->log, &e, "%s%s@", sign, (object == nullptr ? old : object)->name), e);
    if (old != nullptr) {
        note_version(&fixture->log, old);
    }
    if (old != nullptr && object != nullptr) {
        must(buffer_append_text(&fixture->log, ">", &e), e);
    }
    if (object != nullptr) {
        note_version(&fixture->log, object);
    }
    must(buffer_append_text(&fixture->log, " ", &e), e);
    memory_left = left;
}

static bool keep_unlabelled(void *, const struct kube_object *object) {
    return json_find(object->root, "drop", nullptr) == nullptr;
}

// Under each text of the object's "refs".
static void index_refs(void *, const struct kube_object *object, void (*add)(void *sink, const char *value),
                       void *sink) {
    yyjson_arr_iter refs = yyjson_arr_iter_with(json_find(object->root, "refs", nullptr));
    for (yyjson_val *ref; (ref = yyjson_arr_iter_next(&refs)) != nullptr;) {
        add(sink, json_text(ref));
    }
}

static int set_up(void **state) {
    static struct fixture fixture;
    struct error e;
    memory_left = -1;
    fixture = (struct fixture){.log = buffer_create(1 << 20)};
    const struct store_hooks hooks = {
        .context = &fixture, .keep = keep_unlabelled, .changed = note_change, .index = index_refs};
    must(store_create(&hooks, &fixture.store, &e), e);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *fixture = *state;
    store_free(fixture->store);
    buffer_free(&fixture->log);
    return 0;
}

// more: further members of the object, each after a comma, or "".
static struct kube_object *make_as(const char *name, const char *uid, const char *version, const char *more) {
    char text[512];
    struct error e;
    cleanup_json yyjson_doc *document = nullptr;
    struct kube_object *object = nullptr;
    snprintf(text, sizeof(text),
             "{\"metadata\":{\"name\":\"%s\",\"namespace\":\"d\",\"uid\":\"%s\",\"resourceVersion\":\"%s\"}%s}", name,
             uid, version, more);
    must(json_parse(text, strlen(text), &document, &e), e);
    must(kube_object_create(yyjson_doc_get_root(document), &object, &e), e);
    return object;
}

static struct kube_object *make(const char *name, const char *version) {
    return make_as(name, "u", version, "");
}

static void apply(struct fixture *fixture, struct kube_object *object) {
    struct error e;
    must(store_apply(fixture->store, object, &e), e);
}

static void apply_own(struct fixture *fixture, struct kube_object *object) {
    struct error e;
    must(store_apply_own(fixture->store, object, &e), e);
}

// What was reported since the last call.
static void expect_log(struct fixture *fixture, const char *expected) {
    assert_string_equal(buffer_text(&fixture->log), expected);
    buffer_consume(&fixture->log, fixture->log.length);
}

static int compare_marks(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

// As expect_log, in any order; expected is in that of strcmp.
static void expect_log_sorted(struct fixture *fixture, const char *expected) {
    char *marks[64];
    size_t count = 0;
    char sorted[1024] = "";
    cleanup_text char *log = memory_copy_text(buffer_text(&fixture->log));
    char *rest = log;
    for (char *mark; (mark = strsep(&rest, " ")) != nullptr && *mark != '\0';) {
        marks[count++] = mark;
    }
    qsort(marks, count, sizeof(marks[0]), compare_marks);
    for (size_t i = 0; i < count; i++) {
        strcat(strcat(sorted, marks[i]), " ");
    }
    assert_string_equal(sorted, expected);
    buffer_consume(&fixture->log, fixture->log.length);
}

static void expect_version(struct fixture *fixture, const char *name, const char *version) {
    char key[64];
    snprintf(key, sizeof(key), "d/%s", name);
    cleanup_object struct kube_object *object = store_get(fixture->store, key);
    if (version == nullptr) {
        assert_null(object);
    } else {
        assert_non_null(object);
        assert_string_equal(object->resource_version, version);
    }
}

static void note_key(void *context, const char *key) {
    struct error e;
    must(buffer_append_format(context, &e, "%s ", key), e);
}

// The keys under value in the index, in any order.
static void expect_found(struct fixture *fixture, const char *value, const char *expected) {
    struct fixture found = {.log = buffer_create(1 << 20)};
    store_find(fixture->store, value, note_key, &found.log);
    expect_log_sorted(&found, expected);
    buffer_free(&found.log);
    assert_int_equal(store_has(fixture->store, value), expected[0] != '\0');
}

static void replace(struct fixture *fixture, const char *version, size_t count, ...) {
    struct kube_object *objects[16];
    struct error e;
    va_list arguments;
    va_start(arguments, count);
    for (size_t i = 0; i < count; i++) {
        objects[i] = va_arg(arguments, struct kube_object *);
    }
    va_end(arguments);
    must(store_replace(fixture->store, objects, count, version, &e), e);
}

// ---- applying and removing

static void changes_are_reported(void **state) {
    struct fixture *fixture = *state;
    apply(fixture, make("a", "1"));
    expect_log(fixture, "+a@1 ");
    apply(fixture, make("a", "2"));
    expect_log(fixture, "~a@1>2 ");
    apply(fixture, make("b", "3"));
    assert_int_equal(store_count(fixture->store), 2);
    store_remove(fixture->store, make("a", "4"));
    expect_log(fixture, "+b@3 -a@2 ");
    assert_int_equal(store_count(fixture->store), 1);
    expect_version(fixture, "a", nullptr);
    expect_version(fixture, "b", "3");
    store_remove(fixture->store, make("a", "4"));
    expect_log(fixture, "");
}

static void a_known_or_older_version_changes_nothing(void **state) {
    struct fixture *fixture = *state;
    apply(fixture, make("a", "9"));
    apply(fixture, make("a", "10"));
    expect_log(fixture, "+a@9 ~a@9>10 ");
    apply(fixture, make("a", "10"));
    apply(fixture, make("a", "9"));
    expect_log(fixture, "");
    expect_version(fixture, "a", "10");
}

static void an_own_write_is_read_at_once_and_its_echo_is_silent(void **state) {
    struct fixture *fixture = *state;
    apply(fixture, make("a", "5"));
    apply_own(fixture, make("a", "7"));
    expect_version(fixture, "a", "7");
    expect_log(fixture, "+a@5 ~a@5>7 ");
    apply(fixture, make("a", "6")); // somebody else's write, on the way when ours was made
    apply(fixture, make("a", "7"));
    expect_log(fixture, "");
    expect_version(fixture, "a", "7");
}

static void an_own_write_that_the_watch_has_passed_is_dropped(void **state) {
    struct fixture *fixture = *state;
    apply(fixture, make("a", "5"));
    store_remove(fixture->store, make("a", "8"));
    expect_log(fixture, "+a@5 -a@5 ");
    apply_own(fixture, make("a", "7")); // written before the deletion, heard of after it
    expect_version(fixture, "a", nullptr);
    store_advance(fixture->store, "20");
    apply_own(fixture, make("b", "19"));
    apply_own(fixture, make("b", "20"));
    expect_version(fixture, "b", nullptr);
    store_advance(fixture->store, "9"); // does not go back
    apply_own(fixture, make("b", "19"));
    expect_version(fixture, "b", nullptr);
    expect_log(fixture, "");
    apply_own(fixture, make("b", "21"));
    expect_log(fixture, "+b@21 ");
}

static void every_event_moves_how_far_the_watch_has_come(void **state) {
    struct fixture *fixture = *state;
    apply(fixture, make("other", "10"));
    apply_own(fixture, make("a", "9"));
    expect_version(fixture, "a", nullptr);
    apply(fixture, make_as("unwanted", "u", "12", ",\"drop\":true"));
    apply_own(fixture, make("a", "11"));
    expect_version(fixture, "a", nullptr);
    replace(fixture, "15", 0);
    apply_own(fixture, make("a", "14"));
    expect_version(fixture, "a", nullptr);
}

static void a_read_is_dropped_when_anything_was_removed_meanwhile(void **state) {
    struct fixture *fixture = *state;
    struct error e;
    store_advance(fixture->store, "50");
    uint64_t removals = store_removals(fixture->store);
    must(store_apply_read(fixture->store, make("a", "7"), removals, &e), e); // older than the watch, and welcome
    expect_log(fixture, "+a@7 ");
    must(store_apply_read(fixture->store, make("a", "7"), removals, &e), e);
    must(store_apply_read(fixture->store, make("a", "6"), removals, &e), e);
    expect_log(fixture, "");
    store_remove(fixture->store, make("b", "51"));
    must(store_apply_read(fixture->store, make("b", "8"), removals, &e), e);
    expect_version(fixture, "b", nullptr);
    removals = store_removals(fixture->store);
    replace(fixture, "60", 0);
    must(store_apply_read(fixture->store, make("b", "8"), removals, &e), e);
    expect_version(fixture, "b", nullptr);
}

static void an_object_made_anew_is_another_one(void **state) {
    struct fixture *fixture = *state;
    apply(fixture, make_as("a", "first", "5", ""));
    apply(fixture, make_as("a", "second", "9", ""));
    expect_log(fixture, "+a@5/first -a@5/first +a@9/second ");
    store_remove(fixture->store, make_as("a", "first", "8", "")); // late news of the first
    expect_log(fixture, "");
    expect_version(fixture, "a", "9");
    store_remove(fixture->store, make_as("a", "third", "12", "")); // the end of one that was never seen
    expect_log(fixture, "-a@9/second ");
    apply_own(fixture, make_as("a", "fourth", "20", ""));
    store_remove(fixture->store, make_as("a", "fourth", "19", "")); // its own end is final
    expect_log(fixture, "+a@20/fourth -a@20/fourth ");
}

static void what_is_not_worth_keeping_is_as_good_as_gone(void **state) {
    struct fixture *fixture = *state;
    apply(fixture, make_as("a", "u", "5", ",\"drop\":true"));
    expect_log(fixture, "");
    expect_version(fixture, "a", nullptr);
    apply(fixture, make("a", "6"));
    apply(fixture, make_as("a", "u", "5", ",\"drop\":true")); // old news
    expect_log(fixture, "+a@6 ");
    apply(fixture, make_as("a", "u", "7", ",\"drop\":true"));
    expect_log(fixture, "-a@6 ");
    assert_int_equal(store_count(fixture->store), 0);
    store_remove(fixture->store, make_as("a", "u", "8", ",\"drop\":true"));
    expect_log(fixture, "");
    apply(fixture, make("a", "9"));
    replace(fixture, "10", 1, make_as("a", "u", "10", ",\"drop\":true"));
    expect_log(fixture, "+a@9 -a@9 ");
}

// ---- lists

static void a_list_is_compared_with_what_is_stored(void **state) {
    struct fixture *fixture = *state;
    replace(fixture, "10", 3, make("same", "1"), make("changed", "2"), make("gone", "3"));
    expect_log_sorted(fixture, "+changed@2 +gone@3 +same@1 ");
    replace(fixture, "20", 3, make("same", "1"), make("changed", "12"), make("new", "13"));
    expect_log_sorted(fixture, "+new@13 -gone@3 ~changed@2>12 ");
    assert_int_equal(store_count(fixture->store), 3);
    expect_version(fixture, "gone", nullptr);
    replace(fixture, "21", 0);
    expect_log_sorted(fixture, "-changed@12 -new@13 -same@1 ");
    assert_int_equal(store_count(fixture->store), 0);
}

static void a_list_reports_an_object_made_anew(void **state) {
    struct fixture *fixture = *state;
    replace(fixture, "10", 1, make_as("a", "first", "1", ""));
    replace(fixture, "20", 1, make_as("a", "second", "15", ""));
    expect_log(fixture, "+a@1/first -a@1/first +a@15/second ");
}

static void a_list_keeps_newer_own_writes(void **state) {
    struct fixture *fixture = *state;
    replace(fixture, "10", 1, make("a", "5"));
    apply_own(fixture, make("a", "25"));
    apply_own(fixture, make("b", "26"));
    apply_own(fixture, make("c", "19"));
    expect_log(fixture, "+a@5 ~a@5>25 +b@26 +c@19 ");
    replace(fixture, "20", 1, make("a", "15")); // as of a time before the first two, after the third
    expect_log(fixture, "-c@19 ");
    expect_version(fixture, "a", "25");
    expect_version(fixture, "b", "26");
}

static void a_list_from_a_restored_server_is_the_truth(void **state) {
    struct fixture *fixture = *state;
    replace(fixture, "1000", 3, make("same", "5"), make("back", "900"), make("lost", "950"));
    apply_own(fixture, make("own", "1100"));
    apply(fixture, make_as("twin", "u", "990", ",\"v\":1"));
    apply(fixture, make("twin2", "991"));
    expect_log_sorted(fixture, "+back@900 +lost@950 +own@1100 +same@5 +twin2@991 +twin@990 ");
    // Versions are given out for the second time: one number with other content is a change.
    replace(fixture, "995", 4, make("same", "5"), make("back", "800"),
            make_as("twin", "u", "990", ",\"v\":2"), make("twin2", "991"));
    expect_log_sorted(fixture, "-lost@950 -own@1100 ~back@900>800 ~twin@990>990 ");
    apply_own(fixture, make("a", "994")); // how far the watch has come went back, too
    expect_version(fixture, "a", nullptr);
    apply_own(fixture, make("a", "996"));
    expect_version(fixture, "a", "996");
}

static void of_one_key_twice_in_a_list_the_newer_counts(void **state) {
    struct fixture *fixture = *state;
    replace(fixture, "10", 3, make("a", "4"), make("a", "6"), make("a", "5"));
    expect_log(fixture, "+a@6 ");
}

// ---- the index

static void the_index_follows_the_objects(void **state) {
    struct fixture *fixture = *state;
    expect_found(fixture, "x", "");
    apply(fixture, make_as("a", "u", "1", ",\"refs\":[\"x\",\"y\"]"));
    apply(fixture, make_as("b", "u", "2", ",\"refs\":[\"y\",\"y\"]"));
    expect_found(fixture, "x", "d/a ");
    expect_found(fixture, "y", "d/a d/b ");
    apply(fixture, make_as("a", "u", "3", ",\"refs\":[\"y\",\"z\"]"));
    expect_found(fixture, "x", "");
    expect_found(fixture, "y", "d/a d/b ");
    expect_found(fixture, "z", "d/a ");
    store_remove(fixture->store, make("a", "4")); // the last state may lack what was indexed
    expect_found(fixture, "y", "d/b ");
    expect_found(fixture, "z", "");
    apply(fixture, make_as("b", "u", "5", ",\"drop\":true"));
    expect_found(fixture, "y", "");
}

static void the_index_follows_lists(void **state) {
    struct fixture *fixture = *state;
    replace(fixture, "10", 2, make_as("a", "u", "1", ",\"refs\":[\"x\"]"), make_as("b", "u", "2", ",\"refs\":[\"x\"]"));
    apply_own(fixture, make_as("own", "u", "30", ",\"refs\":[\"x\"]"));
    replace(fixture, "20", 2, make_as("a", "u", "1", ",\"refs\":[\"x\"]"),
            make_as("c", "u", "15", ",\"refs\":[\"x\",\"y\"]"));
    expect_found(fixture, "x", "d/a d/c d/own ");
    expect_found(fixture, "y", "d/c ");
    replace(fixture, "40", 0);
    expect_found(fixture, "x", "");
    expect_found(fixture, "y", "");
}

struct removal {
    struct fixture *fixture;
    int visits;
};

static void remove_all(void *context, const char *) {
    struct removal *removal = context;
    removal->visits++;
    replace(removal->fixture, "90", 0);
}

static void a_visit_may_change_the_store(void **state) {
    struct fixture *fixture = *state;
    apply(fixture, make_as("a", "u", "1", ",\"refs\":[\"x\"]"));
    apply(fixture, make_as("b", "u", "2", ",\"refs\":[\"x\"]"));
    struct removal removal = {.fixture = fixture};
    store_find(fixture->store, "x", remove_all, &removal);
    assert_int_equal(removal.visits, 2); // it was a copy
    assert_int_equal(store_count(fixture->store), 0);
}

static void note_object(void *context, struct kube_object *object) {
    note_key(context, object->key);
}

static void all_are_visited_even_without_memory(void **state) {
    struct fixture *fixture = *state;
    for (int i = 0; i < 20; i++) {
        char name[8];
        snprintf(name, sizeof(name), "n%02d", i);
        apply(fixture, make_as(name, "u", "1", ",\"refs\":[\"x\"]"));
    }
    for (int round = 0; round < 2; round++) {
        struct buffer all = buffer_create(1 << 20);
        struct buffer found = buffer_create(1 << 20);
        char *room;
        struct error e;
        must(buffer_reserve(&all, 1000, &room, &e), e);
        must(buffer_reserve(&found, 1000, &room, &e), e);
        memory_left = round == 0 ? -1 : 0;
        store_visit(fixture->store, note_object, &all);
        store_find(fixture->store, "x", note_key, &found);
        store_find(fixture->store, "nothing", note_key, &found);
        memory_left = -1;
        for (int i = 0; i < 20; i++) {
            char key[8];
            snprintf(key, sizeof(key), "d/n%02d ", i);
            assert_non_null(strstr(buffer_text(&all), key));
            assert_non_null(strstr(buffer_text(&found), key));
        }
        assert_int_equal(all.length, 20 * 6);
        assert_int_equal(found.length, 20 * 6);
        buffer_free(&all);
        buffer_free(&found);
    }
}

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
    replace(fixture, "10", 2, make_as("a", "u", "1", ",\"refs\":[\"x\"]"), make_as("b", "u", "2", ",\"refs\":[\"x\"]"));
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

static void look(void *, struct kube_object *object) {
    assert_int_equal(object->key[0], 'd');
}

static void touch(void *context, const char *key) {
    kube_object_release(store_get(context, key));
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
        store_visit(writer->store, look, nullptr);
        store_find(writer->store, "x", touch, writer->store);
        (void)store_has(writer->store, "x");
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

#define with_store(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        with_store(changes_are_reported),
        with_store(a_known_or_older_version_changes_nothing),
        with_store(an_own_write_is_read_at_once_and_its_echo_is_silent),
        with_store(an_own_write_that_the_watch_has_passed_is_dropped),
        with_store(every_event_moves_how_far_the_watch_has_come),
        with_store(a_read_is_dropped_when_anything_was_removed_meanwhile),
        with_store(an_object_made_anew_is_another_one),
        with_store(what_is_not_worth_keeping_is_as_good_as_gone),
        with_store(a_list_is_compared_with_what_is_stored),
        with_store(a_list_reports_an_object_made_anew),
        with_store(a_list_keeps_newer_own_writes),
        with_store(a_list_from_a_restored_server_is_the_truth),
        with_store(of_one_key_twice_in_a_list_the_newer_counts),
        with_store(the_index_follows_the_objects),
        with_store(the_index_follows_lists),
        with_store(a_visit_may_change_the_store),
        with_store(all_are_visited_even_without_memory),
        with_store(a_failed_apply_leaves_the_store_as_it_was),
        with_store(a_failed_list_leaves_the_store_as_it_was),
        cmocka_unit_test(a_store_needs_memory),
        cmocka_unit_test(many_threads_may_use_it),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
